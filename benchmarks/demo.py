"""Time of `make demo` on a fresh clone, and of `gpuledger demo` by phase, beside the promises."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMISE_S = 60.0
FRESH_PROMISE_S = 180.0
ROOT = Path(__file__).parent.parent
GPULEDGER = Path(sys.executable).with_name("gpuledger")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="4 nodes and 1 day instead of 32 and 7; no fresh clone"
    )
    quick = parser.parse_args().quick
    size = ["--nodes", "4", "--days", "1"] if quick else []
    with tempfile.TemporaryDirectory() as home:
        command = [str(GPULEDGER), "demo", "--exit", "--dir", f"{home}/demo", *size]
        told, took = timed(command, Path(home))
        disk = sum(f.stat().st_size for f in Path(home).rglob("*") if f.is_file())
    for name, seconds in re.findall(r"([a-z][a-zA-Z ,-]+?) (\d+\.\d) s", told.split("took")[-1]):
        print(f"{name.strip(' ,'):<36} {float(seconds):7.1f} s")
    beside("whole process", took, PROMISE_S)
    print(f"{'on disk':<36} {disk / 1e6:7.1f} MB")
    if not quick:
        beside("make demo in a fresh clone", fresh_s(), FRESH_PROMISE_S)


def timed(command: list[str], folder: Path) -> tuple[str, float]:
    """What the command printed, and its seconds."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout, time.monotonic() - started


def fresh_s() -> float:
    """Seconds of the README's first command in a fresh clone, installation included."""
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(["git", "clone", "-q", str(ROOT), f"{home}/clone"], check=True)
        return timed(["make", "demo", "ARGS=--exit"], Path(home) / "clone")[1]


def beside(name: str, took_s: float, promise_s: float) -> None:
    """Print a time, its promise and their ratio."""
    print(f"{name:<36} {took_s:7.1f} s   promise {promise_s:.0f} s, ratio {took_s / promise_s:.2f}")


if __name__ == "__main__":
    main()
