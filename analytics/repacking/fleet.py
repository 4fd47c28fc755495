"""A played-back fleet as nodes and arrays: what `measure` and the planner look at.

Nodes are named `<cluster>/<node>`. A card that is cut into MIG slices, or that nobody can have, is
among `lost_gpus`: nothing whole goes there, and what its slices have left is in `Card`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.placing import shapes
from analytics.placing.shapes import WHOLE, Run
from analytics.repacking.instance import Instance, Node
from analytics.repacking.playback import Playback
from analytics.repacking.state import UNKNOWN, State, empty

SHARES = "gpu-shares"  # a label of ours: parts of the node's GPUs can be had


@dataclass(frozen=True)
class Layout:
    """Places in order, the GPUs of each in the order of their slots, and where each GPU is."""

    places: tuple[str, ...]
    gpus: Mapping[str, tuple[int, ...]]

    def index(self, place: str) -> dict[int, int]:
        """GPU to its number on the node, from 0."""
        return {gpu: i for i, gpu in enumerate(self.gpus[place])}


def layout(nodes: Mapping[str, shapes.Node], slot: Mapping[int, int]) -> Layout:
    """The layout of placement's nodes, all of whose GPUs are still loose."""
    places = tuple(sorted(nodes))
    ordered = {
        name: tuple(sorted(nodes[name].loose, key=lambda g: (slot.get(g, 0), g))) for name in places
    }
    return Layout(places, ordered)


@dataclass(frozen=True)
class Holding:
    """What a job holds of one node: (GPU, thousandths, UUID of the slice), milli-CPUs, MiB."""

    job_id: str
    gpus: tuple[tuple[int, int, str], ...]
    cpu_milli: int
    memory_mib: int
    ends_by_ms: int


def holdings(jobs: Mapping[str, Sequence[Run]]) -> list[Holding]:
    """Of one place, by job; GPUs that came at different times share one request of processors."""
    return [
        Holding(
            job,
            tuple(sorted(g for run in runs for g in run.gpus)),
            max(run.cpu_milli for run in runs),
            max(run.memory_mib for run in runs),
            max(run.ends_by_ms for run in runs),
        )
        for job, runs in sorted(jobs.items())
    ]


def nodes_of(play: Playback, where: Layout) -> tuple[Node, ...]:
    """The nodes as they stand; one that is held beyond what it has, has what is held."""
    lost, closed = play.lost, play.closed
    return tuple(_node(name, play, where, lost, name in closed) for name in where.places)


def _node(name: str, play: Playback, where: Layout, lost: set[int], closed: bool) -> Node:
    found = play.facts.nodes[name]
    kind, cut = found.kind, found.slices
    runs = holdings(play.held[name])
    return Node(
        name=name,
        model=kind.gpu_model,
        cpu_milli=_at_least(kind.cpu_milli, sum(h.cpu_milli for h in runs)),
        memory_mib=_at_least(kind.memory_mib, sum(h.memory_mib for h in runs)),
        gpus=len(where.gpus[name]),
        cluster=kind.cluster,
        pools=tuple(sorted(kind.pools)),
        labels=tuple(sorted({*kind.labels, *((SHARES,) if found.shared else ())})),
        tainted=kind.tainted,
        island=found.island,
        closed=closed,
        lost_gpus=tuple(i for i, g in enumerate(where.gpus[name]) if g in lost or g in cut),
    )


def _at_least(has: int, held: int) -> int:
    """A capacity of 0 is unknown and stays so."""
    return max(has, held) if has else 0


def state(nodes: tuple[Node, ...], play: Playback, where: Layout) -> State:
    """What is left of the nodes, as arrays; nothing of those that are closed."""
    free = empty(nodes)
    cpu = np.array([n.cpu_milli or UNKNOWN for n in nodes], np.int64)
    memory = np.array([n.memory_mib or UNKNOWN for n in nodes], np.int64)
    for i, node in enumerate(nodes):
        index = where.index(node.name)
        for held in holdings(play.held[node.name]):
            cpu[i] -= held.cpu_milli
            memory[i] -= held.memory_mib
            _hold(free[i], index, held.gpus)
        if node.closed:
            free[i] = 0
    np.maximum(free, 0, out=free)
    return State(Instance(nodes, (), ()), free, cpu, memory, np.zeros(0, np.int64))


def _hold(row: np.ndarray, index: Mapping[int, int], gpus: Iterable[tuple[int, int, str]]) -> None:
    for gpu, milli, _ in gpus:
        if gpu in index:
            row[index[gpu]] -= min(milli, WHOLE)
