"""Equal nodes and equal tasks as one: there are few kinds of either, however large the fleet.

Tasks that ask for the same are one class; nodes that have the same left and hold tasks of the same
classes in the same arrangement are one bin. What is planned for a bin holds for each of its nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.instance import Pod, wish_of
from analytics.repacking.state import Flags, Floats, Ints, State

Hashes = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]
# Odd numbers of a linear congruential generator (Knuth, MMIX) and of SplitMix64's finalizer.
_STEP, _MIX, _MIX2 = (
    np.uint64(6364136223846793005),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


@dataclass(frozen=True)
class Classes:
    """Requests that differ: GPUs, thousandths of each, processors, memory, and where they may run.

    `accepted` is [classes, kinds of nodes]; `of` gives each task its class.
    """

    gpus: Ints
    milli: Ints
    cpu: Ints
    memory: Ints
    accepted: Flags
    island: tuple[str, ...]
    of: Ints

    def __len__(self) -> int:
        return len(self.gpus)


def classes_of(state: State) -> Classes:
    """The classes of all tasks; members of a gang stay in the island where they are."""
    pods, nodes = state.instance.pods, state.instance.nodes
    islands = {n.name: n.island for n in nodes} if any(p.gang for p in pods) else {}
    known: dict[tuple[object, ...], int] = {}
    first: list[Pod] = []
    of = np.empty(len(pods), np.int64)
    for i, p in enumerate(pods):
        key = (p.num_gpu, p.gpu_milli, p.cpu_milli, p.memory_mib, p.gpu_spec, p.cluster)
        more = (p.pools, p.words, p.on, p.off, islands.get(p.node, "") if p.gang else "")
        of[i] = known.setdefault((*key, *more), len(known))
        if of[i] == len(first):
            first.append(p)
    wishes = [wish_of(p) for p in first]
    accepts = {wish: state.accepts(wish) for wish in set(wishes)}
    return Classes(
        np.array([p.num_gpu for p in first], np.int64),
        np.array([p.gpu_milli if p.num_gpu else 0 for p in first], np.int64),
        np.array([p.cpu_milli for p in first], np.int64),
        np.array([p.memory_mib for p in first], np.int64),
        np.array([accepts[w] for w in wishes], bool).reshape(len(first), len(state.kinds)),
        tuple(islands.get(p.node, "") if p.gang else "" for p in first),
        of,
    )


@dataclass(frozen=True)
class Bins:
    """Bins, and which nodes are in each.

    `of` gives each node its bin, `first` each bin its first node and `count` its nodes.
    """

    of: Ints
    first: Ints
    count: Ints

    def __len__(self) -> int:
        return len(self.first)


def bins_of(state: State, classes: Classes) -> Bins:
    """Nodes with equal contents together."""
    _, first, of, count = np.unique(
        contents(state, classes), return_index=True, return_inverse=True, return_counts=True
    )
    return Bins(of.astype(np.int64), first.astype(np.int64), count.astype(np.int64))


def most_promising(bins: Bins, value: Floats, tasks: Ints, most: int) -> Bins:
    """At most so many bins: those of most value to be saved, and those of fewest tasks to leave.

    `value` and `tasks` are those of each bin's node. The others have no place, -1, in `of`.
    """
    if len(bins) <= most:
        return bins
    by_value = np.argsort(-value, kind="stable")
    by_tasks = np.argsort(np.where(tasks > 0, tasks, tasks.max() + 1), kind="stable")
    kept = np.unique(np.concatenate([by_value[: most // 2], by_tasks[: most // 2]]))
    place = np.full(len(bins), -1)
    place[kept] = np.arange(len(kept))
    return Bins(place[bins.of], bins.first[kept], bins.count[kept])


def contents(state: State, classes: Classes) -> Hashes:
    """A hash of each node's contents that does not depend on the order of GPUs and tasks."""
    pods, nodes = state.instance.pods, state.instance.nodes
    node: Hashes = hashed(contents_of_gpus(state, classes)).sum(axis=1, dtype=np.uint64)
    single = np.array([p.num_gpu == 1 for p in pods], bool)
    np.add.at(node, state.node[~single], hashed(_said(state, classes)[~single]))
    islands = {name: i for i, name in enumerate(sorted({*classes.island, ""}))}
    island = np.array([islands.get(n.island, 0) for n in nodes], np.int64)
    closed = np.array([n.closed for n in nodes], np.int64)
    for part in (state.kind, state.cpu, state.memory, island, closed):
        node = hashed(node) + hashed(part.astype(np.uint64))
    return node


def contents_of_gpus(state: State, classes: Classes) -> Hashes:
    """A hash of what each GPU has left and of the tasks that have it, or a part, alone."""
    pods = state.instance.pods
    out = hashed(state.free.astype(np.uint64))
    single = np.array([p.num_gpu == 1 for p in pods], bool)
    column = np.array([p.gpu_ids[0] for p in pods if p.num_gpu == 1], np.int64)
    said = _said(state, classes)
    np.add.at(out, (state.node[single], column), said[single])
    return out


def _said(state: State, classes: Classes) -> Hashes:
    """What makes a task another one than those of its class: whether it may move, and its cost."""
    movable = state.movable.astype(np.uint64)
    cost = np.array([p.cost_gpu_seconds for p in state.instance.pods], np.float64)
    return hashed(hashed(classes.of.astype(np.uint64) * np.uint64(2) + movable) + cost.view("u8"))


def hashed(x: Hashes) -> Hashes:
    """SplitMix64's finalizer: sums of such hashes tell multisets apart."""
    with np.errstate(over="ignore"):
        x = (x + np.uint64(1)) * _STEP
        x = (x ^ (x >> np.uint64(30))) * _MIX
        x = (x ^ (x >> np.uint64(27))) * _MIX2
    return np.asarray(x ^ (x >> np.uint64(31)))


@dataclass(frozen=True)
class Group:
    """Movable tasks of one node that are alike, in the order in which they would leave.

    `gpu` is the one that they share, -1 where they have whole ones or none. `gpus` are those of
    each task, `lost` the GPU-seconds that each loses.
    """

    task_class: int
    gpu: int
    tasks: tuple[int, ...]
    gpus: tuple[tuple[int, ...], ...]
    lost: tuple[float, ...]


def groups_of(state: State, classes: Classes, tasks: Ints) -> list[Group]:
    """The movable tasks of a node: whole GPUs of a class are alike wherever they are."""
    pods = state.instance.pods
    return [
        Group(
            c,
            gpu,
            tuple(found),
            tuple(pods[t].gpu_ids for t in found),
            tuple(pods[t].cost_gpu_seconds for t in found),
        )
        for (c, gpu), found in sorted(alike(state, classes, tasks).items())
    ]


def alike(state: State, classes: Classes, tasks: Ints) -> dict[tuple[int, int], list[int]]:
    """The tasks of each group, by its class and GPU."""
    pods = state.instance.pods
    out: dict[tuple[int, int], list[int]] = {}
    movable, of = state.movable[tasks].tolist(), classes.of[tasks].tolist()
    for t, moves, c in zip(tasks.tolist(), movable, of, strict=True):
        if moves:
            pod = pods[t]
            shared = pod.num_gpu == 1 and pod.gpu_milli < WHOLE
            out.setdefault((c, pod.gpu_ids[0] if shared else -1), []).append(t)
    for found in out.values():
        if len(found) > 1:
            found.sort(key=lambda t: (pods[t].cost_gpu_seconds, pods[t].gpu_ids))
    return out
