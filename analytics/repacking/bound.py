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
from analytics.repacking.gains import Gains
from analytics.repacking.limited import Limited
from analytics.repacking.master import Limits, Prices
from analytics.repacking.measure import Measure
from analytics.repacking.objective import Objective
from analytics.repacking.patterns import Space
from analytics.repacking.room import Room
from analytics.repacking.state import Floats, Ints
from analytics.repacking.whole import WholeRoom

# Bins at most where no more may come than there is, and where each is looked at for itself.
FEW_BINS, FEWER_BINS = 100, 30


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


def is_limited(space: Space) -> bool:
    """Whether each node is looked at for itself."""
    return not space.shares and len(space.bins) <= FEW_BINS


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
    rooms = {at: Room(space, measure, objective, prices, *at, limits.moves) for at in set(like)}
    gains = _gains(space, [rooms[at] for at in like], held, out_of_time)
    if gains is None:
        return np.inf
    if objective.name == "drain":
        # Emptied, it is worth one node, and leaves nothing to choose.
        emptied = [
            1.0 + sum(float(rooms[at].left(g, i)[0]) for g in groups for i in range(len(g.tasks)))
            for at, groups in zip(like, held, strict=True)
        ]
        gains = np.maximum(gains, _worth(space) + np.array(emptied))
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


def _worth(space: Space) -> Floats:
    """The value of a node of each bin as it is."""
    state, first = space.state, space.bins.first
    return space.value(first, state.cpu[first], state.free[first])


def _gains(
    space: Space,
    rooms: Sequence[Room],
    held: Sequence[list[Group]],
    out_of_time: Callable[[], bool],
) -> Floats | None:
    """What a node of each bin could gain at the prices, at most; None out of time."""
    state, worth, shares = space.state, _worth(space), space.shares
    out, supply = np.zeros(len(rooms)), space.supply
    whole: dict[int, Limited] = {}
    whole_of: list[Limited | None] = [None] * len(rooms)
    by_gpu: dict[int, tuple[Gains, list[int]]] = {}
    for b, (room, groups) in enumerate(zip(rooms, held, strict=True)):
        if out_of_time():
            return None
        node, gain = int(space.bins.first[b]), None
        if not shares and room.cpu:
            told = whole.setdefault(id(room), Limited(WholeRoom(room), supply))
            left = int(state.cpu[node]), int(state.memory[node])
            gain = told.whole.gain(state.free[node], *left, groups)
        if gain is None:
            gains, bins = by_gpu.setdefault(id(room), (Gains(room), []))
            gains.add(state.free[node].tolist(), int(state.cpu[node]), groups)
            bins.append(b)
        else:
            out[b], whole_of[b] = worth[b] + gain, told
    for gains, bins in by_gpu.values():
        out[bins] = gains.most(worth[bins], out_of_time)
    for from_elsewhere in (False, True):
        few = FEWER_BINS if from_elsewhere else FEW_BINS
        for b, limited in enumerate(whole_of if len(rooms) <= few else ()):
            if limited is not None and out[b] > 0 and not out_of_time():
                most = _limited(space, limited, b, held[b], from_elsewhere=from_elsewhere)
                out[b] = min(out[b], worth[b] + most)
    return out


def _limited(
    space: Space, told: Limited, b: int, groups: list[Group], *, from_elsewhere: bool
) -> float:
    """What a node of a bin could be worth where no more comes than there is."""
    state, node = space.state, int(space.bins.first[b])
    left = int(state.cpu[node]), int(state.memory[node])
    free = int((state.free[node] == WHOLE).sum())
    gain = told.gain(free, *left, groups, from_elsewhere=from_elsewhere)
    return np.inf if gain is None else gain
