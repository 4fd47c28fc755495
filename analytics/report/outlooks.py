"""The forecast of four weeks, what winning back equals in GPUs bought, and advice on buying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from analytics.learn.forecast import days_booked
from analytics.report.annex import Outlook, Outlooks
from analytics.report.value import Amount, Decision
from analytics.report.words import day, plain, plural
from gpuledger.service import Reader

WEEK_H = 168
# A forecast that is much newer or older than the period's end is about another time.
FRESH = timedelta(days=2)
HISTORY_D = 14
# Kinds of advice that win GPUs back, and those about how many there should be.
RECLAIMING = ("reclaim", "repack", "rightsize", "quota")
CAPACITY = ("buy", "lend", "power_down", "quota", "repack")


def outlooks(reader: Reader, until: datetime, won_back: Amount | None) -> Outlooks:
    """What is expected of each pool; `won_back` is what proposals would free in a week."""
    rows = reader.select(_STEPS, since=until - FRESH, until=until + FRESH)
    found = tuple(_outlook(list(steps)) for _, steps in groupby(rows, _key))
    short = _shortage(rows)
    equals = _equals(won_back, short, bool(rows))
    made = max((row["made"] for row in rows), default=None)
    return Outlooks(made, found, equals, "" if rows else _reason(reader))


def reclaimed(decisions: Iterable[Decision]) -> Amount | None:
    """GPU-hours of a week that all proposals together would win back; None without any."""
    costs = [d.cost for d in decisions if d.kind in RECLAIMING and d.cost.gpu_hours is not None]
    if not costs:
        return None
    ends = ([cost.low for cost in costs], [cost.high for cost in costs])
    low, high = (None if None in end else sum(v for v in end if v is not None) for end in ends)
    return Amount(sum(cost.gpu_hours or 0.0 for cost in costs), low, high)


def _reason(reader: Reader) -> str:
    """Why there is nothing to look ahead with."""
    days = days_booked(reader)
    if days < HISTORY_D:
        return f"a forecast needs {HISTORY_D} whole days, the book has {plural(days, 'day')}"
    return "no forecast was made at the end of this period"


def _equals(won: Amount | None, short: datetime | None, known: bool) -> str:
    """The sentence for who would buy; empty where nothing could be won back."""
    if won is None or not won.gpu_hours:
        return ""
    gpus = plural(round(won.gpu_hours / WEEK_H), "GPU")
    if won.gpu_hours < WEEK_H / 2:
        gpus = "less than one GPU"
    elif won.low is not None and won.high is not None and won.low != won.high:
        gpus += f" ({round(won.low / WEEK_H)} to {round(won.high / WEEK_H)})"
    told = f"Reclaiming {plural(won.gpu_hours, 'GPU-hour')} a week equals buying {gpus}"
    if short is not None:
        return f"{told} by {day(short.date())}, when demand is expected to exceed what is usable."
    if known:
        return f"{told}; none need be bought by then: demand is expected to stay below usable GPUs."
    return f"{told}; by when they would be needed, nobody can tell without a forecast."


def _shortage(rows: Iterable[Mapping[str, Any]]) -> datetime | None:
    """The first day on which some pool is expected to lack GPUs; whole clusters count too."""
    sides: dict[tuple[str, str, datetime], dict[str, float]] = {}
    for row in rows:
        key = (row["cluster"], row["pool"], row["at"])
        sides.setdefault(key, {})[row["measure"]] = row["expected"]
    lacking = [
        at
        for (_, _, at), told in sides.items()
        if told.get("demand", 0.0) > told.get("usable", float("inf"))
    ]
    return min(lacking, default=None)


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["cluster"], row["pool"], row["measure"]


def _outlook(steps: list[dict[str, Any]]) -> Outlook:
    first = steps[0]
    expected, low, high = (
        round(sum(s[name] for s in steps) / len(steps), 6) for name in ("expected", "low", "high")
    )
    return Outlook(
        plain(first["cluster"]),
        plain(first["pool"]),
        first["measure"],
        expected,
        low,
        high,
        first["error_ratio"],
        first["cover_ratio"],
        first["method"],
    )


_STEPS = """
SELECT toString(cluster) AS cluster, toString(pool) AS pool, toString(measure) AS measure, at,
  expected, low, high, error_ratio, cover_ratio, toString(method) AS method, made
FROM v_forecasts
WHERE horizon_days = 28 AND made >= {since:DateTime64(3, 'UTC')}
  AND made <= {until:DateTime64(3, 'UTC')} AND measure IN ('demand', 'usable')
  AND (cluster, made) IN (SELECT cluster, max(made) FROM v_forecasts
    WHERE made <= {until:DateTime64(3, 'UTC')} GROUP BY cluster)
ORDER BY cluster, pool, measure, at"""
