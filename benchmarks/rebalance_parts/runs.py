"""One fleet, all methods: what each reaches, in which time, and whether it could be carried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

from analytics.repacking.instance import Instance
from analytics.repacking.plan import Plan, plan
from benchmarks.rebalance_parts import states
from benchmarks.rebalance_parts.descheduler import drained
from benchmarks.rebalance_parts.steepest import descended
from benchmarks.rebalance_parts.yard import Move
from tests.analytics.repacking.proof import carry_out, fragments, room_for

SIZES = (1, 2, 4, 8)
POLICIES = ("spread", "random", "bestfit")
SHARES = (0.5, 0.7, 0.9)
MOVES = (0.05, 0.10, 0.15)
DRAIN, GREEDY = "HighNodeUtilization", "greedy FGD"


@dataclass(frozen=True)
class Case:
    """A fleet to plan for; `moves` is K as a share of its tasks."""

    nodes: int
    whole: bool
    share: float
    policy: str
    moves: float
    seed: int = 7
    without_gpu: bool = False

    @property
    def group(self) -> tuple[str, str]:
        """Which line of the tables it belongs to."""
        kind = "whole" if self.whole else "with CPU tasks" if self.without_gpu else "shared"
        return f"{kind}, {self.nodes} nodes", f"{self.share:.0%}"

    def instance(self) -> Instance:
        """The fleet."""
        return states.state(
            *(self.nodes, self.whole, self.share, self.policy, self.seed),
            without_gpu=self.without_gpu,
        )


@dataclass(frozen=True)
class Reached:
    """What a method reaches: F in GPUs, room for tasks of each size, moves, seconds."""

    frag: float
    slots: tuple[int, ...]
    moves: int
    seconds: float
    mode: str = "live"


@dataclass
class Outcome:
    """All methods on one fleet; `least` is the highest lower bound of F that a plan came with."""

    case: Case
    start: Reached
    least: float = 0.0
    by: dict[str, Reached] = field(default_factory=dict)

    @property
    def best(self) -> float:
        """The smallest F that is known to be reachable."""
        return min([self.start.frag, *(r.frag for r in self.by.values())])

    def of_best(self, method: str) -> float | None:
        """Share of the best known reduction of F; None where there is none to reach."""
        return share(self.start.frag, self.by[method].frag, self.best)

    def of_bound(self, method: str) -> float | None:
        """Share of the reduction that the bound leaves possible."""
        return share(self.start.frag, self.by[method].frag, self.least)


def share(start: float, end: float, best: float) -> float | None:
    """(F0 - F) / (F0 - best)."""
    return (start - end) / (start - best) if start - best > 1e-9 else None


def ours(seconds: float) -> str:
    """The name of our method with a time limit."""
    return f"ours {seconds:g} s"


def cases(nodes: Sequence[int], policies: Sequence[str], moves: Sequence[float]) -> list[Case]:
    """Fleets of these sizes at all loads, shared and whole."""
    every = product(nodes, (False, True), SHARES, policies, moves)
    return [Case(*told) for told in every]


def run(case: Case, limits: Sequence[float], best_s: float) -> Outcome:
    """All methods on a fleet; `best_s` is how long ours may look for the best known plan."""
    instance = case.instance()
    most = max(1, int(case.moves * len(instance.pods)))
    return compare(case, instance, most, limits, best_s)


def compare(
    case: Case, instance: Instance, most: int, limits: Sequence[float], best_s: float
) -> Outcome:
    """The same for a fleet at hand and at most so many moves."""
    out = Outcome(case, _of(instance, (), "live", 0.0))
    for name, rival in ((DRAIN, drained), (GREEDY, descended)):
        out.by[name] = _rival(instance, rival, most)
    for limit in (*limits, *([best_s] if best_s else [])):
        told, reached = planned(instance, "fragmentation", most, limit)
        out.by[ours(limit)] = reached
        out.least = max(out.least, told.bound.frag_gpus)
    if out.best < out.least - 1e-6:
        raise AssertionError(f"{case}: a plan reaches {out.best}, below the bound {out.least}")
    return out


def _rival(
    instance: Instance, rival: Callable[[Instance, int], tuple[Move, ...]], most: int
) -> Reached:
    began = time.perf_counter()
    moves = rival(instance, most)
    took = time.perf_counter() - began
    return _of(carry_out(instance, moves, "live", most), moves, "live", took)


def planned(instance: Instance, objective: str, most: int, limit_s: float) -> tuple[Plan, Reached]:
    """Our plan, carried out and measured by the definitions; AssertionError where it lies."""
    began = time.perf_counter()
    told = plan(instance, objective, most, limit_s)
    took = time.perf_counter() - began
    moves = [(m.pod, m.to, m.gpu_ids) for m in told.moves]
    reached = _of(carry_out(instance, moves, told.mode, most), moves, told.mode, took)
    if abs(reached.frag - told.after.frag_gpus) > 1e-6 * max(1.0, reached.frag):
        raise AssertionError(f"F is {reached.frag}, the plan says {told.after.frag_gpus}")
    if objective == "fragmentation" and told.before.frag_gpus < reached.frag - 1e-9:
        raise AssertionError("worse than doing nothing")
    return told, reached


def _of(end: Instance, moves: Sequence[Move], mode: str, seconds: float) -> Reached:
    room = tuple(room_for(end, size) for size in SIZES)
    return Reached(fragments(end), room, len(moves), seconds, mode)
