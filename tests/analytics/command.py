"""The `gpuledger` command as people run it: in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from http.cookiejar import CookieJar
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import pytest

from gpuledger.cli import main
from tests.components.process import Child, free_port

PROGRAM = Path(sys.executable).with_name("gpuledger")
REPOSITORY = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
READY_S = 90.0

# Writes a booked store of two GPUs, one of which idles, into a directory of its own.
FILL = """
import sys
from pathlib import Path
from gpuledger.store import Address, Store
from tests.analytics.web import idle_cluster
store = Store(Address(directory=Path(sys.argv[1])))
store.apply()
idle_cluster(store)
store.close()
"""
# Opens a store, says so, and holds it until its standard input ends.
HOLD = """
import sys
from pathlib import Path
from gpuledger.store import Address, Store
store = Store(Address(directory=Path(sys.argv[1])))
store.value("SELECT 1")
print("open", flush=True)
sys.stdin.read()
"""


def environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting of ours."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GPULEDGER_", "COV_"))}
    return {**kept, **more}


def run(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a pipe; `more` is environment."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
    )


def output(*arguments: object, **more: str) -> str:
    """What a command that ends well prints."""
    done = run(*arguments, **more)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def complaint(code: int, *arguments: object, **more: str) -> str:
    """The one line that a command which ends with `code` prints on standard error."""
    done = run(*arguments, **more)
    assert done.returncode == code, (done.stdout, done.stderr)
    return _only_line(done.stderr)


def refusal(code: int, *arguments: object, **more: str) -> str:
    """The same in this process: for what is refused before a store is opened."""
    said, complained = StringIO(), StringIO()
    with (
        patch.dict(os.environ, environment(**more), clear=True),
        patch.object(sys, "argv", [str(PROGRAM), *map(str, arguments)]),
        redirect_stdout(said),
        redirect_stderr(complained),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert ended.value.code == code, (said.getvalue(), complained.getvalue())
    return _only_line(complained.getvalue())


def _only_line(complained: str) -> str:
    lines = complained.splitlines()
    assert len(lines) == 1, complained
    assert lines[0].startswith("gpuledger: ")
    return lines[0].removeprefix("gpuledger: ")


def filled(directory: Path) -> str:
    """The address of a new store with a booked world in it."""
    subprocess.run([sys.executable, "-c", FILL, directory], cwd=REPOSITORY, check=True)
    return f"chdb://{directory}"


class Running:
    """A service that listens on a port of its own until it is told to end."""

    def __init__(self, directory: Path, *arguments: object, **more: str) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        command = [str(PROGRAM), *map(str, arguments), "--listen", self.address]
        self.child = Child(command, directory / "service.log", env=environment(**more))

    def __enter__(self) -> Self:
        self.child.start()
        self.child.wait_ready(lambda: "ready: " in self.log, READY_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.child.stop()

    @property
    def log(self) -> str:
        """What it printed so far."""
        return self.child.log.read_text()

    @property
    def link(self) -> str:
        """The login link that it printed."""
        found = re.search(r"ready: open (\S+) \(works once\)", self.log)
        assert found, self.log
        return found[1]

    def end(self, name: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        assert self.child.process is not None
        self.child.process.send_signal(name)
        return self.child.process.wait(LIMIT_S)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body of a GET."""
        request = urllib.request.Request(
            f"http://{self.address}{path}", headers=dict(headers or {})
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def page(self) -> str:
        """The start page, reached through the login link."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with browser.open(self.link, timeout=30) as answer:
            return str(answer.read().decode())


def rows(text: str) -> list[dict[str, Any]]:
    """A JSON array that a command printed."""
    found: list[dict[str, Any]] = json.loads(text)
    return found
