"""promtool's opinion of our expositions and rule files."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.components.process import program

LIMIT_S = 60.0


def promtool_check_metrics(text: str) -> list[str]:
    """What `promtool check metrics` complains about in an exposition; empty when nothing."""
    return _complaints(["check", "metrics"], text)


def promtool_check_rules(*files: Path) -> list[str]:
    """What `promtool check rules` complains about in rule files; empty when nothing."""
    return _complaints(["check", "rules", *map(str, files)])


def promtool_test_rules(*files: Path) -> list[str]:
    """What `promtool test rules` finds wrong in rule unit tests; empty when all pass."""
    return _complaints(["test", "rules", *map(str, files)])


def _complaints(arguments: list[str], text: str = "") -> list[str]:
    done = subprocess.run(
        [program("promtool"), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode == 0:
        return []
    # promtool tells linting problems on stderr and failed rules partly on stdout.
    lines = (done.stderr + done.stdout).splitlines()
    return [line for line in lines if line.strip()] or [f"promtool ended with {done.returncode}"]
