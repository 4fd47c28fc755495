"""Logging in and out: a session's cookie on an answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from analytics.access.caller import Caller
from analytics.access.guard import COOKIE
from analytics.access.sessions import Sessions


def log_in(answer: Response, request: Request, sessions: Sessions, caller: Caller) -> None:
    """Begin a session; what the browser had before is over, so that nobody plants one on it."""
    sessions.end(request.cookies.get(COOKIE, ""))
    answer.set_cookie(
        COOKIE,
        sessions.begin(caller),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def log_out(answer: Response, request: Request, sessions: Sessions) -> None:
    """End the session, here and in the browser."""
    sessions.end(request.cookies.get(COOKIE, ""))
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
