"""From patterns to moves, and the moves in an order in which each is feasible when its turn comes.

A move is live: its room at the destination is free while the task still runs where it is. Which of
the tasks of a class goes where is open until its turn, so that those go first whose leaving makes
room for others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Hashes, contents_of_gpus, groups_of
from analytics.repacking.instance import Pod
from analytics.repacking.patterns import Patterns, Space
from analytics.repacking.search import Found
from analytics.repacking.state import Ints, State


@dataclass(frozen=True)
class Step:
    """A task by its place in the instance goes to GPUs of a node by its place."""

    task: int
    node: int
    gpus: tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """Room for a task of a class: GPUs of a node."""

    task_class: int
    node: int
    gpus: tuple[int, ...]


@dataclass(frozen=True)
class Change:
    """What becomes of one node: tasks that leave, and room for those that come."""

    leaving: tuple[int, ...]
    slots: tuple[Slot, ...]


def changes(space: Space, found: Found) -> Iterator[Change]:
    """Each pattern on nodes of its bin."""
    members = np.argsort(space.bins.of, kind="stable")
    start = np.searchsorted(space.bins.of[members], np.arange(len(space.bins)))
    held = _tasks_of(space.state)
    of_gpus = contents_of_gpus(space.state, space.classes)
    for row, times in enumerate(found.times.tolist()):
        b = int(found.patterns.bin[row])
        for node in members[start[b] : start[b] + times].tolist():
            yield _change(space, found.patterns, row, node, held, of_gpus)
        start[b] += times


def _tasks_of(state: State) -> dict[int, Ints]:
    order = np.argsort(state.node, kind="stable")
    nodes, first = np.unique(state.node[order], return_index=True)
    return dict(zip(nodes.tolist(), np.split(order, first[1:]), strict=True))


def _change(
    space: Space,
    patterns: Patterns,
    row: int,
    node: int,
    held: dict[int, Ints],
    of_gpus: Hashes,
) -> Change:
    """The pattern of a bin's first node on another node of the bin.

    GPUs with equal contents stand for each other; after that, GPUs with as much free.
    """
    state, first = space.state, int(space.bins.first[patterns.bin[row]])
    like = _permutation(of_gpus[first], of_gpus[node])
    groups = {}
    for g in groups_of(state, space.classes, held.get(node, np.zeros(0, np.int64))):
        groups[g.task_class, g.gpu] = g
    model, own = state.free[first].copy(), state.free[node].copy()
    leaving: list[int] = []
    for group, count in _counted(patterns.leaving[row]):
        told = space.groups[group]
        mine = groups[told.task_class, -1 if told.gpu < 0 else int(like[told.gpu])]
        model += told.freed[count]
        own += mine.freed[count]
        leaving += mine.tasks[:count]
    slots = []
    for c, on in zip(patterns.arriving[row].tolist(), patterns.on[row].tolist(), strict=True):
        if c >= 0:
            slots.append(Slot(c, node, _put(space, c, on, model, own)))
    return Change(tuple(leaving), tuple(slots))


def _permutation(model: Hashes, own: Hashes) -> Ints:
    out = np.empty(len(model), np.int64)
    out[np.argsort(model, kind="stable")] = np.argsort(own, kind="stable")
    return out


def _counted(groups: Ints) -> list[tuple[int, int]]:
    found, counts = np.unique(groups[groups >= 0], return_counts=True)
    return list(zip(found.tolist(), counts.tolist(), strict=True))


def _put(space: Space, task_class: int, on: int, model: Ints, own: Ints) -> tuple[int, ...]:
    """Take the room of an arrival on both; which GPUs of the node's own."""
    milli, gpus = int(space.classes.milli[task_class]), int(space.classes.gpus[task_class])
    if on >= 0:
        theirs, mine = [on], [int(np.flatnonzero(own == model[on])[0])]
    else:
        theirs = np.flatnonzero(model == WHOLE)[:gpus].tolist()
        mine = np.flatnonzero(own == WHOLE)[:gpus].tolist()
    model[theirs] -= milli
    own[mine] -= milli
    return tuple(mine)


