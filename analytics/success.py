"""The four success metrics before and after, each with an interval, or why it is not shown.

A change is told only where the data can tell: enough observations on both sides, and a 95 %
interval that does not span 0. Intervals come from a block bootstrap: whole days are drawn with
replacement, since hours of one day resemble each other (Künsch 1989; percentile interval).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.book import Span, last_booked, parse_since
from gpuledger.errors import ConfigError
from gpuledger.measures import REQUEST_SIZES
from gpuledger.service import Reader

Floats = NDArray[np.float64]

# Design: fewer observations on one side cannot tell.
FEWEST = 30
FEWEST_DAYS = 3
DRAWS = 2000
SEED = 20_260_101
LEVEL = 0.95
BASELINE = timedelta(days=28)
RECENT = timedelta(days=7)
DIGITS = 6
NO_DATA = "nothing is known of {side}"


@dataclass(frozen=True)
class Success:
    """One metric: both sides, the change with its interval, and why it is not shown ('' = it is).

    `n`: observations (booked hours, jobs, names of recurring jobs) before and after.
    """

    metric: str
    what: str
    unit: str
    before: float | None = None
    after: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    n: tuple[int, int] = (0, 0)
    grade: str = ""
    better: str = "higher"
    not_shown: str = ""


@dataclass(frozen=True)
class Days:
    """Observations of one side: value and weight of each, and the number of its day."""

    values: Floats
    weights: Floats
    day: NDArray[np.int64]
    count: int
    grade: str = ""

    @property
    def days(self) -> int:
        """How many days have observations."""
        return len(np.unique(self.day))


Statistic = Callable[[Floats, Floats], Floats]


def mean(values: Floats, weights: Floats) -> Floats:
    """Weighted mean by row of weights (draws × observations); NaN without weight."""
    with np.errstate(invalid="ignore"):
        found: Floats = (weights @ values) / weights.sum(axis=1)
    return found


def quantile(share: float) -> Statistic:
    """The value that this share of the weight stays under; values must be sorted."""

    def found(values: Floats, weights: Floats) -> Floats:
        upto = np.cumsum(weights, axis=1)
        place = (upto < share * upto[:, -1:]).sum(axis=1)
        out: Floats = values[np.minimum(place, len(values) - 1)]
        return out

    return found


def compared(shape: Success, before: Days, after: Days, statistic: Statistic) -> Success:
    """The metric with both sides, and its change where the data can tell."""
    then, now = _value(before, statistic), _value(after, statistic)
    told = replace(
        shape,
        before=then,
        after=now,
        n=(before.count, after.count),
        grade=max(before.grade, after.grade),
    )
    if then is None or now is None:
        side = "the time before" if then is None else "the time after"
        return replace(told, not_shown=NO_DATA.format(side=side))
    if reason := _too_few(before, after):
        return replace(told, not_shown=reason)
    moved = drawn(after, statistic, SEED + 1) - drawn(before, statistic, SEED)
    edge = (1 - LEVEL) / 2
    low, high = (round(float(q), DIGITS) for q in np.nanquantile(moved, [edge, 1 - edge]))
    if low <= 0 <= high:
        reason = f"may be chance: 95 % interval from {low:+.4g} to {high:+.4g}"
        return replace(told, low=low, high=high, not_shown=reason)
    return replace(told, change=round(now - then, DIGITS), low=low, high=high)


def _value(side: Days, statistic: Statistic) -> float | None:
    if not len(side.values):
        return None
    return round(float(statistic(side.values, side.weights[None, :])[0]), DIGITS)


def _too_few(before: Days, after: Days) -> str:
    fewest = min(before.count, after.count)
    if fewest < FEWEST:
        return f"only {fewest} observations on one side, {FEWEST} are needed"
    days = min(before.days, after.days)
    return f"only {days} days on one side, {FEWEST_DAYS} are needed" if days < FEWEST_DAYS else ""


def drawn(side: Days, statistic: Statistic, seed: int) -> Floats:
    """The statistic of as many samples of days, each as long as the side."""
    _, day = np.unique(side.day, return_inverse=True)
    days = int(day.max()) + 1
    random = np.random.default_rng(seed)
    times = random.multinomial(days, np.full(days, 1 / days), size=DRAWS)
    # A few draws at a time: draws × jobs in one piece would be gigabytes.
    step = max(1, 4_000_000 // len(side.values))
    parts = [
        statistic(side.values, times[i : i + step][:, day] * side.weights)
        for i in range(0, DRAWS, step)
    ]
    return np.concatenate(parts)


def days_of(rows: Sequence[Mapping[str, Any]], count: int | None = None) -> Days:
    """Rows with `at`, `value`, `weight` and perhaps `grade`, in the order of their values."""
    known = sorted((r for r in rows if r["value"] is not None), key=lambda r: r["value"])
    return Days(
        np.array([r["value"] for r in known], float),
        np.array([r["weight"] for r in known], float),
        np.array([_ordinal(r["at"]) for r in known], np.int64),
        len(known) if count is None else count,
        max((r.get("grade", "") for r in known), default=""),
    )


def _ordinal(at: datetime | date) -> int:
    return at.toordinal()


def windows(
    reader: Reader, since: datetime | None = None, baseline: Span | None = None
) -> tuple[Span, Span] | None:
    """Before and after: the first 28 booked days, and the last 7; None where nothing is booked."""
    until = last_booked(reader)
    if until is None:
        return None
    after = Span(since or until - RECENT, until)
    first = reader.value("SELECT min(hour) FROM booked_hours")
    return baseline or Span(first, min(first + BASELINE, max(after.since, first))), after


def baseline(text: str) -> Span | None:
    """The span of `FROM/UNTIL`, two times; None for an empty text. ConfigError."""
    if not text:
        return None
    since, _, until = text.partition("/")
    advice = f"baseline {text}: write two times, 2026-10-01T00:00Z/2026-10-29T00:00Z"
    if not until:
        raise ConfigError(advice)
    end = parse_since(until, datetime.now(UTC))
    span = Span(parse_since(since, end), end)
    if span.since >= span.until:
        raise ConfigError(advice)
    return span


def row(metric: Success) -> dict[str, Any]:
    """A metric for programs: observations of each side have keys of their own."""
    told = asdict(metric)
    before, after = told.pop("n")
    return {**told, "n_before": before, "n_after": after}


def metrics(reader: Reader, before: Span, after: Span) -> Iterator[Success]:
    """All metrics, availability first. StoreError."""
    for shape, sql, statistic in _questions():
        then, now = (days_of(_asked(reader, sql, span)) for span in (before, after))
        yield compared(shape, then, now, statistic)
    yield from _waits(reader, before, after)


def _asked(reader: Reader, sql: str, span: Span) -> list[dict[str, Any]]:
    return reader.select(sql, since=span.since, until=span.until)


def _questions() -> Iterator[tuple[Success, str, Statistic]]:
    for size in REQUEST_SIZES:
        yield (
            Success("GPU availability", f"a request for {size} could start at once", "ratio"),
            _STARTABLE.format(size=size),
            mean,
        )
    yield (
        Success("Resource utilization", "productive share of owned GPU-hours", "ratio"),
        _UTILIZATION,
        mean,
    )
    runs = "run time of recurring jobs, as a share of their usual one"
    yield Success("Workload execution", runs, "ratio", better="lower"), _RUN_TIMES, quantile(0.5)
    per_hours = Success("Management overhead", "pages per 1,000 GPU-hours", "count", better="lower")
    yield per_hours, _PAGES, mean
    yield (
        Success("Management overhead", "time to resolve an alert", "seconds", better="lower"),
        _RESOLVED,
        quantile(0.5),
    )
    yield (
        Success("Management overhead", "findings that closed without a message", "ratio"),
        _CLOSED,
        mean,
    )


def _waits(reader: Reader, before: Span, after: Span) -> Iterator[Success]:
    """Wait and time to first activity, by size class."""
    for what, sql in (("queue wait", _WAITED), ("time to first activity", _BEGUN)):
        sides = [_asked(reader, sql, span) for span in (before, after)]
        for size in sorted({r["size_class"] for rows in sides for r in rows}):
            then, now = (days_of([r for r in rows if r["size_class"] == size]) for rows in sides)
            shape = Success("Workload execution", f"{what}, {size}", "seconds", better="lower")
            yield compared(shape, then, now, quantile(0.5))


_WITHIN = "{0} >= {{since:DateTime64(3, 'UTC')}} AND {0} < {{until:DateTime64(3, 'UTC')}}"
_STARTABLE = f"""
SELECT toStartOfHour(minute) AS at, avg(largest >= {{size}}) AS value, count() AS weight
FROM (SELECT minute, max(free_gpus) AS largest FROM free_blocks
  WHERE {_WITHIN.format("minute").replace("{", "{{").replace("}", "}}")} GROUP BY minute)
