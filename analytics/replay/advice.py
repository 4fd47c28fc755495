"""What the planner advises for the tasks that run at one moment of a replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from analytics.repacking.instance import Instance, Pod, Target
from analytics.repacking.plan import plan
from analytics.replay.outcome import Scenario
from analytics.replay.room import Gpus, Room
from analytics.replay.task import Task, pod_of


@dataclass
class Run:
    """A task that runs, where each of its parts is, and when it ends."""

    task: Task
    places: list[tuple[int, Gpus]]
    ends_s: float


@dataclass(frozen=True)
class Step:
    """One task goes elsewhere; each step has room when its turn comes, its old place still held."""

    name: str
    row: int
    gpus: Gpus


def advised(
    room: Room, running: Mapping[str, Run], target: tuple[Target, ...], scenario: Scenario
) -> list[Step]:
    """At most `scenario.moves` steps, in order."""
    instance = Instance(tuple(room.nodes), tuple(_pods(room, running, scenario)), target)
    found = plan(
        instance,
        max_moves=scenario.moves,
        time_limit_s=scenario.plan_limit_s,
        seed=scenario.seed,
        mode="live",
    )
    return [Step(m.pod, room.row[m.to], tuple(m.gpu_ids)) for m in found.moves]


def _pods(room: Room, running: Mapping[str, Run], scenario: Scenario) -> Iterator[Pod]:
    """Running tasks as the planner knows them; gangs, and tasks of several nodes, stay."""
    for run in running.values():
        alone = not run.task.gang and len(run.places) == 1 and not run.task.shape.exclusive
        cost = scenario.move_pause_s * run.task.gpus
        for part, (row, gpus) in enumerate(run.places):
            pod = pod_of(run.task, room.nodes[row].name, gpus, part)
            yield msgspec.structs.replace(pod, movable=alone, cost_gpu_seconds=cost)
