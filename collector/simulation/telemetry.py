"""The simulated world as agents and a scheduler tell it: batches of the catalogue's tables.

Rows depend on the world and the time alone: the same minute reads the same, whatever window it is
asked with. Troubles keep to whole minutes, and so do windows. ConfigError for other windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from collector.simulation.health import health_batches
from collector.simulation.machines import machine_batches
from collector.simulation.model import (
    DRAM,
    MEMORY,
    PROCESS,
    SM,
    TENSOR,
    UTILIZATION,
    Flags,
    Floats,
    Ints,
    World,
)
from collector.simulation.processes import process_batches
from collector.simulation.records import event_batches, scheduler_batches
from collector.simulation.scene import MINUTE_S, POWER_NOISE, Scene, Window
from collector.simulation.timeline import (
    CLOCK,
    MEMORY_BYTES,
    MEMORY_CLOCK_HERTZ,
    POWER,
    POWER_LIMIT_WATTS,
)
from gpuledger.batch import Batch
from gpuledger.catalogue.gpu import GpuSample

__all__ = ["Scene", "gpu_batches", "gpu_samples", "scheduler_batches", "telemetry"]

CHUNK_ROWS = 500_000
# Clock event reasons of NVML: GPU idle, software power cap.
REASON_IDLE, REASON_POWER_CAP = 0x1, 0x4
SM_NOISE = 0.03
CELSIUS_PER_WATT, MEMORY_WARMER_CELSIUS = 0.062, 9.0
DRAM_TO_UTILIZATION = 0.9
# Share of the time of tensor pipes in which the power limit holds clocks down, and of a warm
# afternoon in which heat does: less than the book calls throttled.
POWER_CAPPED, HEATED = 0.04, 0.02
WARM = (0.60, 0.62)

# Rows of the block that one GPU's samples are made in; each is a visible column.
GAUGES = (
    "utilization_ratio",
    "memory_utilization_ratio",
    "sm_active_ratio",
    "tensor_active_ratio",
    "dram_active_ratio",
    "active_seconds",
    "memory_used_bytes",
    "memory_used_bytes_max",
    "power_watts",
    "power_watts_max",
    "energy_joules",
    "temperature_celsius",
    "temperature_celsius_max",
    "sm_clock_hertz",
    "processes",
    "processes_max",
    "power_throttle_seconds",
    "thermal_throttle_seconds",
    "lost_seconds",
)
LOST = len(GAUGES) - 1


def telemetry(
    world: World, since: datetime, until: datetime, interval_s: int = MINUTE_S
) -> Iterator[Batch]:
    """Everything that agents and their sources send of [since, until); GPU rows cover interval_s.

    All but GPU rows cover a minute, those of processes and of health five.
    """
    scene = Scene(world)
    yield from gpu_batches(scene, scene.window(since, until, interval_s))
    window = scene.window(since, until)
    yield from process_batches(scene, window)
    yield from health_batches(scene, window)
    yield from machine_batches(scene, window)
    yield from event_batches(world, since, until)


def gpu_samples(
    world: World, since: datetime, until: datetime, interval_s: int = MINUTE_S
) -> Iterator[Batch]:
    """Rows of `gpu_samples` with ts in (since, until], in batches of about CHUNK_ROWS rows."""
    scene = Scene(world)
    return gpu_batches(scene, scene.window(since, until, interval_s))


def gpu_batches(scene: Scene, window: Window, chunk_rows: int = CHUNK_ROWS) -> Iterator[Batch]:
    """The same for a scene that is kept."""
    world = scene.world
    places = world.places
    energy = {place: scene.energy_before(*place, window.first) for place in places}
    names = _Names(world)
    for chunk in window.chunks(len(places), chunk_rows):
        parts = [_card_rows(scene, place, chunk, energy) for place in places]
        kept = [np.flatnonzero(_cells(scene.alive[n], chunk)) for n, _ in places]
        size = sum(len(rows) for rows in kept)
        if size:
            block = np.concatenate([p[:, k] for p, k in zip(parts, kept, strict=True)], axis=1)
            stamps = np.concatenate([scene.stamps(chunk)[rows] for rows in kept])
            counts = np.array([len(rows) for rows in kept])
            yield _batch(names, chunk, stamps, counts, block)


class _Names:
    """Labels and keys of each GPU, in the order of node and slot."""

    def __init__(self, world: World) -> None:
        places = world.places
        self.cluster = world.cluster
        self.node = np.array([world.node_name(n) for n, _ in places], dtype=object)
        self.slot = np.array([s for _, s in places], dtype=np.int64)
        self.gpu_id = np.array([world.gpu_id(n, s) for n, s in places], dtype=np.uint64)
        self.uuid = np.array([world.uuid(n, s) for n, s in places], dtype=object)


def _card_rows(
    scene: Scene, place: tuple[int, int], window: Window, energy: dict[tuple[int, int], float]
) -> Floats:
    """One GPU's rows as (GAUGES, rows); carries its energy counter on to the next window."""
    timeline = scene.timelines[place[0]][place[1]]
    edges = window.edges
    mean = timeline.means(edges)
    lost = _cells(scene.lost(*place), window)
    watts, drawn = _power(scene, place, window, mean[POWER])
    drawing = _cells(scene.powered[place[0]], window) & ~lost
    counter = energy[place] + np.cumsum(np.where(drawing, drawn, 0)) * window.interval_s
    energy[place] = float(counter[-1])
    sm = mean[SM] * (1 + SM_NOISE * _row_noise(scene, place, window, 1))
    celsius = timeline.card.ambient_celsius + CELSIUS_PER_WATT * watts
    memory_peak, power_peak, process_peak = (
        timeline.peaks(edges, column) for column in (MEMORY, POWER, PROCESS)
    )
    power_peak = np.maximum(power_peak, watts) * (1 + 0.01 * (mean[SM] > 0))
    block = np.stack(
        [
            mean[UTILIZATION],
            mean[DRAM] * DRAM_TO_UTILIZATION,
            np.clip(sm, 0, 1),
            mean[TENSOR],
            np.minimum(mean[DRAM], 1),
            timeline.active_seconds(edges),
            mean[MEMORY] * MEMORY_BYTES,
            memory_peak * MEMORY_BYTES,
            watts,
            power_peak,
            counter,
            celsius,
            celsius + 1,
            mean[CLOCK],
            np.rint(mean[PROCESS]),
            process_peak,
            POWER_CAPPED * timeline.integral(edges[1:], TENSOR),
            _heated(scene.world, place[0], edges[1:]),
            np.zeros(len(watts)),
        ]
    )
    block[:, lost] = np.nan
    block[LOST, lost] = window.interval_s
    return block


