"""A plan: at most K moves that make an objective small, in order, with a bound for any such plan.

Method: the fleet's nodes are grouped into bins, what may become of a bin's node is a pattern, and a
program over patterns is solved in whole numbers (Dantzig and Wolfe 1960; Gilmore and Gomory 1961),
since steepest descent sees no gain in a move that only its successors make worth while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from analytics.repacking.bins import Bins, Classes, bins_of, classes_of, most_promising
from analytics.repacking.bound import bound, is_limited
from analytics.repacking.instance import Instance
from analytics.repacking.master import INF, Limits
from analytics.repacking.measure import SIZES, fragmentation, measure_of, slots
from analytics.repacking.objective import Objective, Value, objective_of
from analytics.repacking.order import Step, carried_out, changes, ordered, possible
from analytics.repacking.patterns import Space, departures
from analytics.repacking.search import Search
from analytics.repacking.state import State, state_of
from analytics.repacking.steepest import MOST_TASKS, descend

LIVE, BATCH, ANY = "live", "batch", "any"
# Tasks that block each other move in one batch only if that saves so much more.
WORTH_A_BATCH = 1.02
METHOD = "column generation over node patterns; Lagrangian bound, GPU by GPU"
# Bins that are looked at in all: in fleets of more, those that promise most.
MOST_BINS = 2500
# Moves among which needless ones are looked for.
FEW_STEPS = 60
# Shares of the time by which steepest descent, the search and all the rest end.
PLAIN_SHARE, SEARCH_SHARE, ALL_SHARE = 0.2, 0.85, 0.95
# What the search leaves: seconds of ordering a move and of the bound of a bin on a machine that
# makes arrays of a task or node in so many; and for measuring the plan such a part of what it took
# to make arrays of the instance.
ORDER_S, BOUND_S, ARRAYS_S, TOLD_PART = 4.5e-5, 1.5e-4, 4.5e-7, 0.8
LEAST_BOUND_S = 0.06
# And where each node is looked at for itself, of a bin.
LIMITED_S = 3e-3
# How much slower than that it is taken to be at most; what takes as long as so many, however few.
MOST_SLOW, FEW_ARRAYS = 4.0, 5000


@dataclass(frozen=True)
class Move:
    """A task goes to GPUs of a node."""

    pod: str
    to: str
    gpu_ids: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """Fragments in GPUs, and tasks of so many whole GPUs that there is room for."""

    frag_gpus: float
    slots: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"frag_gpus": round(self.frag_gpus, 4), "slots": dict(self.slots)}


@dataclass(frozen=True)
class Plan:
    """Moves in order; `bound` is what no plan of as many moves can pass."""

    moves: tuple[Move, ...]
    mode: str
    before: Summary
    after: Summary
    bound: Summary
    method: str = ""
    reached: float = 1.0  # of what the bound allows to be saved

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "moves": [{"pod": m.pod, "to": m.to, "gpu_ids": list(m.gpu_ids)} for m in self.moves],
            "mode": self.mode,
            "before": self.before.document(),
            "after": self.after.document(),
            "bound": self.bound.document(),
            "method": self.method,
            "reached": round(self.reached, 4),
        }


@dataclass(frozen=True)
class _Asked:
    objective: Objective
    moves: int
    gpu_seconds: float
    seed: int
    until_s: float
    end_s: float  # by which there must be moves and a bound
    slow: float = 1.0  # how much slower than usual the machine is


@dataclass
class _Result:
    """Moves one after the other, and those that then block each other."""

    live: list[Step] = field(default_factory=list)
    blocked: list[Step] = field(default_factory=list)


def plan(
    instance: Instance,
    objective: str = "fragmentation",
    max_moves: int = 10,
    time_limit_s: float = 5.0,
    seed: int = 0,
    mode: str = ANY,
    budget_gpu_seconds: float | None = None,
) -> Plan:
    """The moves of an instance that `instance.problems` has nothing against.

    `mode` live gives only moves that need nothing but room at their turn, batch all at once, any
    the first unless the second saves more. ConfigError for an objective that does not exist.
    """
    budget = INF if budget_gpu_seconds is None else budget_gpu_seconds
    started = time.monotonic()
    start = state_of(instance)
    took = time.monotonic() - started
    slow = took / (ARRAYS_S * (len(instance.pods) + len(instance.nodes) + FEW_ARRAYS))
    end = started + time_limit_s - TOLD_PART * took
    until = min(started + SEARCH_SHARE * time_limit_s, end)
    asked = _Asked(
        objective_of(objective), max_moves, budget, seed, until, end, min(max(slow, 1.0), MOST_SLOW)
    )
    if not max_moves or not instance.pods or not instance.nodes:
        return _told(asked, start, (), LIVE, 0.0)
    plain = _descend(start, [], replace(asked, until_s=started + PLAIN_SHARE * time_limit_s))
    first, most = _search(start, asked, bounded=True)
    later = replace(asked, until_s=min(started + ALL_SHARE * time_limit_s, end))
    return _told(asked, start, *_chosen(start, first, plain, later, mode), most)


def _chosen(
    start: State, first: _Result, plain: list[Step], asked: _Asked, mode: str
) -> tuple[list[Step], str]:
    """The moves of a mode, and which mode they need."""
    batch = [*first.live, *first.blocked]
    if mode == BATCH:
        return batch, BATCH if first.blocked else LIVE
    live = _one_by_one(start, first, asked)
    if plain:
        live = max(live, plain, key=lambda found: _rank(start, found, asked))
    if mode == ANY and first.blocked:
        worth = WORTH_A_BATCH * _gain(start, asked, live)
        if _gain(start, asked, batch) > worth:
            return batch, BATCH
    return live, LIVE


def _search(state: State, asked: _Asked, *, bounded: bool) -> tuple[_Result, float]:
    """The best moves found in time and, if asked for, what any could save at most."""
    classes = classes_of(state)
    measure = measure_of(state.instance.target, state.kinds, state.free.shape[1])
    value = asked.objective.value(state, measure)
    bins = _bins(state, classes, value)
    per_gpu = asked.objective.per_gpu(state)
    space, patterns = departures(state, classes, bins, value, per_gpu, asked.moves)
    if not space.groups:
        return _Result(), 0.0
    limits = Limits(asked.moves, asked.gpu_seconds)
    most_moves = min(asked.moves, len(state.instance.pods))
    left = ORDER_S * most_moves + bounded * _bound_s(space)
    until = min(asked.until_s, asked.end_s - asked.slow * left)
    found = Search(space, patterns, limits, asked.seed, until).run()
    live, blocked = ordered(space, changes(space, found), _alarm(asked.end_s))
    if not bounded:
        return _Result(live, blocked), 0.0
    most = bound(space, measure, asked.objective, found.prices, limits, _alarm(asked.end_s))
    return _Result(live, blocked), most


def _bound_s(space: Space) -> float:
    """Seconds that the bound may take."""
    each = LIMITED_S if is_limited(space) else BOUND_S
    return max(each * len(space.bins), LEAST_BOUND_S)


def _bins(state: State, classes: Classes, value: Value) -> Bins:
    """As many of the fleet's bins as there is time to look at."""
    bins = bins_of(state, classes)
    first = bins.first
    tasks = np.bincount(state.node, minlength=len(state.cpu))[first]
    return most_promising(bins, value(first, state.cpu[first], state.free[first]), tasks, MOST_BINS)


