"""The door of the training hook: OTLP over HTTP on a unix socket, for every user of the node.

Who sends is what the kernel says of the connection (SO_PEERCRED, unix(7)) and of that process.
Everything is bounded, since any process may knock: connections, bytes and seconds of each, reports
of a user in a second, and processes that are known.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import stat
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, NamedTuple

import msgspec

from collector.processes import Owner, Owners
from collector.progress_report import Report, parse
from collector.source import Context
from collector.training_hook import PATH
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import UNSET_TIME

MOST_BYTES = 16 << 10  # a report has two thousand
MOST_HEAD_BYTES = 8 << 10
WITHIN_S = 2.0
LOOK_S = 0.5  # between two looks whether to go on
MOST_AT_ONCE = 16
# Ranks of one job begin and save together, so a burst is no abuse.
REPORTS_PER_S, BURST = 20.0, 256.0
MOST_USERS = 1024
USERS_SHARE = 2  # one user has at most one half of the places
HEARD_WITHIN_S = 30.0  # three periods of the hook
EVERYBODY = 0o666
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
CREDENTIALS = struct.Struct("3i")


class Peer(NamedTuple):
    """The other end of a connection, as the kernel knows it."""

    pid: int
    uid: int
    gid: int


class Refused(Exception):
    """What came is not taken: HTTP status, the reason in a word, and what the sender hears."""

    def __init__(self, status: int, why: str, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.why = why


@dataclass
class Sender:
    """A process that reports."""

    uid: int
    user: str
    owner: Owner
    heard: float
    report: Report | None = None
    refused: int = 0


class Senders:
    """Who reported lately, and how often what was refused. Any thread may ask."""

    def __init__(self, context: Context, most: int) -> None:
        self._owners = Owners(context.root)
        self._monotonic = context.clock.monotonic
        self._most = most
        self._known: dict[int, Sender] = {}
        self._refused: Counter[str] = Counter()
        self._tokens: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def admit(self, peer: Peer) -> None:
        """Refused where its user reports too often."""
        now = self._monotonic()
        with self._lock:
            if len(self._tokens) >= MOST_USERS:
                self._tokens.clear()
            left, at = self._tokens.get(peer.uid, (BURST, now))
            left = min(BURST, left + (now - at) * REPORTS_PER_S)
            self._tokens[peer.uid] = max(0.0, left - 1), now
        if left < 1:
            raise Refused(429, "rate", "too many reports of one user")

    def take(self, peer: Peer, body: bytes) -> None:
        """Keep the report. Refused where it is none, or its sender cannot be known."""
        sender = self._sender(peer)
        try:
            report = parse(body)
        except ValueError as e:
            with self._lock:
                sender.refused += 1
            raise Refused(400, "malformed", str(e)) from None
        with self._lock:
            sender.report, sender.heard = report, self._monotonic()

    def count(self, why: str) -> None:
        """Something was refused."""
        with self._lock:
            self._refused[why] += 1

    def told(self) -> tuple[dict[int, Sender], Counter[str]]:
        """Senders by process id and refusals by reason; both begin to count anew."""
        with self._lock:
            self._forget()
            refused, self._refused = self._refused, Counter()
            out = {pid: Sender(**vars(sender)) for pid, sender in self._known.items()}
            for sender in self._known.values():
                sender.refused = 0
        return out, refused

    def _sender(self, peer: Peer) -> Sender:
        """The process, looked at anew each time: its id may be another's by now."""
        owner = self._owners.look(peer.pid) if peer.pid else Owner()
        if owner.started == UNSET_TIME:
            raise Refused(403, "unseen", "the agent cannot see this process")
        user = self._owners.user(peer.uid)
        with self._lock:
            known = self._known.get(peer.pid)
            if known and (known.owner, known.uid) == (owner, peer.uid):
                return known
            self._make_room(peer)
            self._known[peer.pid] = Sender(peer.uid, user, owner, self._monotonic())
            return self._known[peer.pid]

    def _make_room(self, peer: Peer) -> None:
        self._known.pop(peer.pid, None)
        self._forget()
        own = sum(sender.uid == peer.uid for sender in self._known.values())
        if len(self._known) >= self._most or own * USERS_SHARE >= self._most:
            raise Refused(503, "full", "too many processes report")

    def _forget(self) -> None:
        since = self._monotonic() - HEARD_WITHIN_S
        self._known = {pid: s for pid, s in self._known.items() if s.heard >= since}


