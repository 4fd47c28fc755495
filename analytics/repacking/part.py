"""The linear program over some bins of a search, all other nodes being settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.repacking.master import Limits, Master, Prices
from analytics.repacking.patterns import MOST_ARRIVALS, Space
from analytics.repacking.pricing import NOTHING, Pricing
from analytics.repacking.state import Flags, Floats, Ints

Clock = Callable[[], float]
# Patterns of a bin that join per round; patterns of a bin that are given one more arrival, more of
# them where none below its price is found; and so few in all that every arrival is tried.
JOIN = 8
GROW = (4, 16, 100, 600)
FEW = 1500
# With so many patterns the widest looks bring nothing that is worth their time.
WIDE, CROWD = 2, 20_000
# Patterns that are given one more arrival in one round, at most: a round must not take too long.
MOST_GROWN = 40_000
# In whole numbers: so many patterns near their price, of each bin at least so many; so many in all;
# and seconds below which it is not begun.
WHOLE_NEAR = 1500
WHOLE_PER_BIN = 20
WHOLE_COLUMNS = 5000
LEAST_S = 0.02


@dataclass(frozen=True)
class Chosen:
    """Rows of patterns, and how many nodes take each."""

    rows: Ints
    times: Ints


def nothing(space: Space) -> Ints:
    """Of each class as many leave as arrive."""
    return np.zeros(len(space.classes), np.int64)


class Part:
    """Bins, their patterns that may be chosen, and what may still be spent."""

    def __init__(
        self,
        pricing: Pricing,
        bins: Ints,
        limits: Limits,
        balance: Ints,
        seed: int,
        clock: Clock,
    ) -> None:
        self._pricing = pricing
        self._clock = clock
        self._bins = bins
        self._limits = limits
        self._balance = balance
        self._place = np.full(len(pricing.space.bins), -1)
        self._place[bins] = np.arange(len(bins))
        self._master = Master(pricing.space.bins.count[bins], balance, limits, seed)
        self._rows = np.zeros(0, np.int64)
        self._add(np.flatnonzero(pricing.joined & self._mine()))

    def price(self, until_s: float) -> tuple[float, Prices]:
        """Let patterns join until none is below its price: what is saved at most, and prices."""
        effort, began = 0, self._clock()
        while True:
            most, prices = self._relaxed()
            # Half of a round before the end the next one would mostly end too late.
            began, took_s = self._clock(), self._clock() - began
            if began + took_s / 2 > until_s:
                return most, prices
            mine, cost = self._cost(prices)
            open_ = mine[self._pricing.patterns.arriving[mine, MOST_ARRIVALS - 1] < 0]
            parents = self._pricing.best(cost, open_, GROW[effort])
            parents = parents[np.argsort(cost[parents], kind="stable")[:MOST_GROWN]]
            new = self._pricing.grow(parents, prices)
            cost = np.concatenate([cost, self._pricing.reduced(prices, new)])
            below = np.flatnonzero(cost < -NOTHING)
            joining = self._pricing.best(cost, below, JOIN)
            joining = joining[~np.isin(joining, self._rows)]
            self._add(joining)
            if len(joining):
                effort = 0
            elif effort + 1 < (len(GROW) if len(self._pricing.patterns) < CROWD else WIDE):
                effort += 1
            elif len(self._pricing.patterns) > FEW or not len(self._pricing.grow(open_)):
                return most, prices

    def choose(self, prices: Prices, start: Chosen | None, until_s: float) -> Chosen:
        """In whole numbers, of the patterns nearest to their price; no worse than `start`."""
        if start is not None:
            self._add(start.rows[~np.isin(start.rows, self._rows)])
        # The dive comes first: what is added makes each of its steps longer.
        begun = self._begun(start, until_s)
        mine, cost = self._cost(prices)
        each = max(WHOLE_PER_BIN, WHOLE_NEAR // len(self._bins))
        near = np.union1d(self._pricing.best(cost, mine, each), self._rows)
        near = near[np.argsort(cost[near], kind="stable")[:WHOLE_COLUMNS]]
        self._add(near[~np.isin(near, self._rows)])
        begun = np.concatenate([begun, np.zeros(len(self._rows) - len(begun))])
        allowed = np.flatnonzero(np.isin(self._rows, near) | (begun > 0))
        left_s = until_s - self._clock()
        times = begun if left_s < LEAST_S else self._master.whole(allowed, begun, left_s)
        better = self._holds(times) and self._saved(times) > self._saved(begun)
        times = times if better else begun
        taken = np.flatnonzero(times)
        return Chosen(self._rows[taken], times[taken].astype(np.int64))

    def _cost(self, prices: Prices) -> tuple[Ints, Floats]:
        """Patterns of these bins, and of all the reduced cost, infinite for those of others."""
        if len(self._bins) == len(self._place):
            return np.arange(len(self._pricing.patterns)), self._pricing.reduced(prices)
        mine = np.flatnonzero(self._mine())
        cost = np.full(len(self._pricing.patterns), np.inf)
        cost[mine] = self._pricing.reduced(prices, mine)
        return mine, cost

    def _begun(self, start: Chosen | None, until_s: float) -> Floats:
        """Something to beat: a dive from the linear program, or what there was."""
        times = self._master.dive(until_s, self._clock)
        before = np.zeros(len(self._rows))
        if start is not None:
            order = np.argsort(self._rows, kind="stable")
            before[order[np.searchsorted(self._rows[order], start.rows)]] = start.times
        better = self._holds(times) and self._saved(times) > self._saved(before)
        return times if better else before

    def _holds(self, times: Floats) -> bool:
        """Whether nothing is lost on the way: what a solver found in part is not taken on trust."""
        taken = np.flatnonzero(times)
        columns, of = self._pricing.columns(self._rows[taken]), times[taken]
        flow = np.zeros(len(self._balance))
        np.add.at(flow, columns.flow_class, columns.flow * of[columns.flow_at])
        nodes = np.bincount(columns.bin, of, len(self._place))
        return bool(
            (flow == self._balance).all()
            and (nodes <= self._pricing.space.bins.count).all()
            and columns.moves @ of <= self._limits.moves
            and columns.cost @ of <= self._limits.gpu_seconds
        )

    def _saved(self, times: Floats) -> float:
        taken = np.flatnonzero(times)
        return self._pricing.saving(self._rows[taken], times[taken])

    def _mine(self) -> Flags:
        return np.asarray(self._place[self._pricing.patterns.bin] >= 0)

    def _add(self, rows: Ints) -> None:
        self._pricing.join(rows)
        self._master.add(self._pricing.columns(rows), self._place)
        self._rows = np.concatenate([self._rows, rows])

    def _relaxed(self) -> tuple[float, Prices]:
        most, prices = self._master.relaxed()
        of_bin = np.zeros(len(self._place))
        of_bin[self._bins] = prices.of_bin
        return most, Prices(of_bin, prices.of_class, prices.of_move, prices.of_cost)
