"""Finds the patterns that together save the most: column generation, then in whole numbers.

The linear program over the patterns known so far gives prices; patterns that are below their price
join it until there are none. It is solved in whole numbers over those near their price, and then
again and again for a few bins at a time while all others stay as they are (large neighbourhoods).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.repacking.master import Limits, Master, Prices
from analytics.repacking.patterns import MOST_ARRIVALS, Patterns, Space
from analytics.repacking.pricing import NOTHING, Pricing
from analytics.repacking.state import Floats, Ints

# Patterns of a bin that join per round; patterns of a bin that are given one more arrival, more of
# them where none below its price is found.
JOIN = 8
GROW = (4, 16, 100, 600)
# Of the time, what prices and the first choice may take.
PRICES_SHARE, CHOICE_SHARE = 0.5, 0.75
WHOLE_COLUMNS = 6000
WHOLE_PER_BIN = 20
# Bins of a neighbourhood, seconds for it, and how many in a row may bring nothing.
AROUND, AROUND_S, IN_VAIN = (6, 9, 12), 0.4, 12


@dataclass(frozen=True)
class Found:
    """Patterns and how many nodes of their bin take each, what they save, and the last prices."""

    patterns: Patterns
    times: Ints
    saving: float
    most: float
    prices: Prices


@dataclass(frozen=True)
class Chosen:
    """Rows of patterns, and how many nodes take each."""

    rows: Ints
    times: Ints


class Search:
    """One search; `clock` is a monotonic clock in seconds."""

    def __init__(
        self,
        space: Space,
        patterns: Patterns,
        limits: Limits,
        seed: int,
        until_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pricing = Pricing(space, patterns)
        self._space = space
        self._limits = limits
        self._rng = np.random.default_rng(seed)
        self._seed = seed
        self._until_s = until_s
        self._clock = clock
        self._joined = np.zeros(0, bool)

    def run(self) -> Found:
        """The best patterns found in time."""
        started = self._clock()
        left_s = self._until_s - started
        bins = np.arange(len(self._space.bins))
        self._begin()
        whole = _Part(self, bins, self._limits, np.zeros(len(self._space.classes), np.int64))
        most, prices = whole.price(started + PRICES_SHARE * left_s)
        chosen = whole.choose(prices, None, started + CHOICE_SHARE * left_s)
        chosen = self._improve(chosen, most)
        p = self._pricing.patterns
        return Found(p.at(chosen.rows), chosen.times, self.saving(chosen), most, prices)

    def _begin(self) -> None:
        """Whatever moves one task."""
        stays = np.flatnonzero(self._pricing.patterns.moves == 0)
        new = self._pricing.grow(stays)
        one = np.flatnonzero(self._pricing.patterns.moves == 1)
        self.join(np.concatenate([one, new]))

    def join(self, rows: Ints) -> None:
        """These are among the patterns to choose from."""
        more = len(self._pricing.patterns) - len(self._joined)
        self._joined = np.concatenate([self._joined, np.zeros(more, bool)])
        self._joined[rows] = True

    def saving(self, chosen: Chosen) -> float:
        """What patterns save."""
        p = self._pricing.patterns
        saved: Floats = self._pricing.before[p.bin[chosen.rows]] - p.value[chosen.rows]
        return float(saved @ chosen.times)

    def _improve(self, chosen: Chosen, most: float) -> Chosen:
        """Choose anew for some bins at a time, until time is up or nothing more comes of it."""
        bins, vain = len(self._space.bins), 0
        while vain < IN_VAIN and self._clock() < self._until_s - AROUND_S / 4:
            if self.saving(chosen) >= most - NOTHING or bins <= AROUND[0]:
                break
            size = min(bins, AROUND[vain % len(AROUND)])
            some = np.sort(self._rng.choice(bins, size, replace=False))
            better = self._around(chosen, some)
            vain = vain + 1 if better is chosen else 0
            chosen = better
        return chosen

    def _around(self, chosen: Chosen, bins: Ints) -> Chosen:
        p = self._pricing.patterns
        inside = np.isin(p.bin[chosen.rows], bins)
        rest = Chosen(chosen.rows[~inside], chosen.times[~inside])
        columns = self._pricing.columns(rest.rows)
        balance = np.zeros(len(self._space.classes), np.int64)
        np.add.at(balance, columns.flow_class, -columns.flow * rest.times[columns.flow_at])
        left = Limits(
            self._limits.moves - int(columns.moves @ rest.times),
            self._limits.gpu_seconds - float(columns.cost @ rest.times),
        )
        part = _Part(self, bins, left, balance)
        until = min(self._until_s, self._clock() + AROUND_S)
        now = Chosen(chosen.rows[inside], chosen.times[inside])
        _, prices = part.price(until)
        better = part.choose(prices, now, until)
        if self.saving(better) < self.saving(now) + NOTHING:
            return chosen
        return Chosen(
            np.concatenate([rest.rows, better.rows]), np.concatenate([rest.times, better.times])
        )


class _Part:
    """The linear program over some bins, all others being settled."""

    def __init__(self, search: Search, bins: Ints, limits: Limits, balance: Ints) -> None:
        self._search = search
        self._pricing = search._pricing  # noqa: SLF001 - the same search, of fewer bins
        self._bins = bins
        self._place = np.full(len(search._space.bins), -1)  # noqa: SLF001
        self._place[bins] = np.arange(len(bins))
        self._count = search._space.bins.count[bins]  # noqa: SLF001
        self._master = Master(self._count, balance, limits, search._seed)  # noqa: SLF001
        self._rows = np.zeros(0, np.int64)
        self._add(np.flatnonzero(search._joined & self._mine()))  # noqa: SLF001

    def price(self, until_s: float) -> tuple[float, Prices]:
        """Let patterns join until none is below its price: what is saved at most, and prices."""
        effort = 0
        while True:
            most, prices = self._relaxed()
            mine, cost = self._cost(prices)
            if self._search._clock() > until_s:  # noqa: SLF001
                return most, prices
            open_ = mine[self._pricing.patterns.arriving[mine, MOST_ARRIVALS - 1] < 0]
            new = self._pricing.grow(self._pricing.best(cost, open_, GROW[effort]), prices)
            cost = np.concatenate([cost, self._pricing.reduced(prices, new)])
            below = np.flatnonzero(cost < -NOTHING)
            joining = self._pricing.best(cost, below, JOIN)
            joining = joining[~np.isin(joining, self._rows)]
            self._add(joining)
            if len(joining):
                effort = 0
            elif effort + 1 < len(GROW):
                effort += 1
            else:
                return most, prices

    def choose(self, prices: Prices, start: Chosen | None, until_s: float) -> Chosen:
        """In whole numbers, of the patterns nearest to their price; no worse than `start`."""
        mine, cost = self._cost(prices)
        near = self._pricing.best(cost, mine, WHOLE_PER_BIN)
        near = np.union1d(near, self._rows)
        near = near[np.argsort(cost[near], kind="stable")[:WHOLE_COLUMNS]]
        if start is not None:
            near = np.union1d(near, start.rows)
        self._add(near[~np.isin(near, self._rows)])
        begun = self._begun(start, until_s)
        allowed = np.flatnonzero(np.isin(self._rows, near) | (begun > 0))
        left_s = until_s - self._search._clock()  # noqa: SLF001
        times = self._master.whole(allowed, begun, left_s)
        if self._saved(times) < self._saved(begun):
            times = begun
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
        times = self._master.dive(until_s, self._search._clock)  # noqa: SLF001
        if start is None:
            return times
        before = np.zeros(len(self._rows))
        order = np.argsort(self._rows, kind="stable")
        before[order[np.searchsorted(self._rows[order], start.rows)]] = start.times
        return times if self._saved(times) > self._saved(before) else before

    def _saved(self, times: Floats) -> float:
        taken = np.flatnonzero(times)
        return self._search.saving(Chosen(self._rows[taken], times[taken].astype(np.int64)))

    def _mine(self) -> Ints:
        return np.asarray(self._place[self._pricing.patterns.bin] >= 0)

    def _add(self, rows: Ints) -> None:
        self._search.join(rows)
        self._master.add(self._pricing.columns(rows), self._place)
        self._rows = np.concatenate([self._rows, rows])

    def _relaxed(self) -> tuple[float, Prices]:
        most, prices = self._master.relaxed()
        of_bin = np.zeros(len(self._place))
        of_bin[self._bins] = prices.of_bin
        return most, Prices(of_bin, prices.of_class, prices.of_move, prices.of_cost)
