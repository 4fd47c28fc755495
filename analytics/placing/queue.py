"""The queue: what waits, in the order in which it is served, grouped by what it asks for."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from analytics.placing.shapes import Shape

Rank = tuple[int, int, str]
Key = tuple[Shape, ...]

CAPACITY, QUOTA = "capacity", "quota"


@dataclass(frozen=True, order=True)
class Waiting:
    """A waiting job; its rank is (-priority, eligible since, job id).

    `wants` says what it was refused for. `gang` starts as a whole.
    """

    rank: Rank
    job_id: str = field(compare=False)
    shape: Shape = field(compare=False)
    gang: str = field(default="", compare=False)
    wants: str = field(default=CAPACITY, compare=False)


@dataclass(frozen=True, order=True)
class Unit:
    """What is served at once: a job, all that waits of a gang, or a member of one half assembled.

    `half`: others of its gang run already.
    """

    rank: Rank
    jobs: tuple[Waiting, ...] = field(compare=False)
    half: bool = field(default=False, compare=False)

    @cached_property
    def key(self) -> Key:
        """What it asks for; units with one key fit or do not fit alike."""
        return tuple(job.shape for job in self.jobs)

    @property
    def gpus(self) -> int:
        """GPUs of all its jobs."""
        return sum(job.shape.total for job in self.jobs)


class Queue:
    """What waits for one thing (capacity, or quota) at one instant."""

    def __init__(self) -> None:
        self._by_key: dict[Key, list[Unit]] = {}
        self._gangs: dict[str, set[Waiting]] = {}
        self._running: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def __contains__(self, unit: Unit) -> bool:
        units = self._by_key.get(unit.key, [])
        at = bisect_left(units, unit)
        return at < len(units) and units[at] == unit

    def add(self, job: Waiting) -> None:
        """A job begins to wait."""
        if not job.gang:
            self._put(Unit(job.rank, (job,)))
            return
        with self._regrouped(job.gang) as members:
            members.add(job)

    def remove(self, job: Waiting) -> None:
        """A job waits no longer."""
        if not job.gang:
            self._drop(Unit(job.rank, (job,)))
            return
        with self._regrouped(job.gang) as members:
            members.discard(job)

    def member(self, gang: str, step: int) -> None:
        """A member of a gang begins to run (+1), or ends (-1)."""
        with self._regrouped(gang):
            self._running[gang] = self._running.get(gang, 0) + step

    def asked(self) -> Iterator[tuple[Key, Unit]]:
        """What is asked for, and who asks first."""
        return ((key, units[0]) for key, units in self._by_key.items())

    def units(self, key: Key) -> list[Unit]:
        """Who asks for it, in order."""
        return self._by_key[key]

    def in_order(self, keys: Iterable[Key], *, hopeful: Callable[[Key], bool]) -> Iterator[Unit]:
        """Units with one of these keys in the order of the queue, as long as there is hope."""
        heads = [(self._by_key[key][0], 0, self._by_key[key]) for key in keys]
        heapq.heapify(heads)
        while heads:
            unit, at, units = heapq.heappop(heads)
            yield unit
            if at + 1 < len(units) and hopeful(unit.key):
                heapq.heappush(heads, (units[at + 1], at + 1, units))

    @contextmanager
    def _regrouped(self, gang: str) -> Iterator[set[Waiting]]:
        """Take a gang's units out, let its members change, and put them back."""
        for unit in self._of_gang(gang):
            self._drop(unit)
        members = self._gangs.setdefault(gang, set())
        yield members
        for unit in self._of_gang(gang):
            self._put(unit)
        if not members:
            del self._gangs[gang]

    def _put(self, unit: Unit) -> None:
        insort(self._by_key.setdefault(unit.key, []), unit)

    def _drop(self, unit: Unit) -> None:
        units = self._by_key[unit.key]
        del units[bisect_left(units, unit)]
        if not units:
            del self._by_key[unit.key]

    def _of_gang(self, gang: str) -> Iterator[Unit]:
        members = sorted(self._gangs.get(gang, ()))
        if self._running.get(gang):
            yield from (Unit(m.rank, (m,), half=True) for m in members)
        elif members:
            yield Unit(members[0].rank, tuple(members))
