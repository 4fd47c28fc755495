"""How a trace is to be driven, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from analytics.replay.task import LARGEST, SIZES, Task

ALL = "all"


@dataclass(frozen=True)
class Scenario:
    """How a trace is driven.

    With `moves`, every `every_h` hours at most so many running tasks change their place as the
    planner advises; each of them loses `move_pause_s` seconds of its own time. `quotas` are the
    GPUs that a team may hold at once.
    """

    policy: str = "best-fit"
    moves: int = 0
    every_h: float = 6.0
    move_pause_s: float = 300.0
    plan_limit_s: float = 5.0
    quotas: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Waits:
    """How long tasks of one size class waited.

    `never` started, for no node or quota is large enough: they are in none of the figures.
    """

    size: str
    tasks: int
    never: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True)
class Outcome:
    """What became of a trace: GPU-hours from its beginning to its end, and how long tasks waited.

    `stranded` is the part of what is not allocated that tasks as those of the trace could not use
    (FGD's measure, by demand). `lost` is what moved tasks did over again. `wait_s` has every task
    that started.
    """

    gpu_hours: float
    allocated_gpu_hours: float
    stranded_gpu_hours: float
    waits: tuple[Waits, ...]
    moves: int
    lost_gpu_hours: float
    wait_s: Mapping[str, float]

    @property
    def unallocated_gpu_hours(self) -> float:
        """What nobody held, stranded or not."""
        return self.gpu_hours - self.allocated_gpu_hours


def waits_of(tasks: Sequence[Task], wait_s: Mapping[str, float]) -> tuple[Waits, ...]:
    """Waits by size class in the order of sizes, those that no task has left out, and of all."""
    by_size: dict[str, list[Task]] = {name: [] for name in (*sizes(), ALL)}
    for task in tasks:
        by_size[task.size].append(task)
        by_size[ALL].append(task)
    return tuple(_waits(size, found, wait_s) for size, found in by_size.items() if found)


def sizes() -> Iterator[str]:
    """Size classes, the smallest first."""
    yield from (name for _, name in SIZES)
    yield LARGEST


def _waits(size: str, tasks: Sequence[Task], wait_s: Mapping[str, float]) -> Waits:
    waited = np.array([wait_s[t.name] for t in tasks if t.name in wait_s])
    never = len(tasks) - len(waited)
    if not len(waited):
        return Waits(size, len(tasks), never, None, None, None)
    p50, p95 = np.percentile(waited, (50, 95))
    return Waits(size, len(tasks), never, float(waited.mean()), float(p50), float(p95))
