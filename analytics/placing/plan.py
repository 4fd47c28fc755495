"""Backfill holes: the free GPUs that Slurm keeps for a large job which is to start there.

Slurm plans the first waiting jobs from the time limits of those that run, and starts nothing
behind them that would delay them (slurm.conf: SchedulerType=sched/backfill). Which nodes these
are it does not tell; they are found as it finds them, with the limits that it does tell.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from analytics.placing.fleet import Fleet
from analytics.placing.queue import Unit
from analytics.placing.serve import Plan
from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import WHOLE, Node, Shape

NEVER = 1 << 62
HOUR_MS = 3_600_000


class Planner:
    """Plans the first jobs of each partition that found no place."""

    def __init__(self, fleet: Fleet, settings: PlacementSettings) -> None:
        self._fleet = fleet
        self._settings = settings
        self._ready: dict[Shape, dict[str, tuple[int, int]]] = {}

    def plans(self, unplaced: Iterable[Unit], at_ms: int) -> list[Plan]:
        """Plans for units that found no place, those of one key being told by their first."""
        counts: dict[frozenset[str], int] = {}
        taken: set[str] = set()
        found = []
        for unit in sorted(unplaced):
            pools = unit.jobs[0].shape.wish.pools
            counts[pools] = counts.get(pools, 0) + 1
            plannable = len(unit.jobs) == 1 and unit.jobs[0].shape.share_milli == WHOLE
            if plannable and counts[pools] <= self._settings.planned_jobs:
                plan = self._plan(unit, at_ms, taken)
                if plan:
                    found.append(plan)
                    taken.update(name for name, _ in plan.kept)
        return found

    def _plan(self, unit: Unit, at_ms: int, taken: set[str]) -> Plan | None:
        shape = unit.jobs[0].shape
        ready = heapq.nsmallest(shape.nodes, self._ready_times(shape, at_ms, taken))
        start_ms = ready[-1][0] if len(ready) == shape.nodes else NEVER
        if start_ms > at_ms + self._settings.plan_h * HOUR_MS:
            return None
        kept = (
            (name, tuple(sorted(self._fleet.nodes[name].free)[: shape.gpus])) for _, name in ready
        )
        return Plan(unit, start_ms, tuple((name, gpus) for name, gpus in kept if gpus))

    def _ready_times(self, shape: Shape, at_ms: int, taken: set[str]) -> Iterator[tuple[int, str]]:
        """When the request would fit at the latest; what runs over its limit may end any time."""
        known = self._ready.setdefault(shape, {})
        for kind in self._fleet.accepting(shape):
            for name in self._fleet.kinds()[kind]:
                node = self._fleet.nodes[name]
                if not node.plans or not node.open or name in taken:
                    continue
                version, ready = known.get(name, (-1, 0))
                if version != node.version:
                    ready = ready_ms(node, shape)
                    known[name] = (node.version, ready)
                yield max(at_ms, ready), name


def ready_ms(node: Node, shape: Shape) -> int:
    """When one node's share of a request fits if all that runs there goes on to its limit."""
    kind = node.kind
    gpus, cpu, memory = len(node.free), node.cpu_used, node.memory_used
    ends = sorted(node.runs, key=lambda run: (run.ends_by_ms, run.job_id))
    at_ms = 0
    while True:
        if (
            gpus >= shape.gpus
            and (not kind.cpu_milli or kind.cpu_milli - cpu >= shape.cpu_milli)
            and (not kind.memory_mib or kind.memory_mib - memory >= shape.memory_mib)
        ):
            return at_ms
        if not ends:
            return NEVER
        run = ends.pop(0)
        at_ms = run.ends_by_ms
        gpus += sum(milli >= WHOLE for _, milli, _ in run.gpus)
        cpu, memory = cpu - run.cpu_milli, memory - run.memory_mib
