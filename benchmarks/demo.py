"""Time of `gpuledger demo` by phase, beside the promise: under 60 s without installation."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMISE_S = 60.0
GPULEDGER = Path(sys.executable).with_name("gpuledger")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="4 nodes and 1 day instead of 32 and 7"
    )
    size = ["--nodes", "4", "--days", "1"] if parser.parse_args().quick else []
    with tempfile.TemporaryDirectory() as home:
        started = time.monotonic()
        done = subprocess.run(
            [GPULEDGER, "demo", "--exit", "--dir", f"{home}/demo", *size],
            capture_output=True,
            text=True,
            check=True,
        )
        took = time.monotonic() - started
        disk = sum(f.stat().st_size for f in Path(home).rglob("*") if f.is_file())
    for name, seconds in re.findall(
        r"([a-z][a-zA-Z ,-]+?) (\d+\.\d) s", done.stdout.split("took")[-1]
    ):
        print(f"{name.strip(' ,'):<36} {float(seconds):7.1f} s")
    print(
        f"{'whole process':<36} {took:7.1f} s"
        f"   promise {PROMISE_S:.0f} s, ratio {took / PROMISE_S:.2f}"
    )
    print(f"{'on disk':<36} {disk / 1e6:7.1f} MB")


if __name__ == "__main__":
    main()
