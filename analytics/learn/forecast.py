"""Forecasts of demand and usable capacity: written once a day, read by people and boards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from analytics.book import last_booked
from analytics.learn import demand
from analytics.learn import series as outlooks
from analytics.learn.demand import DAY_H, Series
from analytics.learn.settings import LearnSettings
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Forecast
from gpuledger.service import Reader
from gpuledger.store import Store

DAY = timedelta(days=1)
# A week by the hour, since a quiet night is what one plans with; four weeks by the day.
HORIZONS = ((7, DAY_H), (28, 1))


def learn(store: Store, now: datetime, settings: LearnSettings) -> None:
    """Write the forecasts from the last booked midnight on, unless that was done before."""
    booked = last_booked(store)
    if booked is None:
        return
    until = min(booked, now).replace(hour=0, minute=0, second=0, microsecond=0)
    made = store.value("SELECT max(made) FROM forecasts HAVING count() > 0")
    if made and made >= until:
        return
    since = until - settings.forecast_history_d * DAY
    for found in demand.series(store, since, until):
        store.insert_rows([*_rows(found, until, to_milliseconds(now))])


def _rows(found: Series, until: datetime, version: int) -> Iterator[Forecast]:
    for days, day in HORIZONS:
        values = found.hourly if day == DAY_H else found.daily
        outlook = outlooks.outlook(values, day, days)
        if outlook is None:
            continue
        step = DAY / day
        # Nothing that was learned can add GPUs to those that were there.
        most = float(np.nanmax(values)) if found.measure == "usable" else float("inf")
        for i in range(days * day):
            yield Forecast(
                cluster=found.cluster,
                pool=found.pool,
                measure=found.measure,
                horizon_days=days,
                at=until + i * step,
                step_seconds=int(step.total_seconds()),
                low=min(most, float(outlook.low[i])),
                expected=min(most, float(outlook.expected[i])),
                high=min(most, float(outlook.high[i])),
                method=outlook.method,
                error_ratio=outlook.error,
                naive_error_ratio=outlook.naive_error,
                cover_ratio=outlook.cover,
                origins=outlook.origins,
                history_days=len(values) // day,
                made=until,
                version=version,
            )


def current(reader: Reader) -> list[dict[str, Any]]:
    """The newest forecasts, a mapping each: what, how good it was before, and `steps` with bands.

    `low`, `expected` and `high` beside the steps are their means.
    """
    rows = reader.select(_SQL)
    return [_told(list(steps)) for _, steps in groupby(rows, lambda r: tuple(r[n] for n in _WHAT))]


def _told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    first = rows[0]
    return {
        **{name: first[name] for name in (*_WHAT, "made", "step_seconds", "method")},
        **{name: first[name] for name in _PAST},
        **{name: sum(r[name] for r in rows) / len(rows) for name in _BAND},
        "steps": [{"at": r["at"], **{name: r[name] for name in _BAND}} for r in rows],
    }


def days_booked(reader: Reader) -> int:
    """Days that the book has so far: why there may be no forecast yet."""
    return int(reader.value("SELECT uniqExact(toDate(hour)) FROM booked_hours") or 0)


_WHAT = ("cluster", "pool", "measure", "horizon_days")
_PAST = ("error_ratio", "naive_error_ratio", "cover_ratio", "origins", "history_days")
_BAND = ("low", "expected", "high")
_SQL = f"""
SELECT {", ".join((*_WHAT, "at", "step_seconds", *_BAND, "method", *_PAST, "made"))}
FROM v_forecasts
WHERE (cluster, made) IN (SELECT cluster, max(made) FROM v_forecasts GROUP BY cluster)
ORDER BY cluster, pool, horizon_days, measure, at
"""
