"""The README's commands, run as written, in a clean copy of the tree."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
# The promise: the demo in under three minutes with installation; `make test` runs it alone.
READY_S = 180


@dataclass
class Copy:
    """A clean copy of the tracked files, with an environment that knows nothing of ours."""

    path: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GPULEDGER_", "VIRTUAL_"))}
        return {**kept, "GPULEDGER_STORE": f"chdb://{self.path}/gpuledger-demo/store"}

    def run(self, command: str, timeout_s: float = 120) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.path,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """What a newcomer gets from a clone, without the history."""
    path = tmp_path_factory.mktemp("clean") / "gpuledger"
    path.mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in files.strip("\0").split("\0"):
        source = ROOT / name
        if source.is_file():
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    return Copy(path)


@pytest.fixture(scope="module")
def served(copy: Copy) -> Iterator[tuple[Copy, str]]:
    """`make demo` in the copy, and the login link that it printed."""
    log = copy.path / "make-demo.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["make", "demo"],
            cwd=copy.path,
            env=copy.env,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield copy, _link(log, process)
        finally:
            interrupt(process)
    assert "Traceback" not in log.read_text()
    assert not (copy.path / "gpuledger-demo/store/service.json").exists()


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C: the whole group hears it; make itself ends by the signal."""
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) in {0, 130, -signal.SIGINT}


def _link(log: Path, process: subprocess.Popen[bytes]) -> str:
    ends_at = time.monotonic() + READY_S
    while not (found := re.search(r"http://\S+/login\?key=\S+", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends_at, log.read_text()
        time.sleep(0.5)
    return found[0]


def commands() -> list[str]:
    """Every command of the README's console blocks, but those that install and serve."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line[2:] for b in blocks for line in b.splitlines() if line.startswith("$ ")]
    return [line for line in lines if not line.startswith(("make ", "export "))]


def test_make_demo_installs_simulates_and_serves(served: tuple[Copy, str]) -> None:
    copy, link = served
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = opener.open(link, timeout=30).read().decode()
    assert "What to do" in page
    told = (copy.path / "make-demo.log").read_text()
    assert re.search(r"all owned time +43,008\.0 +100\.0 %", told)
    for name in ("weekly-report.html", "dashboards/executive.json", "alerts/prometheus.yaml"):
        assert (copy.path / "gpuledger-demo" / name).stat().st_size > 500


@pytest.mark.parametrize("command", commands())
def test_the_commands_work_as_written(served: tuple[Copy, str], command: str) -> None:
    copy, _ = served
    assert copy.run(command).strip()


def test_the_book_of_the_demo_adds_up(served: tuple[Copy, str]) -> None:
    copy, _ = served
    rows = json.loads(copy.run(".venv/bin/gpuledger ledger --since 7d --by state --format json"))
    assert sum(r["gpu_hours"] for r in rows) == pytest.approx(32 * 8 * 168, rel=1e-4)
    assert sum(r["share"] for r in rows) == pytest.approx(1.0)


def test_make_up_serves_this_machine_and_ends_cleanly(served: tuple[Copy, str]) -> None:
    copy, _ = served
    log = copy.path / "make-up.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["make", "up", "ARGS=--listen 127.0.0.1:0"],
            cwd=copy.path,
            env=copy.env,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _link(log, process)
        interrupt(process)
    assert "Traceback" not in log.read_text()
    assert not (copy.path / "gpuledger-data/store/service.json").exists()


def test_every_file_that_the_readme_names_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_test_runs_everything_with_components_required() -> None:
    done = subprocess.run(
        ["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "GPULEDGER_REQUIRE_COMPONENTS=1" in done.stdout
    assert "tests/components/install.sh" in done.stdout
