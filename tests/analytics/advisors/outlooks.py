"""Forecasts, findings and history for advisors that look ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from gpuledger.catalogue import Finding, Forecast
from tests.analytics.world import CLUSTER

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Band = tuple[float, float, float]


def forecast(
    made: datetime, demand: Band, usable: Band, days: int, pool: str = ""
) -> Iterator[Forecast]:
    """Demand and usable GPUs (low, expected, high), the same in every step."""
    step = HOUR if days == 7 else DAY
    for measure, band in (("demand", demand), ("usable", usable)):
        for i in range(days * DAY // step):
            yield Forecast(
                cluster=CLUSTER,
                pool=pool,
                measure=measure,
                horizon_days=days,
                at=made + i * step,
                step_seconds=int(step.total_seconds()),
                low=band[0],
                expected=band[1],
                high=band[2],
                method="seasonal-naive",
                error_ratio=0.1,
                naive_error_ratio=0.1,
                cover_ratio=0.8,
                origins=3,
                history_days=30,
                made=made,
                version=1,
            )


def finding(kind: str, subject: str, now: datetime, gpus: int, **told: object) -> Finding:
    """One that goes on."""
    values: dict[str, object] = {
        "finding_id": 7,
        "kind": kind,
        "subject": subject,
        "since": now - HOUR,
        "until": now,
        "open": 1,
        "gpus": gpus,
        "gpu_seconds": 0,
        "capacity_value": None,
        "cash_avoidable": None,
        "grade": "D",
        "confidence_ratio": 0.9,
        "summary": "told so",
        "evidence": "SELECT 1",
        "version": 1,
        **told,
    }
    return Finding(**values)
