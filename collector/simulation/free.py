"""The unallocated part of the truth: what every GPU that no job holds was worth.

A sweep over all borders (starts, ends, faults, arrivals in the queue); between two of them fleet
and queue rest, so placing the queue once tells which free GPUs it would fill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from collector.simulation import fleet as fleets
from collector.simulation.fleet import Node
from collector.simulation.model import Job, Plan, Stray, Trouble, World

Place = tuple[int, int]
Border = tuple[float, int, Callable[[], None]]

# At one instant: what ends comes first, then faults, arrivals, starts.
END, RECOVER, FAULT, ARRIVE, START = range(5)


def unallocated(world: World, window: tuple[float, float]) -> dict[str, float]:
    """GPU-seconds without an allocation in the window (seconds since the world's start), by state.

    States: fault, rogue, unalloc_unknown, free_demand, free_surplus.
    """
    sweep = _Sweep(world)
    out: dict[str, float] = {}
    now_s = window[0]
    for at_s, _, change in [*sweep.borders(), (window[1], START, _nothing)]:
        if now_s < at_s <= window[1]:
            for state, gpus in sweep.states().items():
                out[state] = out.get(state, 0.0) + gpus * (at_s - now_s)
            now_s = at_s
        if at_s <= window[1]:
            change()
    return out


def _nothing() -> None:
    return None


class _Sweep:
    """Fleet and queue at one instant; the borders change it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fleet = fleets.empty(world.nodes, world.gpus_per_node)
        self._waiting: dict[int, Plan] = {}
        self._strays: set[Place] = set()
        self._silent: set[int] = set()

    def borders(self) -> list[Border]:
        """Every change, in order of time."""
        found = [*self._of_jobs(), *self._of_troubles()]
        return sorted(found, key=lambda border: border[:2])

    def _of_jobs(self) -> Iterator[Border]:
        for job in self._world.jobs:
            yield job.plan.eligible_s, ARRIVE, partial(self._arrive, job.plan)
            yield job.start_s, START, partial(self._start, job)
            yield job.end_s, END, partial(self._end, job)

    def _of_troubles(self) -> Iterator[Border]:
        world = self._world
        for trouble in (*world.lost, *world.down):
            yield trouble.since_s, FAULT, partial(self._fault, trouble)
            yield trouble.until_s, RECOVER, partial(self._recover, trouble)
        for silent in world.silent:
            yield silent.since_s, FAULT, partial(self._silent.add, silent.node)
            yield silent.until_s, RECOVER, partial(self._silent.discard, silent.node)
        for stray in world.strays:
            yield stray.since_s, FAULT, partial(self._strays.add, _place(stray))
            yield stray.until_s, RECOVER, partial(self._strays.discard, _place(stray))

    def _arrive(self, plan: Plan) -> None:
        self._waiting[plan.number] = plan

    def _start(self, job: Job) -> None:
        self._waiting.pop(job.plan.number)
        for node, slot in job.places:
            self._fleet[node].hold([slot])

    def _end(self, job: Job) -> None:
        for node, slot in job.places:
            self._fleet[node].give([slot])

    def _fault(self, trouble: Trouble) -> None:
        if trouble.slot < 0:
            self._fleet[trouble.node].down = True
        else:
            self._fleet[trouble.node].lose(trouble.slot)

    def _recover(self, trouble: Trouble) -> None:
        if trouble.slot < 0:
            self._fleet[trouble.node].down = False
        else:
            self._fleet[trouble.node].regain(trouble.slot)

    def states(self) -> Counter[str]:
        """GPUs that no job holds now, by state."""
        wanted = self._wanted()
        out: Counter[str] = Counter()
        for index, node in enumerate(self._fleet):
            out["fault"] += node.slots if node.down else len(node.sick)
            for slot in [] if node.down else node.free:
                out[self._state((index, slot), wanted)] += 1
        return out

    def _state(self, place: Place, wanted: set[Place]) -> str:
        if place in self._strays:
            return "rogue"
        if place[0] in self._silent:
            return "unalloc_unknown"
        return "free_demand" if place in wanted else "free_surplus"

    def _wanted(self) -> set[Place]:
        """GPUs that the queue would fill, in priority order, gangs whole or not at all."""
        trial = [Node(n.slots, list(n.free), n.cpus, n.memory, down=n.down) for n in self._fleet]
        out: set[Place] = set()
        for plan in sorted(self._waiting.values(), key=lambda plan: plan.order):
            nodes = fleets.choose(trial, plan.nodes, plan.gpus_per_node) or []
            out |= {(n, s) for n in nodes for s in trial[n].take(plan.gpus_per_node)}
        return out


def _place(stray: Stray) -> Place:
    return stray.node, stray.slot
