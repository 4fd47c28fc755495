"""What is replayed: nodes, and tasks that arrive, run for a while and end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.placing.shapes import WHOLE, Shape
from analytics.repacking.instance import Node, Pod
from gpuledger.errors import ConfigError

# Upper ends of size classes in GPUs; the names of what lies between.
SIZES = ((0.0, "no GPU"), (0.999, "share"), (1, "1"), (2, "2"), (4, "3-4"), (8, "5-8"))
LARGEST = ">8"
DAY_S = 86_400.0
MOST_LOAD = 5
# What ran already when a span began comes before all that waits then.
FIRST = 1 << 62


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked for, from when, and for how long; seconds since 1970, or since the trace began.

    Tasks of one `gang` start together, each of the `shape.nodes` parts on a node of its own.
    """

    name: str
    shape: Shape
    arrives_s: float
    runs_s: float
    priority: int = 0
    team: str = ""
    gang: str = ""

    @property
    def gpus(self) -> float:
        """GPUs of all its parts, shares as fractions."""
        return self.shape.total * self.shape.share_milli / WHOLE

    @property
    def size(self) -> str:
        """Its size class."""
        return next((name for most, name in SIZES if self.gpus <= most), LARGEST)


@dataclass(frozen=True)
class Trace:
    """A cluster and what it was asked for; GPU-hours are counted from `since_s` to `until_s`."""

    nodes: tuple[Node, ...]
    tasks: tuple[Task, ...]
    since_s: float
    until_s: float
    notes: tuple[str, ...] = ()


def trace_of(
    nodes: Sequence[Node],
    tasks: Sequence[Task],
    notes: Sequence[str] = (),
    until_s: float = -math.inf,
) -> Trace:
    """A trace from its first arrival to its last end: `until_s`, or what nobody can end before."""
    since = min((task.arrives_s for task in tasks), default=0.0)
    until = max((until_s, *(t.arrives_s + t.runs_s for t in tasks))) if tasks else since
    return Trace(tuple(nodes), tuple(tasks), since, until, tuple(notes))


def at_load(trace: Trace, ratio: float, days: float, seed: int = 0) -> Trace:
    """Tasks drawn from the trace that ask for that part of all GPU time, for so many days.

    They arrive one by one at random (a Poisson process), and not in gangs. So many run already at
    the beginning as would after a long time: long ones are then met more often, each somewhere in
    its run. ConfigError where that is impossible.
    """
    gpus = sum(node.gpus for node in trace.nodes)
    runs_s = np.array([task.runs_s for task in trace.tasks])
    asked = float(sum(task.gpus * task.runs_s for task in trace.tasks)) / max(len(runs_s), 1)
    if not (0 < ratio <= MOST_LOAD and 0 < days < math.inf and gpus and asked):
        raise ConfigError(
            f"a load of {ratio:g} over {days:g} days: it needs a load above 0 and at most"
            f" {MOST_LOAD}, GPUs, and tasks that hold them for some time"
        )
    rng, span_s, rate = np.random.default_rng(seed), days * DAY_S, ratio * gpus / asked
    early = rng.choice(len(runs_s), rng.poisson(rate * runs_s.mean()), p=runs_s / runs_s.sum())
    later = rng.integers(len(runs_s), size=rng.poisson(rate * span_s))
    tasks = [
        replace(_drawn(trace.tasks[i], n, 0.0), runs_s=float(part * runs_s[i]), priority=FIRST)
        for n, (i, part) in enumerate(zip(early, rng.random(len(early)), strict=True))
    ]
    arrivals = np.sort(rng.uniform(0, span_s, len(later)))
    tasks += [
        _drawn(trace.tasks[i], n, float(at))
        for n, (i, at) in enumerate(zip(later, arrivals, strict=True), len(tasks))
    ]
    return replace(trace, tasks=tuple(tasks), since_s=0.0, until_s=span_s)


def _drawn(task: Task, number: int, arrives_s: float) -> Task:
    return replace(task, name=f"{task.name}~{number}", arrives_s=arrives_s, gang="")


def pod_of(task: Task, node: str = "", gpu_ids: tuple[int, ...] = (), part: int = 0) -> Pod:
    """One part of a task as the planner and the measure know it."""
    shape, wish = task.shape, task.shape.wish
    several = shape.nodes > 1
    return Pod(
        name=f"{task.name}#{part}" if several else task.name,
        node=node,
        gpu_ids=gpu_ids,
        cpu_milli=shape.cpu_milli,
        memory_mib=shape.memory_mib,
        num_gpu=len(gpu_ids) or shape.gpus,
        gpu_milli=shape.share_milli if shape.gpus else 0,
        gpu_spec="|".join(sorted(wish.models)),
        gang=task.gang or (task.name if several else ""),
        cluster=wish.cluster,
        pools=tuple(sorted(wish.pools)),
        words=tuple(sorted(wish.words)),
        on=tuple(sorted(wish.on)),
        off=tuple(sorted(wish.off)),
    )