class Yard:
    """The fleet while moves are carried out one after the other."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._left = space.state.copy()

    def has_room(self, slot: Slot) -> bool:
        """Whether a task of the slot's class may start there now."""
        c, n, left = self._space.classes, slot.node, self._left
        return bool(
            left.cpu[n] >= c.cpu[slot.task_class]
            and left.memory[n] >= c.memory[slot.task_class]
            and (left.free[n, list(slot.gpus)] >= c.milli[slot.task_class]).all()
        )

    def move(self, task: int, slot: Slot) -> None:
        """Start it there, and end it where it was."""
        pod, source = self._space.state.instance.pods[task], int(self._space.state.node[task])
        hold(self._left, slot.node, slot.gpus, pod, -1)
        hold(self._left, source, pod.gpu_ids, pod, 1)


def carried_out(state: State, steps: Iterable[Step]) -> State:
    """What is left of the nodes after some moves; the instance of it is that of before."""
    out = state.copy()
    for step in steps:
        pod = state.instance.pods[step.task]
        hold(out, int(state.node[step.task]), pod.gpu_ids, pod, 1)
        hold(out, step.node, step.gpus, pod, -1)
    return out


def possible(state: State, steps: Iterable[Step]) -> bool:
    """Whether each move has room at its turn, while the task still runs where it is."""
    left = state.copy()
    for step in steps:
        pod, gpus = state.instance.pods[step.task], list(step.gpus)
        hold(left, step.node, gpus, pod, -1)
        if min(left.cpu[step.node], left.memory[step.node], *left.free[step.node, gpus], 0) < 0:
            return False
        hold(left, int(state.node[step.task]), pod.gpu_ids, pod, 1)
    return True


def hold(state: State, node: int, gpus: Sequence[int], pod: Pod, sign: int) -> None:
    """Give a task's share of a node back (1) or take it (-1)."""
    state.cpu[node] += sign * pod.cpu_milli
    state.memory[node] += sign * pod.memory_mib
    state.free[node, list(gpus)] += sign * pod.gpu_milli


def ordered(space: Space, found: Iterable[Change]) -> tuple[list[Step], list[Step]]:
    """Moves that can be done one after the other, and those that then block each other."""
    everything = list(found)
    slots = [slot for change in everything for slot in change.slots]
    tasks = [task for change in everything for task in change.leaving]
    queue = _Queue(space, slots, tasks)
    live = list(queue.run())
    return live, queue.rest()


class _Queue:
    """Slots to be filled, and tasks to fill them: first those on nodes that slots wait for."""

    def __init__(self, space: Space, slots: list[Slot], tasks: list[int]) -> None:
        self._space = space
        self._yard = Yard(space)
        self._ready: list[Slot] = list(reversed(slots))
        self._blocked: dict[int, list[Slot]] = defaultdict(list)
        self._at_node: dict[int, list[int]] = defaultdict(list)
        self._urgent: dict[int, list[int]] = defaultdict(list)
        self._tasks: dict[int, list[int]] = defaultdict(list)
        self._gone: set[int] = set()
        for task in reversed(tasks):
            self._tasks[int(space.classes.of[task])].append(task)
            self._at_node[int(space.state.node[task])].append(task)

    def run(self) -> Iterator[Step]:
        while self._ready:
            slot = self._ready.pop()
            if not self._yard.has_room(slot):
                self._block(slot)
                continue
            task = self._choose(slot)
            yield Step(task, slot.node, slot.gpus)
            self._yard.move(task, slot)
            self._ready += self._blocked.pop(int(self._space.state.node[task]), [])

    def rest(self) -> list[Step]:
        """What waits for each other at the end."""
        slots = [slot for node in sorted(self._blocked) for slot in self._blocked[node]]
        return [Step(self._choose(slot), slot.node, slot.gpus) for slot in slots]

    def _block(self, slot: Slot) -> None:
        if slot.node not in self._blocked:
            for task in self._at_node[slot.node]:
                self._urgent[int(self._space.classes.of[task])].append(task)
        self._blocked[slot.node].append(slot)

    def _choose(self, slot: Slot) -> int:
        """The next task of the slot's class, and not one that is there already if others are."""
        here: list[int] = []
        found = None
        for tasks in (self._urgent[slot.task_class], self._tasks[slot.task_class]):
            while tasks and found is None:
                task = tasks.pop()
                if task in self._gone or task in here:
                    continue
                if int(self._space.state.node[task]) == slot.node:
                    here.append(task)
                else:
                    found = task
        found = here.pop() if found is None else found
        self._tasks[slot.task_class] += here
        self._gone.add(found)
        return found