class Door:
    """Listens from `open` to `close`."""

    def __init__(self, path: Path, senders: Senders, log: logging.Logger) -> None:
        self._path = path
        self._senders = senders
        self._log = log
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._inode = 0

    def open(self) -> None:
        """Listen. Unavailable without a place for the socket; ReadError where it is taken."""
        _prepare(self._path)
        try:
            server = _Server(str(self._path), self._senders, self._log)
            self._path.chmod(EVERYBODY)
            self._inode = self._path.stat().st_ino
        except OSError as e:
            raise Unavailable(f"no socket {self._path}: {e.strerror or e}") from None
        self._server = server
        serve = partial(server.serve_forever, LOOK_S)
        self._thread = threading.Thread(target=serve, name="training", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more, and leave no socket behind."""
        if not self._server or not self._thread:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = None
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            self._log.debug("%s was removed by somebody else", self._path)


def _prepare(path: Path) -> None:
    """Make the folder, and remove what an agent that was killed left there."""
    folder = path.parent
    try:
        _make(folder)
        told = folder.stat()
        left = path.lstat() if path.is_socket() or path.is_symlink() else None
    except OSError as e:
        raise Unavailable(f"no {folder} for the socket: {e.strerror}") from None
    if told.st_uid not in {0, os.geteuid()} or told.st_mode & OTHERS_MAY_WRITE:
        raise ReadError(f"{folder} must belong to the agent or root, writable by no other")
    if left and stat.S_ISSOCK(left.st_mode):
        if _answers(path):
            raise ReadError(f"no need for {path}: another agent listens there")
        path.unlink()


def _make(folder: Path) -> None:
    """The folder, open to everybody whatever the umask; one that is there stays as it is."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(0o755)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.settimeout(WITHIN_S)
        try:
            other.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


class _Server(ThreadingUnixStreamServer):
    """A thread for each of a few connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: str, senders: Senders, log: logging.Logger) -> None:
        self.senders = senders
        self._log = log
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(path, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it where there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        self.senders.count("busy")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve it, and free the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(
        self,
        request: Any,  # noqa: ARG002 - socketserver's signature
        client_address: Any,  # noqa: ARG002 - likewise
    ) -> None:
        """A connection that broke hurts nobody."""
        self._log.debug("training hook: a connection broke", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One request: a report, or nothing that we know."""

    server: _Server
    timeout = WITHIN_S

    def setup(self) -> None:
        """Read no more and no longer than is allowed."""
        super().setup()
        limited = _Limited(self.connection)
        self.rfile = io.BufferedReader(limited, io.DEFAULT_BUFFER_SIZE)

    def do_POST(self) -> None:
        """Take a report."""
        senders = self.server.senders
        peer = peer_of(self.connection)
        try:
            body = self._body()
            senders.admit(peer)
            senders.take(peer, body)
        except Refused as e:
            senders.count(e.why)
            self._answer(e.status, str(e))
        else:
            self._answer(200, "")

    def _body(self) -> bytes:
        """The body. Refused where it is of another kind than ours, or too large."""
        kind = self.headers.get_content_type()
        packed = self.headers.get("Content-Encoding", "identity") != "identity"
        if self.path != PATH:
            raise Refused(404, "malformed", f"reports go to {PATH}")
        if kind != "application/json" or packed:
            raise Refused(415, "malformed", "a report is application/json, not compressed")
        size = self.headers.get("Content-Length", "")
        if not (size.isascii() and size.isdigit()):
            raise Refused(411, "malformed", "a report says its Content-Length")
        if len(size) > 9 or int(size) > MOST_BYTES:
            raise Refused(413, "malformed", f"a report has at most {MOST_BYTES} bytes")
        body = self.rfile.read(int(size))
        if len(body) < int(size):
            raise Refused(400, "malformed", "the body ends too early")
        return body

    def _answer(self, status: int, said: str) -> None:
        """ExportMetricsServiceResponse, or a google.rpc.Status."""
        body = msgspec.json.encode({"message": said} if said else {})
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: refusals are counted."""


class _Limited(io.RawIOBase):
    """What one connection may send, in bytes and in seconds from its beginning."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until = time.monotonic() + WITHIN_S
        self._left = MOST_HEAD_BYTES + MOST_BYTES

    def readable(self) -> bool:
        """It is only read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What has come; nothing more once the sender used up its bytes."""
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the sender is too slow")
        self._connection.settimeout(left_s)
        size = self._connection.recv_into(buffer, min(len(buffer), self._left)) if self._left else 0
        self._left -= size
        return size


def peer_of(connection: socket.socket) -> Peer:
    """Process and user of the other end, as they were when it connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return Peer(*CREDENTIALS.unpack(raw))
