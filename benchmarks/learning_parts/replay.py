"""A forecast made again on every past day, from what was known then, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from analytics.learn import series
from analytics.learn.methods import seasonal_naive
from benchmarks.learning_parts.series import Values

FIRST_ORIGIN_D = 14


@dataclass
class Outcome:
    """Sums over all steps of all past forecasts."""

    missed: float = 0.0
    naive_missed: float = 0.0
    came: float = 0.0
    inside: int = 0
    steps: int = 0
    methods: Counter[str] = field(default_factory=Counter)

    @property
    def wape(self) -> float:
        """Sum of misses over sum of values."""
        return self.missed / self.came

    @property
    def naive_wape(self) -> float:
        """That of the week before, again."""
        return self.naive_missed / self.came

    @property
    def gain(self) -> float:
        """Share of the week before's error that is gone."""
        return 1 - self.missed / self.naive_missed

    @property
    def cover(self) -> float:
        """Share of values inside their band."""
        return self.inside / self.steps


def replay(
    values: Values, day: int, days: int, *, first_d: int = FIRST_ORIGIN_D, every_d: int = 1
) -> Outcome:
    """Forecasts of `days` days at the end of each day from `first_d` on; each picks its method."""
    out = Outcome()
    for origin in range(first_d * day, len(values) - day + 1, every_d * day):
        ahead = min(days * day, len(values) - origin)
        known, came = values[:origin], values[origin : origin + ahead]
        told = series.outlook(known, day, days)
        assert told, "the first origin has enough history"
        out.missed += float(np.abs(told.expected[:ahead] - came).sum())
        out.naive_missed += float(np.abs(seasonal_naive(known, day, ahead) - came).sum())
        out.came += float(came.sum())
        out.inside += int(((came >= told.low[:ahead]) & (came <= told.high[:ahead])).sum())
        out.steps += ahead
        out.methods[told.method] += 1
    return out
