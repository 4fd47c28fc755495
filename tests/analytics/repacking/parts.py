"""What a search starts from, built as a plan builds it."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.repacking.bins import Bins, Classes, bins_of, classes_of
from analytics.repacking.instance import Instance
from analytics.repacking.measure import Measure, measure_of
from analytics.repacking.objective import Objective, objective_of
from analytics.repacking.patterns import Patterns, Space, departures
from analytics.repacking.state import State, state_of


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
