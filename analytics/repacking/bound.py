"""What no plan can pass: a bound from prices that holds for any number of moves at a node.

At given prices for moving and receiving tasks (Lagrange multipliers of the linear program), what a
plan saves is at most the moves' price and what the nodes that it touches, two for each move, could
gain at those prices alone. A node's gain is looked for in what is easier than the node: memory
binds nothing, and processors are rounded down or priced. So the bound is above what can be
reached, never below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Group
from analytics.repacking.master import Limits, Prices
from analytics.repacking.measure import Measure
from analytics.repacking.objective import Objective
from analytics.repacking.patterns import Space
from analytics.repacking.room import NEVER, Leaving, Room
from analytics.repacking.state import Floats, Ints
from analytics.repacking.whole import WholeRoom


def bound(
    space: Space,
    measure: Measure,
    objective: Objective,
    prices: Prices,
    limits: Limits,
    out_of_time: Callable[[], bool] = lambda: False,
) -> float:
    """What any plan within the limits can save at most, in units of the objective.

    By prices where they are known of all nodes and there is time, and never more than if each node
    that is touched came to its best.
    """
    simple = _at_best(space, objective, limits)
    if (space.bins.of < 0).any():
        return simple
    priced = _priced(space, measure, objective, prices, limits, out_of_time)
    return min(simple, priced)


def _at_best(space: Space, objective: Objective, limits: Limits) -> float:
    rows = np.arange(len(space.state.cpu))
    value = space.value(rows, space.state.cpu, space.state.free)
    gpus = np.array([n.gpus for n in space.state.instance.nodes], np.int64)
    gains = np.maximum(value - objective.best(gpus), 0.0)
    return _largest(gains, np.ones(len(rows), np.int64), 2 * limits.moves)


def _priced(
    space: Space,
    measure: Measure,
    objective: Objective,
    prices: Prices,
    limits: Limits,
    out_of_time: Callable[[], bool],
) -> float:
    spent = -prices.of_move * limits.moves
    if prices.of_cost:
        spent -= prices.of_cost * limits.gpu_seconds
    held = _held(space)
    kinds = space.state.kind[space.bins.first]
    nodes = [space.state.instance.nodes[n] for n in space.bins.first]
    like = [
        (k, n.gpus, n.cpu_milli, n.memory_mib) for k, n in zip(kinds.tolist(), nodes, strict=True)
    ]
    rooms = {
        at: WholeRoom(Room(space, measure, objective, prices, *at, limits.moves))
        for at in set(like)
    }
    gains = []
    for b, at in enumerate(like):
        if out_of_time():
            return np.inf
        gains.append(_gain(space, rooms[at], objective, b, held[b]))
    return float(spent + _largest(np.maximum(gains, 0.0), space.bins.count, 2 * limits.moves))


def _largest(gains: Floats, count: Ints, nodes: int) -> float:
    """The sum over so many nodes of the largest gains."""
    order = np.argsort(-gains, kind="stable")
    upto = np.minimum(np.cumsum(count[order]), nodes)
    return float(gains[order] @ np.diff(upto, prepend=0))


def _held(space: Space) -> list[list[Group]]:
    """The groups of each bin."""
    out: list[list[Group]] = [[] for _ in range(len(space.bins))]
    for group, b in zip(space.groups, space.group_bin.tolist(), strict=True):
        out[b].append(group)
    return out


def _gain(
    space: Space, whole: WholeRoom, objective: Objective, b: int, groups: list[Group]
) -> float:
    """What a node of a bin could gain at the prices, at most."""
    state, node = space.state, int(space.bins.first[b])
    value = float(space.value(np.array([node]), state.cpu[[node]], state.free[[node]])[0])
    gain = None
    if not space.shares and whole.room.cpu:
        left = int(state.cpu[node]), int(state.memory[node])
        gain = whole.gain(state.free[node], *left, groups)
    if gain is None:
        gain = _by_gpu(space, whole.room, node, groups)
    if objective.name == "drain":
        # Emptied, it is worth one node, and leaves nothing to choose.
        paid = (float(whole.room.left(g, i)[0]) for g in groups for i in range(len(g.tasks)))
        gain = max(gain, 1.0 + sum(paid))
    return value + gain


def _by_gpu(space: Space, room: Room, node: int, groups: list[Group]) -> float:
    """The same GPU by GPU, processors being priced."""
    state = space.state
    tasks = [(g, i) for g in groups for i in range(len(g.tasks))]
    base = room.without_gpu[:, None] + room.cpu_prices[:, None] * (state.cpu[node] - room.levels)
    alone: dict[int, list[Leaving]] = {}
    several: list[Leaving] = []
    for group, i in tasks:
        gpus = space.classes.gpus[group.task_class]
        if gpus == 0:
            base = base + np.maximum(room.left(group, i), 0.0)[:, None]
        elif gpus == 1:
            alone.setdefault(_gpus(group, i)[0], []).append((group, i))
        else:
            several.append((group, i))
    free = state.free[node].tolist()[: room.gpus]
    per_gpu = [room.of_gpu(milli, alone.get(g, ())) for g, milli in enumerate(free)]
    return float(_over_choices(room, base, per_gpu, several).min(axis=0).max())


def _gpus(group: Group, i: int) -> list[int]:
    return [int(g) for g in np.flatnonzero(group.freed[i + 1] != group.freed[i])]


def _over_choices(
    room: Room,
    base: Floats,
    per_gpu: Sequence[tuple[Floats, Floats]],
    several: Sequence[Leaving],
) -> Floats:
    """The most over which tasks of several GPUs leave and how many GPUs are opened."""
    opened = room.of_gpu(WHOLE, ())
    best = np.full(base.shape, NEVER)
    for choice in range(1 << len(several)):
        gone = [t for j, t in enumerate(several) if choice >> j & 1]
        free = {g for task in gone for g in _gpus(*task)}
        here = [opened if g in free else told for g, told in enumerate(per_gpu)]
        paid = sum((room.left(*t) for t in gone), np.zeros(len(room.cpu_prices)))
        rest = np.sum([a for a, _ in here], axis=0) if here else 0.0
        more = np.stack([f[:, None] - a for a, f in here]) if here else np.zeros((0, *base.shape))
        upto = np.cumsum(np.sort(more, axis=0)[::-1], axis=0)
        upto = np.concatenate([np.zeros((1, *base.shape)), upto])
        total = (upto + np.moveaxis(room.opened, 2, 0)).max(axis=0)
        best = np.maximum(best, base + paid[:, None] + rest + total)
    return best
