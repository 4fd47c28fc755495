"""What a plan is for, as one number that grows: GPUs that can be used, in slots, or emptied."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.instance import Instance, Pod
from analytics.repacking.measure import fragmentation, slots
from analytics.repacking.plan import Move
from analytics.repacking.state import state_of
from gpuledger.errors import ConfigError

FRAGMENTATION, DRAIN, SLOTS = "fragmentation", "drain", "slots:"
LARGEST = 64
# Sums of many floating-point weights differ in their last digits.
TOLERANCE = 1e-9


def check(objective: str) -> str:
    """The objective as it is. ConfigError where there is no such."""
    size = objective.removeprefix(SLOTS)
    counted = objective.startswith(SLOTS) and size.isascii() and size.isdigit()
    if objective in {FRAGMENTATION, DRAIN} or (counted and 1 <= int(size[:3]) <= LARGEST):
        return objective
    raise ConfigError(
        f"objective {objective}: write fragmentation, drain, or slots: with GPUs of a task from 1"
        f" to {LARGEST}, e.g. slots:8"
    )


def reached(instance: Instance, objective: str) -> float:
    """GPUs that the expected tasks can use, that are in slots of the size, or of empty nodes."""
    state = state_of(instance)
    if objective == DRAIN:
        held = set(state.node.tolist())
        return float(sum(n.gpus for i, n in enumerate(instance.nodes) if i not in held))
    open_ = np.array([not n.closed for n in instance.nodes], bool)
    if objective.startswith(SLOTS):
        size = int(objective.removeprefix(SLOTS))
        return float(size * slots(state.free[open_], size))
    usable = state.free.sum(axis=1) / WHOLE - fragmentation(state, instance.target)
    return float(usable[open_].sum())


def moved(instance: Instance, moves: Iterable[Move]) -> Instance:
    """The instance once all moves are done."""
    to = {move.pod: move for move in moves}
    pods = tuple(_at(pod, to[pod.name]) if pod.name in to else pod for pod in instance.pods)
    return msgspec.structs.replace(instance, pods=pods)


def _at(pod: Pod, move: Move) -> Pod:
    return msgspec.structs.replace(pod, node=move.to, gpu_ids=tuple(move.gpu_ids))
