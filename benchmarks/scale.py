"""A large fleet's years in one database: what ledger and disk cost at 10,000 GPUs.

Everything is made inside the engine: minutes of telemetry and book for `--minute-days`, hours and
days for `--hour-days` (13 months), through the rollups' own views; then 15 minutes of raw rows at
1 s. Each question is asked several times without the engine's cache of conditions (`boards.py` asks
the panels). `--quick` is
128 GPUs with a day of minutes: its times prove only that every question works. `--keep DIR` leaves
the database there, or asks the one that an earlier run left.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from analytics import book
from benchmarks.scale_rows import END, NO_CACHE, RAW, Fleet, fill, instant
from gpuledger.store import Address, Store


@dataclass(frozen=True)
class Question:
    """Something people ask, and the time in which they were promised an answer, in seconds."""

    name: str
    ask: Callable[[Store], Any]
    promise_s: float | None = None


def questions(fleet: Fleet) -> Iterator[Question]:
    """All that is asked."""
    yield Question("fleet, last 15 minutes, from raw rows", sql(FLEET_RAW), 0.1)
    yield Question("fleet, last 15 minutes, from minutes", sql(FLEET_MINUTES), 0.01)
    yield Question("status of all GPUs", sql(STATUS), 0.05)
    yield Question("one GPU, power by minute, a day", sql(ONE_GPU))
    yield Question("GPU-hours by user, 7 days", ledger("7d", "user"), 5.0)
    since = f"{fleet.minute_days:g}d"
    for by in ("state", "team,user"):
        yield Question(f"ledger --since {since} --by {by}", ledger(since, by))


FLEET_RAW = f"""
SELECT toStartOfMinute(ts) AS minute, avg(utilization_pct) FROM gpu_samples
WHERE ts > {instant(END - RAW)} GROUP BY minute ORDER BY minute"""
FLEET_MINUTES = f"""
SELECT ts, sum(utilization_pct_wsum) / sum(interval_ms) FROM gpu_samples_1m
WHERE ts >= {instant(END - RAW)} GROUP BY ts ORDER BY ts"""
STATUS = f"""
SELECT gpu_id, state, alloc_id FROM ledger_1m
WHERE minute >= {instant(END - timedelta(minutes=1))}"""
ONE_GPU = f"""
SELECT ts, power_watts FROM v_gpu_samples_1m
WHERE node = 'n00003' AND slot = 5 AND ts >= {instant(END - timedelta(days=1))} ORDER BY ts"""


def sql(text: str) -> Callable[[Store], Any]:
    return lambda store: store.select(text)


def ledger(since: str, by: str) -> Callable[[Store], Any]:
    return lambda store: book.ledger(store, book.span(store, since), by.split(","))


def asked(store: Store, question: Question, times: int) -> tuple[float, float]:
    """Median and 95th percentile of the time to an answer, in seconds."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        question.ask(store)
        took.append(time.monotonic() - began)
        if sum(took) > 30:
            break
    took.sort()
    return took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.95))]


def disk(store: Store, fleet: Fleet) -> None:
    """Bytes and rows of every table that grows with the fleet, and what a hundred thousand take."""
    rows = store.select(
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts"
        " FROM system.parts WHERE active AND database = currentDatabase()"
        " GROUP BY table HAVING rows > 1000 ORDER BY bytes DESC"
    )
    print(f"{'table':<18}{'rows':>15}{'parts':>8}{'MB':>10}{'B/row':>8}")
    for r in rows:
        print(
            f"{r['table']:<18}{r['rows']:>15,}{r['parts']:>8}{r['bytes'] / 1e6:>10.1f}"
            f"{r['bytes'] / r['rows']:>8.1f}"
        )
    total = sum(r["bytes"] for r in rows)
    print(f"all: {total / 1e9:.2f} GB, {total / 1e6 / fleet.gpus:.2f} MB per GPU")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="128 GPUs, a day of minutes")
    parser.add_argument("--gpus", type=int, default=10_000)
    parser.add_argument("--minute-days", type=float, default=30)
    parser.add_argument("--hour-days", type=float, default=395)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="directory of the database, kept and used again")
    given = parser.parse_args()
    fleet = Fleet(given.gpus, given.minute_days, given.hour_days)
    if given.quick:
        fleet = Fleet(128, 1, 30)
    with ExitStack() as stack:
        home = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "store"
        made = (home / "store").exists() or home.exists()
        store = Store(Address(home))
        stack.callback(store.close)
        if not made:
            fill(store, fleet)
        store.command(NO_CACHE)
        print(
            f"{fleet.gpus:,} GPUs, {fleet.minute_days:g} days of minutes,"
            f" {fleet.hour_days:g} days of hours"
        )
        disk(store, fleet)
        broken = 0
        for question in questions(fleet):
            p50, p95 = asked(store, question, 2 if given.quick else given.times)
            kept = question.promise_s is None or p95 < question.promise_s
            word = "" if question.promise_s is None else "kept" if kept else "BROKEN"
            promise = f"of {question.promise_s:g} s" if question.promise_s else ""
            print(f"{p50:9.3f} {p95:9.3f} s {promise:9} {word:7} {question.name}", flush=True)
            broken += not kept
    return 0 if given.quick else int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
