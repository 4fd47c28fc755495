"""The fleet's switch: while a file is there, senders are told to read nothing (ADR 33)."""

from __future__ import annotations

import logging
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gpuledger import envelope

log = logging.getLogger(__name__)

HEADER = "X-Gpuledger-Pause"
# Longer than an agent waits between two batches, also while it backs off.
HOLDS_S = 900


class PauseSwitch:
    """Whom the file names; it is looked at with each request, so that it works at once.

    One version of the agent on each line; an empty file, or `*`, means all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._versions: frozenset[str] = frozenset()

    def stops(self, version: str) -> bool:
        """Whether agents of that version are to read nothing."""
        self._look()
        return self._seen is not None and (not self._versions or version in self._versions)

    def _look(self) -> None:
        try:
            state = self._path.stat()
            seen = state.st_mtime_ns, state.st_size
            if seen == self._seen:
                return
            text = self._path.read_text()
        except FileNotFoundError:
            if self._seen:
                log.warning("agents read again: %s is gone", self._path)
            self._seen = None
            return
        except (OSError, ValueError) as e:
            # Somebody put it there: what cannot be read stops nobody silently, and nobody goes on.
            seen, text = (0, 0), ""
            if self._seen != seen:
                log.error("%s cannot be read, all agents pause: %s", self._path, e)
        self._seen, self._versions = seen, _versions(text)
        told = ", ".join(sorted(self._versions)) or "all"
        log.warning("agents are told to pause (versions: %s): %s", told, self._path)


def _versions(text: str) -> frozenset[str]:
    words = {line.partition("#")[0].strip() for line in text.splitlines()} - {""}
    return frozenset() if "*" in words else frozenset(words)


class TellPause:
    """Puts the switch's word on every answer to a collector, refusals too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over; add the header to what is answered where the switch stops the sender."""
        if scope["type"] != "http" or not scope["path"].startswith(envelope.PATH):
            await self._app(scope, receive, send)
            return
        intake = scope["app"].state.intake
        version = Headers(scope=scope).get("x-gpuledger-schema", "")

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = str(HOLDS_S)
            await send(message)

        stops = intake and intake.pause and intake.pause.stops(version)
        await self._app(scope, receive, tell if stops else send)
