"""The weekly report of a large fleet: seconds from the question to the finished page.

A month of 10,000 GPUs is made inside the engine by the helpers of `scale_rows.py` (the book by the
hour, jobs, allocations, accounts); then the last week is collected and rendered as HTML several
times, and the slowest is compared with the promise of 60 s. `--quick` is 128 GPUs: its time proves
only that the report works. `--keep DIR` leaves the database there, or asks one that is there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from analytics.report.render import render_html
from analytics.report.weekly import collect
from benchmarks import scale_rows
from benchmarks.scale_rows import END, Fleet, timed
from gpuledger.store import Address, Store

PROMISE_S = 60.0
WEEK = timedelta(days=7)
QUICK_GPUS = 128
PRICES = (
    "INSERT INTO prices (model, capacity_value, energy_price, currency, valid_from, version)"
    " VALUES ('H100', 2500000, 120000, 'USD', '2020-01-01', 1),"
    " ('A100', 1500000, 120000, 'USD', '2020-01-01', 1)"
)


def fill(store: Store, fleet: Fleet) -> None:
    """What a report reads: no minutes, for it asks none."""
    store.apply()
    with timed("inventory, jobs and allocations"):
        scale_rows.facts(store, fleet)
        store.command(PRICES)
    with timed("hours in which GPUs reported"):
        reported(store, fleet)
    with timed("book"):
        scale_rows.cells(store, fleet)
    with timed("accounts of the book"):
        scale_rows.added_up(store, fleet)


def reported(store: Store, fleet: Fleet) -> None:
    """Of telemetry, a report asks only who reported at all."""
    names = ("ts", "cluster", "node", "slot", "gpu_id")
    values = ", ".join(f"{scale_rows.KEYS[name]} AS {name}" for name in names)
    for since, until in scale_rows.spans(fleet.hours_since, END, timedelta(days=14)):
        hours = scale_rows.moments(fleet.gpus, since, until, 3600, ends=False)
        store.command(
            f"INSERT INTO gpu_samples_1h ({', '.join(names)}) SELECT {values} FROM ({hours})"
        )


def took(store: Store) -> tuple[float, float, int]:
    """Seconds to collect and to render, and the size of the page in bytes."""
    began = time.monotonic()
    report = collect(store, END - WEEK, END)
    collected = time.monotonic()
    page = render_html(report)
    return collected - began, time.monotonic() - collected, len(page.encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_GPUS} GPUs, once")
    parser.add_argument("--gpus", type=int, default=10_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="directory of the database, kept and used again")
    given = parser.parse_args()
    gpus, times = (QUICK_GPUS, 1) if given.quick else (given.gpus, given.times)
    with ExitStack() as stack:
        home = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "store"
        made = home.exists()
        store = Store(Address(home))
        stack.callback(store.close)
        if not made:
            fill(store, Fleet(gpus, 0, given.days))
        store.command(scale_rows.NO_CACHE)
        worst = 0.0
        for _ in range(times):
            collecting, rendering, size = took(store)
            worst = max(worst, collecting + rendering)
            print(
                f"collected in {collecting:.2f} s, rendered in {rendering:.2f} s,"
                f" {size / 1024:.0f} KiB",
                flush=True,
            )
    word = "kept" if worst < PROMISE_S else "BROKEN"
    print(
        f"report of {gpus:,} GPUs, {given.days:g} days in the book: {worst:.2f} s of"
        f" {PROMISE_S:g} s, ratio {worst / PROMISE_S:.3f}: {word}"
    )
    return 0 if given.quick else int(worst >= PROMISE_S)


if __name__ == "__main__":
    sys.exit(main())
