"""A trace driven twice, and what the second time saves: in GPU-hours, and in waiting."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from analytics.repacking.instance import MOST_GPUS, Node
from analytics.replay.drive import drive
from analytics.replay.outcome import ALL, Outcome, Scenario, sizes
from analytics.replay.task import Task, Trace
from gpuledger.errors import ConfigError, nearest

COVER_PERCENT = (2.5, 97.5)


@dataclass(frozen=True)
class Interval:
    """A mean over so many tasks, and where it lies in 95 of 100 samples of them."""

    mean: float
    low: float
    high: float
    jobs: int


@dataclass(frozen=True)
class Comparison:
    """Two replays; seconds of waiting that the second saves a task, by size class and of all.

    A wait is compared where the task starts in both. The interval says how much it depends on which
    tasks there were, not how much on the simulation.
    """

    before: Outcome
    after: Outcome
    saved_s: Mapping[str, Interval]

    @property
    def wait_saved_s(self) -> Interval:
        """Of all tasks; of no jobs, and not a number, where none starts in both."""
        return self.saved_s.get(ALL) or Interval(math.nan, math.nan, math.nan, 0)


def compare(
    trace: Trace,
    before: Scenario,
    after: Scenario,
    *,
    after_trace: Trace | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Drive a trace in both scenarios; `after_trace` has other nodes, or the tasks otherwise."""
    first = drive(trace, before)
    second = drive(after_trace or trace, after)
    return Comparison(first, second, _saved(trace.tasks, first, second, resamples, seed))


def _saved(
    tasks: Sequence[Task], before: Outcome, after: Outcome, resamples: int, seed: int
) -> dict[str, Interval]:
    rng = np.random.default_rng(seed)
    by_size: dict[str, list[float]] = {size: [] for size in (*sizes(), ALL)}
    for task in tasks:
        first, second = before.wait_s.get(task.name), after.wait_s.get(task.name)
        if first is not None and second is not None:
            by_size[task.size].append(first - second)
            by_size[ALL].append(first - second)
    return {size: _interval(v, resamples, rng) for size, v in by_size.items() if v}


def _interval(values: list[float], resamples: int, rng: np.random.Generator) -> Interval:
    """A percentile bootstrap of the mean (Efron 1979)."""
    told = np.array(values)
    means = [told[rng.integers(len(told), size=len(told))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, COVER_PERCENT)
    return Interval(float(told.mean()), float(low), float(high), len(told))


def add_nodes(trace: Trace, count: int, model: str, gpus: int) -> Trace:
    """The same with more nodes, each as the first one there is of that model and size.

    A model may be written in part and in any case (`h100`). Where there is none, processors and
    memory are unknown and bind nothing. ConfigError for a model that is near to one of the
    cluster's, or part of several.
    """
    if not 0 < gpus <= MOST_GPUS or count < 1:
        raise ConfigError(f"nodes to add: {count} of {gpus} GPUs; write e.g. 4xH100:8")
    model = _known(model, {node.model for node in trace.nodes if node.gpus})
    like = next((n for n in trace.nodes if (n.model, n.gpus) == (model, gpus)), None)
    base = like or Node(name="", model=model, cpu_milli=0, memory_mib=0, gpus=gpus)
    taken = {node.name for node in trace.nodes}
    names = (name for i in range(1, 1 << 30) if (name := f"added-{model}-{i}") not in taken)
    added = [
        msgspec.structs.replace(base, name=name, closed=False, lost_gpus=())
        for _, name in zip(range(count), names, strict=False)
    ]
    return replace(trace, nodes=(*trace.nodes, *added))


def _known(model: str, models: Collection[str]) -> str:
    """The cluster's own word for a model; as it is, where the cluster has none like it."""
    asked = model.lower()
    meant = sorted(m for m in models if asked in m.lower())
    same = [m for m in meant if model == m] or [m for m in meant if asked == m.lower()] or meant
    if len(same) > 1:
        raise ConfigError(f"the model '{model}' may be any of {', '.join(same)}: write more of it")
    close = nearest(model, models)
    if not same and close:
        raise ConfigError(f"no node has the model '{model}'{close}")
    return same[0] if same else model


def without_nodes(trace: Trace, names: Collection[str]) -> Trace:
    """The same without some of its nodes."""
    return replace(trace, nodes=tuple(n for n in trace.nodes if n.name not in names))
