"""An instance as arrays: what each node has left, GPU by GPU, and what its tasks hold.

Rows are nodes and tasks in the order of the instance; columns of GPUs count from 0 on their node.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analytics.placing.shapes import WHOLE, Kind, Wish, refused
from analytics.placing.words import known
from analytics.repacking.instance import Instance, Node, Pod, kind_of, wish_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
# Of a node whose processors or memory nobody told: binds nothing.
UNKNOWN = 1 << 40


@dataclass(frozen=True)
class State:
    """What is left of each node, and where each task is.

    `free` is [nodes, most GPUs of a node] in thousandths of a GPU, 0 also where there is none;
    `cpu` and `memory` are milli-CPUs and MiB.
    """

    instance: Instance
    free: Ints
    cpu: Ints
    memory: Ints
    node: Ints  # of each task

    def copy(self) -> State:
        """One whose `free`, `cpu` and `memory` may be changed."""
        out = replace(self, free=self.free.copy(), cpu=self.cpu.copy(), memory=self.memory.copy())
        # What was worked out of the instance holds for the copy too.
        for name in {"_kinds", "movable"} & vars(self).keys():
            vars(out)[name] = vars(self)[name]
        return out

    @cached_property
    def kind(self) -> Ints:
        """Of each node its place in `kinds`."""
        return self._kinds[0]

    @cached_property
    def kinds(self) -> list[Kind]:
        """What the nodes differ in that a request can see."""
        return self._kinds[1]

    @cached_property
    def _kinds(self) -> tuple[Ints, list[Kind]]:
        tasks = (*self.instance.pods, *self.instance.waiting)
        named = {name for p in tasks for name in (*p.on, *p.off)}
        words = known_words(self.instance)
        places: dict[Kind, int] = {}
        seen: dict[tuple[object, ...], int] = {}
        out = []
        for n in self.instance.nodes:
            told = (n.model, n.cluster, n.pools, n.labels, n.tainted, n.name in named and n.name)
            if told not in seen:
                kind = replace(
                    _bare(kind_of(n, words[n.cluster])), name=n.name if n.name in named else ""
                )
                seen[told] = places.setdefault(kind, len(places))
            out.append(seen[told])
        return np.array(out, np.int64), list(places)

    @cached_property
    def movable(self) -> Flags:
        """Of each task whether it may move; one on a lost GPU leaves nothing to anybody."""
        lost = {(n.name, g) for n in self.instance.nodes for g in n.lost_gpus}
        pods = self.instance.pods
        out = np.array([p.movable for p in pods], bool)
        if lost:
            out &= np.array([lost.isdisjoint((p.node, g) for g in p.gpu_ids) for p in pods], bool)
        return out

    def accepts(self, wish: Wish) -> Flags:
        """Of each kind of node whether a request may use it at all."""
        return np.array([not refused(kind, wish) for kind in self.kinds], bool)


def known_words(instance: Instance) -> dict[str, frozenset[str]]:
    """Of each cluster the words that tasks ask for and its nodes tell of: only these bind."""
    asked = {word for p in (*instance.pods, *instance.waiting) for word in p.words}
    labels: dict[str, set[frozenset[str]]] = {}
    for node in instance.nodes:
        labels.setdefault(node.cluster, set()).add(frozenset(node.labels))
    return {cluster: known(asked, told) for cluster, told in labels.items()}


def _bare(kind: Kind) -> Kind:
    return replace(kind, gpus=0, cpu_milli=0, memory_mib=0)


def state_of(instance: Instance) -> State:
    """The arrays of an instance that `instance.problems` has nothing against."""
    nodes = instance.nodes
    row = {node.name: i for i, node in enumerate(nodes)}
    at = np.array([row[p.node] for p in instance.pods], np.int64)
    free = empty(nodes)
    _hold(free, at, instance.pods)
    return State(instance, free, *_left(nodes, at, instance.pods), at)


def empty(nodes: tuple[Node, ...]) -> Ints:
    """Thousandths free of each GPU while no task is there."""
    gpus = np.array([n.gpus for n in nodes], np.int64)
    out = np.where(np.arange(max(gpus.max(initial=0), 1)) < gpus[:, None], WHOLE, 0)
    for i, node in enumerate(nodes):
        if node.lost_gpus:
            out[i, list(node.lost_gpus)] = 0
    return out


def _hold(free: Ints, at: Ints, pods: tuple[Pod, ...]) -> None:
    counts = np.array([len(p.gpu_ids) for p in pods], np.int64)
    gpus = np.array([g for p in pods for g in p.gpu_ids], np.int64)
    milli = np.repeat(np.array([p.gpu_milli for p in pods], np.int64), counts)
    np.subtract.at(free, (np.repeat(at, counts), gpus), milli)
    np.maximum(free, 0, out=free)


def _left(nodes: tuple[Node, ...], at: Ints, pods: tuple[Pod, ...]) -> tuple[Ints, Ints]:
    cpu = np.array([n.cpu_milli or UNKNOWN for n in nodes], np.int64)
    memory = np.array([n.memory_mib or UNKNOWN for n in nodes], np.int64)
    np.subtract.at(cpu, at, np.array([p.cpu_milli for p in pods], np.int64))
    np.subtract.at(memory, at, np.array([p.memory_mib for p in pods], np.int64))
    return cpu, memory


__all__ = ["UNKNOWN", "Flags", "Floats", "Ints", "State", "empty", "state_of", "wish_of"]
