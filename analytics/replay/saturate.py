"""A cluster filled until nothing more fits: the protocol of FGD's published curves.

Tasks come in random order, drawn again where the list is too short, until they ask for 130 % of the
GPUs; none leaves, and what finds no place is forgotten (Weng et al., USENIX ATC 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.instance import Node
from analytics.repacking.measure import Measure
from analytics.replay.policy import Chooser, policy_of, popular
from analytics.replay.room import Room
from analytics.replay.task import Task
from gpuledger.errors import ConfigError

DEMAND = 1.3


@dataclass(frozen=True)
class Saturation:
    """Percent of all GPUs at each whole percent of GPUs asked for so far."""

    policy: str
    seed: int
    allocated: tuple[float, ...]
    fragments: tuple[float, ...]
    tasks: int
    failed: int


def arrivals(tasks: Sequence[Task], gpus: float, demand: float, seed: int) -> list[Task]:
    """Tasks in random order that ask for so many times the GPUs. ConfigError if none asks any."""
    if not gpus or not any(task.gpus for task in tasks):
        raise ConfigError("filling a cluster needs nodes with GPUs, and tasks that ask for some")
    rng = np.random.default_rng(seed)
    out, asked = [], 0.0
    shuffled = iter(rng.permutation(len(tasks)))
    while asked < demand * gpus:
        at = next(shuffled, None)
        task = tasks[int(rng.integers(len(tasks)) if at is None else at)]
        out.append(task)
        asked += task.gpus
    return out


def saturate(
    nodes: Sequence[Node],
    tasks: Sequence[Task],
    policy: str,
    seed: int = 0,
    demand: float = DEMAND,
) -> Saturation:
    """Fill the cluster by that policy; fragments are measured for the authors' target."""
    room = Room(nodes)
    measure = popular(room, tasks)
    chooser = Chooser(room, policy_of(policy, room, tasks, seed))
    queue = arrivals(tasks, room.owned, demand, seed)
    curve, asked, failed = [_point(room, measure)], 0.0, 0
    for task in queue:
        failed += not chooser.place(task.shape)
        asked += task.gpus
        while len(curve) <= min(100 * asked / room.owned, 100 * demand):
            curve.append(_point(room, measure))
    allocated, fragments = zip(*curve, strict=True)
    return Saturation(policy, seed, allocated, fragments, len(queue), failed)


def _point(room: Room, measure: Measure) -> tuple[float, float]:
    """Percent of all GPUs that are allocated, and that are fragments."""
    rows = np.arange(len(room.nodes))
    fragments = float(room.fragments(measure, rows).sum())
    return 100 * room.held_milli / WHOLE / room.owned, 100 * fragments / room.owned
