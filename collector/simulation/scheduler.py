"""A small Slurm: priority order, best fit, backfill under reservations, passes on a clock.

Passes are why a free GPU now and then waits for a job that fits (slurm.conf: sched_interval=60;
bf_interval stands at eight minutes here, as on sites whose backfill takes that long).
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from collector.simulation import fleet as fleets
from collector.simulation.fleet import Node, Places
from collector.simulation.model import NEVER, Job, Plan, Trouble, World
from collector.simulation.workload import WARM_UP_S

PASS_S, PASS_OFFSET_S = 60, 23
BACKFILL_EVERY = 8
RESERVATIONS = 3
PLACE_STREAM = 4


_CLOSED = Node(0, down=True)


@dataclass(frozen=True)
class Fault:
    """A trouble that will come; where it strikes is known when it does."""

    since_s: int
    until_s: float
    whole_node: bool = False


class _Event(IntEnum):
    """What happens, in the order in which it counts at one instant."""

    END = 0
    RECOVER = 1
    FAULT = 2
    ELIGIBLE = 3


@dataclass
class _Run:
    """A job that holds GPUs."""

    plan: Plan
    start_s: int
    end_s: int
    places: Places

    @property
    def limit_end_s(self) -> int:
        """When the scheduler would end it."""
        return self.start_s + self.plan.limit_s


@dataclass
class Outcome:
    """The scheduler's log: jobs by number, and where troubles struck."""

    jobs: dict[int, Job] = field(default_factory=dict)
    lost: list[Trouble] = field(default_factory=list)
    down: list[Trouble] = field(default_factory=list)


