"""What changed against the baseline while fleet and job mix are held constant.

The baseline is reweighed to this period's mix (post-stratification): each pool, and within it each
size of job, counts as much as it does now. What is in neither side cannot be compared. Changes have
a 95 % interval from a block bootstrap of whole days (`analytics.success`); where it spans 0, or the
data are too few, there is no change to show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analytics.book import Span
from analytics.report.words import difference, percent, plural
from analytics.success import (
    FEWEST,
    FEWEST_DAYS,
    Days,
    Statistic,
    Success,
    compared,
    days_of,
    mean,
    quantile,
)
from gpuledger.measures import PAGES, SIZE_CLASS
from gpuledger.service import Reader
from gpuledger.states import EXCLUDED, group_of, in_list

# Design: what both sides have must be most of each, or it is another fleet or other work.
COMMON = 0.8
# A fleet that grew by more cannot be reweighed: requests find more room in it.
GREW = 0.2
CHANGED = "{what} changed too much: only {share} of {side} is of pools{sizes} that both have"

Row = Mapping[str, Any]
Stratum = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """The baseline as adjusted, and the change with its interval, or why it is not shown."""

    adjusted: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    not_shown: str = ""


@dataclass(frozen=True)
class Sides:
    """Observations of a metric before and now; rows have `at`, `stratum`, `value` and `weight`."""

    before: Sequence[Row]
    now: Sequence[Row]
    noun: str
    counts: tuple[int, int]


def pools(reader: Reader, span: Span) -> dict[Stratum, float]:
    """GPU-hours owned by cluster and pool."""
    rows = reader.select(_POOLS, since=span.since, until=span.until)
    return {(r["cluster"], r["pool"]): r["gpu_hours"] for r in rows}


def availability(reader: Reader, before: Span, now: Span, size: int) -> Change:
    """Share of the time in which a request of that size could start, in the pools of both."""
    owned = [pools(reader, span) for span in (before, now)]
    common = sorted(owned[0].keys() & owned[1].keys())
    if reason := _other_fleet(owned, common, before, now):
        return Change(not_shown=reason)
    names = [f"{cluster}/{pool}" for cluster, pool in common]
    rows = [
        reader.select(_STARTABLE, since=s.since, until=s.until, size=size, pools=names)
        for s in (before, now)
    ]
    counts = (len(rows[0]), len(rows[1]))
    return _change(Sides(rows[0], rows[1], "booked hour", counts), mean, "ratio")


def _other_fleet(
    owned: Sequence[Mapping[Stratum, float]], common: Sequence[Stratum], before: Span, now: Span
) -> str:
    for side, told in zip(("the baseline", "this period"), owned, strict=True):
        share = _share(told, common)
        if share is not None and share < COMMON:
            return CHANGED.format(what="the fleet", share=percent(share), side=side, sizes="")
    was, is_ = (
        sum(told[key] for key in common) / (span.until - span.since).total_seconds()
        for told, span in zip(owned, (before, now), strict=True)
    )
    if was and abs(is_ / was - 1) > GREW:
        return f"the fleet {'grew' if is_ > was else 'shrank'} by {percent(abs(is_ / was - 1))}"
    return ""


def utilization(reader: Reader, before: Span, now: Span, hours: tuple[int, int]) -> Change:
    """Productive share of the owned time; `hours` are those booked on both sides."""
    sides = [_strata(reader.select(_USED, since=s.since, until=s.until)) for s in (before, now)]
    adjusted = reweighed(sides[0], sides[1])
    if isinstance(adjusted, str):
        return Change(not_shown=adjusted)
    return _change(Sides(adjusted, _in(sides[1], adjusted), "booked hour", hours), mean, "ratio")


def waits(reader: Reader, before: Span, now: Span) -> Change:
    """Median wait of the jobs that started."""
    sides = [_strata(reader.select(_WAITED, since=s.since, until=s.until)) for s in (before, now)]
    counts = tuple(int(sum(r["weight"] for r in rows)) for rows in sides)
    adjusted = reweighed(sides[0], sides[1])
    if isinstance(adjusted, str):
        return Change(not_shown=adjusted)
    told = Sides(adjusted, _in(sides[1], adjusted), "job", (counts[0], counts[1]))
    return _change(told, quantile(0.5), "seconds")


def pages(reader: Reader, before: Span, now: Span, hours: tuple[int, int]) -> Change:
    """Alerts per 1,000 GPU-hours, which holds the fleet by itself."""
    sides = [reader.select(_PAGES, since=s.since, until=s.until) for s in (before, now)]
    found = _change(Sides(sides[0], sides[1], "booked hour", hours), mean, "count")
    return replace(found, adjusted=None)


def _strata(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [{**r, "stratum": (r["cluster"], r["pool"], r["size_class"])} for r in rows]


def reweighed(before: Sequence[Row], now: Sequence[Row]) -> list[dict[str, Any]] | str:
    """The rows of before, each stratum with the weight that it has now; or why that cannot be.

    The last part of a stratum is the size of jobs, empty for time without one: of such time each
    pool keeps as much as it had.
    """
    then, later = _weights(before), _weights(now)
    common = then.keys() & later.keys()
    for side, told in (("the baseline", then), ("this period", later)):
        share = _share(told, common)
        if share is not None and share < COMMON:
            return CHANGED.format(
                what="fleet or job mix",
                share=percent(share),
                side=side,
                sizes=" and job sizes",
            )
    factor = {key: _factor(key, then, later, common) for key in common}
    return [
        {**r, "weight": r["weight"] * factor[r["stratum"]]}
        for r in before
        if r["stratum"] in common
    ]


def _factor(
    key: Stratum,
    then: Mapping[Stratum, float],
    later: Mapping[Stratum, float],
    common: set[Stratum],
) -> float:
    """The pool's weight now for that of before; and of jobs, their size's weight within it."""

    def pool(told: Mapping[Stratum, float], *, jobs: bool) -> float:
        return sum(
            told[other]
            for other in common
            if other[:-1] == key[:-1] and (not jobs or other[-1] != "")
        )

    whole = pool(later, jobs=False) / pool(then, jobs=False)
    if key[-1] == "":
        return whole
    return whole * (later[key] / pool(later, jobs=True)) / (then[key] / pool(then, jobs=True))


def _weights(rows: Sequence[Row]) -> dict[Stratum, float]:
    found: dict[Stratum, float] = defaultdict(float)
    for row in rows:
        found[row["stratum"]] += row["weight"]
    return {key: weight for key, weight in found.items() if weight > 0}


def _share(told: Mapping[Stratum, float], common: Sequence[Stratum] | set[Stratum]) -> float | None:
    whole = sum(told.values())
    return sum(told[key] for key in common) / whole if whole else None


def _in(rows: Sequence[Row], of: Sequence[Row]) -> list[Row]:
    known = {row["stratum"] for row in of}
    return [row for row in rows if row["stratum"] in known]


def _change(sides: Sides, statistic: Statistic, unit: str) -> Change:
    """The change in words of the report where it cannot be shown."""
    before, now = (
        days_of(rows, count)
        for rows, count in zip((sides.before, sides.now), sides.counts, strict=True)
    )
    if reason := _too_few(before, now, sides.noun):
        return Change(not_shown=reason)
    told = compared(Success("", "", unit), before, now, statistic)
    found = Change(told.before, told.change, told.low, told.high, told.not_shown)
    if told.low == told.high == 0:
        return Change(told.before, None, 0.0, 0.0, "no change")
    if told.change is None and told.low is not None and told.high is not None:
        low, high = (difference(end, unit) for end in (told.low, told.high))
        return Change(
            told.before, None, told.low, told.high, f"may be chance (95%: {low} to {high})"
        )
    return found


def _too_few(before: Days, now: Days, noun: str) -> str:
    for side, told in (("the baseline", before), ("this period", now)):
        if told.count < FEWEST:
            return f"{side} has {plural(told.count, noun)}, a comparison needs {FEWEST}"
        if told.days < FEWEST_DAYS:
            return f"{side} has {plural(told.days, 'day')}, a comparison needs {FEWEST_DAYS}"
    return ""


_WITHIN = "{0} >= {{since:DateTime64(3, 'UTC')}} AND {0} < {{until:DateTime64(3, 'UTC')}}"
_HOURS = f"{_WITHIN.format('hour')} AND state NOT IN {in_list(group_of(EXCLUDED))}"
_POOLS = f"""
SELECT toString(cluster) AS cluster, toString(pool) AS pool, sum(gpu_ms) / 3.6e6 AS gpu_hours
FROM accounts_1h WHERE {_HOURS} GROUP BY cluster, pool ORDER BY cluster, pool"""
_STARTABLE = f"""
SELECT toStartOfHour(minute) AS at, avg(largest >= {{size:UInt32}}) AS value, count() AS weight
FROM (SELECT minute, max(free_gpus) AS largest FROM free_blocks
  WHERE {_WITHIN.format("minute")}
    AND concat(toString(cluster), '/', toString(pool)) IN {{pools:Array(String)}}
  GROUP BY minute)
