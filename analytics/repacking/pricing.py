"""Which patterns are worth their price, and the arrivals that lead to better ones.

Prices are those of the linear program. A pattern's reduced cost is its change of value less what
the prices pay for it: while one is below 0, it saves more than those that are known.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.placing.shapes import WHOLE
from analytics.repacking.master import Columns, Prices
from analytics.repacking.patterns import Patterns, Pool, Space, accepted, arrivals
from analytics.repacking.state import Flags, Floats, Ints

NOTHING = 1e-7
CHUNK = 2_000_000
# Before the best of each bin are sought, the best of all, so many times as many.
ENOUGH = 4
# So far above its price a pattern is forgotten where there are so many.
FAR, CROWDED = 0.75, 50_000


class Pricing:
    """The patterns found so far, and what they are worth."""

    def __init__(self, space: Space, patterns: Patterns) -> None:
        self.space = space
        self._pool = Pool(patterns, len(space.classes))
        state, first = space.state, space.bins.first
        self.before = space.value(first, state.cpu[first], state.free[first])
        movable = np.isin(np.arange(len(space.classes)), space.group_class)
        self._open = accepted(state, space.classes, first) & movable
        self._joined = np.zeros(0, bool)
        self._supply = space.supply
        self._size = space.classes.gpus * space.classes.milli / WHOLE * space.per_gpu

    @property
    def patterns(self) -> Patterns:
        """The patterns found so far."""
        return self._pool.patterns

    def reduced(self, prices: Prices, rows: Ints | None = None) -> Floats:
        """The reduced cost of every pattern, or of some."""
        p = self.patterns
        return self._reduced(prices, p if rows is None else p.at(rows))

    def _reduced(self, prices: Prices, p: Patterns) -> Floats:
        of_class = np.append(prices.of_class, 0.0)
        of_group = np.append(prices.of_class[self.space.group_class] + prices.of_move, 0.0)
        # Column by column, since sums of few numbers each are slow.
        left = sum(of_group[column] for column in p.leaving.T)
        used = max(1, int((p.arriving >= 0).any(axis=0).sum()))
        arrived = sum(of_class[column] for column in p.arriving.T[:used])
        saved = self.before[p.bin] - p.value - p.toll + left - arrived
        return np.asarray(-saved - prices.of_bin[p.bin] - prices.of_cost * p.cost)

    def grow(self, parents: Ints, prices: Prices | None = None) -> Ints:
        """Add what one more arrival makes of patterns, if it may pay: which were added."""
        gain = None if prices is None else np.asarray(self._size - prices.of_class)
        new = []
        for some in self._chunks(parents):
            good = self._may_follow(some)
            if prices is not None and gain is not None:
                good &= self.reduced(prices, some)[:, None] - gain < NOTHING
            found = self._arrive(some, good)
            if prices is not None and len(self.patterns) > CROWDED:
                found = found.at(np.flatnonzero(self._reduced(prices, found) < FAR))
            new.append(found)
        return self._pool.add(new)

    @property
    def joined(self) -> Flags:
        """Of each pattern whether the linear program was given it."""
        more = np.zeros(len(self.patterns) - len(self._joined), bool)
        self._joined = np.concatenate([self._joined, more])
        return self._joined

    def join(self, rows: Ints) -> None:
        """These may be chosen."""
        self.joined[rows] = True

    def saving(self, rows: Ints, times: Floats | Ints) -> float:
        """What patterns save, each on so many nodes."""
        p = self.patterns.at(rows)
        return float((self.before[p.bin] - p.value - p.toll) @ times)

    @property
    def saved(self) -> Floats:
        """What each pattern saves on a node, less its toll."""
        p = self.patterns
        return np.asarray(self.before[p.bin] - p.value - p.toll)

    def best(self, reduced: Floats, rows: Ints, most: int) -> Ints:
        """Of some patterns those of the lowest reduced cost, at most so many of each bin."""
        enough = ENOUGH * most * len(self.space.bins)
        if len(rows) > 2 * enough:
            rows = rows[np.argpartition(reduced[rows], enough)[:enough]]
        rows = rows[np.lexsort((reduced[rows], self.patterns.bin[rows]))]
        bins = self.patterns.bin[rows]
        return rows[np.arange(len(rows)) - np.searchsorted(bins, bins) < most]

    def columns(self, rows: Ints) -> Columns:
        """Patterns as columns of the linear program."""
        p, classes = self.patterns, len(self.space.classes)
        leaving, arriving = p.leaving[rows], p.arriving[rows]
        gone, come = np.nonzero(leaving >= 0)[0], np.nonzero(arriving >= 0)[0]
        of = np.concatenate(
            [self.space.group_class[leaving[leaving >= 0]], arriving[arriving >= 0]]
        )
        key, inverse = np.unique(np.concatenate([gone, come]) * classes + of, return_inverse=True)
        sign = np.concatenate([np.ones(len(gone)), -np.ones(len(come))])
        flow = np.bincount(inverse, sign, len(key)).astype(np.int64)
        key, flow = key[flow != 0], flow[flow != 0]
        return Columns(
            saving=self.before[p.bin[rows]] - p.value[rows] - p.toll[rows],
            bin=p.bin[rows],
            moves=(leaving >= 0).sum(axis=1),
            cost=p.cost[rows],
            flow_at=key // classes,
            flow_class=key % classes,
            flow=flow,
        )

    def _chunks(self, rows: Ints) -> Iterator[Ints]:
        step = max(1, CHUNK // max(len(self.space.classes), 1))
        return (rows[at : at + step] for at in range(0, len(rows), step))

    def _may_follow(self, rows: Ints) -> Flags:
        """Classes that were not tried yet, fit, and do not come before the last: orders are one."""
        p, classes = self.patterns, self.space.classes
        last = p.arriving[rows].max(axis=1)
        good = self._open[p.bin[rows]] & (np.arange(len(classes)) >= last[:, None])
        good &= p.cpu[rows][:, None] >= classes.cpu
        good &= p.memory[rows][:, None] >= classes.memory
        most, full = p.free[rows].max(axis=1), (p.free[rows] == WHOLE).sum(axis=1)
        good &= (most[:, None] >= classes.milli) & (
            (classes.gpus < 2) | (full[:, None] >= classes.gpus)
        )
        # No more of a class than there are, and no more arrivals than moves.
        here = p.arriving[rows]
        alike = (here == last[:, None]).sum(axis=1)
        at = np.flatnonzero((last >= 0) & (alike >= self._supply[last]))
        good[at, last[at]] = False
        good[(here >= 0).sum(axis=1) >= self.space.moves] = False
        return np.asarray(good & ~self._pool.tried[rows])

    def _arrive(self, rows: Ints, good: Flags) -> Patterns:
        at, which = np.nonzero(good)
        self._pool.tried[rows[at], which] = True
        return arrivals(self.space, self.patterns, rows[at], which)
