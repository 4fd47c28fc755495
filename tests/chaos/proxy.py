"""A network that can be cut: a TCP proxy that refuses, goes silent, or swallows answers."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable
from enum import StrEnum

CHUNK_BYTES = 1 << 16


class Mode(StrEnum):
    """What happens to a connection."""

    PASS = "pass"
    REFUSE = "refuse"  # nobody listens
    BLACK_HOLE = "black hole"  # connections are taken, and nothing ever comes back


class Proxy:
    """Forwards loopback connections to `upstream()`; loses an answer with probability `swallow`.

    An answer is lost after the other side has done what it was asked: the worst moment.
    """

    def __init__(self, upstream: Callable[[], int], seed: int, swallow: float) -> None:
        self.mode = Mode.PASS
        self.swallow = swallow
        self.swallowed = 0
        self._upstream = upstream
        self._random = random.Random(seed)
        self._listener = _listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._accepting = self._accept()

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self.port}"

    def become(self, mode: Mode) -> None:
        """Change what happens; connections of before end."""
        if mode is self.mode:
            return
        before, self.mode = self.mode, mode
        if mode is Mode.REFUSE:
            self._deafen()
        elif before is Mode.REFUSE:
            self._listener = _listen(self.port)
            self._accepting = self._accept()
        self._drop_all()

    def close(self) -> None:
        """End."""
        self.mode = Mode.REFUSE
        self._deafen()
        self._drop_all()

    def _accept(self) -> threading.Thread:
        return _thread(self._serve, self._listener)

    def _deafen(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)

    def _drop_all(self) -> None:
        with self._lock:
            gone, self._connections = self._connections, set()
        for connection in gone:
            _end(connection)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._keep(client)
            if self.mode is Mode.PASS:
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._upstream()), timeout=2)
        except OSError:
            _end(client)
            return
        server.settimeout(None)
        self._keep(server)
        _thread(self._pump, client, server, lambda: False)
        _thread(self._pump, server, client, self._is_swallowed)

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def _is_swallowed(self) -> bool:
        with self._lock:
            lost = self._random.random() < self.swallow
            self.swallowed += lost
        return lost

    def _pump(
        self, source: socket.socket, sink: socket.socket, is_lost: Callable[[], bool]
    ) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(CHUNK_BYTES)) and self.mode is Mode.PASS:
                if is_lost():
                    break
                sink.sendall(data)
        if self.mode is not Mode.BLACK_HOLE:
            _end(source)
            _end(sink)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def _thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
