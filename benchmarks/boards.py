"""Time to an answer of every panel of every board at 10,000 GPUs, beside the promise.

The fleet is that of `scale.py`: 30 days of minutes and 13 months of hours and days of telemetry and
book, with its jobs; `boards_rows.py` adds what else the panels read. Each panel's query is asked
several times over each range, all choices open, with the point width that Grafana would take,
without the engine's caches. Prints p50 and p95, and the share of the promise that the p95 takes;
`--quick` is 64 GPUs and one day: its times prove only that every query works. `--keep DIR` leaves
the database there, or asks the one that an earlier run (of `scale.py`, too) left.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.boards_rows import fill_more
from benchmarks.scale import Question, asked, sql
from benchmarks.scale_rows import END, NO_CACHE, Fleet, fill
from dashboards.build import boards
from dashboards.check import questions
from dashboards.macros import expand
from gpuledger.store import Address, Store

QUICK = Fleet(64, 1, 7)
PANEL_PROMISE_S = 1.0


def ranges(fleet: Fleet, *, quick: bool) -> dict[str, timedelta]:
    """What people look at: a moment, a day, all minutes, and everything."""
    day = {"24 h": timedelta(days=1)}
    if quick:
        return day
    minutes, hours = fleet.minute_days, fleet.hour_days
    return {
        "15 min": timedelta(minutes=15),
        **day,
        f"{minutes:g} d": timedelta(days=minutes),
        f"{hours:g} d": timedelta(days=hours),
    }


def measured(store: Store, over: dict[str, timedelta], times: int) -> int:
    """Print each query's p50 and p95 over each range; how many broke the promise."""
    print(f"{'p50 / p95 in s over':<58}{''.join(f'{what:>16}' for what in over)}  ratio")
    ratios = []
    for name, board in boards().items():
        everything: dict[str, tuple[str, ...]] = {v.name: () for v in board.variables}
        for question in questions(board):
            told, worst = "", 0.0
            for length in over.values():
                since = END - length
                width = question.point_s(since, END)
                text = expand(question.sql, since, END, width, everything)
                p50, p95 = asked(store, Question(question.whose, sql(text)), times)
                told, worst = f"{told}{p50:8.3f} /{p95:6.3f}", max(worst, p95 / PANEL_PROMISE_S)
            ratios.append(worst)
            word = "  BROKEN" if worst >= 1 else ""
            print(f"{name + ': ' + question.whose:<58.57}{told}  {worst:5.2f}{word}", flush=True)
    broken = sum(1 for ratio in ratios if ratio >= 1)
    print(
        f"{len(ratios)} queries, p95 promised under {PANEL_PROMISE_S:g} s: {broken} broken,"
        f" worst ratio {max(ratios):.2f}"
    )
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 GPUs, one day")
    parser.add_argument("--gpus", type=int, default=10_000)
    parser.add_argument("--minute-days", type=float, default=30)
    parser.add_argument("--hour-days", type=float, default=395)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="directory of the database, kept and used again")
    given = parser.parse_args()
    fleet = QUICK if given.quick else Fleet(given.gpus, given.minute_days, given.hour_days)
    with ExitStack() as stack:
        home = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "store"
        made = home.exists()
        store = Store(Address(home))
        stack.callback(store.close)
        if not made:
            fill(store, fleet)
        if store.value("SELECT count() FROM source_runs") == 0:
            fill_more(store, fleet)
        store.command(NO_CACHE)
        print(f"{fleet.gpus:,} GPUs, {fleet.minute_days:g} days of minutes")
        over = ranges(fleet, quick=given.quick)
        broken = measured(store, over, 1 if given.quick else given.times)
    return 0 if given.quick else int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
