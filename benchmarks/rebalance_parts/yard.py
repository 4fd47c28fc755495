"""A fleet while the rivals move tasks one by one: what is free, and what is a fragment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analytics.repacking.instance import Instance, Pod, wish_of
from analytics.repacking.measure import measure_of
from analytics.repacking.state import state_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Move = tuple[str, str, tuple[int, ...]]
WHOLE = 1000


class Yard:
    """Tasks and nodes by their place in the instance; tasks that ask for the same are one class."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.pods = instance.pods
        state = state_of(instance)
        self.free, self.cpu, self.memory = state.free.copy(), state.cpu.copy(), state.memory.copy()
        self.node = state.node.copy()
        self.kind = state.kind
        self._measure = measure_of(instance.target, state.kinds, self.free.shape[1])
        self.fragments = self.value(np.arange(len(self.cpu)), self.cpu, self.free)
        self.of, first = _classes(self.pods)
        self.gpus = np.array([p.num_gpu for p in first], np.int64)
        self.milli = np.array([p.gpu_milli if p.num_gpu else 0 for p in first], np.int64)
        self.class_cpu = np.array([p.cpu_milli for p in first], np.int64)
        self.class_memory = np.array([p.memory_mib for p in first], np.int64)
        open_ = np.array([not n.closed for n in instance.nodes], bool)
        self.accepts = np.array(
            [state.accepts(wish_of(p))[state.kind] & open_ for p in first], bool
        ).reshape(len(first), len(self.cpu))
        self.held: list[set[int]] = [set() for _ in instance.nodes]
        for task, node in enumerate(self.node.tolist()):
            self.held[node].add(task)
        self.gpu_room = np.array([max(n.gpus, 1) * WHOLE for n in instance.nodes], np.int64)
        self.cpu_room = np.array([max(n.cpu_milli, 1) for n in instance.nodes], np.int64)
        self.moves: list[Move] = []

    @property
    def total(self) -> float:
        """F now, in GPUs."""
        return float(self.fragments.sum())

    def value(self, rows: Ints, cpu: Ints, free: Ints) -> Floats:
        """Fragments of states of nodes."""
        return self._measure.of_nodes(self.kind[rows], cpu, free)

    def has_room(self, c: int) -> Flags:
        """Nodes on which a task of a class could start now."""
        enough = (self.cpu >= self.class_cpu[c]) & (self.memory >= self.class_memory[c])
        good = (self.free >= max(int(self.milli[c]), 1)).sum(axis=1) >= self.gpus[c]
        return np.asarray(self.accepts[c] & enough & good)

    def tightest(self, c: int, node: int) -> tuple[int, ...]:
        """The fullest GPUs of a node that a task of a class fits on."""
        fits = np.flatnonzero(self.free[node] >= max(int(self.milli[c]), 1))
        order = fits[np.argsort(self.free[node, fits], kind="stable")]
        return tuple(sorted(order[: self.gpus[c]].tolist()))

    def move(self, task: int, node: int, gpus: tuple[int, ...]) -> None:
        """Start a task there, and end it where it was."""
        pod, source = self.pods[task], int(self.node[task])
        for n, at, sign in ((node, gpus, -1), (source, pod.gpu_ids, 1)):
            self.cpu[n] += sign * pod.cpu_milli
            self.memory[n] += sign * pod.memory_mib
            self.free[n, list(at)] += sign * pod.gpu_milli
        self.held[source].discard(task)
        self.held[node].add(task)
        self.node[task] = node
        both = np.array([source, node])
        self.fragments[both] = self.value(both, self.cpu[both], self.free[both])
        self.moves.append((pod.name, self.instance.nodes[node].name, gpus))


def _classes(pods: tuple[Pod, ...]) -> tuple[Ints, list[Pod]]:
    known: dict[tuple[object, ...], int] = {}
    first: list[Pod] = []
    of = np.zeros(len(pods), np.int64)
    for i, p in enumerate(pods):
        key = (p.num_gpu, p.gpu_milli, p.cpu_milli, p.memory_mib, wish_of(p))
        of[i] = known.setdefault(key, len(known))
        if of[i] == len(first):
            first.append(p)
    return of, first
