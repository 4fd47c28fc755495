"""The child process of an isolated source: it reads when asked, and ends with its parent.

Parent and child speak over a socket, one frame at a time: a length, then MessagePack.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from collector.lean import give_memory_back
from collector.source import Clock, Context, Source
from gpuledger.errors import ReadError, Unavailable

LENGTH = struct.Struct("<I")
PIECE_BYTES = 1 << 16
PR_SET_PDEATHSIG = 1  # linux/prctl.h
SETTLED_READINGS = 3  # by then every module is loaded and every sample allocated


class Birth(msgspec.Struct, array_like=True):
    """What a child is told once. `make` and `settings_type` are `module:name`."""

    make: str
    settings_type: str
    settings: bytes
    cluster: str
    node: str
    root: str
    memory: dict[str, str]
    log_level: int
    parent: int


class Order(msgspec.Struct, array_like=True):
    """Read now; the parent's clock, in seconds."""

    wall: float
    monotonic: float


class Answer(msgspec.Struct, array_like=True):
    """One reading: rows by table as values in the order of `columns`, told once for each table.

    `memory` is what the reading changed in it, `lines` are for the log, `error` is the reason
    why there are no more rows: `unavailable`, `read` or `bug`, and its text.
    """

    rows: list[tuple[str, list[Any]]]
    columns: dict[str, list[str]]
    memory: dict[str, str | None]
    lines: list[tuple[int, str]]
    error: tuple[str, str] | None


class Channel:
    """Frames over one end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._received = bytearray()

    def send(self, message: object) -> None:
        """Send one message. OSError when the other end is gone."""
        body = msgspec.msgpack.encode(message)
        self._socket.sendall(LENGTH.pack(len(body)) + body)

    def receive(self, timeout_s: float | None = None) -> bytes:
        """The next frame. TimeoutError keeps what came so far; EOFError: the other end is gone."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (frame := self._frame()) is None:
            self._socket.settimeout(None if deadline is None else _rest_s(deadline))
            piece = self._socket.recv(PIECE_BYTES)
            if not piece:
                raise EOFError
            self._received += piece
        return frame

    def close(self) -> None:
        """Let go of this end."""
        self._socket.close()

    def _frame(self) -> bytes | None:
        if len(self._received) < LENGTH.size:
            return None
        end = LENGTH.size + LENGTH.unpack_from(self._received)[0]
        if len(self._received) < end:
            return None
        frame = bytes(self._received[LENGTH.size : end])
        del self._received[:end]
        return frame


class ToldClock:
    """The parent's clock: as told with the order, plus the time since then."""

    def __init__(self) -> None:
        self._order = Order(0.0, 0.0)
        self._heard = 0.0

    def set(self, order: Order) -> None:
        """Take over the time of an order that has just come."""
        self._order, self._heard = order, time.monotonic()

    @property
    def clock(self) -> Clock:
        """The same as sources know it."""
        return Clock(
            lambda: self._order.wall + time.monotonic() - self._heard,
            lambda: self._order.monotonic + time.monotonic() - self._heard,
        )


class Lines(logging.Handler):
    """Keeps what is logged until the parent takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep level and text."""
        self.lines.append((record.levelno, self.format(record)))

    def take(self) -> list[tuple[int, str]]:
        """What was kept since the last call."""
        taken, self.lines = self.lines, []
        return taken


class Reader:
    """The source in this process, and what its parent knows of it already."""

    def __init__(self, birth: Birth) -> None:
        self._time = ToldClock()
        self._lines = Lines()
        self._told: set[str] = set()
        log = logging.Logger("gpuledger.collector", birth.log_level)  # noqa: LOG001 - its one handler is the parent
        log.addHandler(self._lines)
        self._context = Context(
            birth.cluster,
            birth.node,
            root=Path(birth.root),
            clock=self._time.clock,
            log=log,
            memory=dict(birth.memory),
        )
        settings = msgspec.msgpack.decode(birth.settings, type=find(birth.settings_type))
        self._source: Source = find(birth.make)(settings, self._context)

    def read(self, order: Order) -> Answer:
        """One reading; whatever goes wrong is a part of the answer."""
        self._time.set(order)
        answer = Answer([], {}, {}, [], None)
        before = dict(self._context.memory)
        try:
            self._take_rows(answer)
        except Unavailable as e:
            answer.error = ("unavailable", str(e))
        except ReadError as e:
            answer.error = ("read", str(e))
        except Exception as e:
            answer.error = ("bug", f"{type(e).__name__}: {e}")
            self._context.log.debug("in the child process", exc_info=True)
        answer.memory = changes(before, self._context.memory)
        answer.lines = self._lines.take()
        return answer

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _take_rows(self, answer: Answer) -> None:
        for row in self._source.read():
            name = row.table.name
            if name not in self._told:
                self._told.add(name)
                answer.columns[name] = list(row.__dict__)
            answer.rows.append((name, list(row.__dict__.values())))


def serve(channel: Channel, reader: Reader) -> None:
    """Answer every order until the parent is gone or a reading has failed.

    A fresh process is the one cure that always helps: a driver that was replaced, for one, can
    only be asked through its new library.
    """
    readings, failed = 0, False
    try:
        while not failed:
            answer = reader.read(msgspec.msgpack.decode(channel.receive(), type=Order))
            failed = not send(channel, answer)
            readings += 1
            if readings == SETTLED_READINGS:
                give_memory_back()
    except (EOFError, OSError):
        return
    finally:
        reader.close()


def send(channel: Channel, answer: Answer) -> bool:
    """Send an answer; one that cannot be told is a failed reading. Whether it was a good one."""
    try:
        channel.send(answer)
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError) as e:
        answer = Answer(
            [], {}, {}, [], ("bug", f"{type(e).__name__}: {e}".encode(errors="replace").decode())
        )
        channel.send(answer)
    return answer.error is None


def changes(before: dict[str, str], after: Any) -> dict[str, str | None]:
    """What to remember anew by key; None: to forget."""
    gone = dict.fromkeys(key for key in before if key not in after)
    return gone | {key: value for key, value in after.items() if before.get(key) != value}


def find(reference: str) -> Any:
    """The object of `module:name`."""
    module, _, name = reference.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, also while it waits in a driver."""
    prctl: Callable[..., int] = ctypes.CDLL(None).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def main() -> None:
    """Serve the socket whose descriptor is the first argument."""
    # A terminal or systemd tells the whole group to end; it is the parent who ends this one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    birth = msgspec.msgpack.decode(channel.receive(), type=Birth)
    end_with(birth.parent)
    serve(channel, Reader(birth))


def _rest_s(deadline: float) -> float:
    rest_s = deadline - time.monotonic()
    if rest_s <= 0:
        raise TimeoutError
    return rest_s
