"""Finds the patterns that together save the most: column generation, then in whole numbers.

First single moves are taken, best first, so that there is a plan at once. The linear program over
the patterns known so far then gives prices; patterns that are below their price join it until there
are none. It is solved in whole numbers over those near their price, and then again and again for a
few bins at a time while all others stay as they are (large neighbourhoods).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from analytics.repacking.master import Limits, Prices
from analytics.repacking.part import Chosen, Clock, Part, nothing
from analytics.repacking.patterns import Patterns, Space
from analytics.repacking.pricing import NOTHING, Pricing
from analytics.repacking.single import single_moves
from analytics.repacking.state import Ints

# Of the time, what prices and the first choice may take.
PRICES_SHARE, CHOICE_SHARE = 0.6, 0.85
# Arrivals after one departure that may be tried at the beginning.
AT_ONCE = 100_000
# Bins of a neighbourhood, seconds for it, and how many in a row may bring nothing.
AROUND, AROUND_S, IN_VAIN = (6, 9, 12), 0.4, 12


@dataclass(frozen=True)
class Found:
    """Patterns and how many nodes of their bin take each, what they save, and the last prices.

    `saving` and `most` are less what moves weigh (`patterns.toll`).
    """

    patterns: Patterns
    times: Ints
    saving: float
    most: float
    prices: Prices


class Search:
    """One search; `clock` is a monotonic clock in seconds."""

    def __init__(
        self,
        space: Space,
        patterns: Patterns,
        limits: Limits,
        seed: int,
        until_s: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._pricing = Pricing(space, patterns)
        self._space = space
        self._limits = limits
        self._rng = np.random.default_rng(seed)
        self._seed = seed
        self._until_s = until_s
        self._clock = clock

    def run(self) -> Found:
        """The best patterns found in time."""
        started = self._clock()
        left_s = self._until_s - started
        self._begin()
        chosen = single_moves(self._pricing, self._limits)
        part = self._part(np.arange(len(self._space.bins)), self._limits, nothing(self._space))
        most, prices = part.price(started + PRICES_SHARE * left_s)
        chosen = part.choose(prices, chosen, started + CHOICE_SHARE * left_s)
        chosen = self._improve(chosen, most)
        patterns = self._pricing.patterns.at(chosen.rows)
        return Found(patterns, chosen.times, self._saving(chosen), most, prices)

    def _begin(self) -> None:
        """Whatever moves one task; also within a node, where that is not too much to try."""
        moves = self._pricing.patterns.moves
        stays, one = np.flatnonzero(moves == 0), np.flatnonzero(moves == 1)
        new = self._pricing.grow(stays)
        if len(one) * len(self._space.classes) <= AT_ONCE:
            self._pricing.grow(one)
        self._pricing.join(np.concatenate([one, new]))

    def _part(self, bins: Ints, limits: Limits, balance: Ints) -> Part:
        return Part(self._pricing, bins, limits, balance, self._seed, self._clock)

    def _saving(self, chosen: Chosen) -> float:
        return self._pricing.saving(chosen.rows, chosen.times)

    def _improve(self, chosen: Chosen, most: float) -> Chosen:
        """Choose anew for some bins at a time, until time is up or nothing more comes of it."""
        bins, vain = len(self._space.bins), 0
        while vain < IN_VAIN and self._clock() < self._until_s - AROUND_S / 4:
            if self._saving(chosen) >= most - NOTHING or bins <= AROUND[0]:
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
        balance = nothing(self._space)
        np.add.at(balance, columns.flow_class, -columns.flow * rest.times[columns.flow_at])
        left = Limits(
            self._limits.moves - int(columns.moves @ rest.times),
            self._limits.gpu_seconds - float(columns.cost @ rest.times),
        )
        part = self._part(bins, left, balance)
        until = min(self._until_s, self._clock() + AROUND_S)
        now = Chosen(chosen.rows[inside], chosen.times[inside])
        _, prices = part.price(until)
        better = part.choose(prices, now, until)
        if self._saving(better) < self._saving(now) + NOTHING:
            return chosen
        return Chosen(
            np.concatenate([rest.rows, better.rows]), np.concatenate([rest.times, better.times])
        )
