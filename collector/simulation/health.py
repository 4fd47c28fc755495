"""What simulated cards tell of their memory and links every five minutes.

One card wears out before it falls off the bus, another repeats transfers over a loose link.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from collector.simulation.model import Ints, Trouble, World
from collector.simulation.scene import MINUTE_S, Scene, Window
from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue.gpu import GpuHealth

PERIOD_MINUTES = 5
CHUNK_ROWS = 200_000
# An HGX board with eight H100: 18 NVLinks of 25 GB/s to each card, PCIe 5 with 16 lanes.
NVLINKS, NVLINK_BYTES_PER_SECOND, PCIE_GENERATION, PCIE_WIDTH = 18, 450e9, 5, 16
# The worn card corrects an error in so many minutes, and cannot correct one this long before it
# is lost; its reset remaps the row.
CORRECTED_EVERY_MINUTES, UNCORRECTED_BEFORE_S = 10, 1_800
# The loose link repeats a transfer in so many minutes.
REPLAYED_EVERY_MINUTES = 10

Part = tuple[int, int, Ints]


def worn(world: World) -> Trouble | None:
    """The loss of the card whose memory wears out; None where no card is ever lost."""
    return min(world.lost, key=lambda trouble: trouble.since_s, default=None)


def loose(world: World) -> tuple[int, int]:
    """Node and slot of the card whose link is loose: one that is never lost, if there is one."""
    lost = {(trouble.node, trouble.slot) for trouble in world.lost}
    return next((place for place in world.places if place not in lost), (0, 0))


def health_batches(scene: Scene, window: Window) -> Iterator[Batch]:
    """One row for each GPU and five minutes in which it could be read, at their end."""
    for chunk in window.chunks(len(scene.world.places), CHUNK_ROWS * PERIOD_MINUTES):
        parts = [(n, s, _minutes(scene, n, s, chunk)) for n, s in scene.world.places]
        if any(len(minutes) for *_, minutes in parts):
            yield _batch(scene.world, parts)


def _minutes(scene: Scene, node: int, slot: int, window: Window) -> Ints:
    """Ends of the periods of which every minute was read."""
    first = -(-(window.first + 1) // PERIOD_MINUTES) * PERIOD_MINUTES
    ends = np.arange(max(first, PERIOD_MINUTES), window.last + 1, PERIOD_MINUTES)
    read = np.concatenate([[0], np.cumsum(scene.alive[node] & ~scene.lost(node, slot))])
    return np.asarray(ends[read[ends] - read[ends - PERIOD_MINUTES] == PERIOD_MINUTES], np.int64)


def _batch(world: World, parts: list[Part]) -> Batch:
    counts = [len(minutes) for *_, minutes in parts]
    minutes = np.concatenate([part[2] for part in parts])
    node, slot = (np.repeat([part[i] for part in parts], counts) for i in (0, 1))
    uuids = np.array([world.uuid(n, s) for n, s, _ in parts], dtype=object)
    ids = np.array([world.gpu_id(n, s) for n, s, _ in parts], dtype=np.uint64)
    names = np.array([world.node_name(n) for n in range(world.nodes)], dtype=object)
    values: dict[str, Any] = {
        "ts": to_milliseconds(world.start) + minutes * MINUTE_S * 1_000,
        "interval_seconds": float(PERIOD_MINUTES * MINUTE_S),
        "cluster": world.cluster,
        "node": names[node],
        "slot": slot,
        "gpu_id": np.repeat(ids, counts),
        "uuid": np.repeat(uuids, counts),
        **{name: np.full(len(minutes), float(value)) for name, value in _SOUND.items()},
    }
    return Batch.of_arrays(
        GpuHealth.table, len(minutes), values | _signs(world, node, slot, minutes)
    )


_SOUND = {
    "remap_failed": 0,
    "remap_pending": 0,
    "remapped_rows_corrected": 0,
    "recovery_action": 0,
    "pcie_generation": PCIE_GENERATION,
    "pcie_generation_max": PCIE_GENERATION,
    "pcie_width": PCIE_WIDTH,
    "pcie_width_max": PCIE_WIDTH,
    "nvlinks": NVLINKS,
    "nvlinks_up": NVLINKS,
    "nvlink_speed_bytes_per_second": NVLINK_BYTES_PER_SECOND,
    "performance_state": 0,
    "persistence_mode": 1,
}


def _signs(world: World, node: Ints, slot: Ints, minutes: Ints) -> dict[str, Any]:
    """Counters of errors; those of memory begin anew with the reset of a card that was lost."""
    none = np.zeros(len(minutes))
    trouble = worn(world)
    sick = none > 0 if trouble is None else (node == trouble.node) & (slot == trouble.slot)
    since_s = trouble.since_s if trouble else 0
    before = sick & (minutes * MINUTE_S <= since_s)
    last = before & (minutes * MINUTE_S > since_s - UNCORRECTED_BEFORE_S)
    repeats = (node == loose(world)[0]) & (slot == loose(world)[1])
    replays = np.where(repeats, minutes // REPLAYED_EVERY_MINUTES, none)
    return {
        "ecc_corrected_errors": np.where(before, minutes // CORRECTED_EVERY_MINUTES, none),
        "ecc_uncorrected_errors": last.astype(np.float64),
        "remapped_rows_uncorrected": (sick & ~before).astype(np.float64),
        "nvlink_replays": replays,
        "pcie_replays": none,
    }
