"""How fragmented a fleet is, by pool, node and cluster, in terms that people feel.

What fits now counts whole GPUs of open nodes, with the processors and memory that tasks of such a
size usually ask for. What would fit after a full repack is an upper bound (`packing`), for tasks
that stay in their pool: no plan of moves within it can do better. More GPUs than a node has are
as many whole nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking import fleet, topology
from analytics.repacking.instance import Node
from analytics.repacking.measure import Causes, causes, full
from analytics.repacking.needs import Needs
from analytics.repacking.packing import most_slots
from analytics.repacking.playback import Playback
from analytics.repacking.scene import Scene
from analytics.repacking.state import Floats, Ints, State

SIZES = (1, 2, 4, 8, 16, 32, 64)
GANGS = (2, 4, 8, 16)  # whole nodes
N = TypeVar("N", int, float)
LEAST = 0.5  # GPUs of fragments for which a node is kept beside its pool


@dataclass(frozen=True)
class Figures:
    """Of a pool, of one node of it, or of a cluster; GPUs unless it says otherwise.

    `causes` has the fragments (their sum is `fragmented`) by why they are. `slots` and `repacked`
    have how many tasks of each size fit now, and at most after a full repack; `largest` and
    `largest_repacked` the largest job likewise. `scattered` has the share of empty nodes that no
    gang of so many nodes of one rack could use; None without any, or where nobody told racks.
    A node has nothing of a repack, and nothing of racks; a cluster (`pool` is empty) nothing of
    racks.
    """

    cluster: str
    pool: str
    node: str = ""
    nodes: int = 0
    gpus: int = 0
    free: float = 0.0
    whole: int = 0
    fragmented: float = 0.0
    causes: dict[str, float] = field(default_factory=dict)
    largest: int = 0
    largest_repacked: int = 0
    slots: dict[str, int] = field(default_factory=dict)
    repacked: dict[str, int] = field(default_factory=dict)
    scattered: dict[str, float | None] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Share of what is free that is a fragment; None where nothing is free."""
        return self.fragmented / self.free if self.free else None

    @property
    def sentence(self) -> str:
        """The line that people feel."""
        return (
            f"largest job that could start now on {self.pool or self.cluster}:"
            f" {gpus(self.largest)};"
            f" with all crumbs together: {self.largest_repacked}"
        )


def gpus(count: int) -> str:
    """`1 GPU`, `8 GPUs`."""
    return f"{count} GPU" if count == 1 else f"{count} GPUs"


def pools(scene: Scene, nodes_of_pool: int = 0) -> Iterator[Figures]:
    """Of every pool as the scene stands, each followed by its most fragmented nodes."""
    for part in _parts(scene):
        yield part.figures()
        yield from part.worst_nodes(nodes_of_pool)


def nodes(scene: Scene) -> Iterator[Figures]:
    """Of every node as the scene stands, pool by pool."""
    for part in _parts(scene):
        yield from map(part.node, range(len(part.rows)))


def together(of_pools: Iterable[Figures]) -> Iterator[Figures]:
    """Of each cluster that pools belong to: their sums, and the largest job of any one of them.

    Tasks stay in their pool, and no job is counted that would span two.
    """
    for cluster, found in groupby(of_pools, key=lambda f: f.cluster):
        those = list(found)
        yield Figures(
            cluster=cluster,
            pool="",
            nodes=sum(f.nodes for f in those),
            gpus=sum(f.gpus for f in those),
            free=sum(f.free for f in those),
            whole=sum(f.whole for f in those),
            fragmented=sum(f.fragmented for f in those),
            causes=added(f.causes for f in those),
            largest=max(f.largest for f in those),
            largest_repacked=max(f.largest_repacked for f in those),
            slots=added(f.slots for f in those),
            repacked=added(f.repacked for f in those),
        )


def added(parts: Iterable[Mapping[str, N]]) -> dict[str, N]:
    """Sums by name."""
    out: dict[str, N] = {}
    for part in parts:
        for name, value in part.items():
            out[name] = out[name] + value if name in out else value
    return out


def _parts(scene: Scene) -> Iterator[_Part]:
    """Every pool, cluster by cluster."""
    for cluster in scene.clusters:
        where, nodes = scene.of_cluster(cluster), scene.nodes(cluster)
        state = fleet.state(nodes, scene.play, where)
        found = causes(state, scene.target(cluster))
        needs = Needs(scene.facts.usual, cluster)
        by_pool: dict[str, list[int]] = {}
        for i, node in enumerate(nodes):
            by_pool.setdefault(scene.facts.nodes[node.name].pool, []).append(i)
        for pool, rows in sorted(by_pool.items()):
            here = np.array(rows, np.int64)
            yield _Part(cluster, pool, state, found, needs, scene.play, where, here)


