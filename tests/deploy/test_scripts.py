"""Every script that we ship passes shellcheck, and the image's recipe hadolint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT

BIN = Path(sys.executable).parent
SCRIPTS = sorted([*DEPLOY.rglob("*.sh"), *(ROOT / "tests").rglob("*.sh"), ROOT / ".ci" / "run"])


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_shellcheck_finds_nothing() -> None:
    done = run(str(BIN / "shellcheck"), "--severity=style", *map(str, SCRIPTS))
    assert done.returncode == 0, done.stdout


def test_shellcheck_would_have_told_of_a_mistake(tmp_path: Path) -> None:
    script = tmp_path / "wrong.sh"
    script.write_text("#!/bin/sh\nrm -rf $1/\n")
    assert run(str(BIN / "shellcheck"), str(script)).returncode == 1


def test_hadolint_finds_nothing() -> None:
    done = run(str(BIN / "hadolint"), str(DEPLOY / "Dockerfile"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_script_says_what_it_is_and_stops_at_errors(script: Path) -> None:
    first, second, *rest = script.read_text().splitlines()
    assert first.startswith("#!")
    assert second.startswith("# ")
    # Slurm's hooks go on, whatever happens: they may never fail a job; the wrapper only hands over.
    careful = any(line.startswith(("set -e", "exec ", "set +e")) for line in rest)
    assert careful or "slurm" in script.parts
