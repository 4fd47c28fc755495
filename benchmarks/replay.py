"""The replay beside the published curves of FGD: percent of all GPUs allocated, and fragments.

    benchmarks/replay.py [--quick] [--seeds N]

Every policy fills the openb cluster until tasks have asked for 130 % of its GPUs, over several
seeds; what the authors published stands beside it. Then the time that a day by events takes, with
tasks drawn from the trace that ask for 95 % of all GPU time. Processor seconds of this process.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parents[1]))

from analytics.replay import Scenario, Trace, drive
from analytics.replay.load import load, load_nodes
from analytics.replay.saturate import Saturation, saturate
from analytics.replay.task import at_load

OPENB = Path(__file__).parent / "openb"
THEIRS = {"random": "Random", "best-fit": "BestFit", "fgd": "FGD"}
OURS = ("fgd-demand", "spread")
POINTS = (50, 80, 90, 130)
clock = time.process_time


def published() -> dict[tuple[str, int], tuple[float, float]]:
    """Mean allocation and fragments by policy and percent asked for."""
    with (OPENB / "published.csv").open() as lines:
        return {
            (r["policy"], int(r["asked_percent"])): (
                float(r["allocated_mean"]),
                float(r["fragments_mean"]),
            )
            for r in csv.DictReader(lines)
        }


def curves(trace: Trace, seeds: int) -> None:
    theirs = published()
    print(f"{'policy':<12} {'asked %':>8} {'allocated %':>22} {'fragments %':>22} {'seconds':>8}")
    for policy in (*THEIRS, *OURS):
        began = clock()
        runs = [saturate(trace.nodes, trace.tasks, policy, seed) for seed in range(seeds)]
        seconds = (clock() - began) / seeds
        for at in POINTS:
            known = theirs.get((THEIRS.get(policy, ""), at))
            allocated, fragments = means(runs, at)
            print(
                f"{policy:<12} {at:>8} {beside(allocated, known and known[0])}"
                f" {beside(fragments, known and known[1])} {seconds:8.2f}"
            )


def means(runs: list[Saturation], at: int) -> tuple[float, float]:
    return mean(r.allocated[at] for r in runs), mean(r.fragments[at] for r in runs)


def beside(ours: float, theirs: float | None) -> str:
    known = "" if theirs is None else f"(published {theirs:5.2f})"
    return f"{ours:5.2f} {known:<16}"


def events(trace: Trace, days: float) -> None:
    told = at_load(trace, 0.95, days)
    for policy in ("best-fit", "fgd", "fgd-demand"):
        began = clock()
        outcome = drive(told, Scenario(policy=policy))
        seconds = clock() - began
        waits = {w.size: w.mean_s or 0.0 for w in outcome.waits}
        print(
            f"{policy:<12} {len(told.tasks):,} tasks in {seconds:.1f} s,"
            f" unallocated {outcome.unallocated_gpu_hours / outcome.gpu_hours:.2%},"
            f" stranded {outcome.stranded_gpu_hours / outcome.gpu_hours:.2%},"
            f" mean wait {waits['all'] / 60:.0f} min, of 5-8 GPUs {waits['5-8'] / 60:.0f} min"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, an hour by events")
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    nodes = load_nodes(OPENB / "openb_node_list_gpu_node.csv")
    trace = load(OPENB / "openb_pod_list_default.csv.gz", nodes)
    curves(trace, 1 if given.quick else given.seeds)
    events(trace, 1 / 24 if given.quick else 1.0)


if __name__ == "__main__":
    main()
