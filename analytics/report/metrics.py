"""The four success metrics: this period, the one before, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace

from analytics.report.book import Figures
from analytics.report.value import Metric
from analytics.report.words import duration, percent, plural

# Fewer jobs say too little of a distribution.
FEWEST_JOBS = 30
# Share of its hours that the period before must have booked to be a baseline.
BASELINE_RATIO = 0.8
FIRST_WEEK = "first week, no baseline yet"


def success_metrics(now: Figures, before: Figures, expected_hours: int) -> tuple[Metric, ...]:
    """Availability, utilization, execution and overhead, in this order."""
    gap = _baseline_gap(before, expected_hours)
    return (
        _availability(now, before, gap),
        _utilization(now, before, gap),
        _execution(now, before, gap),
        _overhead(now, before, gap),
    )


def _baseline_gap(before: Figures, expected_hours: int) -> str:
    """Why the period before is no baseline; empty where it is."""
    if not before.booked_hours:
        return FIRST_WEEK
    if before.booked_hours < BASELINE_RATIO * expected_hours:
        return f"only {before.booked_hours} of {expected_hours} hours of the week before are booked"
    return ""


def _availability(now: Figures, before: Figures, gap: str) -> Metric:
    sizes, earlier = dict(now.startable), dict(before.startable)
    rest = " · ".join(f"{plural(n, 'GPU')}: {percent(r)}" for n, r in sizes.items() if n > 1)
    return _compared(
        Metric(
            "GPU availability",
            "ratio",
            sizes.get(1),
            earlier.get(1),
            detail="of the time, a request for 1 GPU could start at once"
            + (f" ({rest})" if rest else ""),
        ),
        gap,
        "no minute of this period is booked",
    )


def _utilization(now: Figures, before: Figures, gap: str) -> Metric:
    detail = "of the GPU-hours paid for did productive work"
    if gap == "" and now.grade and before.grade and now.grade != before.grade:
        detail += f" (compared at evidence grade {max(now.grade, before.grade)})"
    return _compared(
        Metric(
            "Resource utilization",
            "ratio",
            now.utilization,
            before.utilization,
            grade=now.grade,
            detail=detail,
        ),
        gap,
        "no hour of this period is booked",
    )


def _execution(now: Figures, before: Figures, gap: str) -> Metric:
    if not gap and min(now.jobs, before.jobs) < FEWEST_JOBS:
        gap = f"fewer than {FEWEST_JOBS} jobs in one of the two weeks"
    return _compared(
        Metric(
            "Workload execution",
            "seconds",
            now.wait_p50_s,
            before.wait_p50_s,
            detail=f"median wait of {plural(now.jobs, 'job')} before starting;"
            f" one in ten waited over {duration(now.wait_p90_s)}",
            higher_is_better=False,
        ),
        gap,
        "no job started in this period",
    )


def _overhead(now: Figures, before: Figures, gap: str) -> Metric:
    return _compared(
        Metric(
            "Management overhead",
            "count",
            _alert_rate(now),
            _alert_rate(before),
            detail="alerts per 1,000 GPU-hours that somebody had to look at",
            higher_is_better=False,
        ),
        gap,
        "no alert was ever delivered, so nobody can tell silence from a dead line",
    )


def _alert_rate(figures: Figures) -> float | None:
    if figures.alerts is None or not figures.owned_gpu_hours:
        return None
    return round(figures.alerts * 1000 / figures.owned_gpu_hours, 6)


def _compared(metric: Metric, gap: str, missing: str) -> Metric:
    """The metric with its change, or with the reason why there is none."""
    value, previous = metric.value, metric.previous
    if value is None:
        return _told(metric, None, None, missing)
    if gap or previous is None:
        return _told(metric, None, None, gap or "not known of the week before")
    return _told(metric, previous, round(value - previous, 6), "")


def _told(metric: Metric, previous: float | None, change: float | None, reason: str) -> Metric:
    return replace(metric, previous=previous, change=change, not_shown=reason)
