"""Who runs on which GPU, as the driver tells it every five minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collector.simulation.model import MEMORY, PROCESS, Floats, Ints, Job, World
from collector.simulation.scene import MINUTE_S, Scene, Window
from collector.simulation.timeline import FIRMWARE_RATIO, MEMORY_BYTES
from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue.gpu import ProcessSample

PERIOD_MINUTES = 5
CHUNK_ROWS = 200_000
FIRST_PID, LAST_PID = 3_000, 4_190_000


@dataclass(frozen=True)
class _Holders:
    """Facts of each holder of a GPU: the world's jobs, then its strays."""

    pid: Ints
    user: Ints
    executable: Ints
    started_ms: Ints


def process_batches(scene: Scene, window: Window) -> Iterator[Batch]:
    """One row for each process, GPU and five minutes, at its end."""
    holders = _holders(scene.world)
    for chunk in window.chunks(len(scene.world.places), CHUNK_ROWS * PERIOD_MINUTES):
        parts = [
            rows for node, slot in scene.world.places for rows in _rows(scene, node, slot, chunk)
        ]
        if parts:
            yield _batch(scene.world, holders, parts)


Part = tuple[int, int, Ints, Ints, Floats]


def _rows(scene: Scene, node: int, slot: int, window: Window) -> Iterator[Part]:
    """Node, slot, stamps, holders and bytes of one GPU's rows."""
    timeline = scene.timelines[node][slot]
    first = -(-(window.first + 1) // PERIOD_MINUTES) * PERIOD_MINUTES
    minutes = np.arange(first, window.last + 1, PERIOD_MINUTES)
    minutes = minutes[(scene.alive[node] & ~scene.lost(node, slot))[minutes - 1]]
    at = timeline.at(minutes.astype(np.float64) * MINUTE_S - 0.5)
    at, minutes = (a[timeline.levels[at, PROCESS] > 0] for a in (at, minutes))
    if len(minutes):
        stamps = to_milliseconds(scene.world.start) + minutes * MINUTE_S * 1_000
        held = (timeline.levels[at, MEMORY] - FIRMWARE_RATIO) * MEMORY_BYTES
        yield node, slot, stamps, timeline.holders[at], held


def _holders(world: World) -> _Holders:
    start_ms = to_milliseconds(world.start)
    jobs = [(j.plan.number, j.plan.user, "python3", _started_s(j)) for j in world.jobs]
    strays = [(i + 1, s.user, "python3", float(s.since_s)) for i, s in enumerate(world.strays)]
    numbers, users, executables, started = zip(*(jobs + strays), strict=True)
    return _Holders(
        FIRST_PID + np.array(numbers, dtype=np.int64) * 997 % (LAST_PID - FIRST_PID),
        np.array(users, dtype=object),
        np.array(executables, dtype=object),
        start_ms + np.array(started, dtype=np.float64).astype(np.int64) * 1_000,
    )


def _started_s(job: Job) -> float:
    """When the job's process appeared; before it there was only a container."""
    if job.phases is None:
        return 0.0
    first = int(np.argmax(job.phases.signals[:, PROCESS] > 0))
    return float(job.start_s + job.phases.starts[first])


def _batch(world: World, holders: _Holders, parts: list[Part]) -> Batch:
    counts = [len(part[2]) for part in parts]
    held = np.concatenate([part[3] for part in parts])
    slot = np.repeat(np.array([part[1] for part in parts], dtype=np.int64), counts)
    ids = np.array([world.gpu_id(part[0], part[1]) for part in parts], dtype=np.uint64)
    nodes = np.array([world.node_name(part[0]) for part in parts], dtype=object)
    return Batch.of_arrays(
        ProcessSample.table,
        len(held),
        {
            "ts": np.concatenate([part[2] for part in parts]),
            "interval_seconds": float(PERIOD_MINUTES * MINUTE_S),
            "cluster": world.cluster,
            "node": np.repeat(nodes, counts),
            "slot": slot,
            "gpu_id": np.repeat(ids, counts),
            "pid": holders.pid[held] + slot,
            "user": holders.user[held],
            "executable": holders.executable[held],
            "started": holders.started_ms[held],
            "memory_used_bytes": np.concatenate([part[4] for part in parts]),
        },
    )
