"""All jobs of a site laid over its cards and machines, as sensors would show them at any step.

Arrays are (GPUs, steps) and (nodes, steps). What sensors add is here: floors that differ from card
to card, noise, heat, clocks of nodes that are off, minutes that nobody tells of.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.labelled.draft import HOST, OTHERS, RATIOS, Floats
from tests.labelled.plan import Job
from tests.labelled.site import GIB, STEP_S, STEPS_PER_MINUTE, Card, Variant

Flags = npt.NDArray[np.bool_]
Grid = npt.NDArray[np.float64]

# Shares of the span between a card's context floor and its limit that each unit draws at full
# use. Power under dense training is near 0.8 of the limit, under decoding near 0.5 (assumptions
# that fit what data sheets and studies of power caps say; no detector sees them).
DRAWS = {"sm": 0.3, "tensor": 0.85, "dram": 0.25, "fp32": 0.45, "fp64": 0.8, "decoder": 0.02}
AMBIENT_CELSIUS, HOT_CELSIUS = 27.0, 88.0
# Of all the steps, those that are as long as a machine's ordinary work of the system.
SYSTEM_CORES, SYSTEM_RAM = 1.2, 14 * GIB
FIRMWARE = 0.008
"""Share of a card's memory that the driver keeps for itself."""
QUIET_LATENCY_S = 1e-3


@dataclass
class World:
    """Everything that happens, and what hides it."""

    variant: Variant
    length: int
    gpu: dict[str, Floats] = field(default_factory=dict)
    host: dict[str, Floats] = field(default_factory=dict)
    told: Flags = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    """(nodes, minutes) that telemetry covers."""
    skew: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Steps by which each node's clock is behind."""

    def row(self, node: int, slot: int) -> int:
        """Row of a GPU in the arrays."""
        return node * self.variant.slots + slot


def weave(variant: Variant, jobs: list[Job], length: int, rng: np.random.Generator) -> World:
    """The world of those jobs."""
    world = World(variant, length)
    shape = (variant.nodes * variant.slots, length)
    world.gpu = {name: np.zeros(shape, np.float32) for name in (*RATIOS, *OTHERS)}
    world.host = {name: np.zeros((variant.nodes, length), np.float32) for name in HOST}
    world.host["cores"] += SYSTEM_CORES
    world.host["ram"] += SYSTEM_RAM
    for job in jobs:
        _lay(world, job)
    return world


def _lay(world: World, job: Job) -> None:
    """Add one job to its GPUs and nodes."""
    rows = np.array([world.row(*spot) for spot in job.spots])
    last = job.first + job.draft.steps
    for name, signal in job.draft.gpu.items():
        world.gpu[name][rows, job.first : last] += signal
    for node in sorted({n for n, _ in job.spots}):
        count = sum(n == node for n, _ in job.spots)
        for name, told in job.draft.host.items():
            here = world.host[name][node, job.first : last]
            if name == "latency":
                np.maximum(here, told, out=here)
            elif name.endswith("_stall"):
                np.maximum(here, told * min(1, 0.4 + 0.1 * count), out=here)
            else:
                here += told * count


def slow_storage(world: World, jobs: list[Job], first: int, last: int) -> None:
    """The shared filesystem answers slowly for a while: latency times six, readers starve."""
    for job in jobs:
        low, high = max(first, job.first) - job.first, min(last - job.first, job.draft.steps)
        if high <= low or job.kind not in {"train", "bursts", "decode", "graph"}:
            continue
        job.draft.gate(np.full(high - low, 0.45), seconds=False, first=low)
        job.draft.mark("storage_slow", low, high, also=("input_bound",))
    world.host["latency"][:, first:last] += 0.04