GROUP BY at"""
_UTILIZATION = f"""
SELECT hour AS at, sumIf(gpu_seconds, state = 'productive') / sum(gpu_seconds) AS value,
  sum(gpu_seconds) AS weight, maxIf(grade, state = 'productive') AS grade
FROM v_book_1h WHERE {_WITHIN.format("hour")} GROUP BY at"""
_JOBS = f"SELECT * FROM v_queue_waits WHERE {_WITHIN.format('started')}"
_WAITED = f"""
SELECT started AS at, size_class, wait_seconds AS value, 1 AS weight FROM ({_JOBS})"""
_BEGUN = f"""
SELECT j.started AS at, j.size_class AS size_class,
  greatest(0, dateDiff('second', j.eligible, s.first)) AS value, 1 AS weight
FROM ({_JOBS}) AS j INNER JOIN (SELECT job_id, min(first_active) AS first FROM job_stats FINAL
  GROUP BY job_id) AS s ON s.job_id = j.job
WHERE s.first >= j.started"""
# A recurring job is a user's name of a job that ended well three times before this.
_RUN_TIMES = f"""
SELECT at, run / usual AS value, 1 AS weight FROM (
  SELECT started AS at, dateDiff('second', started, ended) AS run,
    median(run) OVER earlier AS usual, count() OVER earlier AS times
  FROM (SELECT * FROM jobs FINAL WHERE state = 'completed' AND gpus_per_node > 0 AND name != ''
    AND started < {{until:DateTime64(3, 'UTC')}})
  WINDOW earlier AS (PARTITION BY cluster, user, name, gpus_per_node, nodes ORDER BY started
    ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING))
WHERE times >= 3 AND usual > 0 AND {_WITHIN.format("at")}"""
_PAGES = f"""
SELECT o.at AS at, ifNull(n.pages, 0) * 1000 / o.hours AS value, o.hours AS weight
FROM (SELECT hour AS at, sum(gpu_seconds) / 3600 AS hours FROM v_book_1h
  WHERE {_WITHIN.format("hour")} GROUP BY at) AS o
LEFT JOIN (SELECT toStartOfHour(ts) AS at, count() AS pages FROM notifications
  WHERE state = 'firing' AND outcome = 'accepted' AND {_WITHIN.format("ts")} GROUP BY at) AS n
  ON n.at = o.at
WHERE (SELECT count() FROM notifications) > 0"""
_RESOLVED = f"""
SELECT fired AS at, dateDiff('second', fired, resolved) AS value, 1 AS weight
FROM v_alert_states WHERE {_WITHIN.format("fired")}
  AND resolved < toDateTime64('2106-01-01', 3, 'UTC')"""
_CLOSED = f"""
SELECT since AS at, subject NOT IN (SELECT subject FROM notifications
  WHERE outcome = 'accepted') AS value, 1 AS weight
FROM v_findings WHERE open = 0 AND {_WITHIN.format("since")}"""
