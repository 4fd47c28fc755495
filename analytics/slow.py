"""Connections that are slow on purpose, or too many: each has its time, and there is an end.

A request's head must have come within `head_s`. Its body may take as long as it likes, if it comes
at a pace; who stalls holds a connection for nothing. Collectors send again what broke off.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 10.0
LEAST_BYTES_PER_S = 1 << 10
LONGEST_HEAD = 64 << 10
MOST_CONNECTIONS = 10_000
# Files of our own: journal, database, exports.
OWN_FILES = 256

REFUSAL = "HTTP/1.1 {}\r\ncontent-length: 0\r\nconnection: close\r\n{}\r\n"
BUSY = REFUSAL.format("503 Service Unavailable", "retry-after: 10\r\n").encode()
SLOW = REFUSAL.format("408 Request Timeout", "").encode()
LARGE = REFUSAL.format("431 Request Header Fields Too Large", "").encode()


def most_connections(limit: int = MOST_CONNECTIONS) -> int:
    """Connections that fit into the files that this process may open; it may open more then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limit + OWN_FILES
    if resource.RLIM_INFINITY not in {soft, hard} and soft < wanted:
        soft = min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return limit if soft == resource.RLIM_INFINITY else max(16, min(limit, soft - OWN_FILES))


class Patience(HttpToolsProtocol):
    """uvicorn's own protocol, with an end to its patience."""

    most = MOST_CONNECTIONS
    head_s = HEAD_S

    _timer: asyncio.TimerHandle | None = None
    _came = 0
    _has_head = _is_whole = _refused = False

    def connection_made(self, transport: Any) -> None:
        """Turn away whoever comes when all places are taken."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(BUSY)
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._relax()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand over, and see whether the request is whole."""
        if self._refused:
            return
        self._came += len(data)
        super().data_received(data)
        if self._is_whole and not self._is_idle():
            self._relax()
        elif not self._has_head and self._came > LONGEST_HEAD:
            self._refuse(LARGE)
        elif self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        """The head of a request begins."""
        self._has_head = self._is_whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The body is waited for."""
        self._has_head = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._is_whole = True
        super().on_message_complete()

    def _is_idle(self) -> bool:
        """Whether an answer was given and what came since is no request: empty lines, say."""
        return self.cycle is not None and self.cycle.response_complete and not self._keeps_alive()

    def _keeps_alive(self) -> bool:
        return self.timeout_keep_alive_task is not None

    def _wait(self) -> None:
        self._came = 0
        self._timer = self.loop.call_later(self.head_s, self._judge)

    def _relax(self) -> None:
        self._came = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _judge(self) -> None:
        """The head must be there, or enough of the body since the last look.

        What is still sent after it was answered had time to see the answer.
        """
        answered = self.cycle is not None and self.cycle.response_complete
        stalls = self._came < self.head_s * LEAST_BYTES_PER_S and not self.flow.read_paused
        if answered or not self._has_head or stalls:
            self._refuse(SLOW)
        else:
            self._wait()

    def _refuse(self, answer: bytes) -> None:
        """Say why, and hear no more; an answer that has begun is not spoiled."""
        self._refused = True
        self._relax()
        if not self.transport.is_closing():
            if self.cycle is None or not (self._has_head and self.cycle.response_started):
                self.transport.write(answer)
            self.transport.close()


def patient(limit: int = MOST_CONNECTIONS) -> type[Patience]:
    """The protocol for a server of so many connections at most."""
    return type("Patient", (Patience,), {"most": most_connections(limit)})
