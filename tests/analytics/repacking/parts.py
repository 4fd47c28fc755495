"""What a search starts from, built as a plan builds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.repacking.bins import Bins, Classes, bins_of, classes_of
from analytics.repacking.instance import Instance
from analytics.repacking.master import Limits, Prices
from analytics.repacking.measure import Measure, measure_of
from analytics.repacking.objective import Objective, objective_of
from analytics.repacking.part import Chosen
from analytics.repacking.patterns import Patterns, Space, departures
from analytics.repacking.pricing import Pricing
from analytics.repacking.state import Ints, State, state_of


@dataclass(frozen=True)
class Parts:
    """All of it."""

    state: State
    classes: Classes
    bins: Bins
    measure: Measure
    objective: Objective
    space: Space
    patterns: Patterns


def built(instance: Instance, wanted: str = "fragmentation", moves: int = 5) -> Parts:
    """The space of patterns of a fleet, and those in which tasks only leave."""
    state = state_of(instance)
    classes = classes_of(state)
    bins = bins_of(state, classes)
    measure = measure_of(instance.target, state.kinds, state.free.shape[1])
    objective = objective_of(wanted)
    value = objective.value(state, measure)
    space, patterns = departures(state, classes, bins, value, objective.per_gpu(state), moves)
    return Parts(state, classes, bins, measure, objective, space, patterns)


def opened(parts: Parts) -> Pricing:
    """What moves one task, as a search begins."""
    pricing = Pricing(parts.space, parts.patterns)
    stays, one = (np.flatnonzero(parts.patterns.moves == n) for n in (0, 1))
    new = pricing.grow(stays)
    pricing.grow(one)
    pricing.join(np.concatenate([one, new]))
    return pricing


def some_prices(parts: Parts, seed: int | None) -> Prices:
    """Random ones of the right signs, or none."""
    rng, size = np.random.default_rng(seed), 0.0 if seed is None else 1.0
    return Prices(
        -size * rng.random(len(parts.bins)),
        0.5 * size * rng.normal(size=len(parts.classes)),
        -0.3 * size * float(rng.random()),
        -0.001 * size * float(rng.random()),
    )


def balance(pricing: Pricing, chosen: Chosen) -> Ints:
    """By how many of each class more leave than arrive, counted pattern by pattern."""
    out = np.zeros(len(pricing.space.classes), np.int64)
    p = pricing.patterns.at(chosen.rows)
    for gone, come, times in zip(p.leaving, p.arriving, chosen.times.tolist(), strict=True):
        np.add.at(out, pricing.space.group_class[gone[gone >= 0]], times)
        np.add.at(out, come[come >= 0], -times)
    return out


def within(pricing: Pricing, chosen: Chosen, limits: Limits) -> bool:
    """Whether no bin gives more nodes than it has, and the limits are kept."""
    p, times = pricing.patterns.at(chosen.rows), chosen.times
    nodes = np.bincount(p.bin, times, len(pricing.space.bins))
    enough = bool((nodes <= pricing.space.bins.count).all() and (times > 0).all())
    kept = p.moves @ times <= limits.moves and p.cost @ times <= limits.gpu_seconds
    return bool(enough and kept)
