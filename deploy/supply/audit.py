"""Asks pip-audit whether a locked package has a known weakness; silence is never taken for health.

Usage: python deploy/supply/audit.py [REQUIREMENTS]

Exit codes: 0 every package was audited and none is weak; 1 one is weak, or could not be audited; 3
the database of advisories cannot be reached from here, so that nothing is known.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
PROBED = 3
CLEAN, WEAK, UNREACHABLE = 0, 1, 3
BAR = "!" * 78


@dataclass(frozen=True)
class Audit:
    """What pip-audit said of each package."""

    weak: tuple[str, ...]
    unaudited: tuple[str, ...]
    audited: int

    @classmethod
    def of(cls, told: dict[str, Any]) -> Audit:
        """From pip-audit's JSON."""
        packages = told["dependencies"]
        unaudited = [f"{p['name']}: {p['skip_reason']}" for p in packages if "skip_reason" in p]
        weak = [
            f"{p['name']} {p['version']}: {v['id']}, fixed in {', '.join(v['fix_versions']) or '–'}"
            for p in packages
            for v in p.get("vulns", ())
        ]
        return cls(tuple(weak), tuple(unaudited), len(packages) - len(unaudited))


def ask(lock: Path) -> Audit | None:
    """pip-audit's word on a file of requirements; None where it got no answer at all."""
    command = [
        str(Path(sys.executable).with_name("pip-audit")),
        "--require-hashes",
        "--disable-pip",
    ]
    command += ["--requirement", str(lock), "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return Audit.of(json.loads(done.stdout))
    except (ValueError, KeyError):
        sys.stderr.write(done.stderr[-600:])
        return None


def first_packages(lock: str) -> str:
    """The first few packages of a lock with their hashes."""
    return "".join(re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1 : PROBED + 1])


def is_reachable(lock: Path) -> bool:
    """Whether a few packages can be audited: a hundred refusals take minutes."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as probe:
        probe.write(first_packages(lock.read_text()))
        probe.flush()
        told = ask(Path(probe.name))
    return told is not None and told.audited > 0


def judge(audit: Audit | None) -> tuple[int, list[str]]:
    """Exit code and lines for people."""
    if audit is None:
        return UNREACHABLE, ["pip-audit gave no answer"]
    lines = [f"WEAK: {line}" for line in audit.weak]
    lines += [f"NOT AUDITED: {line}" for line in audit.unaudited]
    lines.append(
        f"{audit.audited} packages audited, {len(audit.weak)} weaknesses,"
        f" {len(audit.unaudited)} packages not audited"
    )
    return (WEAK if audit.weak or audit.unaudited else CLEAN), lines


def main() -> int:
    """Audit the lock; the exit code."""
    lock = Path(sys.argv[1]) if len(sys.argv) > 1 else LOCK
    if is_reachable(lock):
        code, lines = judge(ask(lock))
    else:
        code = UNREACHABLE
        lines = [
            BAR,
            "NOT AUDITED: the database of advisories cannot be reached from here.",
            "Nothing is known about weaknesses of the locked packages. Run `make audit` where",
            "there is a network, before a release.",
            BAR,
        ]
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