def _one_by_one(start: State, first: _Result, asked: _Asked) -> list[Step]:
    """Moves that are possible one after the other, and what they leave to be had."""
    steps = _without_blocks(start, first, asked)
    steps += _descend(start, steps, asked)
    return _needed(start, steps, asked)


def _rank(start: State, steps: Sequence[Step], asked: _Asked) -> tuple[float, float, int]:
    """Of plans that are as good, the one that loses least work and moves least."""
    lost = sum(start.instance.pods[step.task].cost_gpu_seconds for step in steps)
    return round(_gain(start, asked, steps), 6), -lost, -len(steps)


def _needed(start: State, steps: list[Step], asked: _Asked) -> list[Step]:
    """Without the moves that change nothing, where there are few enough to try each."""
    if len(steps) > FEW_STEPS:
        return steps
    for step in reversed(steps):
        rest = [s for s in steps if s is not step]
        if _rank(start, rest, asked) > _rank(start, steps, asked) and possible(start, rest):
            steps = rest
    return steps


def _descend(start: State, steps: Sequence[Step], asked: _Asked) -> list[Step]:
    """More moves after some, by steepest descent."""
    limits = _rest(start, steps, asked)
    if len(start.instance.pods) > MOST_TASKS or not limits.moves or _alarm(asked.until_s)():
        return []
    state = after(start, steps, {step.task for step in steps})
    value = _value(state, asked)
    return descend(state, classes_of(state), value, limits, _alarm(asked.until_s))


