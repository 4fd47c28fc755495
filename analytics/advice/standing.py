"""Where a fleet stands before a plan, after it, and at what no plan of as many moves can pass."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analytics.advice import aim
from analytics.repacking.instance import Instance
from analytics.repacking.measure import slots
from analytics.repacking.objective import objective_of
from analytics.repacking.plan import Plan, Summary
from analytics.repacking.state import State, empty, state_of

DIGITS = 1e-6


@dataclass(frozen=True)
class Standing:
    """Fragments in GPUs, room for tasks of so many GPUs, and nodes (and their GPUs) without tasks.

    The last two are None where a plan is for something else, or nothing bounds them.
    """

    frag_gpus: float
    slots: Mapping[str, int]
    empty_nodes: int | None = None
    empty_gpus: float | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        frag = round(max(0.0, self.frag_gpus), 4)
        told: dict[str, Any] = {"frag_gpus": frag, "slots": dict(self.slots)}
        if self.empty_nodes is not None:
            told["empty_nodes"] = self.empty_nodes
        return told


@dataclass(frozen=True)
class Standings:
    """The three of a plan."""

    objective: str
    before: Standing
    after: Standing
    bound: Standing

    @property
    def at_bound(self) -> bool:
        """Whether no more slots or empty nodes are possible: what else is counted is neither."""
        if self.objective.startswith(aim.SLOTS):
            size = self.objective.removeprefix(aim.SLOTS)
            return self.after.slots[size] == self.bound.slots.get(size)
        return self.objective == aim.DRAIN and self.after.empty_nodes == self.bound.empty_nodes


def standings(instance: Instance, plan: Plan, objective: str, max_moves: int) -> Standings:
    """Of an instance and the plan that was made for it."""
    size = objective.removeprefix(aim.SLOTS) if objective.startswith(aim.SLOTS) else ""
    start, end = state_of(instance), state_of(aim.moved(instance, plan.moves))
    before, after = _of(plan.before, start, size), _of(plan.after, end, size)
    bound = Standing(plan.bound.frag_gpus, plan.bound.slots)
    if objective == aim.DRAIN:
        before, after = _emptied(before, start), _emptied(after, end)
        most = _most_empty(start, plan, before, after, max_moves)
        bound = replace(bound, empty_nodes=most)
    if not max_moves or not any(pod.movable for pod in instance.pods):
        bound = before
    return Standings(objective, before, after, bound)


def _of(told: Summary, state: State, size: str) -> Standing:
    """With room for tasks of the size that was asked for."""
    more = {size: slots(state.free, int(size))} if size and size not in told.slots else {}
    return Standing(told.frag_gpus, {**told.slots, **more})


def _emptied(told: Standing, state: State) -> Standing:
    held = set(state.node.tolist())
    nodes = [n for i, n in enumerate(state.instance.nodes) if i not in held]
    return replace(told, empty_nodes=len(nodes), empty_gpus=float(sum(n.gpus for n in nodes)))


def _most_empty(
    start: State, plan: Plan, before: Standing, after: Standing, max_moves: int
) -> int | None:
    """Nodes without tasks that no plan passes: wherever the tasks went, and by the search's bound.

    The search's bound is of nodes and a small part for fragments; what it is follows from what the
    plan saves and which share of the bound that is.
    """
    if before.empty_nodes is None or after.empty_nodes is None:
        return None
    found = min(before.empty_nodes + _emptied_at_most(start, max_moves), _needless(start))
    if plan.moves and plan.reached > 0:
        objective = objective_of(aim.DRAIN)
        fragments = objective.per_gpu(start) * (before.frag_gpus - after.frag_gpus)
        saved = after.empty_nodes - before.empty_nodes + fragments
        most = saved / plan.reached + objective.slack
        found = min(found, before.empty_nodes + math.floor(most + DIGITS))
    return max(found, after.empty_nodes)


def _needless(start: State) -> int:
    """Nodes that are left over if the largest ones held all that the tasks hold."""
    room = np.sort(empty(start.instance.nodes).sum(axis=1))[::-1]
    held = int(room.sum() - start.free.sum())
    needed = int(np.searchsorted(np.cumsum(room), held)) + 1 if held else 0
    return len(room) - max(needed, min(1, len(start.instance.pods)))


def _emptied_at_most(start: State, max_moves: int) -> int:
    """Nodes of which all tasks may move, those with fewest tasks first, as far as moves go."""
    tasks = Counter(start.node.tolist())
    fixed = {
        n
        for n, pod in zip(start.node.tolist(), start.instance.pods, strict=True)
        if not pod.movable
    }
    left, found = max_moves, 0
    for count in sorted(n for node, n in tasks.items() if node not in fixed):
        left -= count
        if left < 0:
            break
        found += 1
    return found
