"""Difference in differences: how what was advised on changed, less how its like changed meanwhile.

The interval is that of success metrics: a block bootstrap over whole days, with a fixed seed, of
each of the four sides (Künsch 1989; Card and Krueger 1994 for the difference).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics import success
from analytics.success import Days

SIDES = ("of it before", "of it after", "like it before", "like it after")


@dataclass(frozen=True)
class Sides:
    """Observations of what was advised on, and of what is like it and was left alone."""

    treated_before: Days
    treated_after: Days
    matched_before: Days
    matched_after: Days

    def all(self) -> tuple[Days, Days, Days, Days]:
        """In the order of `SIDES`."""
        return self.treated_before, self.treated_after, self.matched_before, self.matched_after


@dataclass(frozen=True)
class Effect:
    """A change of a mean with its 95 % interval; without one where `reason` says why."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def effect(sides: Sides) -> Effect:
    """How the mean of what was advised on changed beyond the mean of its like."""
    if reason := too_few(sides.all(), SIDES):
        return Effect(reason=reason)
    before, after, alike_before, alike_after = (_means(s, i) for i, s in enumerate(sides.all()))
    found = (after - before) - (alike_after - alike_before)
    # The first of each is that of the observations as they are.
    return interval(found[0], found[1:])


def interval(value: float, drawn: NDArray[np.float64]) -> Effect:
    """The value, between the quantiles of what was drawn."""
    edge = (1 - success.LEVEL) / 2
    low, high = np.nanquantile(drawn, [edge, 1 - edge])
    return Effect(float(value), float(low), float(high))


def too_few(sides: tuple[Days, ...], names: tuple[str, ...]) -> str:
    """Why observations are too few to tell; empty where they are enough."""
    for side, name in zip(sides, names, strict=True):
        if side.count < success.FEWEST:
            return f"only {side.count} observations {name}, {success.FEWEST} are needed"
        if side.days < success.FEWEST_DAYS:
            return f"only {side.days} days {name}, {success.FEWEST_DAYS} are needed"
    return ""


def _means(side: Days, number: int) -> NDArray[np.float64]:
    """The mean, and the means of what is drawn."""
    own = success.mean(side.values, side.weights[None, :])
    return np.concatenate([own, success.drawn(side, success.mean, success.SEED + number)])