@dataclass(frozen=True)
class _Part:
    """The nodes of a pool."""

    cluster: str
    pool: str
    state: State
    causes: Causes
    needs: Needs
    play: Playback
    where: fleet.Layout
    rows: Ints

    def figures(self) -> Figures:
        """Of all of them together."""
        (slots, largest), (repacked, most) = self._now(), self._repacked()
        return Figures(
            cluster=self.cluster,
            pool=self.pool,
            nodes=len(self.rows),
            gpus=sum(node.gpus for node in self._nodes),
            free=float(self.state.free[self.rows].sum()) / WHOLE,
            whole=int(self._full.sum()),
            fragmented=sum(self._causes(self.rows).values()),
            causes=self._causes(self.rows),
            largest=largest,
            largest_repacked=most,
            slots=slots,
            repacked=repacked,
            scattered=self._scattered(),
        )

    def worst_nodes(self, most: int) -> Iterator[Figures]:
        """Those with the largest fragments, of at least half a GPU."""
        lost = fragments(self.causes)[self.rows]
        for i in np.argsort(-lost, kind="stable")[:most]:
            if lost[i] < LEAST:
                return
            yield self.node(int(i))

    def node(self, i: int) -> Figures:
        """Of one of them, by its place among them."""
        node, told = self._nodes[i], self._causes(self.rows[i : i + 1])
        return Figures(
            cluster=self.cluster,
            pool=self.pool,
            node=node.name.partition("/")[2],
            nodes=1,
            gpus=node.gpus,
            free=float(self.state.free[self.rows[i]].sum()) / WHOLE,
            whole=int(self._full[i]),
            fragmented=sum(told.values()),
            causes=told,
            largest=max((k for k, room in self._rooms.items() if room[i]), default=0),
            slots={str(k): int(self._rooms[k][i]) for k in SIZES if k <= node.gpus},
        )

    @cached_property
    def _nodes(self) -> list[Node]:
        return [self.state.instance.nodes[i] for i in self.rows]

    @cached_property
    def _full(self) -> Ints:
        return full(self.state.free[self.rows])

    def _causes(self, rows: Ints) -> dict[str, float]:
        told = {name: float(bins[rows].sum()) for name, bins in vars(self.causes).items()}
        return {name: gpus for name, gpus in told.items() if name != "usable" and gpus > 0}

    def _room(self, size: int) -> Ints:
        """Tasks of that size that fit on each node."""
        cpu, memory = self.needs.of(size)
        room = self._full // size
        if cpu:
            room = np.minimum(room, self.state.cpu[self.rows] // cpu)
        if memory:
            room = np.minimum(room, self.state.memory[self.rows] // memory)
        return np.maximum(room, 0)

    @cached_property
    def _node_size(self) -> int:
        return max((node.gpus for node in self._nodes), default=0)

    @cached_property
    def _rooms(self) -> dict[int, Ints]:
        return {k: self._room(k) for k in range(1, self._node_size + 1)}

    def _empty(self) -> Ints:
        """Rows of largest nodes of which a job could have all GPUs."""
        size = self._node_size
        return np.flatnonzero(self._rooms[size]) if size else np.zeros(0, np.int64)

    def _now(self) -> tuple[dict[str, int], int]:
        size, whole = self._node_size, len(self._empty())
        slots = {
            str(k): int(self._rooms[k].sum()) if k <= size else whole * size // k for k in SIZES
        }
        largest = whole * size or max(
            (k for k, room in self._rooms.items() if room.any()), default=0
        )
        return slots, largest

    def _repacked(self) -> tuple[dict[str, int], int]:
        size, bound = self._node_size, self._bound()
        whole = bound(size) if size else 0
        slots = {str(k): bound(k) if k <= size else whole * size // k for k in SIZES}
        largest = whole * size or max((k for k in range(1, size + 1) if bound(k)), default=0)
        return slots, largest

    def _bound(self) -> _Bound:
        opened = [i for i in self.rows if not self.state.instance.nodes[i].closed]
        nodes = [self.state.instance.nodes[i] for i in opened]
        return _Bound(
            [node.gpus - len(node.lost_gpus) for node in nodes],
            _items(nodes, self.play, self.where),
            int(self.state.cpu[opened].sum()),
            int(self.state.memory[opened].sum()),
            self.needs,
        )

    def _scattered(self) -> dict[str, float | None]:
        racks = [self._nodes[i].island for i in self._empty()]
        if not any(node.island for node in self._nodes):
            return {}
        return {str(n): topology.gangs(racks, n) for n in GANGS}


@dataclass(frozen=True)
class _Bound:
    """How many tasks could fit at most after a full repack; processors and memory as if pooled."""

    capacities: Sequence[int]
    items: Counter[int]
    cpu: int
    memory: int
    needs: Needs

    def __call__(self, size: int) -> int:
        slots = most_slots(self.capacities, self.items, size)
        for has, need in zip((self.cpu, self.memory), self.needs.of(size), strict=True):
            if need:
                slots = min(slots, max(has, 0) // need)
        return slots


def _items(nodes: Sequence[Node], play: Playback, where: fleet.Layout) -> Counter[int]:
    """Tasks by whole GPUs; shares as few whole ones as they add up to."""
    out: Counter[int] = Counter()
    shares = 0
    for node in nodes:
        index = where.index(node.name)
        lost = set(node.lost_gpus)
        for held in fleet.holdings(play.held[node.name]):
            here = [milli for gpu, milli, _ in held.gpus if index.get(gpu, -1) not in {-1, *lost}]
            parts = [milli for milli in here if milli < WHOLE]
            shares += sum(parts)
            if len(here) > len(parts):
                out[len(here) - len(parts)] += 1
    if shares:
        out[1] += -(-shares // WHOLE)
    return out


def fragments(found: Causes) -> Floats:
    """GPUs of each node that are free and of no use to what is expected."""
    parts = [bins for name, bins in vars(found).items() if name != "usable"]
    return np.asarray(sum(parts))


def row(found: Figures) -> dict[str, Any]:
    """As commands and boards show it."""
    return {**asdict(found), "ratio": found.ratio, "sentence": found.sentence}
