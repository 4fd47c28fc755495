"""What may become of a bin's node: which tasks leave it, and which classes arrive.

A pattern is a state of a node that some departures and arrivals lead to. All departures up to a
depth are listed at once; arrivals are added to the patterns that prices make worth it. Columns of
`Patterns` are parallel arrays, a row a pattern; prices never change what is in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Bins, Classes, Group, groups_of
from analytics.repacking.objective import Value
from analytics.repacking.state import Flags, Floats, Ints, State

# In GPUs, slots or nodes: one move, and all the work that moving every task would lose.
MOVE_WEIGHS, WORK_WEIGHS = 1e-5, 1e-3
MOST_DEPARTURES = 8
MOST_ARRIVALS = 6
PER_BIN = 3000
IN_ALL = 120_000
FAR_BELOW = -(1 << 40)


@dataclass(frozen=True)
class Patterns:
    """Rows: patterns.

    `leaving` and `arriving` hold groups and classes, -1 where there is none; `on` is the GPU that a
    share arrives on, -1 for whole ones, which take the first free. `toll` is what its moves and the
    work they lose weigh in the objective: little, so that of equal plans the cheapest is taken.
    """

    bin: Ints
    leaving: Ints
    arriving: Ints
    free: Ints
    cpu: Ints
    memory: Ints
    cost: Floats
    value: Floats
    toll: Floats
    on: Ints

    def __len__(self) -> int:
        return len(self.bin)

    def at(self, rows: Ints | slice) -> Patterns:
        """Some of them."""
        return Patterns(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def moves(self) -> Ints:
        """How many tasks leave."""
        return np.asarray((self.leaving >= 0).sum(axis=1))


class Pool:
    """Patterns that become more, and of each which classes were tried as its next arrival."""

    def __init__(self, patterns: Patterns, classes: int) -> None:
        self.patterns = self._all = patterns
        self._tried = np.zeros((len(patterns), classes), bool)
        self._count = len(patterns)

    @property
    def tried(self) -> Flags:
        """[patterns, classes]; may be written to."""
        return self._tried[: self._count]

    def add(self, parts: Sequence[Patterns]) -> Ints:
        """More of them: their rows."""
        more = sum(map(len, parts))
        first = self._count
        if first + more > len(self._all):
            # With room for as many again, so that few additions copy what there is.
            room = np.zeros(first + 2 * more, np.int64)
            room[:first] = np.arange(first)
            self._all, self._tried = self._all.at(room), self._tried[room]
        for part in parts:
            rows = slice(self._count, self._count + len(part))
            for f in fields(Patterns):
                getattr(self._all, f.name)[rows] = getattr(part, f.name)
            self._tried[rows] = False
            self._count += len(part)
        self.patterns = self._all.at(slice(self._count))
        return np.arange(first, self._count)


@dataclass(frozen=True)
class Space:
    """What patterns are made from; each group of `groups` has its class and its bin."""

    state: State
    classes: Classes
    bins: Bins
    groups: Sequence[Group]
    group_class: Ints
    group_bin: Ints
    value: Value
    per_gpu: float  # by how much taking one free GPU lowers the value at most
    moves: int

    @property
    def group_tasks(self) -> Ints:
        """How many tasks each group has."""
        return np.array([len(g.tasks) for g in self.groups], np.int64)

    @property
    def supply(self) -> Ints:
        """How many tasks of each class may move."""
        out = np.zeros(len(self.classes), np.int64)
        np.add.at(out, self.group_class, self.group_tasks * self.bins.count[self.group_bin])
        return out

    @property
    def shares(self) -> bool:
        """Whether a GPU anywhere is shared, or may come to be."""
        movable = self.classes.milli[self.group_class]
        return bool(((movable > 0) & (movable < WHOLE)).any() or (self.state.free % WHOLE).any())


def toll(state: State, moves: Ints, cost: Floats) -> Floats:
    """What so many moves that lose so many GPU-seconds weigh in an objective."""
    all_ = sum(p.cost_gpu_seconds for p in state.instance.pods)
    return np.asarray(MOVE_WEIGHS * moves + (WORK_WEIGHS / all_ if all_ else 0.0) * cost)


def accepted(state: State, classes: Classes, nodes: Ints) -> Flags:
    """Whether nodes may be given tasks of a class at all: [nodes, classes]."""
    told = [state.instance.nodes[i] for i in nodes]
    out = classes.accepted[:, state.kind[nodes]].T.copy()
    out[[n.closed for n in told]] = False
    for c, island in enumerate(classes.island):
        if island:
            out[:, c] &= np.array([n.island == island for n in told], bool)
    return np.asarray(out)


def departures(
    state: State, classes: Classes, bins: Bins, value: Value, per_gpu: float, moves: int
) -> tuple[Space, Patterns]:
    """The patterns in which tasks only leave: all of them up to a number that the fleet allows."""
    order = np.argsort(state.node, kind="stable")
    edges = np.searchsorted(state.node[order], np.arange(len(state.cpu) + 1))
    most = max(8, min(PER_BIN, IN_ALL // max(len(bins), 1)))
    told = [groups_of(state, classes, order[edges[n] : edges[n + 1]]) for n in bins.first.tolist()]
    groups = [group for of_bin in told for group in of_bin]
    group_bin = np.repeat(np.arange(len(bins)), [len(of_bin) for of_bin in told])
    tasks = np.array([t for group in groups for t in group.tasks], np.int64)
    of_group = np.repeat(np.arange(len(groups)), [len(group.tasks) for group in groups])
    ways: list[Ints] = []
    first = 0
    for of_bin in told:
        sizes = tuple(len(group.tasks) for group in of_bin)
        ways.append(_ways(sizes, most, moves) + first)
        first += sum(sizes)
    bin_ = np.repeat(np.arange(len(bins)), [len(w) for w in ways])
    patterns = _left_by(state, classes, bins, bin_, np.concatenate(ways), tasks, of_group)
    worth = value(bins.first[patterns.bin], patterns.cpu, patterns.free)
    patterns = replace(patterns, value=worth, toll=toll(state, patterns.moves, patterns.cost))
    group_class = np.array([g.task_class for g in groups], np.int64)
    space = Space(state, classes, bins, groups, group_class, group_bin, value, per_gpu, moves)
    return space, patterns


def _left_by(
    state: State,
    classes: Classes,
    bins: Bins,
    bin_: Ints,
    way: Ints,
    tasks: Ints,
    of_group: Ints,
) -> Patterns:
    """The patterns that tasks leave behind: `way` [patterns, departures] says where in `tasks`."""
    pods, n, node = state.instance.pods, len(way), bins.first[bin_]
    way = way[:, : max(1, (way >= 0).sum(axis=1).max(initial=0))]
    way = np.where(way < 0, len(tasks), way)
    freed = np.zeros((len(tasks) + 1, state.free.shape[1]), np.int16)
    for i, t in enumerate(tasks.tolist()):
        freed[i, list(pods[t].gpu_ids)] = pods[t].gpu_milli
    lost = np.array([*(pods[t].cost_gpu_seconds for t in tasks.tolist()), 0.0])
    cpu, memory = (np.append(of[classes.of[tasks]], 0) for of in (classes.cpu, classes.memory))
    free: Ints = state.free[node]
    for column in way.T:
        free = free + freed[column]
    leaving: Ints = np.append(of_group, -1)[way]
    return Patterns(
        bin=bin_,
        leaving=leaving.astype(np.int32),
        arriving=np.full((n, MOST_ARRIVALS), -1, np.int32),
        free=free.astype(np.int16),
        cpu=state.cpu[node] + cpu[way].sum(axis=1),
        memory=state.memory[node] + memory[way].sum(axis=1),
        cost=lost[way].sum(axis=1),
        value=np.zeros(n),
        toll=np.zeros(n),
        on=np.full((n, MOST_ARRIVALS), -1, np.int8),
    )


@lru_cache(maxsize=4096)
def _ways(sizes: tuple[int, ...], most: int, moves: int) -> Ints:
    """Which tasks may leave, of groups of those sizes whose first leave first: their places.

    A row is a choice; what comes after the last task is so far below 0 that it stays so.
    """
    depth = min(_depth(sizes, most), moves)
    counts = np.zeros((1, 0), np.int64)
    for size in sizes:
        more = np.arange(min(size, depth) + 1)
        counts = np.hstack(
            [np.repeat(counts, len(more), axis=0), np.tile(more, len(counts))[:, None]]
        )
        counts = counts[counts.sum(axis=1) <= depth]
    return _listed(counts, np.cumsum((0, *sizes))[:-1])


def _depth(sizes: Sequence[int], most: int) -> int:
    """The most departures such that no more than `most` choices of them are listed."""
    ways = np.zeros(MOST_DEPARTURES + 1)
    ways[0] = 1
    for size in sizes:
        ways = np.convolve(ways, np.ones(min(size, MOST_DEPARTURES) + 1))[: MOST_DEPARTURES + 1]
    return max(1, int(np.searchsorted(ways.cumsum(), most, side="right")) - 1)


def _listed(counts: Ints, first: Ints) -> Ints:
    """Counts of each group as a list of places, those of a group from its first on."""
    rows, groups = np.nonzero(counts)
    times = counts[rows, groups]
    begun = np.cumsum(times) - times
    nth = np.arange(times.sum()) - np.repeat(begun, times)
    rows, groups = np.repeat(rows, times), np.repeat(groups, times)
    out = np.full((len(counts), MOST_DEPARTURES), FAR_BELOW)
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    out[rows, place] = first[groups] + nth
    return out


def arrivals(space: Space, patterns: Patterns, parent: Ints, task_class: Ints) -> Patterns:
    """Patterns with one more arrival where it fits, each on the GPU that leaves the least value."""
    classes, gpus = space.classes, patterns.free.shape[1]
    parent, task_class = _with_room(space, patterns, parent, task_class)
    shared = (classes.gpus[task_class] == 1) & (classes.milli[task_class] < WHOLE)
    milli = classes.milli.astype(np.int16)
    whole = _put_whole(patterns, parent[~shared], classes.gpus[task_class[~shared]])
    choice, column = _choices(patterns.free[parent[shared]], classes.milli[task_class[shared]])
    parts = patterns.free[parent[shared]][choice]
    parts[np.arange(len(choice)), column] -= milli[task_class[shared]][choice]
    pick = np.concatenate([np.flatnonzero(~shared), np.flatnonzero(shared)[choice]])
    free = np.concatenate([whole, parts]).reshape(-1, gpus)
    gpu = np.concatenate([np.full(len(whole), -1), column])
    cpu = patterns.cpu[parent[pick]] - classes.cpu[task_class[pick]]
    value = space.value(space.bins.first[patterns.bin[parent[pick]]], cpu, free)
    best = _best(pick, value)
    task_class = task_class[pick[best]]
    out = patterns.at(parent[pick[best]])
    rows, place = np.arange(len(best)), (out.arriving >= 0).sum(axis=1)
    out.arriving[rows, place] = task_class
    out.on[rows, place] = gpu[best]
    memory = out.memory - classes.memory[task_class]
    return replace(out, free=free[best], cpu=cpu[best], memory=memory, value=value[best])


def _with_room(
    space: Space, patterns: Patterns, parent: Ints, task_class: Ints
) -> tuple[Ints, Ints]:
    classes, free = space.classes, patterns.free[parent]
    good = free >= np.maximum(classes.milli[task_class], 1)[:, None]
    room = (
        (good.sum(axis=1) >= classes.gpus[task_class])
        & (patterns.cpu[parent] >= classes.cpu[task_class])
        & (patterns.memory[parent] >= classes.memory[task_class])
        & (patterns.arriving[parent, -1] < 0)
    )
    return parent[room], task_class[room]


def _put_whole(patterns: Patterns, parent: Ints, gpus: Ints) -> Ints:
    """Take the first whole free GPUs, as many as asked."""
    free = patterns.free[parent]
    full = free == WHOLE
    taken = full & (full.cumsum(axis=1) <= gpus[:, None])
    return np.where(taken, 0, free)


def _choices(free: Ints, milli: Ints) -> tuple[Ints, Ints]:
    """Rows and GPUs with room for a share; of GPUs with the same left the first."""
    good = free >= milli[:, None]
    for g in range(1, free.shape[1]):
        good[:, g] &= ~(free[:, :g] == free[:, g : g + 1]).any(axis=1)
    rows, columns = np.nonzero(good)
    return rows, columns


def _best(pick: Ints, value: Floats) -> Ints:
    """Of equal picks the row of the smallest value."""
    order = np.lexsort((value, pick))
    first = np.ones(len(order), bool)
    first[1:] = pick[order][1:] != pick[order][:-1]
    return order[first]
