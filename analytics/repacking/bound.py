"""What no plan can pass: a bound from prices that holds for any number of moves at a node.

At given prices for moving and receiving tasks (Lagrange multipliers of the linear program), what a
plan saves is at most the moves' price and what each node could gain at those prices alone. A node's
gain falls apart into its GPUs once it is settled how many processors are left, how many GPUs are
full, and which tasks of several GPUs leave; processors are priced too, and memory binds nothing, so
that the bound is above what can be reached, never below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.bins import Group
from analytics.repacking.master import Limits, Prices
from analytics.repacking.measure import Measure
from analytics.repacking.objective import Objective
from analytics.repacking.patterns import Space
from analytics.repacking.state import UNKNOWN, Floats, Ints

# Prices of processors to try, as shares of a GPU over what a node has of them per GPU.
NEVER = -1e5
CPU_PRICES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0)


def bound(
    space: Space, measure: Measure, objective: Objective, prices: Prices, limits: Limits
) -> float:
    """What any plan within the limits can save at most, in units of the objective."""
    spent = -prices.of_move * limits.moves
    if prices.of_cost:
        spent -= prices.of_cost * limits.gpu_seconds
    held = _held(space)
    kinds = space.state.kind[space.bins.first]
    nodes = [space.state.instance.nodes[n] for n in space.bins.first]
    like = [
        (k, n.gpus, n.cpu_milli, n.memory_mib) for k, n in zip(kinds.tolist(), nodes, strict=True)
    ]
    fills = {at: _Fill(space, measure, objective, prices, *at) for at in set(like)}
    gains = [_gain(space, fills[at], objective, b, held[b]) for b, at in enumerate(like)]
    return float(spent + _largest(np.maximum(gains, 0.0), space.bins.count, 2 * limits.moves))


def _largest(gains: Floats, count: Ints, nodes: int) -> float:
    """The sum over so many nodes of the largest gains: a move touches two."""
    order = np.argsort(-gains, kind="stable")
    upto = np.minimum(np.cumsum(count[order]), nodes)
    return float(gains[order] @ np.diff(upto, prepend=0))


def _held(space: Space) -> list[list[Group]]:
    """The groups of each bin."""
    out: list[list[Group]] = [[] for _ in range(len(space.bins))]
    for group, b in zip(space.groups, space.group_bin.tolist(), strict=True):
        out[b].append(group)
    return out


@dataclass(frozen=True)
class _Fill:
    """What room on nodes of a kind is worth at the prices, however it is filled.

    Arrays are [prices of processors, levels of processors, ...].
    """

    space: Space
    measure: Measure
    objective: Objective
    prices: Prices
    kind: int
    gpus: int
    cpu: int
    memory: int
    known: dict[tuple[float, ...], tuple[Floats, Floats]] = field(default_factory=dict)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Prices of processors, and levels."""
        return len(self.cpu_prices), len(self.levels)

    @cached_property
    def weight(self) -> float:
        """Of a fragment in the objective."""
        return self.space.per_gpu

    @cached_property
    def cpu_prices(self) -> Floats:
        """Per milli-CPU."""
        per_gpu = (self.cpu or WHOLE) / max(self.gpus, 1)
        return np.array(CPU_PRICES) / per_gpu * self.weight

    @cached_property
    def levels(self) -> Ints:
        """The fewest processors of each level."""
        return np.concatenate([[0], self.measure.levels[self.kind]])

    @cached_property
    def price(self) -> Floats:
        """Of an arrival of each class: [prices of processors, classes]; infinite where refused."""
        classes = self.space.classes
        out = self.prices.of_class + self.cpu_prices[:, None] * classes.cpu
        here = np.isin(np.arange(len(classes)), self.space.group_class)
        here &= classes.accepted[:, self.kind]
        here &= (classes.cpu <= (self.cpu or UNKNOWN)) & (
            classes.memory <= (self.memory or UNKNOWN)
        )
        return np.where(here, out, np.inf)

    @cached_property
    def step(self) -> int:
        """Thousandths of which all sizes are multiples."""
        return int(np.gcd.reduce(np.append(self.space.classes.milli, [WHOLE])))

    @cached_property
    def filled(self) -> Floats:
        """The most that a GPU with r / step free is worth, when a full one does not stay so."""
        classes, step = self.space.classes, self.step
        parts = self.measure.parts[self.kind][:, ::step] * self.weight
        left = parts - np.arange(0, WHOLE + 1, step) / WHOLE * self.weight
        sizes = np.unique(classes.milli[(classes.gpus == 1)])
        cheapest = np.array(
            [self.price[:, (classes.gpus == 1) & (classes.milli == s)].min(axis=1) for s in sizes]
        ).reshape(len(sizes), len(self.cpu_prices))
        out = np.broadcast_to(left, (len(self.cpu_prices), *left.shape)).copy()
        out[:, :, -1] = NEVER
        for r in range(1, out.shape[2]):
            fits = sizes // step <= r
            if fits.any():
                rest = out[:, :, r - sizes[fits] // step] - cheapest[fits].T[:, None, :]
                out[:, :, r] = np.maximum(out[:, :, r], rest.max(axis=2))
        return out

    @cached_property
    def opened(self) -> Floats:
        """What so many GPUs without tasks are worth, left full or given to tasks of several.

        [prices of processors, levels, GPUs + 1]
        """
        blocks = self.measure.blocks[self.kind][:, : self.gpus + 1] * self.weight
        count = np.arange(self.gpus + 1)
        each = (self.measure.parts[self.kind][:, -1] - 1.0) * self.weight
        full = blocks + self.objective.bonus(count) + each[:, None] * count
        several = self._several()
        out = np.full((*self.shape, self.gpus + 1), NEVER)
        for n in count.tolist():
            given = full[None, :, n::-1] - several[:, None, : n + 1]
            out[:, :, n] = given.max(axis=2)
        return out

    def _several(self) -> Floats:
        """The lowest price of tasks of several GPUs that take so many: [prices, GPUs + 1]."""
        gpus = self.space.classes.gpus
        out = np.full((len(self.cpu_prices), self.gpus + 1), np.inf)
        out[:, 0] = 0.0
        sizes = [k for k in np.unique(gpus).tolist() if 1 < k <= self.gpus]
        price = {k: self.price[:, gpus == k].min(axis=1) for k in sizes}
        for n in range(1, self.gpus + 1):
            for k in sizes:
                if k <= n:
                    out[:, n] = np.minimum(out[:, n], out[:, n - k] + price[k])
        return out

    @cached_property
    def without_gpu(self) -> Floats:
        """The most that arrivals without GPU bring: [prices of processors]."""
        classes = self.space.classes
        supply = np.bincount(self.space.classes.of, minlength=len(classes))
        gain = np.where((classes.gpus == 0) & np.isfinite(self.price), -self.price, 0.0)
        return np.asarray((np.maximum(gain, 0.0) * supply).sum(axis=1))


def _gain(space: Space, fill: _Fill, objective: Objective, b: int, groups: list[Group]) -> float:
    """What a node of a bin could gain at the prices, at most."""
    state, node = space.state, int(space.bins.first[b])
    tasks = [(g, i) for g in groups for i in range(len(g.tasks))]
    by_gpus = {
        k: [t for t in tasks if min(space.classes.gpus[t[0].task_class], 2) == k] for k in range(3)
    }
    value = float(space.value(np.array([node]), state.cpu[[node]], state.free[[node]])[0])
    base = value + fill.without_gpu[:, None]
    base = base + fill.cpu_prices[:, None] * (state.cpu[node] - fill.levels)
    for task in by_gpus[0]:
        base = base + np.maximum(_left(fill, *task), 0.0)[:, None]
    alone: dict[int, list[tuple[Group, int]]] = {}
    for task in by_gpus[1]:
        alone.setdefault(_gpus(*task)[0], []).append(task)
    free = state.free[node].tolist()
    per_gpu = [_of_gpu(fill, milli, alone.get(g, ())) for g, milli in enumerate(free)]
    gain = float(_over_choices(fill, base, per_gpu, by_gpus[2]).min(axis=0).max())
    if objective.name == "drain":
        # Emptied, it is worth one node, and leaves nothing to choose.
        gain = max(gain, value + 1.0 + sum(float(_left(fill, *task)[0]) for task in tasks))
    return gain


def _gpus(group: Group, i: int) -> list[int]:
    return [int(g) for g in np.flatnonzero(group.freed[i + 1] != group.freed[i])]


def _left(fill: _Fill, group: Group, i: int) -> Floats:
    """What a task pays for leaving, at each price of processors."""
    prices, c = fill.prices, group.task_class
    lost = float(group.cost[i + 1] - group.cost[i])
    paid = prices.of_class[c] + prices.of_move + prices.of_cost * lost
    return np.asarray(paid + fill.cpu_prices * fill.space.classes.cpu[c])


def _of_gpu(fill: _Fill, free: int, tasks: Sequence[tuple[Group, int]]) -> tuple[Floats, Floats]:
    """The most that a GPU is worth in use, [prices, levels], and what leaving it pays, [prices]."""
    key: tuple[float, ...] = (float(free),)
    key += tuple(x for g, i in tasks for x in (g.task_class, float(g.cost[i + 1] - g.cost[i])))
    if key not in fill.known:
        fill.known[key] = _worth(fill, free, tasks)
    return fill.known[key]


def _worth(fill: _Fill, free: int, tasks: Sequence[tuple[Group, int]]) -> tuple[Floats, Floats]:
    rooms, paid = np.array([free]), np.zeros((len(fill.cpu_prices), 1))
    for group, i in tasks:
        milli = int(fill.space.classes.milli[group.task_class])
        rooms = np.concatenate([rooms, rooms + milli])
        paid = np.hstack([paid, paid + _left(fill, group, i)[:, None]])
    in_use = fill.filled[:, :, rooms // fill.step] + paid[:, None, :]
    return in_use.max(axis=2), np.where(rooms == WHOLE, paid, NEVER).max(axis=1)


def _over_choices(
    fill: _Fill,
    base: Floats,
    per_gpu: Sequence[tuple[Floats, Floats]],
    several: Sequence[tuple[Group, int]],
) -> Floats:
    """The most over which tasks of several GPUs leave and how many GPUs are opened."""
    whole = _of_gpu(fill, WHOLE, ())
    best = np.full(base.shape, NEVER)
    for choice in range(1 << len(several)):
        gone = [t for j, t in enumerate(several) if choice >> j & 1]
        free = {g for task in gone for g in _gpus(*task)}
        here = [whole if g in free else told for g, told in enumerate(per_gpu)][: fill.gpus]
        paid = sum((_left(fill, *t) for t in gone), np.zeros(len(fill.cpu_prices)))
        rest = np.sum([a for a, _ in here], axis=0) if here else 0.0
        more = np.stack([f[:, None] - a for a, f in here]) if here else np.zeros((0, *base.shape))
        upto = np.cumsum(np.sort(more, axis=0)[::-1], axis=0)
        upto = np.concatenate([np.zeros((1, *base.shape)), upto])
        total = (upto + np.moveaxis(fill.opened, 2, 0)).max(axis=0)
        best = np.maximum(best, base + paid[:, None] + rest + total)
    return best