def _alarm(until_s: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > until_s


def _rest(start: State, steps: Sequence[Step], asked: _Asked) -> Limits:
    lost = sum(start.instance.pods[step.task].cost_gpu_seconds for step in steps)
    return Limits(asked.moves - len(steps), asked.gpu_seconds - lost)


def _without_blocks(start: State, first: _Result, asked: _Asked) -> list[Step]:
    """What was blocked is planned anew from where the other moves lead."""
    steps, blocked = first.live, first.blocked
    pinned = {step.task for step in steps}
    while blocked and len(steps) < asked.moves and time.monotonic() < asked.until_s:
        rest = _rest(start, steps, asked)
        again = replace(asked, moves=rest.moves, gpu_seconds=rest.gpu_seconds)
        more, _ = _search(after(start, steps, pinned), again, bounded=False)
        # What blocked each other and found no other way stays where it is.
        pinned |= {step.task for step in more.live or more.blocked}
        steps, blocked = [*steps, *more.live], more.blocked
    return _best_prefix(start, asked, steps) if first.blocked else list(steps)


def _best_prefix(start: State, asked: _Asked, steps: list[Step]) -> list[Step]:
    gains = [_gain(start, asked, steps[:n]) for n in range(len(steps) + 1)]
    return steps[: int(np.argmax(np.round(gains, 9)))]


def after(start: State, steps: Sequence[Step], pinned: AbstractSet[int] = frozenset()) -> State:
    """The state after some moves, from which the pinned tasks may not move."""
    pods = list(start.instance.pods)
    for step in steps:
        name = start.instance.nodes[step.node].name
        pod = pods[step.task]
        pods[step.task] = msgspec.structs.replace(pod, node=name, gpu_ids=step.gpus)
    for task in pinned:
        pods[task] = msgspec.structs.replace(pods[task], movable=False)
    return state_of(msgspec.structs.replace(start.instance, pods=tuple(pods)))


def _value(state: State, asked: _Asked) -> Value:
    measure = measure_of(state.instance.target, state.kinds, state.free.shape[1])
    return asked.objective.value(state, measure)


def _gain(start: State, asked: _Asked, steps: Sequence[Step]) -> float:
    """By how much the objective falls."""
    return _saved(start, asked, steps, carried_out(start, steps))


def _saved(start: State, asked: _Asked, steps: Sequence[Step], end: State) -> float:
    value = _value(start, asked)
    tasks = [step.task for step in steps]
    rows = np.unique(np.concatenate([start.node[tasks], [s.node for s in steps]]).astype(np.int64))
    before = value(rows, start.cpu[rows], start.free[rows])
    return float((before - value(rows, end.cpu[rows], end.free[rows])).sum())


def _told(asked: _Asked, start: State, steps: Sequence[Step], mode: str, most: float) -> Plan:
    """The plan; without moves where these gain nothing."""
    end = carried_out(start, steps)
    gain = _saved(start, asked, steps, end)
    if gain <= 0:
        steps, mode, end, gain = [], LIVE, start, 0.0
    instance = start.instance
    moves = tuple(
        Move(instance.pods[s.task].name, instance.nodes[s.node].name, s.gpus) for s in steps
    )
    before, then = summary(start), summary(end)
    if asked.objective.name == "fragmentation":
        most = min(most, before.frag_gpus)
    return Plan(
        moves,
        mode,
        before,
        then,
        _bound(asked, start, before, most),
        METHOD,
        gain / most if most > 0 else 1.0,
    )


def summary(state: State) -> Summary:
    """The measures of a state."""
    frag = float(fragmentation(state, state.instance.target).sum())
    return Summary(frag, {str(k): slots(state.free, k) for k in SIZES})


def _bound(asked: _Asked, start: State, before: Summary, most: float) -> Summary:
    """What is known of any plan: the search's bound for the objective, room for the others."""
    room = int(start.free.sum()) // 1000
    gpus = max((p.num_gpu for p in start.instance.pods), default=0)
    found = {
        size: min(room // int(size), now + asked.moves * -(-gpus // int(size)))
        for size, now in before.slots.items()
    }
    frag = 0.0
    if asked.objective.name == "fragmentation":
        frag = max(0.0, before.frag_gpus - most)
    elif asked.objective.name == "slots":
        size = str(asked.objective.size)
        now = slots(start.free, int(size))
        found[size] = min(found.get(size, room), int(now + most + asked.objective.slack))
    return Summary(frag, found)
