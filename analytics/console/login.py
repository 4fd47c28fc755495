"""Logging in with a token or a one-time link, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from analytics.access.caller import NotKnown, Role
from analytics.access.guard import is_foreign
from analytics.access.login import log_in, log_out
from analytics.console.paper import pages, show
from analytics.console.said import Form, OpenForm
from analytics.report import words
from analytics.routes.common import TheService

router = pages()

USED = "this login link was used already, or is too old: restart the service for another"
WRONG = "This token opens nothing: it is misspelt, revoked or expired."
FOR_SENDING = "This token only sends rows; the console wants another one."
FOREIGN = "this form comes from a page of another site"


@router.get("/login")
def page(
    request: Request, service: TheService, key: Annotated[str | None, Query()] = None
) -> Response:
    """The form; with the key of a one-time link, straight to the overview."""
    if key is None:
        return show(request, "login.html", problem="")
    caller = service.logins.use(key)
    if caller is None:
        raise HTTPException(401, USED)
    answer = RedirectResponse("/", 303)
    log_in(answer, request, service.sessions, caller)
    return answer


@router.post("/login")
async def enter(request: Request, service: TheService, form: OpenForm) -> Response:
    """Begin a session for whoever has a token."""
    # Nobody is known yet, so the guard did not look: another site must log nobody in here.
    if is_foreign(request):
        raise HTTPException(403, FOREIGN)
    try:
        caller = await service.by_token(form.get("token", "").strip())
    except NotKnown as e:
        return show(request, "login.html", 401, problem=f"{words.sentence(str(e))}.")
    if caller is None or caller.role is Role.INGEST:
        return show(request, "login.html", 401, problem=FOR_SENDING if caller else WRONG)
    answer = RedirectResponse("/", 303)
    log_in(answer, request, service.sessions, caller)
    return answer


@router.post("/logout")
def leave(request: Request, service: TheService, form: Form) -> Response:  # noqa: ARG001 - its token is checked
    """End the session."""
    answer = RedirectResponse("/login", 303)
    log_out(answer, request, service.sessions)
    return answer
