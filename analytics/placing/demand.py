"""How many GPUs waiting jobs lack, by pool and minute: for want of capacity, and of quota."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analytics.placing.fleet import Fleet
from analytics.placing.queue import CAPACITY, Waiting
from analytics.placing.shapes import WHOLE, Shape
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.demand import DemandMinute

MINUTE_MS = 60_000
Where = tuple[str, str]  # cluster, pool of the GPUs


@dataclass
class _Level:
    """GPUs (in thousandths) and jobs that wait now, and since when that holds."""

    since: int
    capacity: int = 0
    quota: int = 0
    jobs: int = 0


@dataclass
class _Sum:
    """Milliseconds times thousandths of a GPU within one minute; most jobs at once."""

    capacity: int = 0
    quota: int = 0
    jobs: int = 0


class Demand:
    """Adds up what waits while a window is played."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._where: dict[Shape, Where] = {}
        self._levels: dict[Where, _Level] = {}
        self._sums: dict[tuple[Where, int], _Sum] = {}

    def change(self, at: int, step: int, job: Waiting) -> None:
        """A job begins (+1) or ends (-1) to wait."""
        where = self._place(job.shape)
        level = self._levels.setdefault(where, _Level(at))
        self._book(where, level, at)
        milli = step * job.shape.total * job.shape.share_milli
        if job.wants == CAPACITY:
            level.capacity += milli
        else:
            level.quota += milli
        level.jobs += step

    def close(self, at: int) -> None:
        """The window ends."""
        for where, level in self._levels.items():
            self._book(where, level, at)

    def rows(self) -> Iterator[DemandMinute]:
        """Minutes in which anybody waited, in order."""
        for ((cluster, pool), minute), total in sorted(self._sums.items()):
            yield DemandMinute(
                cluster=cluster,
                pool=pool,
                minute=from_milliseconds(minute),
                unmet_seconds=total.capacity / WHOLE / 1000,
                refused_seconds=total.quota / WHOLE / 1000,
                jobs=total.jobs,
            )

    def _book(self, where: Where, level: _Level, until: int) -> None:
        """Add what held since the last change to the minutes that it lasted."""
        at, level.since = level.since, until
        while level.jobs and at < until:
            minute = at // MINUTE_MS * MINUTE_MS
            part = min(until, minute + MINUTE_MS) - at
            total = self._sums.setdefault((where, minute), _Sum())
            total.capacity += part * level.capacity
            total.quota += part * level.quota
            total.jobs = max(total.jobs, level.jobs)
            at += part

    def _place(self, shape: Shape) -> Where:
        """The pool with most GPUs of those that take the request; so each job counts once."""
        found = self._where.get(shape)
        if found is None:
            found = self._where[shape] = (shape.wish.cluster, self._pool(shape))
        return found

    def _pool(self, shape: Shape) -> str:
        gpus: dict[str, int] = {}
        for kind in self._fleet.accepting(shape):
            for name in self._fleet.kinds()[kind]:
                pool = self._fleet.nodes[name].pool
                gpus[pool] = gpus.get(pool, 0) + kind.gpus + kind.cut
        return min(gpus, key=lambda pool: (-gpus[pool], pool)) if gpus else ""
