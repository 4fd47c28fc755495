"""Telemetry with chosen values, and a job's cells with their hours, for tests of detectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from gpuledger.catalogue import Cell, GpuSample, Job, ProcessSample
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, booked, card, cells, given, gpu, job, write

CARD_BYTES = 80 << 30


def told(slot: int, minutes: Iterable[int], node: str = "n0", **values: Any) -> list[GpuSample]:
    """Minutes of one GPU: at work unless told otherwise."""
    usual = {
        "utilization_ratio": 0.9,
        "sm_active_ratio": 0.6,
        "active_seconds": 60,
        "memory_used_bytes": 30 << 30,
        "memory_total_bytes": CARD_BYTES,
        "power_watts": 500.0,
        "power_limit_watts": 700.0,
        "sm_clock_hertz": 1_800_000_000,
    }
    absent = dict.fromkeys(
        (
            *("memory_utilization_ratio", "tensor_active_ratio", "dram_active_ratio"),
            *("energy_joules", "temperature_celsius", "memory_temperature_celsius"),
            "memory_clock_hertz",
        )
    )
    return [
        GpuSample.known(
            ts=at(m + 1),
            interval_seconds=60,
            cluster=CLUSTER,
            node=node,
            slot=slot,
            gpu_id=gpu(slot, node),
            uuid=f"GPU-{node}-{slot}",
            lost_seconds=0,
            throttle_reasons=0,
            processes=1,
            **{**absent, **usual, **values},
        )
        for m in minutes
    ]


def process(slot: int, minute: int, user: str, executable: str, node: str = "n0") -> ProcessSample:
    """A process as the agent lists it."""
    return ProcessSample.known(
        ts=at(minute),
        interval_seconds=10,
        cluster=CLUSTER,
        node=node,
        slot=slot,
        gpu_id=gpu(slot, node),
        pid=42,
        user=user,
        executable=executable,
        started=at(0),
        memory_used_bytes=1 << 30,
        sm_ratio=None,
        memory_ratio=None,
    )


def inventory(slots: int = 8, node: str = "n0") -> list[Row]:
    """GPUs that are owned, and their cards."""
    return [r for s in range(slots) for r in (asset(s, node), card(s, node))]


def running(
    native: str = "1",
    slots: int = 8,
    *,
    until: datetime = FOREVER,
    kind: str = "batch",
    name: str = "train",
) -> list[Row]:
    """A job that holds the first GPUs of n0."""
    about: Job = job(native, gpus=slots, started=at(0), ended=until, name=name)
    about.kind = kind
    return [about, *(given(native, s, until=until) for s in range(slots))]


def state(
    name: str, minutes: Iterable[int], slots: Iterable[int], native: str = "1", **changed: str
) -> list[Cell]:
    """Cells of some GPUs of n0 in one state, with flags and cause as told."""
    found = [c for s in slots for c in cells(name, minutes, s, native=native)]
    for cell in found:
        for column, value in changed.items():
            setattr(cell, column, value)
    return found


def keep(store: Store, rows: Sequence[Row], told: Sequence[Cell], minutes: int) -> None:
    """Write rows, and a book of that length."""
    write(store, [*rows, *booked(told, at(minutes))])
