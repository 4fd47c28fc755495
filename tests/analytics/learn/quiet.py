"""Minutes of one GPU with power, for what is learned from quiet ones."""

from __future__ import annotations

from typing import Any

from gpuledger.catalogue import GpuSample
from tests.analytics import world


def minutes(slot: int, first: int, watts: list[float], **values: Any) -> list[GpuSample]:
    """One sample a minute with that power; idle, with one process, unless told otherwise."""
    told: dict[str, Any] = {
        "processes": 1,
        "sm_active_ratio": 0.0,
        "utilization_ratio": 0.0,
        "active_seconds": 0,
        "power_limit_watts": 700.0,
        "uuid": f"GPU-{slot}",
        **values,
    }
    return [
        GpuSample.known(
            ts=world.at(first + i + 1),
            interval_seconds=60,
            cluster=world.CLUSTER,
            node="n0",
            slot=slot,
            gpu_id=world.gpu(slot),
            power_watts=power,
            **told,
        )
        for i, power in enumerate(watts)
    ]


BUSY: dict[str, Any] = {"sm_active_ratio": 0.8, "utilization_ratio": 1.0, "active_seconds": 60}