def _heated(world: World, node: int, ends: Floats) -> Floats:
    """Seconds that heat held clocks down so far: on the last node, while the room was warm."""
    since, until = (share * world.span_s for share in WARM)
    warm = np.clip(ends, since, until) - since
    return np.asarray(HEATED * warm * (node == world.nodes - 1), dtype=np.float64)


def _power(
    scene: Scene, place: tuple[int, int], window: Window, watts: Floats
) -> tuple[Floats, Floats]:
    """Power as shown, and as the energy counter adds it up.

    Noise within a minute has no mean, and the counter leaves it out: so the counter is the same
    whatever the length of the rows is.
    """
    noise = scene.minute_noise(*place, window.first, window.last)
    drawn = watts * (1 + np.repeat(noise, window.parts))
    if window.parts == 1:
        return drawn, drawn
    short = _row_noise(scene, place, window, 2).reshape(-1, window.parts)
    short = (short - short.mean(axis=1, keepdims=True)).ravel()
    return np.asarray(drawn + POWER_NOISE * short * watts, dtype=np.float64), drawn


def _row_noise(scene: Scene, place: tuple[int, int], window: Window, kind: int) -> Floats:
    """Noise of one kind for each row, the same for the same row in any window."""
    key = scene.gpu_key(*place) + kind
    return scene.noise(key, window.first * window.parts, len(window.edges) - 1)


def _cells(minutes: Flags, window: Window) -> Flags:
    """A flag of minutes as one of rows."""
    return np.repeat(minutes[window.first : window.last], window.parts)


def _batch(names: _Names, window: Window, stamps: Ints, counts: Ints, block: Floats) -> Batch:
    """Rows of all GPUs as a batch; constants are missing where the device was lost."""
    values: dict[str, Any] = dict(zip(GAUGES, block, strict=True))
    lost = block[LOST] > 0
    constant = np.where(lost, np.nan, 1.0) if lost.any() else 1.0
    return Batch.of_arrays(
        GpuSample.table,
        len(stamps),
        values
        | {
            "ts": stamps,
            "interval_seconds": float(window.interval_s),
            "cluster": names.cluster,
            "node": np.repeat(names.node, counts),
            "slot": np.repeat(names.slot, counts),
            "gpu_id": np.repeat(names.gpu_id, counts),
            "uuid": np.repeat(names.uuid, counts),
            "memory_total_bytes": MEMORY_BYTES * constant,
            "power_limit_watts": POWER_LIMIT_WATTS * constant,
            "memory_clock_hertz": MEMORY_CLOCK_HERTZ * constant,
            "memory_temperature_celsius": values["temperature_celsius"] + MEMORY_WARMER_CELSIUS,
            "memory_temperature_celsius_max": values["temperature_celsius_max"]
            + MEMORY_WARMER_CELSIUS,
            "throttle_reasons": _reasons(values) * constant,
        },
    )


def _reasons(values: dict[str, Floats]) -> Floats:
    idle = np.where(values["active_seconds"] == 0, REASON_IDLE, 0)
    capped = np.where(values["power_watts_max"] > POWER_LIMIT_WATTS - 8, REASON_POWER_CAP, 0)
    return np.asarray(idle | capped, dtype=np.float64)
