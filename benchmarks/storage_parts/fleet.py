"""GPU samples with the shape of real ones, seeded: phases, NVML's resolution, jittered clocks.

34 fields as the catalogue stores them, twenty that move and fourteen that hardly do. What no trace
of a real GPU went into is the noise: its strength is set so that the entropy of the fields is that
of the study behind the schema, which `entropy` measures and the benchmark prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample
from gpuledger.identity import gpu_id
from gpuledger.schema import Field

GPUS = 8
CLUSTER = "bench"
JITTER_MS = 14
SEGMENT_MINUTES = 15
# Kind of work: share of time, load of the multiprocessors, watts, and noise against training's.
KINDS = {
    "training": (0.61, 0.86, 640.0, 1.0),
    "inference": (0.12, 0.42, 410.0, 1.4),
    "starved": (0.04, 0.20, 300.0, 1.4),
    "interactive": (0.03, 0.10, 180.0, 0.6),
    "idle": (0.20, 0.0, 71.0, 0.0),
}
# Stored name of a share of time: its value at full load, and its noise, both in stored steps.
SHARES = {
    "utilization_pct": (115, 0.6),
    "memory_utilization_pct": (55, 2.5),
    "sm_active_bp": (10_000, 50),
    "sm_occupancy_bp": (3_600, 25),
    "tensor_active_bp": (5_800, 50),
    "dram_active_bp": (5_200, 40),
    "graphics_active_bp": (11_000, 20),
    "fp16_active_bp": (1_100, 20),
    "fp32_active_bp": (900, 16),
    "hmma_active_bp": (5_600, 50),
}
# Bytes per second at full load, noise as a part of it; the driver counts whole KiB.
FLOWS = {
    "pcie_receive_bytes": (120e6, 0.01),
    "pcie_transmit_bytes": (60e6, 0.01),
    "nvlink_receive_bytes": (20e9, 0.002),
    "nvlink_transmit_bytes": (20e9, 0.002),
}
STILL = {
    "fp64_active_bp": 0,
    "imma_active_bp": 0,
    "encoder_pct": 0,
    "decoder_pct": 0,
    "lost_ms": 0,
    "memory_total_mib": 81_559,
    "power_limit_mw": 700_000,
    "memory_clock_mhz": 2_619,
    "thermal_throttle_ms": 0,
    "brake_throttle_ms": 0,
}
MOVING = (
    *SHARES,
    *FLOWS,
    *("memory_used_mib", "power_mw", "energy_mj", "temperature_celsius"),
    *("memory_temperature_celsius", "sm_clock_mhz"),
)
FIELDS = {f.stored: f for f in GpuSample.table.fields}
Columns = dict[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class Shape:
    """How many nodes and how long; `every_s` = 1 is `fine`, 10 is `standard`."""

    nodes: int
    until_s: int
    seconds: int
    every_s: int

    @property
    def since_s(self) -> int:
        """Begin of the first interval, seconds since 1970."""
        return self.until_s - self.seconds


@dataclass(frozen=True)
class Held:
    """A node that a user holds in [since, until), seconds since 1970."""

    node: str
    user: str
    since_s: int
    until_s: int


@dataclass(frozen=True)
class Node:
    """One node: its stretches of work, and its samples as stored, GPU after GPU."""

    name: str
    held: tuple[Held, ...]
    columns: Columns

    def batch(self) -> Batch:
        """What a collector of that node sends."""
        rows = len(self.columns["ts"])
        slots = self.columns["slot"]
        same = {"cluster": CLUSTER, "node": self.name, "source": "nvml"}
        ids = np.array([gpu_id(CLUSTER, self.name, s) for s in range(GPUS)], dtype="uint64")
        texts = {name: [value] * rows for name, value in same.items()}
        uuids = [f"GPU-{self.name}-{slot}" for slot in slots]
        own = {"epoch": np.zeros(rows, "uint32"), "gpu_id": ids[slots], "uuid": uuids}
        columns = {**self.columns, **texts, **own}
        told = {n: columns[n] for n in FIELDS if n in columns}
        return Batch(GpuSample.table, told).with_peaks_apart()


def measured(shape: Shape) -> list[Field]:
    """The fields that count as values: of one reading, its own maximum is none."""
    names = (*MOVING, *STILL, "active_ms", "throttle_reasons", "power_throttle_ms", "processes")
    maxima = [f"{n}_max" for n in names if f"{n}_max" in FIELDS] if shape.every_s > 1 else []
    return [FIELDS[n] for n in (*names, *maxima)]


def nodes(shape: Shape) -> Iterator[Node]:
    """Node by node; the same seed, the same fleet."""
    for number in range(shape.nodes):
        yield _node(shape, number)


def _node(shape: Shape, number: int) -> Node:
    rng = np.random.default_rng((number, shape.seconds, shape.every_s))
    name = f"node-{number:03}"
    kinds, held = _plan(shape, name, rng)
    fine = _readings(shape, kinds, rng)
    columns = fine if shape.every_s == 1 else _windows(fine, shape.every_s)
    flat = {n: c.reshape(-1) for n, c in columns.items() if n in FIELDS}
    size = columns["ts"].shape[1]
    return Node(name, held, {**flat, "slot": np.repeat(np.arange(GPUS), size)})


def _plan(shape: Shape, name: str, rng: np.random.Generator) -> tuple[Any, tuple[Held, ...]]:
    """The kind of work of each second, and who held the node; a part of idle time is held, too."""
    step = SEGMENT_MINUTES * 60
    count = -(-shape.seconds // step)
    shares = [share for share, *_ in KINDS.values()]
    drawn = rng.choice(len(KINDS), count, p=shares)
    held = tuple(
        Held(name, f"user{rng.integers(12):02}", at, min(at + step, shape.until_s))
        for at, kind in zip(range(shape.since_s, shape.until_s, step), drawn, strict=True)
        if kind < len(KINDS) - 1 or rng.random() < 0.5
    )
    return np.repeat(drawn, step)[: shape.seconds], held


def _readings(shape: Shape, kinds: Any, rng: np.random.Generator) -> Columns:
    """One reading a second of every GPU of a node: arrays of GPUs by seconds."""
    size = (GPUS, shape.seconds)
    table = np.array(list(KINDS.values()))
    base, watts, rough = (table[kinds, i] for i in (1, 2, 3))
    # A checkpoint every ten minutes lets a training node's GPUs rest together.
    resting = (np.arange(shape.seconds) % 600 < 25) & (kinds == 0)
    load = np.where(resting, 0.03, base)
    noise = np.where(resting, 0.1, rough)
    jitter = rng.integers(0, JITTER_MS + 1, shape.seconds)
    ts = (shape.since_s + 1 + np.arange(shape.seconds)) * 1000 + jitter
    interval = np.diff(ts, prepend=shape.since_s * 1000)
    out = {"ts": np.broadcast_to(ts, size), "interval_ms": np.broadcast_to(interval, size)}
    for stored, (full, sigma) in SHARES.items():
        top = 100 if stored.endswith("_pct") else 10_000
        drawn = full * load + sigma * noise * rng.standard_normal(size)
        out[stored] = np.clip(np.rint(drawn), 0, top).astype("int64")
    out |= _body(load, np.where(resting, 160.0, watts), noise, interval, rng)
    for stored, (full, part) in FLOWS.items():
        rate = full * load * (1 + part * noise * rng.standard_normal(size))
        kib = np.cumsum(np.rint(np.maximum(rate, 0) * interval / 1000 / 1024), axis=1)
        out[stored] = (kib.astype("int64") + rng.integers(1 << 32, size=(GPUS, 1))) * 1024
    out |= {stored: np.full(size, value) for stored, value in STILL.items()}
    return out | _flags(out, kinds, interval)


def _body(load: Any, watts: Any, noise: Any, interval: Any, rng: np.random.Generator) -> Columns:
    """Memory, power, heat and clocks."""
    size = (GPUS, len(load))
    drift = np.cumsum(rng.standard_normal(size), axis=1) * 0.02
    power = np.rint(1000 * (watts + drift) + (60 + 1_800 * noise) * rng.standard_normal(size))
    power = np.clip(power, 60_000, 700_000).astype("int64")
    warm = _smooth(28 + power / 1000 * 0.055, 60)
    settled = rng.normal(0, 0.12, size)
    moved = rng.random(size) < 0.01 * (load > 0)
    held = np.where(load > 0, 61_000, 1_100) + np.cumsum(
        moved * rng.integers(-40, 41, size), axis=1
    )
    clock = 1_980 - 15 * rng.binomial(4, 0.25 * np.clip(load * noise, 0, 1), size)
    return {
        "memory_used_mib": np.clip(held, 600, 81_000).astype("int64"),
        "power_mw": power,
        "energy_mj": np.cumsum(power * interval // 1000, axis=1) + 10**12,
        "temperature_celsius": np.rint(warm + settled).astype("int64"),
        "memory_temperature_celsius": np.rint(1.15 * warm + settled).astype("int64"),
        "sm_clock_mhz": np.where(load > 0, clock, 345),
    }


def _flags(readings: Columns, kinds: Any, interval: Any) -> Columns:
    """What follows from the readings: activity, throttling, processes."""
    capped = readings["power_mw"] > 655_000
    working = readings["sm_active_bp"] >= 100
    return {
        "active_ms": np.where(working, interval, 0),
        "throttle_reasons": np.where(capped, 4, np.where(kinds == len(KINDS) - 1, 1, 0)),
        "power_throttle_ms": np.cumsum(np.where(capped, 20, 0), axis=1),
        "processes": np.broadcast_to((kinds < len(KINDS) - 1).astype("int64"), working.shape),
        **{f"{n}_max": readings[n] for n in readings if f"{n}_max" in FIELDS},
        "processes_max": np.broadcast_to((kinds < len(KINDS) - 1).astype("int64"), working.shape),
    }


def _smooth(values: Any, seconds: int) -> Any:
    """A running mean: heat follows power slowly."""
    sums = np.cumsum(np.pad(values, ((0, 0), (seconds, 0)), mode="edge"), axis=1)
    return (sums[:, seconds:] - sums[:, :-seconds]) / seconds


def _windows(fine: Columns, every: int) -> Columns:
    """Ten readings as one row: means rounded to the step, maxima, sums, and counters at the end."""
    out = {}
    for stored, values in fine.items():
        cut = values[:, : values.shape[1] // every * every].reshape(GPUS, -1, every)
        kind = FIELDS[stored].column.kind.value
        if stored.endswith("_max"):
            out[stored] = cut.max(axis=2)
        elif kind == "gauge":
            out[stored] = np.rint(cut.mean(axis=2)).astype("int64")
        elif stored in {"interval_ms", "active_ms", "lost_ms"}:
            out[stored] = cut.sum(axis=2)
        elif kind == "bits":
            out[stored] = np.bitwise_or.reduce(cut, axis=2)
        else:
            out[stored] = cut[:, :, -1]
    return out


def entropy(values: Any) -> float:
    """Bits that one value tells beyond the one before it, series by series (rows of `values`).

    The smaller of H(difference) and, of few different values, H(value | value before). Where
    differences are too many to be counted, their low bits are taken as random.
    """
    steps = np.diff(values, axis=1).reshape(-1)
    unit = max(int(np.gcd.reduce(steps)), 1)
    found = _spread(steps // unit)
    seen, codes = np.unique(values, return_inverse=True)
    if len(seen) <= 256:
        codes = codes.reshape(values.shape)
        pairs = codes[:, :-1].reshape(-1) * len(seen) + codes[:, 1:].reshape(-1)
        found = min(found, _bits(pairs) - _bits(codes[:, :-1].reshape(-1)))
    return max(found, 0.0)


def _spread(steps: Any) -> float:
    low = 0
    while len(np.unique(steps >> low)) > max(len(steps) // 50, 2):
        low += 1
    return _bits(steps >> low) + low


def _bits(values: Any) -> float:
    _, counts = np.unique(values, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