class Scheduler:
    """Plays submissions and faults; `play` does it all and may be called once."""

    def __init__(self, world: World, plans: list[Plan], faults: Iterable[Fault]) -> None:
        self._world = world
        self._plans = plans
        self._faults = list(faults)
        self._rng = np.random.default_rng([world.seed, PLACE_STREAM])
        self._fleet = fleets.empty(world.nodes, world.gpus_per_node)
        self._events: list[tuple[float, int, int]] = []
        self._queue: list[tuple[tuple[int, int, int], Plan]] = []
        self._running: dict[int, _Run] = {}
        self._struck: dict[int, Trouble] = {}
        self._by_number = {plan.number: plan for plan in plans}
        self._changed = False
        self._news = False
        self.outcome = Outcome()

    def play(self) -> Outcome:
        """Run from the warm-up to the end; jobs still running keep the end that they will have."""
        for plan in self._plans:
            self._push(plan.eligible_s, _Event.ELIGIBLE, plan.number)
        for i, fault in enumerate(self._faults):
            self._push(fault.since_s, _Event.FAULT, i)
            self._push(fault.until_s, _Event.RECOVER, i)
        for turn, now_s in enumerate(
            range(PASS_OFFSET_S - WARM_UP_S, self._world.span_s + 1, PASS_S)
        ):
            self._advance(now_s)
            self._pass(now_s, backfill=turn % BACKFILL_EVERY == 0)
        self._advance(self._world.span_s)
        self._close()
        return self.outcome

    def _push(self, at_s: float, event: _Event, key: int) -> None:
        heapq.heappush(self._events, (at_s, int(event), key))

    def _advance(self, until_s: int) -> None:
        """Everything that happens up to that second."""
        while self._events and self._events[0][0] <= until_s:
            at_s, event, key = heapq.heappop(self._events)
            self._changed = True
            match _Event(event):
                case _Event.END:
                    self._end(key, at_s)
                case _Event.RECOVER:
                    self._recover(key)
                case _Event.FAULT:
                    self._strike(key, round(at_s))
                case _Event.ELIGIBLE:
                    plan = self._by_number[key]
                    insort(self._queue, (plan.order, plan))

    def _pass(self, now_s: int, *, backfill: bool) -> None:
        """The main pass stops at the first job that does not fit; backfill looks further."""
        if self._changed:
            self._changed, self._news = False, True
            while self._queue and self._try(self._queue[0][1], now_s, self._fleet):
                self._queue.pop(0)
        if backfill and self._queue and self._news:
            self._news = False
            self._backfill(now_s)

    def _try(self, plan: Plan, now_s: int, fleet: list[Node]) -> bool:
        """Start the job if it fits into that fleet."""
        nodes = fleets.choose(fleet, plan.nodes, plan.gpus_per_node)
        if nodes is None:
            return False
        places = tuple((n, s) for n in nodes for s in fleet[n].take(plan.gpus_per_node))
        planned_s = now_s + min(plan.duration_s, plan.limit_s)
        end_s = max(now_s + PASS_S, min(planned_s, plan.latest_end_s))
        self._running[plan.number] = _Run(plan, now_s, round(end_s), places)
        self._push(round(end_s), _Event.END, plan.number)
        return True

    def _backfill(self, now_s: int) -> None:
        """Later jobs may start where they cannot delay the first ones that wait."""
        waiting = [plan for _, plan in self._queue]
        reserved = self._reservations(waiting[:RESERVATIONS], now_s)
        for plan in waiting[1:]:
            until_s = now_s + plan.limit_s
            allowed = [
                _CLOSED if until_s > reserved.get(i, NEVER) else node
                for i, node in enumerate(self._fleet)
            ]
            if self._try(plan, now_s, allowed):
                self._queue.remove((plan.order, plan))

    def _reservations(self, first: list[Plan], now_s: int) -> dict[int, float]:
        """Nodes that the first jobs will get, and when, if all jobs run to their time limits."""
        ends = self._ends()
        out: dict[int, float] = {}
        for plan in first:
            ready = sorted(
                (self._ready_s(i, plan.gpus_per_node, now_s, ends[i]), i)
                for i in range(len(self._fleet))
                if i not in out
            )
            chosen = ready[: plan.nodes]
            if len(chosen) == plan.nodes:
                out.update({i: chosen[-1][0] for _, i in chosen})
        return out

    def _ends(self) -> list[list[tuple[int, int]]]:
        """For each node: when GPUs come free at the latest, and how many."""
        out: list[list[tuple[int, int]]] = [[] for _ in self._fleet]
        for run in self._running.values():
            for node, _ in run.places[:: run.plan.gpus_per_node]:
                out[node].append((run.limit_end_s, run.plan.gpus_per_node))
        return [sorted(ends) for ends in out]

    def _ready_s(self, node: int, gpus: int, now_s: int, ends: list[tuple[int, int]]) -> float:
        free = len(self._fleet[node].free)
        if self._fleet[node].down:
            return NEVER
        for end_s, count in [(now_s, 0), *ends]:
            free += count
            if free >= gpus:
                return end_s
        return NEVER

    def _end(self, number: int, at_s: float) -> None:
        """The job ends by itself, unless a fault was faster."""
        run = self._running.get(number)
        if run is None or run.end_s != at_s:
            return
        plan = run.plan
        cut = run.end_s - run.start_s < plan.duration_s and run.end_s >= plan.latest_end_s
        self._release(run, "cancelled" if cut else plan.outcome)

    def _release(self, run: _Run, state: str) -> None:
        del self._running[run.plan.number]
        for node in {n for n, _ in run.places}:
            self._fleet[node].give([s for n, s in run.places if n == node])
        self.outcome.jobs[run.plan.number] = _job(run, state)

    def _strike(self, index: int, at_s: int) -> None:
        """A GPU or a node goes; what ran on it fails. Nowhere to strike: nothing happens."""
        fault = self._faults[index]
        place = self._victim(fault)
        if place is None:
            return
        node, slot = place
        trouble = Trouble(node, slot, at_s, fault.until_s)
        self._struck[index] = trouble
        if fault.whole_node:
            self._fleet[node].down = True
            self.outcome.down.append(trouble)
        else:
            self._fleet[node].lose(slot)
            self.outcome.lost.append(trouble)
        self._kill(node, slot, at_s)

    def _victim(self, fault: Fault) -> tuple[int, int] | None:
        """A place without trouble and without a kept job; busy ones first."""
        spared = {p for run in self._running.values() if run.plan.kept for p in run.places}
        busy = {p for run in self._running.values() for p in run.places}
        places = [
            (int(i), int(self._rng.integers(self._world.gpus_per_node)))
            for i in self._rng.permutation(self._world.nodes)
        ]
        places = [p for p in places if not self._fleet[p[0]].sick and not self._fleet[p[0]].down]
        if fault.whole_node:
            kept = {n for n, _ in spared}
            return next(((n, -1) for n, _ in places if n not in kept), None)
        places = [p for p in places if p not in spared]
        return next((p for p in places if p in busy), places[0] if places else None)

    def _kill(self, node: int, slot: int, at_s: int) -> None:
        """End the jobs on a node, or on one of its GPUs."""
        for run in list(self._running.values()):
            if any(n == node and slot in {s, -1} for n, s in run.places):
                run.end_s = at_s
                self._release(run, "failed")

    def _recover(self, index: int) -> None:
        trouble = self._struck.get(index)
        if trouble is None:
            return
        node = self._fleet[trouble.node]
        if trouble.slot < 0:
            node.down = False
        else:
            node.regain(trouble.slot)

    def _close(self) -> None:
        """What still runs or waits at the end of the world."""
        for run in self._running.values():
            cut = run.end_s - run.start_s < run.plan.duration_s
            cut = cut and run.end_s >= run.plan.latest_end_s
            self.outcome.jobs[run.plan.number] = _job(run, "cancelled" if cut else run.plan.outcome)
        for plan in self._plans:
            self.outcome.jobs.setdefault(plan.number, Job(plan))


def _job(run: _Run, state: str) -> Job:
    return Job(run.plan, run.start_s, run.end_s, run.places, state)
