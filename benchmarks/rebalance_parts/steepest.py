"""Greedy FGD: the single migration that makes F smallest, again and again.

Each step looks at every task, every node and every GPU, those of its own node too.
"""

from __future__ import annotations

import numpy as np

from analytics.repacking.instance import Instance
from benchmarks.rebalance_parts.yard import WHOLE, Floats, Ints, Move, Yard

NEVER = np.inf
LEAST = 1e-9
CHUNK = 20_000


def descended(instance: Instance, most: int) -> tuple[Move, ...]:
    """At most so many moves, none of which makes F larger."""
    yard = Yard(instance)
    if not len(yard.pods) or not most:
        return ()
    steps = _Steps(yard)
    while len(yard.moves) < most and steps.step():
        pass
    return tuple(yard.moves)


class _Steps:
    """What each task's leaving and each class's arriving would change, kept up to date."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        nodes, classes = len(yard.cpu), len(yard.gpus)
        self._arrive = np.full((classes, nodes), NEVER)
        self._on = np.zeros((classes, nodes), np.int64)
        self._leave = np.full(len(yard.pods), NEVER)
        self._turn = np.full(len(yard.pods), NEVER)
        self._turn_on = np.zeros(len(yard.pods), np.int64)
        self._stays = np.array([not p.movable for p in yard.pods], bool)
        self._look(np.arange(nodes))

    def step(self) -> bool:
        """Make the best move, if one is good."""
        yard, every = self._yard, np.arange(len(self._leave))
        first = self._arrive.argmin(axis=1)
        rest = self._arrive.copy()
        rest[np.arange(len(rest)), first] = NEVER
        second = rest.argmin(axis=1)
        to = np.where(first[yard.of] == yard.node, second[yard.of], first[yard.of])
        away = self._leave + self._arrive[yard.of, to]
        away[to == yard.node] = NEVER
        change = np.where(self._stays, NEVER, np.minimum(away, self._turn))
        task = int(change.argmin())
        if change[task] > -LEAST:
            return False
        stays = self._turn[task] <= away[task]
        node = int(yard.node[task] if stays else to[task])
        on = int(self._turn_on[task] if stays else self._on[yard.of[every[task]], node])
        source = int(yard.node[task])
        yard.move(task, node, self._gpus(task, node, on))
        self._stays[task] = True
        self._look(np.unique([source, node]))
        return True

    def _gpus(self, task: int, node: int, on: int) -> tuple[int, ...]:
        c = int(self._yard.of[task])
        if self._yard.gpus[c] == 1 and self._yard.milli[c] < WHOLE:
            return (on,)
        return self._yard.tightest(c, node)

    def _look(self, nodes: Ints) -> None:
        """What became of some nodes."""
        classes = len(self._arrive)
        c, n = np.repeat(np.arange(classes), len(nodes)), np.tile(nodes, classes)
        for at in range(0, len(c), CHUNK):
            some = slice(at, at + CHUNK)
            self._arrive[c[some], n[some]], self._on[c[some], n[some]] = self._arrivals(
                c[some], n[some]
            )
        tasks = np.array(sorted(t for i in nodes.tolist() for t in self._yard.held[i]), np.int64)
        if len(tasks):
            self._departures(tasks)

    def _arrivals(self, c: Ints, n: Ints) -> tuple[Floats, Ints]:
        """By how much F of nodes changes when a task of a class comes, and on which GPU."""
        yard = self._yard
        room = yard.accepts[c, n] & (yard.cpu[n] >= yard.class_cpu[c])
        room &= yard.memory[n] >= yard.class_memory[c]
        return _placed(yard, c, n, yard.cpu[n] - yard.class_cpu[c], yard.free[n], room)

    def _departures(self, tasks: Ints) -> None:
        """The same when tasks leave, and when they leave for another GPU of their node."""
        yard = self._yard
        n, c = yard.node[tasks], yard.of[tasks]
        free, before = yard.free[n].copy(), yard.free[n].copy()
        for row, task in enumerate(tasks.tolist()):
            pod = yard.pods[task]
            if not self._stays[task]:
                free[row, list(pod.gpu_ids)] += pod.gpu_milli
            before[row, list(pod.gpu_ids)] = 0
        cpu = yard.cpu[n] + yard.class_cpu[c]
        self._leave[tasks] = yard.value(n, cpu, free) - yard.fragments[n]
        shared = (yard.gpus[c] == 1) & (yard.milli[c] < WHOLE) & ~self._stays[tasks]
        shared &= yard.accepts[c, n] & (yard.cpu[n] >= yard.class_cpu[c])
        shared &= yard.memory[n] >= yard.class_memory[c]
        self._turn[tasks], self._turn_on[tasks] = _placed(
            yard, c, n, yard.cpu[n], free, shared, before
        )


def _placed(
    yard: Yard,
    c: Ints,
    n: Ints,
    cpu: Ints,
    free: Ints,
    room: np.ndarray,
    now: Ints | None = None,
) -> tuple[Floats, Ints]:
    """The least change of F over the GPUs that a task may take; `now` is what is free at once."""
    out, on = np.full(len(c), NEVER), np.zeros(len(c), np.int64)
    now = free if now is None else now
    milli, gpus = yard.milli[c], yard.gpus[c]
    shared = (gpus == 1) & (milli < WHOLE)
    full = (free == WHOLE).cumsum(axis=1)
    whole = np.flatnonzero(room & ~shared & (full[:, -1] >= gpus))
    taken = free[whole] * ~((free[whole] == WHOLE) & (full[whole] <= gpus[whole, None]))
    out[whole] = yard.value(n[whole], cpu[whole], taken) - yard.fragments[n[whole]]
    row, gpu = np.nonzero((room & shared)[:, None] & (now >= milli[:, None]))
    left = free[row].copy()
    left[np.arange(len(row)), gpu] -= milli[row]
    change = yard.value(n[row], cpu[row], left) - yard.fragments[n[row]]
    order = np.lexsort((change, row))
    first = order[np.concatenate([[True], row[order][1:] != row[order][:-1]])] if len(order) else []
    out[row[first]], on[row[first]] = change[first], gpu[first]
    return out, on