GROUP BY at ORDER BY at"""
# Of a job that is not known any more, the size is told apart from time without a job.
_USED = f"""
SELECT a.at AS at, a.cluster AS cluster, a.pool AS pool,
  multiIf(a.job = '', '', j.size_class = '', 'unknown', j.size_class) AS size_class,
  sum(a.productive) / sum(a.ms) AS value, sum(a.ms) / 3.6e6 AS weight
FROM (SELECT toStartOfDay(hour) AS at, toString(cluster) AS cluster, toString(pool) AS pool, job,
    sum(gpu_ms) AS ms, sumIf(gpu_ms, state = 'productive') AS productive
  FROM accounts_1h WHERE {_HOURS} GROUP BY at, cluster, pool, job) AS a
LEFT JOIN (SELECT job_id, {SIZE_CLASS} AS size_class
  FROM (SELECT job_id, max(nodes * gpus_per_node) AS gpus FROM jobs
    WHERE started < {{until:DateTime64(3, 'UTC')}} AND ended >= {{since:DateTime64(3, 'UTC')}}
    GROUP BY job_id)) AS j ON j.job_id = a.job
GROUP BY at, cluster, pool, size_class HAVING sum(a.ms) > 0
ORDER BY at, cluster, pool, size_class"""
# Rounded to what people would call the same wait: the number of different ones stays small.
_WAITED = f"""
SELECT toStartOfDay(started) AS at, toString(cluster) AS cluster, toString(pool) AS pool,
  size_class, multiIf(wait_seconds < 600, toFloat64(wait_seconds),
    wait_seconds < 36000, round(wait_seconds / 60) * 60, round(wait_seconds / 600) * 600) AS value,
  count() AS weight
FROM v_queue_waits WHERE {_WITHIN.format("started")}
GROUP BY at, cluster, pool, size_class, value ORDER BY at, cluster, pool, size_class, value"""
_PAGES = f"""
SELECT o.at AS at, ifNull(n.pages, 0) * 1000 / o.hours AS value, o.hours AS weight
FROM (SELECT toStartOfDay(hour) AS at, sum(owned_seconds) / 3600 AS hours FROM v_booked_hours
  WHERE {_WITHIN.format("hour")} GROUP BY at HAVING hours > 0) AS o
LEFT JOIN (SELECT toStartOfDay(ts) AS at, {PAGES.sql} AS pages FROM v_notifications
  WHERE {_WITHIN.format("ts")} GROUP BY at) AS n
  ON n.at = o.at ORDER BY at"""
