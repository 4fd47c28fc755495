"""How much of what would be won back somebody would have used: by what waited in past days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analytics.advice.interval import Interval, of_days
from analytics.learn.methods import Values
from gpuledger.service import Reader

HISTORY = timedelta(days=14)
DAY_H = 24
Where = tuple[str, str]  # cluster, pool of the GPUs; an empty pool is the whole cluster


@dataclass(frozen=True)
class Unmet:
    """GPUs that waiting jobs lacked, [days, 24 hours] up to now; NaN = not booked."""

    hourly: dict[Where, Values]
    booked: Values

    def of(self, cluster: str = "", pool: str = "") -> Values:
        """GPUs lacking in a pool, in all of a cluster, or anywhere."""
        found = [
            values
            for (c, p), values in self.hourly.items()
            if cluster in {"", c} and pool in {"", p}
        ]
        return np.asarray(self.booked + sum(found)) if found else self.booked

    def used(self, gpus: float, hours: float, cluster: str = "", now: float = 0.0) -> Interval:
        """GPU-hours that waiting jobs would use of so many more GPUs in so many hours.

        As much as in the days before, in which they can have used no more than they lacked; what
        they lack `now` counts as one day more.
        """
        days = [*means(np.minimum(self.of(cluster), gpus)), *([min(now, gpus)] if now else [])]
        return of_days(days, 0.0, gpus).times(hours)


def means(hourly: Values) -> Values:
    """Means of the days of which any hour is known, [days, 24]."""
    known = np.isfinite(hourly)
    days = known.any(axis=1)
    found: Values = np.where(known, hourly, 0.0).sum(axis=1)[days] / known.sum(axis=1)[days]
    return found


def begin(now: datetime) -> datetime:
    """Where the two weeks begin that end with the hour of now; hours are counted from there."""
    last = (now - timedelta(microseconds=1)).replace(minute=0, second=0, microsecond=0)
    return last + timedelta(hours=1) - HISTORY


def unmet(reader: Reader, now: datetime) -> Unmet:
    """What waited in the two weeks before now."""
    since = begin(now)
    days = HISTORY // timedelta(days=1)
    rows = reader.select(_SQL, since=since, until=now)
    booked = np.full(days * DAY_H, np.nan)
    for row in reader.select(_BOOKED_SQL, since=since, until=now):
        booked[row["n"]] = 0.0
    hourly: dict[Where, Values] = {}
    for row in rows:
        values = hourly.setdefault((row["cluster"], row["pool"]), np.zeros(days * DAY_H))
        values[row["n"]] += row["gpus"]
    shape = (days, DAY_H)
    return Unmet({k: v.reshape(shape) for k, v in hourly.items()}, booked.reshape(shape))


_TIME = "DateTime64(3, 'UTC')"
NUMBER = f"toUInt32(intDiv(dateDiff('second', {{since:{_TIME}}}, %s), 3600))"
_SQL = f"""
SELECT cluster, pool, {NUMBER % "minute"} AS n, sum(unmet_ms) / 3.6e6 AS gpus FROM demand_1m
WHERE minute >= {{since:{_TIME}}} AND minute < {{until:{_TIME}}}
GROUP BY cluster, pool, n ORDER BY cluster, pool, n"""
_BOOKED_SQL = f"""
SELECT DISTINCT {NUMBER % "hour"} AS n FROM booked_hours FINAL
WHERE hour >= {{since:{_TIME}}} AND hour < {{until:{_TIME}}} ORDER BY n"""