def sense(world: World, rng: np.random.Generator) -> None:
    """Complete what follows from activity (power, heat, clocks), and clip to what sensors tell."""
    v, gpu = world.variant, world.gpu
    for name in RATIOS:
        np.clip(gpu[name], 0, 1, out=gpu[name])
    gpu["memory"] = np.minimum(gpu["memory"] + FIRMWARE, 0.995)
    gpu["watts"] = _watts(world, rng)
    heat = (v.card.celsius - AMBIENT_CELSIUS) * gpu["watts"] / v.card.limit
    celsius = AMBIENT_CELSIUS + rng.normal(0, 2, (len(heat), 1)) + heat
    gpu["celsius"] = np.where(
        gpu["throttled"] > 0, np.maximum(celsius, HOT_CELSIUS), celsius
    ).astype(np.float32)
    busy = np.where(gpu["processes"] > 0, 1 - 0.05 * gpu["sm"], 0.175)
    gpu["hertz"] = (v.card.sm_hertz * busy * (1 - gpu["slowed"])).astype(np.float32)
    for name, most in (("netfs_in", v.storage_rate), ("netfs_out", v.storage_rate)):
        np.minimum(world.host[name], most, out=world.host[name])
    for name, most in _limits(v).items():
        np.minimum(world.host[name], most, out=world.host[name])


def _limits(v: Variant) -> dict[str, float]:
    ports = {"ether_in": v.ethernet, "ether_out": v.ethernet}
    fabric = {"fabric_in": v.fabric, "fabric_out": v.fabric}
    return {**ports, **fabric, "cores": v.cores, "ram": 0.97 * v.memory, "iowait": v.cores}


def _watts(world: World, rng: np.random.Generator) -> Floats:
    """Power: a floor with or without a context, and what each unit draws above it."""
    card, gpu, noise = world.variant.card, world.gpu, world.variant.noise
    rows = len(gpu["sm"])
    own = rng.normal(1, world.variant.power_spread, (rows, 1)).astype(np.float32)
    held = gpu["processes"] > 0
    floor = np.where(held, np.float32(card.context), np.float32(card.bare)) * own
    load = np.minimum(1, sum(gpu[name] * np.float32(share) for name, share in DRAWS.items()))
    above = load * (card.limit - card.context) * (1 - 0.4 * gpu["slowed"])
    jitter = rng.standard_normal(above.shape, np.float32) * noise
    watts = floor * (1 + 0.3 * jitter) + above * (1 + jitter) + gpu["extra_watts"]
    return np.clip(watts, 0.9 * card.bare, 1.01 * card.limit).astype(np.float32)


def hide(world: World, rng: np.random.Generator) -> None:
    """Clocks that are off, gaps, and minutes that never arrive."""
    v = world.variant
    minutes = world.length // STEPS_PER_MINUTE
    skew_s = rng.normal(0, v.skew_s, v.nodes)
    skew_s[int(rng.integers(v.nodes))] *= 10
    world.skew = np.clip(np.rint(skew_s / STEP_S), -9, 9).astype(np.int64)
    for node in map(int, np.flatnonzero(world.skew)):
        rows = np.s_[node * v.slots : (node + 1) * v.slots]
        for signal in world.gpu.values():
            signal[rows] = _shifted(signal[rows], int(world.skew[node]))
        for signal in world.host.values():
            signal[[node]] = _shifted(signal[[node]], int(world.skew[node]))
    told = rng.random((v.nodes, minutes)) >= v.lost_rows
    for node in range(v.nodes):
        for _ in range(rng.poisson(v.gaps * minutes / 360)):
            at = int(rng.integers(minutes))
            told[node, at : at + int(rng.integers(2, 20))] = False
    world.told = told


def _shifted(signal: Floats, by: int) -> Floats:
    """What a clock that is `by` steps behind says of each step."""
    rolled = np.roll(signal, -by, axis=1)
    if by > 0:
        rolled[:, -by:] = signal[:, -1:]
    else:
        rolled[:, :-by] = signal[:, :1]
    return rolled


def means(signal: Floats, size: int) -> Grid:
    """Means over windows of that many steps."""
    rows, length = signal.shape
    whole = length // size * size
    found: Grid = signal[:, :whole].reshape(rows, -1, size).mean(axis=2, dtype=np.float64)
    return found


def peaks(signal: Floats, size: int) -> Grid:
    """Maxima over the same windows."""
    rows, length = signal.shape
    whole = length // size * size
    found: Grid = signal[:, :whole].reshape(rows, -1, size).max(axis=2).astype(np.float64)
    return found


def growth(rate: Grid, seconds: float) -> Grid:
    """A counter that grows at that rate, at the end of each window."""
    return np.cumsum(rate * seconds, axis=1)


def of_card(card: Card) -> dict[str, float]:
    """What never changes about it."""
    return {"memory_total_bytes": card.memory, "power_limit_watts": card.limit}
