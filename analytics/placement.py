"""Placement: why each free GPU is free where that takes more than telemetry, and who waits.

What a request needs to fit is in `analytics.placing.shapes`: the only `fits()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from analytics.placing.facts import Span, read
from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import fits
from analytics.placing.timeline import Stretch, Timeline
from analytics.placing.words import CAPACITY_REASONS
from gpuledger import partitions
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import DemandMinute, FreeState
from gpuledger.states import LedgerSettings
from gpuledger.store import Store

HOUR_MS = 3_600_000

__all__ = ["CAPACITY_REASONS", "Placement", "fits"]


class Placement:
    """Writes `free_states` and `demand_1m` of a window."""

    def __init__(
        self,
        store: Store,
        settings: LedgerSettings | None = None,
        placing: PlacementSettings | None = None,
    ) -> None:
        self._store = store
        self._settings = settings or LedgerSettings()
        self._placing = placing or PlacementSettings()

    def write(self, since: datetime, until: datetime) -> None:
        """Replace free states and demand of the hours from `since` to `until`."""
        states, demand = self.play(since, until)
        seconds = range(to_milliseconds(since) // 1000, -(-to_milliseconds(until) // 1000), 3600)
        hours = [str(at) for at in seconds]
        # One INSERT may touch at most 100 partitions, and a window has at most 24 hours.
        partitions.drop(self._store, FreeState.table, hours)
        self._store.insert_rows(states)
        partitions.drop(self._store, DemandMinute.table, hours)
        self._store.insert_rows(demand)

    def play(self, since: datetime, until: datetime) -> tuple[list[FreeState], list[DemandMinute]]:
        """Intervals of free GPUs with what holds of them, cut at whole hours; and who waited."""
        span = Span(to_milliseconds(since), to_milliseconds(until))
        facts = read(self._store, span, self._settings, self._placing)
        timeline = Timeline(facts, self._placing)
        states = list(_states(timeline.play(span)))
        return states, list(timeline.demand.rows())


def _states(stretches: Iterable[Stretch]) -> Iterator[FreeState]:
    for start, stop, gpu, verdict in stretches:
        for a, b in _by_hour(start, stop):
            yield FreeState(
                gpu_id=gpu,
                valid_from=from_milliseconds(a),
                valid_to=from_milliseconds(b),
                state=verdict.state,
                cause=verdict.cause,
                flags=verdict.flags,
                job_id=verdict.job_id,
            )


def _by_hour(start: int, stop: int) -> Iterator[tuple[int, int]]:
    while start < stop:
        edge = min(stop, (start // HOUR_MS + 1) * HOUR_MS)
        yield start, edge
        start = edge
