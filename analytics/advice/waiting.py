"""What comes by itself: when tasks with known ends will have left room as good as a plan makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from analytics.advice import aim
from analytics.repacking.instance import Instance, Pod
from gpuledger.errors import ConfigError


@dataclass(frozen=True)
class Waiting:
    """When ends that are known bring the same at the latest; None = not by them."""

    until: datetime | None
    known_ends: int


def by_itself(instance: Instance, objective: str, wanted: float, at: datetime) -> Waiting:
    """When `aim.reached` will be `wanted` without any move, if nothing new starts."""
    ends = {pod.name: end for pod in instance.pods if (end := _end(pod)) and end > at}
    instants = sorted(set(ends.values()))
    low, high = 0, len(instants)
    # What can be used only grows when tasks leave, so that halving finds the first instant.
    while low < high:
        middle = (low + high) // 2
        left = {name for name, end in ends.items() if end <= instants[middle]}
        if aim.reached(_without(instance, left), objective) >= wanted - aim.TOLERANCE:
            high = middle
        else:
            low = middle + 1
    return Waiting(instants[low] if low < len(instants) else None, len(ends))


def _without(instance: Instance, names: set[str]) -> Instance:
    pods = tuple(pod for pod in instance.pods if pod.name not in names)
    return msgspec.structs.replace(instance, pods=pods)


def _end(pod: Pod) -> datetime | None:
    if not pod.ends_by:
        return None
    try:
        end = datetime.fromisoformat(pod.ends_by)
    except ValueError:
        raise ConfigError(f"task {pod.name}: ends_by {pod.ends_by} is no RFC 3339 time") from None
    return end if end.tzinfo else end.replace(tzinfo=UTC)
