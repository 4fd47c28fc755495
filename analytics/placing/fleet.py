"""The nodes at one instant, kept so that what fits where need not be asked again of all of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from analytics.placing.queue import Key
from analytics.placing.shapes import WHOLE, Kind, Node, Shape, fits, refused, too_small

Place = tuple[int, str]  # whole free GPUs, name: fullest first, so that big holes stay
Saved = tuple[list[Place], dict[str, Node]]


@dataclass
class _Fit:
    """Names of the nodes that a shape fits, as of the first `seen` changes."""

    shape: Shape
    kinds: frozenset[Kind]
    names: set[str]
    seen: int


class Fleet:
    """Nodes, those with something free in order, and which of them a shape fits."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = dict(nodes)
        self.order: list[Place] = []
        self._placed: dict[str, Place] = {}
        self._changed: list[str] = []
        self._fits: dict[int, _Fit] = {}
        self._kinds: dict[Kind, list[str]] = {}
        for name, node in sorted(self.nodes.items()):
            self._kinds.setdefault(node.kind, []).append(name)

    def touch(self, name: str) -> None:
        """A node has changed."""
        node = self.nodes[name]
        node.version += 1
        before = self._placed.pop(name, None)
        if before:
            del self.order[bisect_left(self.order, before)]
        if node.open and (node.free or node.slices or node.shared):
            self._placed[name] = (len(node.free), name)
            insort(self.order, self._placed[name])
        self._changed.append(name)

    def kinds(self) -> Mapping[Kind, list[str]]:
        """Names of nodes that differ only in what is left of them."""
        return self._kinds

    def accepting(self, shape: Shape) -> frozenset[Kind]:
        """Kinds of nodes that take such a request when they are empty."""
        return self._fit(shape).kinds

    def fitting(self, shape: Shape) -> set[str]:
        """Names of the nodes that one node's share of a request fits now."""
        fit = self._fit(shape)
        for name in self._changed[fit.seen :]:
            node = self.nodes[name]
            few = shape.share_milli == WHOLE and len(node.free) < shape.gpus
            if not few and node.kind in fit.kinds and fits(node, shape):
                fit.names.add(name)
            else:
                fit.names.discard(name)
        fit.seen = len(self._changed)
        return fit.names

    def may_fit(self, key: Key) -> bool:
        """Whether there are nodes enough for each shape, before anything else takes them."""
        return all(len(self.fitting(shape)) >= shape.nodes for shape in key)

    def _fit(self, shape: Shape) -> _Fit:
        # By identity: shapes are few objects, and to compare them takes longer than all the rest.
        # Each stays alive here, so that no other can be found in its place.
        fit = self._fits.get(id(shape))
        if fit is None:
            kinds = frozenset(
                kind
                for kind in self._kinds
                if not (refused(kind, shape.wish) or too_small(kind, shape))
            )
            hosts = (n for kind in kinds for n in self._kinds[kind])
            names = {n for n in hosts if fits(self.nodes[n], shape)}
            fit = self._fits[id(shape)] = _Fit(shape, kinds, names, len(self._changed))
        return fit


class Trial:
    """A fleet to place work on; the fleet itself stays as it is."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._order = list(fleet.order)
        self._own: dict[str, Node] = {}

    def node(self, name: str) -> Node:
        """The node as it is in this trial."""
        return self._own.get(name) or self._fleet.nodes[name]

    def touched(self) -> Iterable[str]:
        """Names of the nodes that differ from those of the fleet."""
        return self._own

    def choose(self, shape: Shape) -> list[str]:
        """Nodes for the whole request, fullest first; none if it cannot fit."""
        if shape.together and shape.nodes > 1:
            return self._choose_together(shape)
        found = []
        for name in self._candidates(shape):
            found.append(name)
            if len(found) == shape.nodes:
                return found
        return []

    def change(self, name: str, change: Callable[[Node], list[int]]) -> list[int]:
        """Change a node in this trial only."""
        before = self.node(name)
        node = self._own.get(name) or before.copy()
        count = len(node.free)
        told = change(node)
        self._own[name] = node
        if len(node.free) != count:
            at = bisect_left(self._order, (count, name))
            if at < len(self._order) and self._order[at] == (count, name):
                del self._order[at]
            insort(self._order, (len(node.free), name))
        return told

    def save(self) -> Saved:
        """What `restore` brings back."""
        return list(self._order), {name: node.copy() for name, node in self._own.items()}

    def restore(self, saved: Saved) -> None:
        """Forget what was changed since."""
        self._order, self._own = saved

    def _candidates(self, shape: Shape) -> Iterator[str]:
        """Names of nodes that fit, fullest first."""
        known = self._fleet.fitting(shape)
        first = (shape.gpus, "") if shape.share_milli == WHOLE else (0, "")
        for _, name in self._order[bisect_left(self._order, first) :]:
            own = self._own.get(name)
            if fits(own, shape) if own else name in known:
                yield name

    def _choose_together(self, shape: Shape) -> list[str]:
        """The island that the request leaves least of."""
        islands: dict[str, list[str]] = {}
        for name in self._candidates(shape):
            islands.setdefault(self.node(name).island, []).append(name)
        enough = [
            (len(names), island) for island, names in islands.items() if len(names) >= shape.nodes
        ]
        return islands[min(enough)[1]][: shape.nodes] if enough else []
