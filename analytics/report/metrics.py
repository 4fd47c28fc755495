"""The four success metrics: this period against the baseline, and what cannot be told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analytics.book import Span
from analytics.report import compare
from analytics.report.book import Figures
from analytics.report.compare import Change
from analytics.report.value import Baseline, Metric
from analytics.report.words import duration, percent, plural
from analytics.success import BASELINE, FEWEST_DAYS
from gpuledger.service import Reader

FIRST_WEEK = "first week, no baseline yet"
# Days of it that must be booked before anything is compared with them.
FEWEST_HOURS = FEWEST_DAYS * 24
SILENT = "no alert was ever delivered, so nobody can tell silence from a dead line"


@dataclass(frozen=True)
class Case:
    """Both sides of a comparison; without a baseline `gap` says why."""

    reader: Reader
    now: Span
    figures: Figures
    before: Span | None
    earlier: Figures | None
    gap: str

    @property
    def hours(self) -> tuple[int, int]:
        """Booked hours before and now."""
        return (self.earlier.booked_hours if self.earlier else 0), self.figures.booked_hours


def baseline(reader: Reader, since: datetime) -> tuple[Baseline | None, str]:
    """The time before gpuledger where a backfill read it, else the four weeks before.

    None, and why, where there is too little of it.
    """
    (told,) = reader.select(_BACKFILLED, since=since)
    first, until = told["first"], min(told["last"], since)
    if told["chunks"] and until - first >= timedelta(days=FEWEST_DAYS):
        begin = max(first, until - BASELINE)
        return Baseline(begin, until, f"{_length(until - begin)} before gpuledger, backfilled"), ""
    (booked,) = reader.select(_BOOKED, since=since - BASELINE, until=since)
    if not booked["hours"]:
        return None, FIRST_WEEK
    if booked["hours"] < FEWEST_HOURS:
        hours = plural(booked["hours"], "hour")
        return None, f"only {hours} of the four weeks before are booked"
    begin = booked["first"]
    length = _length(since - begin)
    return Baseline(begin, since, f"mean of {length} before"), ""


def _length(span: timedelta) -> str:
    days = max(1, round(span / timedelta(days=1)))
    if days == BASELINE.days:
        return "the four weeks"
    return "the day" if days == 1 else f"the {days} days"


def success_metrics(case: Case) -> tuple[Metric, ...]:
    """Availability, utilization, execution and overhead, in this order."""
    return (_availability(case), _utilization(case), _execution(case), _overhead(case))


def _availability(case: Case) -> Metric:
    sizes = dict(case.figures.startable)
    rest = " · ".join(f"{plural(n, 'GPU')}: {percent(r)}" for n, r in sizes.items() if n > 1)
    metric = Metric(
        "GPU availability",
        "ratio",
        sizes.get(1),
        dict(case.earlier.startable).get(1) if case.earlier else None,
        detail="of the time, a request for 1 GPU could start at once"
        + (f" ({rest})" if rest else ""),
    )
    if gap := _gap(metric, case, "no minute of this period is booked"):
        return replace(metric, not_shown=gap)
    assert case.before is not None
    return _with(metric, compare.availability(case.reader, case.before, case.now, 1))


def _utilization(case: Case) -> Metric:
    now, before = case.figures, case.earlier
    detail = "of the GPU-hours paid for did productive work"
    if before and now.grade and before.grade and now.grade != before.grade:
        detail += f" (compared at evidence grade {max(now.grade, before.grade)})"
    metric = Metric(
        "Resource utilization",
        "ratio",
        now.utilization,
        before.utilization if before else None,
        grade=now.grade,
        detail=detail,
    )
    if gap := _gap(metric, case, "no hour of this period is booked"):
        return replace(metric, not_shown=gap)
    assert case.before is not None
    return _with(metric, compare.utilization(case.reader, case.before, case.now, case.hours))


def _execution(case: Case) -> Metric:
    now, before = case.figures, case.earlier
    metric = Metric(
        "Workload execution",
        "seconds",
        now.wait_p50_s,
        before.wait_p50_s if before else None,
        detail=f"median wait of {plural(now.jobs, 'job')} before starting;"
        f" one in ten waited over {duration(now.wait_p90_s)}",
        higher_is_better=False,
    )
    if gap := _gap(metric, case, "no job started in this period"):
        return replace(metric, not_shown=gap)
    assert case.before is not None
    return _with(metric, compare.waits(case.reader, case.before, case.now))


def _overhead(case: Case) -> Metric:
    metric = Metric(
        "Management overhead",
        "count",
        case.figures.page_rate,
        case.earlier.page_rate if case.earlier else None,
        detail="alerts per 1,000 GPU-hours that somebody had to look at",
        higher_is_better=False,
    )
    if gap := _gap(metric, case, SILENT):
        return replace(metric, not_shown=gap)
    assert case.before is not None
    return _with(metric, compare.pages(case.reader, case.before, case.now, case.hours))


def _gap(metric: Metric, case: Case, missing: str) -> str:
    """Why there is no change to look for; empty where there may be one."""
    if metric.value is None:
        return missing
    if case.before is None:
        return case.gap
    return "" if metric.baseline is not None else "not known of the baseline"


def _with(metric: Metric, found: Change) -> Metric:
    return replace(
        metric,
        adjusted=found.adjusted,
        change=found.change,
        low=found.low,
        high=found.high,
        not_shown=found.not_shown,
    )


_BACKFILLED = """
SELECT count() AS chunks, min(since) AS first, max(until) AS last FROM v_backfill_chunks
WHERE until <= {since:DateTime64(3, 'UTC')}"""
_BOOKED = """
SELECT count() AS hours, min(hour) AS first FROM v_booked_hours
WHERE hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}"""
