"""Which tasks may be asked to move at all, and what a move of them costs."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from analytics.repacking.instance import Instance, Pod

MOST_MOVES = 10


def cheap(instance: Instance, *, any_task: bool = False) -> Instance:
    """The instance in which only preemptible or checkpointed tasks move; with `any_task`, all."""
    if any_task:
        return instance
    pods = tuple(p if _is_cheap(p) else _fixed(p) for p in instance.pods)
    return msgspec.structs.replace(instance, pods=pods)


def literal(instance: Instance, *, any_task: bool = False) -> Instance:
    """A file as it is, but for tasks that would lose all their work or stop others.

    A task that says of itself that it may not be taken off and has no checkpoint stays, and so does
    one of a gang, since moving it stops all of them; with `any_task` they move too.
    """
    if any_task:
        return instance
    pods = tuple(_fixed(p) if _is_costly(p) else p for p in instance.pods)
    return msgspec.structs.replace(instance, pods=pods)


def movable(instance: Instance) -> int:
    """Tasks that may move."""
    return sum(pod.movable for pod in instance.pods)


def lost_gpu_hours(instance: Instance, moved: Iterable[str]) -> float:
    """Work that the moves of these tasks lose."""
    names = set(moved)
    return sum(p.cost_gpu_seconds for p in instance.pods if p.name in names) / 3600


def gpus(pods: Iterable[Pod]) -> float:
    """GPUs that tasks hold or ask for."""
    return sum(p.num_gpu * p.gpu_milli for p in pods) / 1000


def _is_cheap(pod: Pod) -> bool:
    return pod.movable and bool(pod.preemptible or pod.checkpointed)


def _is_costly(pod: Pod) -> bool:
    return bool(pod.gang) or (pod.preemptible is False and pod.checkpointed is False)


def _fixed(pod: Pod) -> Pod:
    return msgspec.structs.replace(pod, movable=False)
