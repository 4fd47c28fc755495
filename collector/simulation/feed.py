"""A simulated cluster read live: the rows that came about since the last reading.

Time is cut into worlds of `world_days` at fixed instants, so every process sees the same cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np

from collector.simulation.machines import machine_batches
from collector.simulation.model import Job, World
from collector.simulation.processes import process_batches
from collector.simulation.records import event_rows, scheduler_rows
from collector.simulation.scene import MINUTE_S, Scene
from collector.simulation.telemetry import gpu_batches
from collector.simulation.world import simulate
from gpuledger.batch import EPOCH, Batch, from_milliseconds
from gpuledger.catalogue import ROWS
from gpuledger.schema import Column, Kind, Row

ROW_S = 10
# What is longer ago than this is told by the minute.
RECENT_S = 600
ROW_OF_TABLE = {row.table.name: row for row in ROWS}


class Feed:
    """Rows of one simulated cluster, each once."""

    def __init__(
        self, cluster: str, seed: int, nodes: int, world_days: int, gpus_per_node: int = 8
    ) -> None:
        self._make: Callable[[datetime, datetime], World] = lambda start, end: simulate(
            seed, nodes, start, end, cluster, gpus_per_node
        )
        self._length = timedelta(days=world_days)
        self._scene: Scene | None = None

    def rows(self, since: datetime, until: datetime) -> Iterator[Row]:
        """Rows of (since, until]; both are multiples of ROW_S, and of a minute if far apart.

        A cluster of one world ends with it: what is open then is closed, and the next one begins.
        """
        while since < until:
            scene = self._at(since)
            stop = min(until, scene.world.end)
            yield from _telemetry(scene, since, stop)
            world = _bounded(scene.world)
            yield from _facts(_ended(world) if stop == world.end else world, since, stop)
            since = stop

    def _at(self, at: datetime) -> Scene:
        """The world that holds just after that instant."""
        start = EPOCH + (at - EPOCH) // self._length * self._length
        if self._scene is None or self._scene.world.start != start:
            self._scene = Scene(self._make(start, start + self._length))
        return self._scene


def floor(at: datetime, seconds: int) -> datetime:
    """The last multiple of that many seconds, UTC."""
    step = timedelta(seconds=seconds)
    return EPOCH + (at.astimezone(UTC) - EPOCH) // step * step


def _telemetry(scene: Scene, since: datetime, until: datetime) -> Iterator[Row]:
    """Agents' rows; GPU rows of a minute that still runs are those of its past parts."""
    far = (until - since).total_seconds() > RECENT_S
    first, last = floor(since, MINUTE_S), floor(until, MINUTE_S)
    begun = last + timedelta(seconds=MINUTE_S if last < until else 0)
    cards = scene.window(first, begun, MINUTE_S if far else ROW_S)
    whole = scene.window(first, last)
    for batch in chain(
        gpu_batches(scene, cards), process_batches(scene, whole), machine_batches(scene, whole)
    ):
        yield from (row for row in rows_of(batch) if since < row.__dict__["ts"] <= until)
    yield from event_rows(scene.world, since, until)


def _facts(world: World, since: datetime, until: datetime) -> Iterator[Row]:
    """Facts that are open, or were closed after `since`."""
    for row in scheduler_rows(world, until):
        if row.__dict__["seen_at"] > since:
            yield row


def _bounded(world: World) -> World:
    """Nothing began before the world: its GPUs may have been another world's."""
    return replace(world, jobs=tuple(replace(j, start_s=max(j.start_s, 0)) for j in world.jobs))


def _ended(world: World) -> World:
    """Nothing stays open beyond the world."""
    return replace(world, jobs=tuple(_closed(job, world.span_s) for job in world.jobs))


def _closed(job: Job, end_s: int) -> Job:
    if job.end_s <= end_s:
        return job
    return replace(job, end_s=end_s, state="cancelled")


def rows_of(batch: Batch) -> Iterator[Row]:
    """A batch as rows in base units; kept maxima are lost."""
    row = ROW_OF_TABLE[batch.table.name]
    columns = [(c.name, _visible(c, batch)) for c in batch.table.columns]
    for i in range(len(batch)):
        yield row(**{name: values[i] for name, values in columns})


def _visible(column: Column[Any], batch: Batch) -> list[Any]:
    """Values of one column in base units, None where missing."""
    field = column.fields[0]
    stored = batch.columns[field.stored]
    values = stored.tolist() if isinstance(stored, np.ndarray) else stored
    if column.kind is Kind.TIME:
        return [from_milliseconds(value) for value in values]
    if field.factor == 1:
        return list(values)
    factor = float(field.factor)
    return [None if value is None else value * factor for value in values]
