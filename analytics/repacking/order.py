"""From patterns to moves, and the moves in an order in which each is feasible when its turn comes.

A move is live: its room at the destination is free while the task still runs where it is. Which of
the tasks of a class goes where is open until its turn, so that those go first whose leaving makes
room for others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import alike
from analytics.repacking.instance import Pod
from analytics.repacking.patterns import Patterns, Space
from analytics.repacking.search import Found
from analytics.repacking.state import Ints, State

# Moves between two looks at the clock.
AT_ONCE = 1000


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
    tasks = np.argsort(space.state.node, kind="stable")
    edges = np.searchsorted(space.state.node[tasks], np.arange(len(space.state.cpu) + 1))
    for row, times in enumerate(found.times.tolist()):
        b = int(found.patterns.bin[row])
        pattern = _Pattern(space, found.patterns, row, tasks, edges)
        for node in members[start[b] : start[b] + times].tolist():
            yield pattern.on(node)
        start[b] += times


class _Pattern:
    """A pattern of a bin's first node, for any node of the bin.

    GPUs with equal contents stand for each other; after that, GPUs with as much free.
    """

    def __init__(self, space: Space, patterns: Patterns, row: int, tasks: Ints, edges: Ints):
        self._space = space
        self._tasks, self._edges = tasks, edges
        self._first = int(space.bins.first[patterns.bin[row]])
        self._leaving = [
            (space.groups[group], count) for group, count in _counted(patterns.leaving[row])
        ]
        come = zip(patterns.arriving[row].tolist(), patterns.on[row].tolist(), strict=True)
        self._arriving = [(c, on) for c, on in come if c >= 0]
        self._shared = any(group.gpu >= 0 for group, _ in self._leaving)

    def on(self, node: int) -> Change:
        """What it means for a node: which tasks leave it, and where others come."""
        state = self._space.state
        model, own = state.free[self._first].tolist(), state.free[node].tolist()
        leaving = self._leave(node, model, own) if self._leaving else []
        slots = [Slot(c, node, self._put(c, on, model, own)) for c, on in self._arriving]
        return Change(tuple(leaving), tuple(slots))

    def _leave(self, node: int, model: list[int], own: list[int]) -> list[int]:
        """Let the tasks of the pattern leave both, its first node and this one."""
        space, leaving = self._space, []
        groups = alike(space.state, space.classes, self._held(node))
        like = dict(zip(self._gpus(self._first), self._gpus(node), strict=True))
        for group, count in self._leaving:
            mine = groups[group.task_class, like.get(group.gpu, -1)][:count]
            self._free(model, group.tasks[:count])
            self._free(own, mine)
            leaving += mine
        return leaving

    def _free(self, left: list[int], tasks: Sequence[int]) -> None:
        for task in tasks:
            pod = self._space.state.instance.pods[task]
            for gpu in pod.gpu_ids:
                left[gpu] += pod.gpu_milli

    def _held(self, node: int) -> Ints:
        return self._tasks[self._edges[node] : self._edges[node + 1]]

    def _gpus(self, node: int) -> list[int]:
        """The GPUs of a node by what is on them, so that those of like nodes stand side by side."""
        if not self._shared:
            return []
        state, of = self._space.state, self._space.classes.of
        on: dict[int, list[tuple[int, bool, float]]] = defaultdict(list)
        for t in self._held(node).tolist():
            pod = state.instance.pods[t]
            if pod.num_gpu == 1:
                told = int(of[t]), bool(state.movable[t]), pod.cost_gpu_seconds
                on[pod.gpu_ids[0]].append(told)
        free = state.free[node].tolist()
        return sorted(range(len(free)), key=lambda g: (free[g], sorted(on[g])))

    def _put(self, task_class: int, on: int, model: list[int], own: list[int]) -> tuple[int, ...]:
        """Take the room of an arrival on both; which GPUs of the node's own."""
        classes = self._space.classes
        milli, gpus = int(classes.milli[task_class]), int(classes.gpus[task_class])
        if on >= 0:
            theirs, mine = [on], [own.index(model[on])]
        else:
            theirs, mine = _whole(model)[:gpus], _whole(own)[:gpus]
        for gpu in theirs:
            model[gpu] -= milli
        for gpu in mine:
            own[gpu] -= milli
        return tuple(mine)


