"""Tokens: who has one, for what, and when it was used; made, replaced and taken back here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Request, Response

from analytics.access.caller import Role
from analytics.access.issue import Issued, Office, Wanted, listed
from analytics.console.paper import pages, show
from analytics.console.said import Form, back
from analytics.routes.common import TheCaller, TheReader, TheService
from gpuledger.errors import ConfigError

router = pages()

ADDRESS = "/tokens"


@router.get(ADDRESS)
def page(
    request: Request,
    reader: TheReader,
    everything: Annotated[bool, Query(description="also those that are over")] = False,
) -> Response:
    """The tokens that are good, or all; never a secret."""
    rows = listed(reader, datetime.now(UTC), everything=everything)
    return show(
        request,
        "tokens.html",
        rows=rows,
        everything=everything,
        roles=[role.value for role in Role],
    )


@router.post(ADDRESS)
def create(request: Request, service: TheService, caller: TheCaller, form: Form) -> Response:
    """A new token, shown this once."""
    wanted = Wanted(
        name=form.get("name", "").strip(),
        role=form.get("role", ""),
        expires=form.get("expires", "").strip(),
        teams=_names(form.get("teams", "")),
        cluster=form.get("cluster", "").strip(),
        node=form.get("node", "").strip(),
        tables=_names(form.get("tables", "")),
    )
    try:
        issued = Office(service.store).create(caller, wanted, request)
    except ConfigError as e:
        return back(request, ADDRESS, f"No token was made: {e}.")
    return _shown(request, issued, "It is new.")


@router.post("/tokens/{identifier}/rotate")
def rotate(
    request: Request, service: TheService, caller: TheCaller, form: Form, identifier: str
) -> Response:
    """A new token in place of a good one, which goes on for the grace time."""
    try:
        issued = Office(service.store).rotate(
            caller, identifier, request, grace=form.get("grace", "").strip()
        )
    except ConfigError as e:
        return back(request, ADDRESS, f"Nothing was changed: {e}.")
    return _shown(request, issued, f"It takes over from {identifier}, which goes on for a while.")


@router.post("/tokens/{identifier}/revoke")
def revoke(
    request: Request,
    service: TheService,
    caller: TheCaller,
    form: Form,  # noqa: ARG001 - its token is checked
    identifier: str,
) -> Response:
    """Take it back, for ever."""
    try:
        Office(service.store).revoke(caller, identifier, request)
    except ConfigError as e:
        return back(request, ADDRESS, f"Nothing was changed: {e}.")
    return back(request, ADDRESS, f"Token {identifier} opens nothing any more.")


def _names(text: str) -> tuple[str, ...]:
    """Names that commas part."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _shown(request: Request, issued: Issued, what: str) -> Response:
    """The page with the secret: an answer that nobody keeps, and no address leads to."""
    return show(request, "token.html", token=issued.token, told=issued.told, what=what)
