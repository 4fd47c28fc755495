"""The same GPU samples in our table, in VictoriaMetrics and in Prometheus: bytes and answers.

Every number is of this run on this machine: read the ratios. Ours is the catalogue's gpu_samples
on a real ClickHouse listener, all of its columns and keys counted, without rollups and without the
query condition cache; the peers get a series for each field of each GPU, in base units. `fine` is a
row each second, `standard` one of ten seconds, which also keeps the maximum of some fields.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Siblings of ours have the names of packages: those must come first.
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.storage_parts import ours, peers
from benchmarks.storage_parts.fleet import GPUS, MOVING, Node, Shape, entropy, measured, nodes
from tests.components.process import ComponentMissingError

BYTES_A_VALUE, ENTROPY = 0.65, 0.50
# Where VictoriaMetrics led in the study behind the schema: printed, and not promised.
MAY_BE_LOST = {
    "fleet mean by hour",
    "panel: one GPU, two series",
    "panel: the fleet's utilization",
}
PROMISED_OF_ALL = "every question but the three panels of one metric is faster than in both"
CANNOT = (
    "VictoriaMetrics and Prometheus cannot ask: whose GPU it was, unless somebody exports that as a"
    " series at the rate of the samples (done here, not counted in bytes; what accounting corrects"
    " later stays wrong); a node's exact p95 (they answer the mean of its GPUs'); the report in one"
    " question (five here, their times added)"
)


@dataclass(frozen=True)
class Run:
    """What one store came to."""

    name: str
    bytes: int
    load_s: float
    asked_ms: dict[str, float]


def measure(store: Any, fleet: list[Node], runs: int) -> Run:
    """Load, count bytes, ask every question some times; the fastest counts."""
    began = time.monotonic()
    store.load(fleet)
    loaded = time.monotonic() - began
    stored = store.bytes()
    if hasattr(store, "load_holders"):
        store.load_holders(fleet)
    asked = {question: _fastest_ms(store, question, runs) for question in ours.QUESTIONS}
    return Run(store.name, stored, loaded, asked)


def _fastest_ms(store: Any, question: str, runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        if not store.ask(question):
            raise SystemExit(f"{store.name} answers nothing to: {question}")
        times.append((time.perf_counter() - began) * 1000)
        if times[0] > 5_000:
            break
    return min(times)


def all_of(shape: Shape, home: Path, runs: int) -> tuple[list[Node], list[Run]]:
    """The three stores, one after another: each has the machine for itself."""
    fleet = list(nodes(shape))
    found = []
    for opened in (
        ours.running(home / "ours", shape),
        peers.victoriametrics(home / "victoriametrics", shape),
        peers.prometheus(home / "prometheus", shape),
    ):
        with ExitStack() as stack:
            found.append(measure(stack.enter_context(opened), fleet, runs))
    return fleet, found


def told(
    profile: str, shape: Shape, fleet: list[Node], runs: list[Run], *, judged: bool
) -> list[str]:
    """Print one profile; the bars that it broke, where it is judged."""
    fields = measured(shape)
    rows = sum(len(n.columns["ts"]) for n in fleet)
    values = rows * len(fields)
    random_b = bytes_of_entropy(fleet, shape) / len(fields)
    print(
        f"\n{profile}: {shape.nodes * GPUS} GPUs × {shape.seconds / 3600:g} h, a row each"
        f" {shape.every_s} s: {rows:,} rows, {values / 1e6:.1f} M values of {len(fields)} fields"
        f" ({len(MOVING)} move)\norder-1 entropy of the fields {random_b:.3f} B/value"
        f" (data is as hard as promised from {ENTROPY} on)"
    )
    mine, *others = runs
    print(f"{'':34}{mine.name:>12}" + "".join(f"{r.name:>24}" for r in others))
    _line("bytes a value", [r.bytes / values for r in runs], "{:.3f}")
    _line("loading, s", [r.load_s for r in runs], "{:.1f}")
    for question in ours.QUESTIONS:
        _line(f"{question}, ms", [r.asked_ms[question] for r in runs], "{:.1f}")
    if not judged:
        return []
    return [f"{profile}: {bar}" for bar in _bars(random_b, mine, others, values)]


def bytes_of_entropy(fleet: list[Node], shape: Shape) -> float:
    """Bytes that a row's fields tell beyond the row before it."""
    some = fleet[:: max(len(fleet) // 4, 1)]
    bits = (entropy(n.columns[f.stored].reshape(GPUS, -1)) for n in some for f in measured(shape))
    return sum(bits) / len(some) / 8


def _line(name: str, numbers: list[float], form: str) -> None:
    mine, *others = numbers
    cells = (f"{form.format(o)} ({o / mine:.2f} ×)" for o in others)
    print(f"{name:<34}{form.format(mine):>12}" + "".join(f"{c:>24}" for c in cells))


def _bars(random_b: float, mine: Run, others: list[Run], values: int) -> list[str]:
    slower = [
        f"{q} ({o.asked_ms[q]:.1f} ms in {o.name})"
        for q in ours.QUESTIONS
        for o in others
        if o.asked_ms[q] < mine.asked_ms[q]
    ]
    lost = [s for s in slower if s.partition(" (")[0] in MAY_BE_LOST]
    bars = {
        f"entropy ≥ {ENTROPY:.2f} B/value": random_b >= ENTROPY,
        f"ours ≤ {BYTES_A_VALUE} B/value": mine.bytes / values <= BYTES_A_VALUE,
        PROMISED_OF_ALL: set(slower) == set(lost),
    }
    for bar, kept in bars.items():
        print(f"{'kept  ' if kept else 'BROKEN'} {bar}")
    print(f"faster in a peer, as may be: {'; '.join(lost) or 'none'}")
    worse = sorted(set(slower) - set(lost))
    if worse:
        print(f"faster in a peer: {'; '.join(worse)}")
    return [bar for bar, kept in bars.items() if not kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 GPUs for minutes")
    parser.add_argument("--nodes", type=int, default=32, help="of 8 GPUs each")
    parser.add_argument("--fine-hours", type=float, default=2)
    parser.add_argument("--standard-hours", type=float, default=12)
    given = parser.parse_args()
    count, fine_h, standard_h = given.nodes, given.fine_hours, given.standard_hours
    if given.quick:
        count, fine_h, standard_h = 2, 1 / 6, 1
    # Prometheus' blocks begin at even hours: a span within one is one block.
    until = int(time.time()) // 7200 * 7200
    broken = []
    for profile, hours, every in (("fine", fine_h, 1), ("standard", standard_h, 10)):
        shape = Shape(count, until, int(hours * 3600), every)
        with tempfile.TemporaryDirectory() as home:
            try:
                fleet, runs = all_of(shape, Path(home), runs=2 if given.quick else 7)
            except ComponentMissingError as missing:
                raise SystemExit(str(missing)) from None
            broken += told(profile, shape, fleet, runs, judged=not given.quick)
    print(f"\n{CANNOT}")
    if given.quick:
        print("a few minutes of a few GPUs are mostly fixed costs: no bar is judged with --quick")
    elif broken:
        print(f"BROKEN: {'; '.join(broken)}")


if __name__ == "__main__":
    main()