def _whole(free: list[int]) -> list[int]:
    return [gpu for gpu, milli in enumerate(free) if milli == WHOLE]


def _counted(groups: Ints) -> list[tuple[int, int]]:
    return sorted(Counter(group for group in groups.tolist() if group >= 0).items())


class Yard:
    """The fleet while moves are carried out one after the other."""

    def __init__(self, space: Space) -> None:
        self._space = space
        state, classes = space.state, space.classes
        # Lists, since what is looked at one by one is slow in arrays.
        self._cpu, self._memory = state.cpu.tolist(), state.memory.tolist()
        self._free = state.free.tolist()
        self._node = state.node
        self._wants = list(
            zip(classes.cpu.tolist(), classes.memory.tolist(), classes.milli.tolist(), strict=True)
        )

    def has_room(self, slot: Slot) -> bool:
        """Whether a task of the slot's class may start there now."""
        n, free = slot.node, self._free[slot.node]
        cpu, memory, milli = self._wants[slot.task_class]
        return (
            self._cpu[n] >= cpu
            and self._memory[n] >= memory
            and all(free[g] >= milli for g in slot.gpus)
        )

    def move(self, task: int, slot: Slot) -> None:
        """Start it there, and end it where it was."""
        pod = self._space.state.instance.pods[task]
        self._hold(slot.node, slot.gpus, pod, -1)
        self._hold(int(self._node[task]), pod.gpu_ids, pod, 1)

    def _hold(self, node: int, gpus: Sequence[int], pod: Pod, sign: int) -> None:
        self._cpu[node] += sign * pod.cpu_milli
        self._memory[node] += sign * pod.memory_mib
        for g in gpus:
            self._free[node][g] += sign * pod.gpu_milli


def carried_out(state: State, steps: Sequence[Step]) -> State:
    """What is left of the nodes after some moves; the instance of it is that of before."""
    out = state.copy()
    tasks = np.array([step.task for step in steps], np.int64)
    pods = [state.instance.pods[step.task] for step in steps]
    _hold_all(out, state.node[tasks], [p.gpu_ids for p in pods], pods, 1)
    to = np.array([step.node for step in steps], np.int64)
    _hold_all(out, to, [step.gpus for step in steps], pods, -1)
    return out


def _hold_all(
    state: State, node: Ints, gpus: Sequence[Sequence[int]], pods: Sequence[Pod], sign: int
) -> None:
    """What `hold` does, for many at once."""
    count = np.array([len(ids) for ids in gpus], np.int64)
    at = np.array([g for ids in gpus for g in ids], np.int64)
    milli = sign * np.array([p.gpu_milli for p in pods], np.int64)
    np.add.at(state.cpu, node, sign * np.array([p.cpu_milli for p in pods], np.int64))
    np.add.at(state.memory, node, sign * np.array([p.memory_mib for p in pods], np.int64))
    np.add.at(state.free, (np.repeat(node, count), at), np.repeat(milli, count))


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


def ordered(
    space: Space, found: Iterable[Change], out_of_time: Callable[[], bool] = lambda: False
) -> tuple[list[Step], list[Step]]:
    """Moves that can be done one after the other, and those that then block each other.

    Out of time, those that were found until then, and none that block each other.
    """
    everything = list(found)
    slots = [slot for change in everything for slot in change.slots]
    tasks = [task for change in everything for task in change.leaving]
    queue = _Queue(space, slots, tasks)
    live = []
    for step in queue.run():
        live.append(step)
        if len(live) % AT_ONCE == 0 and out_of_time():
            return live, []
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
