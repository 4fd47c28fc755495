"""Ways to go on with a series: plain, few, and judged by what they would have said before.

A series is an array of equal steps, NaN = missing, that begins at midnight; `day` is the number of
steps in a day. A method returns `ahead` values and may look at nothing but what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Slots = npt.NDArray[np.integer[Any]]
Method = Callable[[Values, int, int], Values]

# Pseudo-observations that draw a weekday (in weeks) and an hour (in days) to the mean: with few
# weeks a weekday is known from few days only.
WEEKDAY_WEEKS, HOUR_DAYS = 0.5, 1.0
# Weight of the newest day in a level, as of a mean over about the last ten days.
LEVEL_WEIGHT = 0.2
# What remains of today's distance from its usual level after one more day.
DAMPING = 0.7


def seasonal_naive(values: Values, day: int, ahead: int) -> Values:
    """The week before, again: what every other method must beat."""
    week = 7 * day
    known = values[len(values) % week :] if len(values) % week else values
    weeks = known.reshape(-1, week)
    last = weeks[-1].copy()
    for earlier in weeks[-2::-1]:
        last = np.where(np.isnan(last), earlier, last)
    # An hour that no week has seen is as the others are.
    last = np.where(np.isnan(last), np.nanmean(last) if np.isfinite(last).any() else 0.0, last)
    return np.resize(last, ahead)


def profile(values: Values, day: int, ahead: int) -> Values:
    """Mean of all history, by weekday and hour."""
    usual = _usual(values, day, len(values) + ahead)
    return usual[len(values) :]


def level(values: Values, day: int, ahead: int) -> Values:
    """As `profile`, from the level of the last days on, which lasts."""
    usual = _usual(values, day, len(values) + ahead)
    whole = len(values) // day * day
    told, said = (_by_day(v, day) for v in (values[:whole], usual[:whole]))
    ratio = 1.0
    for one, other in zip(told, said, strict=True):
        if np.isfinite(one) and other > 0:
            ratio += LEVEL_WEIGHT * (one / other - ratio)
    return np.asarray(usual[len(values) :] * ratio, dtype=np.float64)


def damped(values: Values, day: int, ahead: int) -> Values:
    """As `profile`, from the value of the last day on, which is forgotten day by day."""
    usual = _usual(values, day, len(values) + ahead)
    last, said = np.nansum(values[-day:]), usual[len(values) - day : len(values)].sum()
    distance = last / said - 1 if said > 0 else 0.0
    days = np.arange(ahead) // day + 1
    return usual[len(values) :] * (1 + distance * DAMPING**days)


def _by_day(values: Values, day: int) -> Values:
    return np.asarray(values.reshape(-1, day).sum(axis=1), dtype=np.float64)


def _usual(values: Values, day: int, size: int) -> Values:
    """Mean × weekday × hour, each drawn to 1, for `size` steps from the beginning."""
    known = ~np.isnan(values)
    told = np.where(known, values, 0.0)
    mean = told.sum() / max(1, known.sum())
    if mean <= 0:
        return np.zeros(size)
    at = np.arange(size)
    weekday, hour = at // day % 7, at % day
    n = len(values)
    weekdays = _factors(told, known, weekday[:n], 7, mean, WEEKDAY_WEEKS * day)
    hours = _factors(told, known, hour[:n], day, mean, HOUR_DAYS)
    if day > 2:
        hours = (np.roll(hours, 1) + 2 * hours + np.roll(hours, -1)) / 4
    return np.asarray(mean * weekdays[weekday] * hours[hour], dtype=np.float64)


def _factors(
    told: Values, known: npt.NDArray[np.bool_], slot: Slots, slots: int, mean: float, drawn: float
) -> Values:
    sums = np.bincount(slot, weights=told, minlength=slots)
    counts = np.bincount(slot, weights=known, minlength=slots)
    return np.asarray((sums + drawn * mean) / ((counts + drawn) * mean), dtype=np.float64)


NAIVE = "seasonal-naive"
METHODS: dict[str, Method] = {
    NAIVE: seasonal_naive,
    "profile": profile,
    "level": level,
    "damped": damped,
}
