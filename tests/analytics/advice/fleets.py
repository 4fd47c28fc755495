"""Small fleets to plan for, as instances with numbers that one can check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.repacking.instance import Instance, Node, Pod, Target

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EIGHT = Target(cpu_milli=1000, num_gpu=8, gpu_milli=1000, gpu_spec="", p=1.0)


def node(name: str, gpus: int = 8, **told: Any) -> Node:
    """A node with plenty of processors and memory."""
    return Node(name, "H100", 64_000, 1 << 20, gpus, **told)


def pod(name: str, place: str, *gpu_ids: int, **told: Any) -> Pod:
    """A task that holds whole GPUs of a node."""
    return Pod(name, place, gpu_ids, 1000, 1024, len(gpu_ids), 1000, **told)


def two_nodes(**told: Any) -> Instance:
    """Two nodes with one task each, so that no task of eight GPUs fits anywhere."""
    tasks = (pod("a", "n0", 0, **told), pod("b", "n1", 0, **told))
    return Instance((node("n0"), node("n1")), tasks, (EIGHT,))


def after(hours: float) -> str:
    """The instant so many hours after NOW, as instances write it."""
    return (NOW + timedelta(hours=hours)).isoformat()
