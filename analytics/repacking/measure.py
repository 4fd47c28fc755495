"""How fragmented free GPUs are for the tasks that are expected.

FGD's measure (Weng et al., USENIX ATC 2023): of a node, the free GPU parts that a task drawn from
the target could not use; all of them where it cannot run there. Memory is not in the measure.
With whole GPUs for tasks of several, it is what is free less

    sum over GPUs of  r * (weight of one-GPU tasks that fit into r and the processors left)
    + full * (weight of tasks of k >= 2 GPUs with k <= full that fit the processors left),

so that two small tables by what is left of processors give it without a loop over tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from analytics.placing.shapes import WHOLE, Kind, refused
from analytics.repacking.instance import Pod, Target, wish_of
from analytics.repacking.state import Flags, Floats, Ints, State

POPULAR = 0.95
SIZES = (1, 2, 4, 8)


def demand_target(pods: Iterable[Pod]) -> tuple[Target, ...]:
    """Tasks with GPUs, each shape weighed by the GPUs that it asks for in all."""
    counts = _shapes(p for p in pods if p.num_gpu)
    gpus = {shape: n * shape[1] * shape[2] for shape, n in counts.items()}
    return _normalised(gpus)


def popularity_target(pods: Iterable[Pod]) -> tuple[Target, ...]:
    """FGD's own: the most popular shapes up to 95 % of all tasks, those without GPU included."""
    counts = _shapes(pods)
    kept: dict[tuple[int, int, int, str], int] = {}
    for shape, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if sum(kept.values()) >= POPULAR * counts.total():
            break
        kept[shape] = n
    return _normalised(kept)


def _shapes(pods: Iterable[Pod]) -> Counter[tuple[int, int, int, str]]:
    return Counter((p.cpu_milli, p.num_gpu, p.gpu_milli, p.gpu_spec) for p in pods)


def _normalised(weights: dict[tuple[int, int, int, str], int]) -> tuple[Target, ...]:
    total = sum(weights.values())
    return tuple(Target(*shape, p=w / total) for shape, w in sorted(weights.items()))


@dataclass(frozen=True)
class Measure:
    """The measure for one target and some kinds of nodes, as tables.

    `levels[kind]` are the processors at which more tasks fit. `parts[kind]` [levels + 1, 1001] is
    what a GPU with r thousandths free is worth to tasks of one GPU, `blocks[kind]`
    [levels + 1, GPUs + 1] what so many full GPUs are worth to those of several, in GPUs.
    """

    levels: tuple[Ints, ...]
    parts: tuple[Floats, ...]
    blocks: tuple[Floats, ...]

    def of_nodes(self, kind: Ints, cpu: Ints, free: Ints) -> Floats:
        """GPUs that are fragments on each node: kinds and processors [n], thousandths [n, GPUs]."""
        out = free.sum(axis=1) / WHOLE
        for k in np.unique(kind):
            rows = slice(None) if (kind == k).all() else np.flatnonzero(kind == k)
            out[rows] -= self.used(int(k), cpu[rows], free[rows])
        return np.asarray(out)

    def used(self, kind: int, cpu: Ints, free: Ints) -> Floats:
        """GPUs that the target could use, of nodes of one kind."""
        level = np.searchsorted(self.levels[kind], cpu, side="right")
        parts = self.parts[kind][level[:, None], free].sum(axis=1)
        blocks: Floats = self.blocks[kind][level, (free == WHOLE).sum(axis=1)]
        return np.asarray(parts + blocks)


def measure_of(target: Sequence[Target], kinds: Sequence[Kind], most_gpus: int) -> Measure:
    """The tables for a target; weights need not add up to 1."""
    return _measure_of(tuple(target), tuple(kinds), most_gpus)


@lru_cache(maxsize=4)
def _measure_of(target: tuple[Target, ...], kinds: tuple[Kind, ...], most_gpus: int) -> Measure:
    tables = [_tables(target, kind, most_gpus) for kind in kinds]
    return Measure(
        tuple(t[0] for t in tables), tuple(t[1] for t in tables), tuple(t[2] for t in tables)
    )


def _tables(target: Sequence[Target], kind: Kind, most_gpus: int) -> tuple[Ints, Floats, Floats]:
    total = sum(t.p for t in target) or 1.0
    here = [t for t in target if t.num_gpu and not refused(kind, wish_of(t))]
    levels = np.unique([t.cpu_milli for t in here]).astype(np.int64)
    parts = np.zeros((len(levels) + 1, WHOLE + 1))
    blocks = np.zeros((len(levels) + 1, most_gpus + 1))
    for t in here:
        first = int(np.searchsorted(levels, t.cpu_milli)) + 1
        if t.num_gpu == 1:
            parts[first, t.gpu_milli] += t.p / total
        elif t.num_gpu <= most_gpus:
            blocks[first, t.num_gpu] += t.p / total
    parts, blocks = (table.cumsum(axis=0).cumsum(axis=1) for table in (parts, blocks))
    return levels, parts * (np.arange(WHOLE + 1) / WHOLE), blocks * np.arange(most_gpus + 1)


def fragmentation(state: State, target: Sequence[Target]) -> Floats:
    """GPUs that are fragments, of each node."""
    measure = measure_of(target, state.kinds, state.free.shape[1])
    return measure.of_nodes(state.kind, state.cpu, state.free)


def slots(free: Ints, size: int) -> int:
    """How many tasks of so many whole GPUs, each on one node, there is room for (S_k of VMR2L)."""
    return int((full(free) // size).sum())


def full(free: Ints) -> Ints:
    """Whole free GPUs of each node."""
    return np.asarray((free == WHOLE).sum(axis=1))


@dataclass(frozen=True)
class Causes:
    """Free GPUs of each node by why the target's tasks can or cannot use them, in GPUs.

    FGD's bins: a task without GPUs where it fits (`no_gpu_asked`) or lacks processors, a model that
    it does not accept, processors, GPUs, or both missing, and what is usable.
    """

    usable: Floats
    lacks_cpu: Floats
    lacks_gpu: Floats
    lacks_both: Floats
    crumbs: Floats
    wrong_model: Floats
    no_gpu_asked: Floats


def causes(state: State, target: Sequence[Target]) -> Causes:
    """Why free GPUs are fragments; the bins of a node add up to what is free there."""
    total = sum(t.p for t in target) or 1.0
    room = state.free.sum(axis=1) / WHOLE
    bins = {name: np.zeros(len(room)) for name in Causes.__dataclass_fields__}
    if not target:
        bins["usable"] = room
    for t in target:
        for name, part in _bins(state, t, room).items():
            bins[name] += t.p / total * part
    return Causes(**bins)


def _bins(state: State, t: Target, room: Floats) -> dict[str, Floats]:
    if not t.num_gpu:
        return {"no_gpu_asked": room}
    accepted = state.accepts(wish_of(t))[state.kind]
    good = state.free >= t.gpu_milli
    gpu: Flags = good.sum(axis=1) >= t.num_gpu
    cpu: Flags = state.cpu >= t.cpu_milli
    usable = (state.free * good).sum(axis=1) / WHOLE
    return {
        "wrong_model": room * ~accepted,
        "lacks_both": room * (accepted & ~gpu & ~cpu),
        "lacks_gpu": room * (accepted & ~gpu & cpu),
        "lacks_cpu": room * (accepted & gpu & ~cpu),
        "usable": usable * (accepted & gpu & cpu),
        "crumbs": (room - usable) * (accepted & gpu & cpu),
    }
