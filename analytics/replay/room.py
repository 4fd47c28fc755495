"""What nodes have left while a trace is replayed, as arrays; rows are nodes in order of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analytics.placing.shapes import WHOLE, Kind, Shape, Wish, refused
from analytics.repacking.instance import Instance, Node, kind_of
from analytics.repacking.measure import Measure
from analytics.repacking.state import UNKNOWN, Flags, Floats, Ints, state_of

Gpus = tuple[int, ...]


class Room:
    """Free thousandths [nodes, GPUs], milli-CPUs and MiB [nodes]; `changed` lists rows in turn.

    Which request fits where is `placing.shapes.fits` for many nodes at once, told for parts of a
    GPU as the openb trace does: any GPU may be shared. A test holds the two together.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(sorted(nodes, key=lambda node: node.name))
        start = state_of(Instance(nodes=self.nodes, pods=(), target=()))
        # A word that no node has is one that nobody told us of; else it binds all of them.
        self._words = frozenset(label for node in self.nodes for label in node.labels)
        self.kinds = [replace(kind, known_words=self._words) for kind in start.kinds]
        self.kind = start.kind
        self.free, self.cpu, self.memory = start.free, start.cpu, start.memory
        self.gpus = np.array([node.gpus for node in self.nodes], np.int64)
        self.row = {node.name: i for i, node in enumerate(self.nodes)}
        self.most_cpu = max((node.cpu_milli for node in self.nodes), default=0) or 1
        self.owned = int((self.free == WHOLE).sum())
        self.held_milli = 0
        self.changed: list[int] = []
        self._accepted: dict[Wish, Flags] = {}

    def accepted(self, wish: Wish) -> Flags:
        """Of each node whether a request may use it at all."""
        found = self._accepted.get(wish)
        if found is None:
            named = wish.on or wish.off
            kinds = [self._named(node) for node in self.nodes] if named else self.kinds
            found = np.array([not refused(kind, wish) for kind in kinds], bool)
            found = found if named else found[self.kind]
            found &= np.array([not node.closed for node in self.nodes], bool)
            self._accepted[wish] = found
        return found

    def _named(self, node: Node) -> Kind:
        return replace(kind_of(node), known_words=self._words)

    def fits(self, shape: Shape, rows: Ints) -> Flags:
        """Of each of these nodes whether one node's share of a request could start there now."""
        free = self.free[rows]
        enough = (free >= shape.share_milli).sum(axis=1) >= shape.gpus
        if shape.exclusive:
            enough &= (free == WHOLE).sum(axis=1) == self.gpus[rows]
        enough &= (self.cpu[rows] >= shape.cpu_milli) & (self.memory[rows] >= shape.memory_mib)
        return np.asarray(enough & self.accepted(shape.wish)[rows])

    def left_of(self, row: int) -> tuple[list[int], int, int]:
        """Free thousandths of a node's GPUs, most first, its milli-CPUs and MiB."""
        free = sorted(self.free[row].tolist(), reverse=True)
        return free, int(self.cpu[row]), int(self.memory[row])

    def first_gpus(self, row: int, shape: Shape) -> Gpus:
        """The lowest GPUs of a node that a request fits; all where it shares with nobody."""
        found = np.flatnonzero(self.free[row] >= shape.share_milli)
        wanted = int(self.gpus[row]) if shape.exclusive else shape.gpus
        return tuple(int(g) for g in found[:wanted])

    def take(self, row: int, shape: Shape, gpus: Gpus) -> None:
        """Give a node's GPUs to one node's share of a request."""
        self._change(row, shape, gpus, 1)

    def give(self, row: int, shape: Shape, gpus: Gpus) -> None:
        """Take back what `take` gave."""
        self._change(row, shape, gpus, -1)

    def _change(self, row: int, shape: Shape, gpus: Gpus, sign: int) -> None:
        if gpus:
            self.free[row, list(gpus)] -= sign * shape.share_milli
            self.held_milli += sign * shape.share_milli * len(gpus)
        self.cpu[row] -= sign * shape.cpu_milli
        self.memory[row] -= sign * shape.memory_mib
        self.changed.append(row)

    def fragments(self, measure: Measure, rows: Ints) -> Floats:
        """GPUs that are fragments on each of these nodes."""
        return measure.of_nodes(self.kind[rows], self.cpu[rows], self.free[rows])

    def left(self, shape: Shape, rows: Ints) -> Floats:
        """How much one node's share of a request leaves, from 0 to 1, processors and GPUs alike.

        The score of the best-fit rule; what nobody told of leaves nothing.
        """
        known = self.cpu[rows] < UNKNOWN // 2
        cpu = np.where(known, self.cpu[rows] - shape.cpu_milli, 0) / self.most_cpu
        gpu = self.free[rows].sum(axis=1) - shape.gpus * shape.share_milli
        return np.asarray(cpu / 2 + gpu / (2 * WHOLE * max(self.free.shape[1], 1)))
