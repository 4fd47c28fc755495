"""Who waits while a trace is replayed, in the order of `placing.queue`, within quotas of teams."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Mapping

from analytics.placing.queue import Key, Queue, Rank, Unit, Waiting
from analytics.replay.room import Room
from analytics.replay.task import Task

Place = Callable[[Unit], bool]


class Line:
    """Serves by priority, then eligible time, then name; what does not fit is passed over.

    Gangs start as a whole or not at all. A team with a quota waits apart while it holds as many
    GPUs as it may. What found no place is tried again only once nodes were freed that it fits.
    """

    def __init__(self, room: Room, tasks: Mapping[str, Task], quotas: Mapping[str, float]) -> None:
        self._room = room
        self._tasks = tasks
        self._queue = Queue()
        self._left = {team: float(gpus) for team, gpus in quotas.items()}
        self._parked: dict[str, list[Unit]] = {}
        self._hopeful: set[Key] = set()
        self._hopeless: set[Key] = set()
        self._freed: set[int] = set()
        self._rows: list[tuple[int, list[int], int, int]] = []

    def add(self, tasks: Iterable[Task]) -> None:
        """Tasks begin to wait; all of a gang at once."""
        self._add(Waiting(_rank(t), t.name, t.shape, gang=t.gang) for t in tasks)

    def freed(self, rows: Iterable[int]) -> None:
        """More is free on these nodes."""
        self._freed.update(rows)

    def ended(self, task: Task) -> None:
        """A task has ended: its team may hold as much more."""
        if task.team in self._left:
            self._left[task.team] += task.gpus
            self._unpark(task.team)

    def serve(self, place: Place) -> None:
        """Start whatever fits."""
        revived, gone = self._revive(), list[Unit]()
        for unit in self._queue.in_order(
            self._hopeful | revived, hopeful=lambda key: key not in self._hopeless
        ):
            if self._is_over(unit):
                insort(self._parked.setdefault(self._team(unit), []), unit)
                gone.append(unit)
            elif (unit.key in revived and not self._may_fit(unit.key)) or not place(unit):
                self._hopeless.add(unit.key)
            else:
                self._hold(unit)
                self._look()
                gone.append(unit)
        for unit in gone:
            for job in unit.jobs:
                self._queue.remove(job)
        self._hopeful.clear()
        self._freed.clear()

    def _add(self, unit: Iterable[Waiting]) -> None:
        jobs = sorted(unit)
        for job in jobs:
            self._queue.add(job)
        key = tuple(job.shape for job in jobs)
        if key not in self._hopeless:
            self._hopeful.add(key)

    def _revive(self) -> set[Key]:
        """Hope again for what fits a node that was freed; for several nodes, whenever one was."""
        self._look()
        found = {key for key in self._hopeless if self._freed and self._may_fit(key)}
        self._hopeless -= found
        return found

    def _look(self) -> None:
        self._rows = [(row, *self._room.left_of(row)) for row in sorted(self._freed)]

    def _may_fit(self, key: Key) -> bool:
        """Whether it might start with what was freed; it found no place before."""
        if len(key) > 1 or key[0].nodes > 1:
            return True
        shape = key[0]
        return any(
            cpu >= shape.cpu_milli
            and memory >= shape.memory_mib
            and (not shape.gpus or shape.gpus <= len(free))
            and (not shape.gpus or free[shape.gpus - 1] >= shape.share_milli)
            and self._room.accepted(shape.wish)[row]
            for row, free, cpu, memory in self._rows
        )

    def _team(self, unit: Unit) -> str:
        return self._tasks[unit.jobs[0].job_id].team

    def _gpus(self, unit: Unit) -> float:
        return sum(self._tasks[job.job_id].gpus for job in unit.jobs)

    def _is_over(self, unit: Unit) -> bool:
        return bool(self._left) and self._gpus(unit) > self._left.get(self._team(unit), math.inf)

    def _hold(self, unit: Unit) -> None:
        if self._team(unit) in self._left:
            self._left[self._team(unit)] -= self._gpus(unit)

    def _unpark(self, team: str) -> None:
        """Let as many back into the queue as the quota has room for."""
        left, kept = self._left[team], []
        for unit in self._parked.get(team, ()):
            gpus = self._gpus(unit)
            if gpus > left:
                kept.append(unit)
            else:
                left -= gpus
                self._add(unit.jobs)
        self._parked[team] = kept


def _rank(task: Task) -> Rank:
    return (-task.priority, math.floor(1000 * task.arrives_s), task.name)
