"""Bodies of questions and decisions are small: a larger one is refused before it is held."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.problems import problem

MOST_BYTES = 2 << 20
# An instance to plan for has a line for each node and task.
LARGER = {"/v1/plans": 64 << 20}
TOO_LARGE = "a request here has at most {} bytes"


class Bounded:
    """413 for a body beyond what its path may have; `free` are paths that bound their own."""

    def __init__(self, app: ASGIApp, free: tuple[str, ...]) -> None:
        self._app = app
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over what fits, as it comes."""
        if scope["type"] != "http" or scope["path"].startswith(self._free):
            await self._app(scope, receive, send)
            return
        most = LARGER.get(scope["path"], MOST_BYTES)
        told = Request(scope).headers.get("content-length", "")
        if told.isdecimal() and int(told) > most:
            await problem(413, TOO_LARGE.format(most))(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise HTTPException(413, TOO_LARGE.format(most))
            return message

        await self._app(scope, counted, send)
