"""What all launchers share: free ports, waiting for a deadline, a child with a log."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LOG_TAIL_BYTES = 4000
POLL_S = 0.02
STOP_S = 10.0


class ComponentError(Exception):
    """A component did not start, answer or stop in time; the message ends with its log."""


class ComponentMissingError(Exception):
    """A component is not installed here; the message says what is missing."""


def free_port() -> int:
    """A loopback TCP port that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def program(name: str) -> str:
    """The path of an installed program, else ComponentMissingError."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise ComponentMissingError(f"{name} is not installed: run tests/components/install.sh")
    return path


def wait_until(ready: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Return as soon as `ready()` holds; ComponentError after `deadline_s` seconds."""
    ends_at = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > ends_at:
            raise ComponentError(f"{what}: not within {deadline_s} s")
        time.sleep(POLL_S)


def http_ok(url: str) -> bool:
    """Whether GET answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _dies_with_us() -> list[str]:
    """The prefix that ends a command with its parent; nothing where util-linux lacks it."""
    path = shutil.which("setpriv")
    return [path, "--pdeathsig", "TERM", "--"] if path else []


class Component:
    """Something that is started and stopped, as a context manager."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Return when it is ready."""
        raise TypeError("a component says how it starts")

    def stop(self) -> None:
        """End it; what it stored stays in its directory."""
        raise TypeError("a component says how it stops")


class Child:
    """A child process with a log file, in a process group of its own.

    With `lifeline` its stdin is a pipe that we hold: the child ends when we close it or die.
    Without, it gets SIGTERM when the thread that started it ends: start it from the main thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        lifeline: bool = False,
    ) -> None:
        self.command = list(command)
        self.log = log
        self.env = env
        self.lifeline = lifeline
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run the command; its output is appended to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command if self.lifeline else [*_dies_with_us(), *self.command],
                stdin=subprocess.PIPE if self.lifeline else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                start_new_session=True,
            )

    def wait_ready(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Wait until `ready()`; a child that died or is late is stopped, its log is raised."""
        try:
            wait_until(lambda: not self.running or ready(), deadline_s, self.command[0])
        except ComponentError as late:
            self.kill()
            raise ComponentError(f"{late}\n{self.tail()}") from late
        if not self.running:
            self.kill()
            raise ComponentError(f"{self.command[0]} has ended\n{self.tail()}")

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")

    def stop(self) -> None:
        """Ask the child to end, kill it when it does not; harmless when it is not running."""
        if self.process is None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        else:
            self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill -9, and wait for the end."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait(STOP_S)
        if self.process.stdin is not None:
            self.process.stdin.close()
