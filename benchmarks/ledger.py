"""Booking one week of 256 GPUs, by step, and what a day of 10,000 GPUs would take at that rate.

Also checks what the promise is about: the book closes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

# A sibling of ours is called collector.py: the packages must come first.
sys.path.insert(0, str(Path(__file__).parent.parent))

from analytics import assets
from analytics.ledger import Ledger
from analytics.placement import Placement
from collector.simulation import records, telemetry
from collector.simulation.world import simulate
from gpuledger.store import Address, Store

END = datetime(2026, 11, 22, 4, tzinfo=UTC)
PROMISE_GPU_DAYS_PER_S = 10_000 / 30


def filled(store: Store, nodes: int, days: int) -> None:
    """A simulated week at minute resolution."""
    store.apply()
    start = END - timedelta(days=days)
    world = simulate(1, nodes, start, END)
    for batch in telemetry.gpu_samples(world, start, END, 60):
        store.insert(batch)
    for batch in records.scheduler_batches(world, END):
        store.insert(batch)
    assets.discover(store, END)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="4 nodes and 2 days instead of 32 and 7"
    )
    quick = parser.parse_args().quick
    nodes, days = (4, 2) if quick else (32, 7)
    with tempfile.TemporaryDirectory() as home:
        store = Store(Address(Path(home) / "store"))
        filled(store, nodes, days)
        ledger, placement = Ledger(store), Placement(store)
        windows = ledger.dirty(END)
        place = book = 0.0
        for window in windows:
            started = time.monotonic()
            placement.write(window.since, window.until)
            placed = time.monotonic()
            ledger.book(window, END)
            place, book = place + placed - started, book + time.monotonic() - placed
        booked, cells = store.select("SELECT sum(gpu_ms) / 1000 AS s, count() AS n FROM ledger_1m")[
            0
        ].values()
        store.close()
    gpus = nodes * 8
    rate = gpus * days / (place + book)
    print(f"{gpus} GPUs × {days} days: {cells:,} cells")
    print(f"placing the queue   {place:8.2f} s")
    print(f"booking             {book:8.2f} s")
    print(f"book closes         {booked / (gpus * days * 86_400):.6f} of owned GPU-seconds")
    if quick:
        print("a small book is mostly fixed cost: the promise is measured without --quick")
        return
    print(
        f"one day of 10,000 GPUs at this rate: {10_000 / rate:.0f} s"
        f" (promise 30 s; ratio {PROMISE_GPU_DAYS_PER_S / rate:.2f})"
    )


if __name__ == "__main__":
    main()
