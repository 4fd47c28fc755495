"""Serving the queue in its order: which free GPUs it would fill, and which are kept for a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from analytics.placing.fleet import Fleet, Trial
from analytics.placing.queue import Key, Queue, Rank, Unit
from analytics.placing.shapes import Node, Shape, take


@dataclass(frozen=True)
class Plan:
    """GPUs that are kept for a job which is to start on their nodes, and when it is."""

    unit: Unit
    start_ms: int
    kept: tuple[tuple[str, tuple[int, ...]], ...]  # node, its GPUs


@dataclass(frozen=True)
class Owner:
    """For whom a free GPU is: the job, and whether that only completes a gang."""

    job_id: str
    half: bool = False


@dataclass
class Served:
    """GPU to waiting job, GPU to planned job; of each key the first unit without a place."""

    wanted: dict[int, Owner] = field(default_factory=dict)
    kept: dict[int, str] = field(default_factory=dict)
    unplaced: dict[Key, Unit] = field(default_factory=dict)
    placed: set[Rank] = field(default_factory=set)


def serve(
    queue: Queue, fleet: Fleet, plans: Sequence[Plan] = (), trial: Trial | None = None
) -> Served:
    """Place units in the order of the queue; gangs whole or not at all."""
    server = _Server(trial or Trial(fleet), plans)
    fitting = []
    for key, first in queue.asked():
        if fleet.may_fit(key):
            fitting.append(key)
        else:
            server.told.unplaced[key] = first
    server.play(queue.in_order(fitting, hopeful=lambda key: key not in server.told.unplaced))
    server.keep_all(queue)
    return server.told


class _Server:
    """One pass over the queue."""

    def __init__(self, trial: Trial, plans: Sequence[Plan]) -> None:
        self.told = Served()
        self._trial = trial
        self._plans = sorted(plans, key=lambda plan: plan.unit.rank)

    def play(self, units: Iterable[Unit]) -> None:
        """Place what fits; what does not fit once does not fit again behind."""
        for unit in units:
            while self._plans and self._plans[0].unit.rank < unit.rank:
                self._keep(self._plans.pop(0))
            if self._place(unit):
                self.told.placed.add(unit.rank)
            else:
                self.told.unplaced[unit.key] = unit

    def keep_all(self, queue: Queue) -> None:
        """Keep what is left for plans behind the last unit that was looked at."""
        for plan in self._plans:
            if plan.unit in queue:
                self._keep(plan)

    def _keep(self, plan: Plan) -> None:
        if plan.unit.rank in self.told.placed:
            return
        (job,) = plan.unit.jobs
        for name, gpus in plan.kept:
            free = [g for g in gpus if g in self._trial.node(name).free]
            if free:
                self._trial.change(name, partial(_withhold, gpus=free))
                self.told.kept.update(dict.fromkeys(free, job.job_id))

    def _place(self, unit: Unit) -> bool:
        saved = self._trial.save() if len(unit.jobs) > 1 else None
        wanted: dict[int, Owner] = {}
        for job in unit.jobs:
            names = self._trial.choose(job.shape)
            if not names:
                if saved:
                    self._trial.restore(saved)
                return False
            owner = Owner(job.job_id, unit.half)
            wanted.update((gpu, owner) for gpu in self._take(names, job.shape))
        self.told.wanted.update(wanted)
        return True

    def _take(self, names: Sequence[str], shape: Shape) -> Iterator[int]:
        for name in names:
            yield from self._trial.change(name, partial(take, shape=shape))


def _withhold(node: Node, gpus: Sequence[int]) -> list[int]:
    node.free.difference_update(gpus)
    for gpu in gpus:
        node.shared.pop(gpu, None)
    return list(gpus)
