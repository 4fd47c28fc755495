"""A day of 1,000, 3,000 and 10,000 GPUs booked and searched for findings, embedded and over HTTP.

Everything is made inside the engine (`ledger_parts.fleet`). Seconds of the clock are this machine's
and of whatever else runs on it; seconds of its processors, halved, are what two idle cores need at
best. `--quick` books three hours of few GPUs: its times prove only that everything works, and the
book still has to close.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# A sibling of ours is called collector.py: the packages must come first.
sys.path.insert(0, str(Path(__file__).parent.parent))

from analytics.book import Span
from analytics.detector import Detector
from analytics.ledger import Ledger
from analytics.placement import Placement
from benchmarks.ingest import Engine, embedded, over_http
from benchmarks.ledger_parts.fleet import END, WAITING, Fleet, write
from gpuledger import plugins
from gpuledger.config import Config

CORES = 2
PROMISE_S, PROMISE_GPUS = 30.0, 10_000
LOOK_BACK_H = 26
WHOLE = (Fleet(1_000), Fleet(3_000), Fleet(10_000))
QUICK = (Fleet(32, 3), Fleet(96, 3))
SLOWEST = 5


@dataclass
class Clock:
    """What each step took: seconds of the clock, and of the engine's processors."""

    cpu: Callable[[], float]
    wall_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds to the step of that name."""
        wall, cpu = time.monotonic(), self.cpu()
        yield
        self.wall_s[name] = self.wall_s.get(name, 0.0) + time.monotonic() - wall
        self.cpu_s[name] = self.cpu_s.get(name, 0.0) + self.cpu() - cpu


def measure(engine: Engine, fleet: Fleet) -> Clock:
    """One fleet from its facts to its findings."""
    clock, store = Clock(engine.cpu), engine.store
    with clock.step("making"):
        write(store, fleet)
    ledger, placement = Ledger(store), Placement(store)
    with clock.step("what is new"):
        windows = ledger.dirty(END)
    for window in windows:
        with clock.step("placing"):
            placement.write(window.since, window.until)
        with clock.step("booking"):
            ledger.book(window, END)
    with clock.step("nothing new"):
        assert ledger.dirty(END) == []
    span = Span(END - LOOK_BACK_H * (END - fleet.since) / fleet.hours, END)
    for name, detector in plugins.discover("analytics.detectors", Detector).items():
        with clock.step(f"detector {name}"):
            list(detector.find(store, Config({}).section(name, detector.settings), span))
    return clock


def told(engine: Engine, fleet: Fleet, clock: Clock) -> None:
    """The steps, the slowest detectors, and that the book closes."""
    store = engine.store
    [found] = store.select("SELECT sum(gpu_ms) / 1000 AS s, count() AS n FROM ledger_1m")
    given = store.value("SELECT count() FROM allocations")
    owned = store.value("SELECT sum(owned_seconds) FROM v_booked_hours")
    print(
        f"\n{engine.name}: {fleet.gpus:,} GPUs × {fleet.hours} h, {given:,} allocations,"
        f" {WAITING} jobs waiting: {found['n']:,} cells"
    )
    detectors = [n for n in clock.wall_s if n.startswith("detector ")]
    for name in ("making", "placing", "booking", "what is new", "nothing new"):
        _line(name, clock.wall_s[name], clock.cpu_s[name])
    _line(
        "all detectors",
        sum(clock.wall_s[n] for n in detectors),
        sum(clock.cpu_s[n] for n in detectors),
    )
    for name in sorted(detectors, key=lambda n: -clock.cpu_s[n])[:SLOWEST]:
        _line(f"  {name}", clock.wall_s[name], clock.cpu_s[name])
    print(f"  book closes      {found['s'] / owned:.6f} of owned GPU-seconds", flush=True)
    assert abs(found["s"] / owned - 1) < 1e-4


def _line(name: str, wall_s: float, cpu_s: float) -> None:
    print(f"  {name:<24} {wall_s:8.2f} s   {cpu_s:8.2f} processor seconds")


def judged(engine: Engine, clocks: dict[int, Clock]) -> bool:
    """How booking grows with the fleet, and whether the promise is kept."""
    sizes = list(clocks)
    first, last = sizes[0], sizes[-1]
    for size in sizes[1:]:
        grown = clocks[size].cpu_s["booking"] / clocks[first].cpu_s["booking"]
        print(f"{engine.name}: {size / first:.1f} × the GPUs take {grown:.1f} × the processor time")
    took, best = clocks[last].wall_s["booking"], clocks[last].cpu_s["booking"] / CORES
    if last != PROMISE_GPUS:
        return True
    print(
        f"{engine.name}: a day of {last:,} GPUs booked in {took:.1f} s; at best {best:.1f} s on"
        f" {CORES} idle cores (promise {PROMISE_S:.0f} s: ratio {took / PROMISE_S:.2f}, at best"
        f" {best / PROMISE_S:.2f})"
    )
    return took < PROMISE_S


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three hours of few GPUs, for CI")
    parser.add_argument("--embedded", action="store_true", help="without a server")
    asked = parser.parse_args()
    kept = True
    for open_engine in (embedded,) if asked.embedded else (embedded, over_http):
        clocks = {}
        fleets = QUICK if asked.quick else WHOLE
        for fleet in fleets[:1] if asked.quick and open_engine is over_http else fleets:
            with tempfile.TemporaryDirectory() as home, open_engine(Path(home)) as engine:
                clocks[fleet.gpus] = measure(engine, fleet)
                told(engine, fleet, clocks[fleet.gpus])
        kept = judged(engine, clocks) and kept
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
