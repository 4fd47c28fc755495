"""Steepest descent: the single move that lowers the objective most, again and again.

What the search over patterns finds in time is never given if this is better, and what its moves
leave to be had is taken by it. Every move is possible when its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Classes
from analytics.repacking.master import Limits
from analytics.repacking.objective import Value
from analytics.repacking.order import Slot, Step, hold
from analytics.repacking.patterns import accepted, toll
from analytics.repacking.state import Flags, Floats, Ints, State

NEVER = np.inf
LEAST = 1e-9
CHUNK = 20_000
# Tasks, and classes times nodes, beyond which there is no time to look at them all.
MOST_TASKS, MOST_PAIRS = 20_000, 250_000


def descend(
    state: State, classes: Classes, value: Value, limits: Limits, out_of_time: Callable[[], bool]
) -> list[Step]:
    """Moves within the limits, each of which lowers the value; none in fleets too large for it."""
    if not len(classes) or len(classes) * len(state.cpu) > MOST_PAIRS:
        return []
    descent = _Descent(state, classes, value, limits)
    while len(descent.steps) < limits.moves and not out_of_time() and descent.step():
        pass
    return descent.steps


class _Descent:
    """What each task's leaving and each class's arriving would change, kept up to date."""

    def __init__(self, state: State, classes: Classes, value: Value, limits: Limits) -> None:
        self._start = state
        self._left = state.copy()
        self._node = state.node.copy()
        self._classes = classes
        self._value = value
        self._budget_s = limits.gpu_seconds
        rows = np.arange(len(state.cpu))
        self._worth = value(rows, state.cpu, state.free)
        self._accepted = accepted(state, classes, rows)
        pods = state.instance.pods
        self._stays = ~state.movable
        self._cost = np.array([p.cost_gpu_seconds for p in pods], np.float64)
        self._toll = toll(state, np.ones(len(pods), np.int64), self._cost)
        self._held: list[set[int]] = [set() for _ in rows]
        for task, node in enumerate(self._node.tolist()):
            self._held[node].add(task)
        shape = (len(classes), len(rows))
        self._arrive, self._on = np.full(shape, NEVER), np.zeros(shape, np.int64)
        self._leave = np.full(len(pods), NEVER)
        self._turn = np.full(len(pods), NEVER)
        self._turn_on = np.zeros(len(pods), np.int64)
        self.steps: list[Step] = []
        self._look(rows)

    def step(self) -> bool:
        """Make the best move, if one is good."""
        to, away = self._best_elsewhere()
        change = np.minimum(away, self._turn) + self._toll
        change[self._stays | (self._cost > self._budget_s)] = NEVER
        task = int(change.argmin())
        if change[task] > -LEAST:
            return False
        here = self._turn[task] <= away[task]
        node = int(self._node[task] if here else to[task])
        c = int(self._classes.of[task])
        on = int(self._turn_on[task] if here else self._on[c, node])
        self._move(task, Slot(c, node, self._gpus(c, node, on)))
        return True

    def _best_elsewhere(self) -> tuple[Ints, Floats]:
        """For each task the other node where its class does best, and the change."""
        of = self._classes.of
        first = self._arrive.argmin(axis=1)
        rest = self._arrive.copy()
        rest[np.arange(len(rest)), first] = NEVER
        second = rest.argmin(axis=1)
        to = np.where(first[of] == self._node, second[of], first[of])
        away = self._leave + self._arrive[of, to]
        away[to == self._node] = NEVER
        return to, away

    def _gpus(self, c: int, node: int, on: int) -> tuple[int, ...]:
        if self._classes.gpus[c] == 1 and self._classes.milli[c] < WHOLE:
            return (on,)
        free = np.flatnonzero(self._left.free[node] == WHOLE)
        return tuple(free[: self._classes.gpus[c]].tolist())

    def _move(self, task: int, slot: Slot) -> None:
        pod, source = self._start.instance.pods[task], int(self._node[task])
        hold(self._left, slot.node, slot.gpus, pod, -1)
        hold(self._left, source, pod.gpu_ids, pod, 1)
        self._held[source].discard(task)
        self._held[slot.node].add(task)
        self._node[task] = slot.node
        self._stays[task] = True
        self._budget_s -= float(self._cost[task])
        self.steps.append(Step(task, slot.node, slot.gpus))
        both = np.unique([source, slot.node])
        self._worth[both] = self._value(both, self._left.cpu[both], self._left.free[both])
        self._look(both)

    def _look(self, nodes: Ints) -> None:
        """What became of some nodes."""
        c = np.repeat(np.arange(len(self._classes)), len(nodes))
        n = np.tile(nodes, len(self._classes))
        for at in range(0, len(c), CHUNK):
            some = c[at : at + CHUNK], n[at : at + CHUNK]
            self._arrive[some], self._on[some] = self._arrivals(*some)
        tasks = np.array(sorted(t for i in nodes.tolist() for t in self._held[i]), np.int64)
        if len(tasks):
            self._departures(tasks)

    def _arrivals(self, c: Ints, n: Ints) -> tuple[Floats, Ints]:
        """The change of value where a task of a class comes, and the GPU that it takes."""
        left, classes = self._left, self._classes
        cpu = left.cpu[n] - classes.cpu[c]
        return self._placed(c, n, cpu, left.free[n], left.free[n], self._room(c, n))

    def _room(self, c: Ints, n: Ints) -> Flags:
        left, classes = self._left, self._classes
        enough = (left.cpu[n] >= classes.cpu[c]) & (left.memory[n] >= classes.memory[c])
        return np.asarray(self._accepted[n, c] & enough)

    def _departures(self, tasks: Ints) -> None:
        """The same where tasks leave, and where they leave for another GPU of their node."""
        left, classes = self._left, self._classes
        n, c = self._node[tasks], classes.of[tasks]
        free, now = left.free[n].copy(), left.free[n].copy()
        for row, task in enumerate(tasks.tolist()):
            if not self._stays[task]:
                pod = self._start.instance.pods[task]
                free[row, list(pod.gpu_ids)] += pod.gpu_milli
                now[row, list(pod.gpu_ids)] = 0
        change = self._value(n, left.cpu[n] + classes.cpu[c], free) - self._worth[n]
        self._leave[tasks] = change
        shared = (classes.gpus[c] == 1) & (classes.milli[c] < WHOLE) & ~self._stays[tasks]
        room = shared & self._room(c, n)
        found = self._placed(c, n, left.cpu[n], free, now, room)
        self._turn[tasks], self._turn_on[tasks] = found

    def _placed(
        self, c: Ints, n: Ints, cpu: Ints, free: Ints, now: Ints, room: Flags
    ) -> tuple[Floats, Ints]:
        """The least change over the GPUs that a task may take; `now` is what is free at once."""
        out, on = np.full(len(c), NEVER), np.zeros(len(c), np.int64)
        milli, gpus = self._classes.milli[c], self._classes.gpus[c]
        shared = (gpus == 1) & (milli < WHOLE)
        full = (free == WHOLE).cumsum(axis=1)
        whole = np.flatnonzero(room & ~shared & (full[:, -1] >= gpus))
        taken = free[whole] * ~((free[whole] == WHOLE) & (full[whole] <= gpus[whole, None]))
        out[whole] = self._value(n[whole], cpu[whole], taken) - self._worth[n[whole]]
        row, gpu = np.nonzero((room & shared)[:, None] & (now >= milli[:, None]))
        left = free[row].copy()
        left[np.arange(len(row)), gpu] -= milli[row]
        change = self._value(n[row], cpu[row], left) - self._worth[n[row]]
        order = np.lexsort((change, row))
        first = order[np.flatnonzero(np.diff(row[order], prepend=-1))]
        out[row[first]], on[row[first]] = change[first], gpu[first]
        return out, on
