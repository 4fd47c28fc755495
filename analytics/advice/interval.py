"""An estimate with its 95 % interval, and how days of history give one.

Whole days are drawn with replacement, since hours of one day resemble each other (Künsch 1989;
percentile interval), as for the success metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from analytics.success import DRAWS, FEWEST_DAYS, LEVEL, SEED


@dataclass(frozen=True)
class Interval:
    """What is expected, and the ends of its interval, all in one unit."""

    expected: float
    low: float
    high: float

    def times(self, factor: float) -> Interval:
        """The same of something that many times as large; a negative factor turns it round."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Interval(self.expected * factor, low, high)

    def less(self, amount: float) -> Interval:
        """What is left when a known amount is taken away; may fall below 0."""
        return Interval(self.expected - amount, self.low - amount, self.high - amount)

    def words(self, unit: str) -> str:
        """`12 (8 to 15) GPU-hours`."""
        if self.low == self.high:
            return f"{told(self.expected)} {unit}"
        return f"{told(self.expected)} ({told(self.low)} to {told(self.high)}) {unit}"


@dataclass(frozen=True)
class Expected:
    """What is expected where nothing tells how far it may be off: its ends are not known."""

    expected: float
    low: None = None
    high: None = None

    def less(self, amount: float) -> Expected:
        """What is left when a known amount is taken away."""
        return Expected(self.expected - amount)

    def words(self, unit: str) -> str:
        """`12 GPU-hours (interval not known)`."""
        return f"{told(self.expected)} {unit} (interval not known)"


NOTHING = Interval(0.0, 0.0, 0.0)
Estimate = Interval | Expected


def told(value: float) -> str:
    """A number as people read it: three digits, or as many as it has before its point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def of_days(values: Iterable[float], least: float, most: float) -> Interval:
    """Mean of the days' values; of fewer than 3 days all that is possible, `least` to `most`."""
    days = np.fromiter(values, float)
    if not len(days):
        return Interval(least, least, most)
    mean = float(days.mean())
    if len(days) < FEWEST_DAYS:
        return Interval(mean, least, most)
    random = np.random.default_rng(SEED)
    drawn = random.choice(days, size=(DRAWS, len(days))).mean(axis=1)
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [edge, 1 - edge])
    return Interval(mean, float(low), float(high))


def quantiles(values: Iterable[float], least: float, most: float) -> Interval:
    """Median of single values, and between which 80 % of them lie, as bands of forecasts."""
    known = np.fromiter(values, float)
    if not len(known):
        return Interval(least, least, most)
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
    return Interval(float(middle), float(low), float(high))
