"""GPFS's own programs: how they are run so that they cannot hang us, and what they print."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from collector.files import whole
from gpuledger.errors import ReadError, Unavailable

MOST_BYTES = 1 << 20  # a node has tens of filesystems, each of them a line
END_S = 2.0  # how long a program that was killed may take to be gone
FILESYSTEM = "_fs_io_s_"
NO_NAME = "-"  # what is printed in place of a name where nothing is mounted

Command = tuple[str, ...]


class TookTooLong(ReadError):
    """A program that was still running when its time was over."""


@dataclass(frozen=True)
class Filesystem:
    """What this node did on one filesystem since its daemon started; None where malformed."""

    name: str
    cluster: str
    read_bytes: int | None
    write_bytes: int | None
    opens: int | None
    closes: int | None
    reads: int | None
    writes: int | None
    readdirs: int | None
    inode_updates: int | None


class Program:
    """Runs one program at a time, for `timeout_s` at most.

    A process in the midst of a system call on a dead filesystem outlives being killed; as long as
    it does, no other is started.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._left: subprocess.Popen[bytes] | None = None

    def __call__(self, command: Command, said: bytes, timeout_s: float) -> bytes:
        """What it prints when it is told `said`. Unavailable without the program.

        TookTooLong where it does not end in time, ReadError where it ends with an error or prints
        without end.
        """
        if self._left and self._left.poll() is None:
            raise TookTooLong(f"an earlier {command[0]} still hangs (process {self._left.pid})")
        try:
            child = subprocess.Popen(  # noqa: S603 - fixed programs of the configured folder
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError:
            raise Unavailable(f"no {command[0]} on this machine") from None
        except OSError as e:
            raise ReadError(f"{command[0]}: {e.strerror}") from None
        self._left = child
        try:
            printed = self._talk(child, command[0], said, self._monotonic() + timeout_s)
        finally:
            _end(child)
        if child.returncode:
            last = " ".join(printed.decode(errors="replace").split())[-300:]
            raise ReadError(f"{command[0]} ended with {child.returncode}: {last}")
        return printed

    def _talk(self, child: subprocess.Popen[bytes], name: str, said: bytes, until: float) -> bytes:
        """What it prints before it ends. ReadError where that is too late or too much."""
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(said)
            child.stdin.close()
        except BrokenPipeError:  # it wants to hear nothing; what it prints says why
            child.stdin = None
        printed = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while selector.select(max(0.0, until - self._monotonic())):
                chunk = os.read(child.stdout.fileno(), 1 << 16)
                printed += chunk
                if not chunk:
                    return self._wait(child, name, printed, until)
                if len(printed) > MOST_BYTES:
                    raise ReadError(f"{name} prints more than {MOST_BYTES} bytes")
        raise TookTooLong(f"{name}: no answer in time")

    def _wait(
        self, child: subprocess.Popen[bytes], name: str, printed: bytes, until: float
    ) -> bytes:
        try:
            child.wait(max(0.0, until - self._monotonic()))
        except subprocess.TimeoutExpired:
            raise TookTooLong(f"{name}: does not end in time") from None
        return printed


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of it and of what it started, and wait a moment for it to be gone."""
    if child.poll() is None:
        with suppress(PermissionError):  # what sudo started is not ours to kill
            os.killpg(child.pid, signal.SIGKILL)
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        return  # it is asked for again before the next one is started
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()


def filesystems(text: str) -> Iterator[Filesystem]:
    """Lines of `mmpmon -p` in answer to `fs_io_s`: keywords and values in turn.

    Lines with a status other than 0 tell of no filesystem, and so do lines without a name.
    """
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] != FILESYSTEM:
            continue
        told = dict(list(pairwise(words[1:]))[::2])
        name = told.get("_fs_", NO_NAME)
        if told.get("_rc_") != "0" or name == NO_NAME:
            continue
        yield Filesystem(
            name=name,
            cluster=told.get("_cl_", ""),
            read_bytes=whole(told.get("_br_")),
            write_bytes=whole(told.get("_bw_")),
            opens=whole(told.get("_oc_")),
            closes=whole(told.get("_cc_")),
            reads=whole(told.get("_rdc_")),
            writes=whole(told.get("_wc_")),
            readdirs=whole(told.get("_dir_")),
            inode_updates=whole(told.get("_iu_")),
        )


def state(text: str) -> str:
    """The daemon's state as `mmgetstate -Y` prints it (active, down, arbitrating); else empty.

    Its first line names the columns of the second; colons within a column are percent-encoded.
    """
    rows = [line.split(":") for line in text.splitlines() if line.startswith("mmgetstate:")]
    if len(rows) < 2 or "HEADER" not in rows[0]:
        return ""
    told = dict(zip(rows[0], rows[1], strict=False))
    return unquote(told.get("state", ""))
