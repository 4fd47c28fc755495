"""A forecast of one series: the method that was best before, a band, and what both were worth.

Each method is asked at past days what it would have said (rolling origin). The best is used only
where it beat seasonal-naive. The band is conformal: quantiles of past misses, each relative to the
square root of what was expected, since counts scatter so; which quantiles is decided by what bands
made of earlier misses alone would have covered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.learn.methods import METHODS, NAIVE, Method, Values

WEEK_D = 7
# Before its first past forecast, a method is given so much; and so many forecasts make a band.
LEAST_DAYS = 14
FIRST_ORIGIN_D = 7
MOST_ORIGINS = 28
LEAST_ORIGINS = 2
COVER = 0.8
# Misses of one week resemble each other, so that their plain quantiles make a band too narrow.
TAILS = (0.1, 0.08, 0.06, 0.04, 0.02, 0.01, 0.13, 0.16, 0.2)
# A gain smaller than this is noise on some tens of past days.
BEATS_BY = 0.05


@dataclass(frozen=True)
class Outlook:
    """Steps ahead with their band, and the past of the method that made them.

    `error`, `naive_error`: sum of absolute misses over sum of values. `cover`: share of past values
    in their band. None = no past to judge by.
    """

    low: Values
    expected: Values
    high: Values
    method: str
    error: float | None
    naive_error: float | None
    cover: float | None
    origins: int


@dataclass(frozen=True)
class _Past:
    """What one method would have said: arrays of (origin, step ahead), NaN beyond the history."""

    origins: tuple[int, ...]
    said: npt.NDArray[np.float64]
    came: npt.NDArray[np.float64]

    @property
    def error(self) -> float:
        both = np.isfinite(self.came)
        total = np.abs(self.came[both]).sum()
        return float(np.abs(self.said - self.came)[both].sum() / total) if total else 0.0

    @property
    def misses(self) -> npt.NDArray[np.float64]:
        return (self.came - self.said) / _scale(self.said)


def outlook(values: Values, day: int, days: int) -> Outlook | None:
    """The next `days` days of a series that begins at midnight; None with too little history."""
    if len(values) < (LEAST_DAYS + max(0, days - WEEK_D)) * day or not np.isfinite(values).any():
        return None
    origins = _origins(len(values), day)
    pasts = {n: _past(m, values, origins, day, days * day) for n, m in METHODS.items()}
    name = chosen({n: p.error for n, p in pasts.items()})
    past, expected = pasts[name], METHODS[name](values, day, days * day)
    tail, cover = _calibrated(past, day)
    low, high = _band(past.misses, expected, day, tail)
    return Outlook(low, expected, high, name, past.error, pasts[NAIVE].error, cover, len(origins))


def chosen(errors: dict[str, float]) -> str:
    """The method with the least error, if it beats seasonal-naive by enough."""
    best = min(errors, key=lambda n: (errors[n], n))
    return best if errors[best] < errors[NAIVE] * (1 - BEATS_BY) else NAIVE


def _origins(size: int, day: int) -> tuple[int, ...]:
    """Past days at whose end a forecast is tried, the newest last."""
    first = FIRST_ORIGIN_D
    last = size // day - 1
    stride = max(1, -(-(last - first + 1) // MOST_ORIGINS))
    return tuple(d * day for d in range(last, first - 1, -stride))[::-1]


def _past(method: Method, values: Values, origins: tuple[int, ...], day: int, ahead: int) -> _Past:
    longer = np.append(values, np.full(ahead, np.nan))
    said = np.array([method(values[:o], day, ahead) for o in origins])
    return _Past(origins, said, np.array([longer[o : o + ahead] for o in origins]))


def _scale(said: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What a miss is measured by; one GPU or task at least."""
    return np.sqrt(np.maximum(said, 1.0))


def _weeks(ahead: int, day: int) -> list[slice]:
    """The first week, and what comes after it: misses grow with time."""
    week = WEEK_D * day
    return [slice(0, min(week, ahead)), *([slice(week, ahead)] if ahead > week else [])]


def _band(
    misses: npt.NDArray[np.float64], expected: Values, day: int, tail: float
) -> tuple[Values, Values]:
    """Edges that leave out a share `tail` of the misses on each side, week by week."""
    low, high = expected.copy(), expected.copy()
    for part in _weeks(len(expected), day):
        known = misses[:, part][np.isfinite(misses[:, part])]
        if not len(known):
            known = misses[np.isfinite(misses)]
        below, above = np.quantile(known, (tail, 1 - tail))
        scale = _scale(expected[part])
        low[part] = np.maximum(0.0, expected[part] + min(0.0, below) * scale)
        high[part] = expected[part] + max(0.0, above) * scale
    return low, high


def _calibrated(past: _Past, day: int) -> tuple[float, float | None]:
    """The tail whose bands would have covered nearest to what they promise, and what they did."""
    covers = {tail: _cover(past, day, tail) for tail in TAILS}
    told = {tail: cover for tail, cover in covers.items() if cover is not None}
    if not told:
        return TAILS[0], None
    tail = min(told, key=lambda t: (abs(told[t] - COVER), t))
    return tail, told[tail]


def _cover(past: _Past, day: int, tail: float) -> float | None:
    """Share of past values in the band that was known at their origin."""
    inside = total = 0
    steps = np.arange(past.said.shape[1])
    for i, origin in enumerate(past.origins):
        ends = np.array(past.origins[:i], dtype=np.int64)[:, None] + steps
        before = np.where(ends < origin, past.misses[:i], np.nan)
        if np.isfinite(before).any(axis=1).sum() < LEAST_ORIGINS:
            continue
        low, high = _band(before, past.said[i], day, tail)
        came = past.came[i]
        known = np.isfinite(came)
        inside += int(((came >= low) & (came <= high))[known].sum())
        total += int(known.sum())
    return inside / total if total else None
