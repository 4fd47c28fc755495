"""Forms and what is said after them: the token of the session, and one message to the next page."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from analytics.access.guard import bearer
from analytics.access.sessions import Session

FIELD = "form"
MESSAGE = "gpuledger-said"
# A reason and a few names; more than that is no form of ours.
LONGEST_BYTES, MOST_FIELDS = 65_536, 64
MESSAGE_LIVES_S = 60
FORM_TYPE = "application/x-www-form-urlencoded"
STRANGE = "this form is of another login: open the page again, and send it from there"


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a form of ours; of several with one name the last."""
    fields = parsed(await _body(request))
    # Who shows a token in the header is no browser that another site could talk to.
    if not bearer(request):
        ours = form_token(request)
        if not ours or not hmac.compare_digest(ours.encode(), fields.get(FIELD, "").encode()):
            raise HTTPException(403, STRANGE)
    return fields


Form = Annotated[Mapping[str, str], Depends(_fields)]


async def _open_fields(request: Request) -> dict[str, str]:
    """The fields of the form of those whom nobody knows yet."""
    return parsed(await _body(request))


OpenForm = Annotated[Mapping[str, str], Depends(_open_fields)]


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise HTTPException(415, f"a form is sent as {FORM_TYPE}")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BYTES:
            raise HTTPException(413, f"a form has {LONGEST_BYTES:,} bytes at most")
    return body


def parsed(body: bytes) -> dict[str, str]:
    """The fields of a form; HTTPException where it is none."""
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise HTTPException(400, "this is no form") from None
    return dict(pairs)


def form_token(request: Request) -> str:
    """The secret of the forms of this login; empty without one."""
    session: Session | None = request.scope.get("session")
    return session.form_token if session else ""


def back(request: Request, path: str, message: str) -> Response:
    """To a page of ours, which says the message once."""
    answer = RedirectResponse(path, 303)
    told = base64.urlsafe_b64encode(message[:1000].encode()).decode()
    answer.set_cookie(
        MESSAGE,
        f"{_sign(request, told)}.{told}",
        max_age=MESSAGE_LIVES_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def heard(request: Request) -> str:
    """What the page before had to say; empty where nothing, or not by us."""
    sign, _, told = request.cookies.get(MESSAGE, "").partition(".")
    if not told or not hmac.compare_digest(sign.encode(), _sign(request, told).encode()):
        return ""
    return base64.urlsafe_b64decode(told).decode()


def forget(answer: Response) -> None:
    """A message is said once."""
    answer.delete_cookie(MESSAGE, httponly=True, samesite="strict")


def _sign(request: Request, told: str) -> str:
    key = form_token(request) or request.app.state.service.token
    return hmac.new(key.encode(), told.encode(), "sha256").hexdigest()
