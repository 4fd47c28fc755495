"""What many nodes of a kind could gain at given prices, at most: GPU by GPU, at once.

Each GPU stays in use or is opened; for tasks of several GPUs each choice of those that leave is
a case. Processors are priced: at each price a node gains so much at most, so that the least over
the prices holds, and so does that over some of them, where there is no time for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Group
from analytics.repacking.room import CPU_PRICES, NEVER, Leaving, Room
from analytics.repacking.state import Floats, Ints

# Prices of processors by their place, those first that mostly tell enough.
FIRST = (3, 5, 1, 8, 0)
ORDER = (*FIRST, *(p for p in range(len(CPU_PRICES)) if p not in FIRST))
# Cases that are looked at together.
CHUNK = 2000


class Gains:
    """Nodes of one room, and what each could gain."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._keys: dict[tuple[float, ...], int] = {}
        # Of each key where its choices begin; of each choice what is free then, and who pays what.
        self._begin: list[int] = []
        self._choices: list[tuple[int, float, int]] = []
        self._cpu: list[int] = []
        self._without: list[tuple[int, float, int]] = []  # node, and what a task without GPU pays
        self._case_node: list[int] = []
        self._case_keys: list[list[int]] = []
        self._case_paid: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._cpu)

    def add(self, free: list[int], cpu: int, groups: list[Group]) -> None:
        """One more node: thousandths free of its GPUs, milli-CPUs, and the tasks that may leave."""
        room, node = self._room, len(self._cpu)
        alone: dict[int, list[Leaving]] = {}
        several: list[Leaving] = []
        for group, i in ((g, i) for g in groups for i in range(len(g.tasks))):
            gpus = len(group.gpus[i])
            if gpus == 0:
                self._without.append((node, room.paid(group, i), room.processors(group)))
            elif gpus == 1:
                alone.setdefault(group.gpus[i][0], []).append((group, i))
            else:
                several.append((group, i))
        self._cpu.append(cpu)
        keys = [self._key(milli, alone.get(g, [])) for g, milli in enumerate(free[: room.gpus])]
        opened = self._key(WHOLE, [])
        for gone in _choices(several):
            away = {g for group, i in gone for g in group.gpus[i]}
            self._case_node.append(node)
            self._case_keys.append([opened if g in away else key for g, key in enumerate(keys)])
            self._case_paid.append(self._sum(gone))

    def _sum(self, gone: list[Leaving]) -> tuple[float, int]:
        """What tasks pay for leaving, and the milli-CPUs that they give back."""
        room = self._room
        return sum(room.paid(g, i) for g, i in gone), sum(room.processors(g) for g, _ in gone)

    def _key(self, free: int, tasks: list[Leaving]) -> int:
        """GPUs with as much free and the same tasks are looked at once."""
        key = (free, *(x for g, i in tasks for x in (g.task_class, g.lost[i])))
        if key not in self._keys:
            self._keys[key] = len(self._keys)
            self._begin.append(len(self._choices))
            for gone in _choices(tasks):
                milli = sum(int(self._room.space.classes.milli[g.task_class]) for g, _ in gone)
                self._choices.append((free + milli, *self._sum(gone)))
        return self._keys[key]

    def most(self, worth: Floats, out_of_time: Callable[[], bool]) -> Floats:
        """What each node gains at most beside `worth`, in the order in which they were added.

        What is not above 0 may be more than it need be, but not more than 0.
        """
        least = np.full((len(self), self._room.shape[1]), np.inf)
        out, asked = np.full(len(self), np.inf), np.arange(len(self))
        for p in ORDER:
            for some in np.array_split(asked, len(asked) * self._cases_each // CHUNK + 1):
                least[some] = np.minimum(least[some], self._at(p, some))
            out[asked] = worth[asked] + least[asked].max(axis=1)
            asked = asked[out[asked] > 0]
            if not len(asked) or out_of_time():
                break
        return out

    @property
    def _cases_each(self) -> int:
        return -(-len(self._case_node) // max(len(self), 1))

    def _at(self, p: int, nodes: Ints) -> Floats:
        """The most at one price of processors: [nodes, levels]."""
        room, price = self._room, float(self._room.cpu_prices[p])
        first = np.searchsorted(self._case_node, nodes)
        count = np.searchsorted(self._case_node, nodes, side="right") - first
        begin = np.cumsum(count) - count
        cases = np.arange(count.sum()) + np.repeat(first - begin, count)
        found = np.maximum.reduceat(self._of_cases(p, price, cases), begin, axis=0)
        base = room.without_gpu[p] + price * (np.array(self._cpu)[nodes, None] - room.levels)
        return np.asarray(found + base + self._of_tasks_without(price)[nodes, None])

    def _of_tasks_without(self, price: float) -> Floats:
        node, paid, cpu = np.array(self._without, float).reshape(-1, 3).T
        gain = np.maximum(paid + price * cpu, 0.0)
        return np.asarray(np.bincount(node.astype(np.int64), gain, len(self)), np.float64)

    def _of_cases(self, p: int, price: float, cases: Ints) -> Floats:
        """The most over how many GPUs are opened: [cases, levels]."""
        in_use, opening = self._of_keys(p, price)
        keys = np.array(self._case_keys, np.int64).reshape(len(self._case_node), -1)[cases]
        paid, cpu = np.array(self._case_paid, float)[cases].T
        used = in_use[keys]
        more = np.sort(opening[keys][:, :, None] - used, axis=1)[:, ::-1]
        upto = np.zeros((len(cases), keys.shape[1] + 1, in_use.shape[1]))
        np.cumsum(more, axis=1, out=upto[:, 1:])
        total = (upto + self._room.opened[p].T).max(axis=1) + used.sum(axis=1)
        return np.asarray(np.maximum(total + (paid + price * cpu)[:, None], NEVER))

    def _of_keys(self, p: int, price: float) -> tuple[Floats, Floats]:
        """The most that a GPU is worth in use [keys, levels], and what opening it pays [keys]."""
        free, paid, cpu = np.array(self._choices, float).T
        room = free.astype(np.int64)
        paid = paid + price * cpu
        in_use = self._room.filled[p].T[room // self._room.step] + paid[:, None]
        opening = np.where(room == WHOLE, paid, NEVER)
        return (
            np.maximum.reduceat(in_use, self._begin, axis=0),
            np.maximum.reduceat(opening, self._begin),
        )


def _choices(tasks: list[Leaving]) -> Iterator[list[Leaving]]:
    """Every choice of them."""
    for choice in range(1 << len(tasks)):
        yield [t for j, t in enumerate(tasks) if choice >> j & 1]
