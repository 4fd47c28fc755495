"""Outcomes in small worlds in which it is known what advice won."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from analytics.outcomes.judge import outcome
from gpuledger.catalogue import AccountHour, Finding, Outcome
from gpuledger.identity import hash64
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.life.world import proposal
from tests.analytics.world import START, job, write

APPLIED = START + timedelta(days=10)
WEEK_S = 7 * 86_400.0
NOW = APPLIED + timedelta(days=7)


def hour(at: datetime, state: str, seconds: float, **told: str) -> AccountHour:
    """What somebody did in an hour of a pool."""
    values = {"pool": "big", "job": "", "job_name": "", "user": "", **told}
    return AccountHour(
        cluster="c",
        node="n0",
        model="m",
        team="vision",
        state=state,
        flags="",
        cause="",
        grade="A",
        gpu_seconds=seconds,
        energy_joules=None,
        recoverable_seconds=0,
        hour=at,
        **values,
    )


def judged(store: Store, now: datetime = NOW, **told: Any) -> Outcome | None:
    """The outcome of advice that was accepted and applied on the tenth day."""
    values: dict[str, Any] = {"horizon_seconds": WEEK_S, **told}
    row = proposal(**values).values()
    return outcome(store, {**row, "accepted": APPLIED, "at": APPLIED}, now)


def runs(user: str, before: float, after: float, rows: list[Row]) -> None:
    """Forty jobs of a user before and after, that lose these shares of their time, an hour each."""
    for i in range(80):
        late = i >= 40
        at = APPLIED + timedelta(days=i % 6, hours=i // 6) - timedelta(days=0 if late else 6.9)
        at = at.replace(minute=0)
        lost = (after if late else before) + 0.01 * (i % 3 - 1)
        name = {"user": user, "job_name": "train", "job": f"c/{user}{i}"}
        rows += [
            hour(at, "alloc_idle", 3600 * lost, **name),
            hour(at, "productive", 3600 * (1 - lost), **name),
        ]


def test_a_right_size_is_measured_against_jobs_of_others_that_lost_as_much(store: Store) -> None:
    rows: list[Row] = [job("ana0", user="ana")]
    runs("ana", 0.6, 0.2, rows)
    runs("bo", 0.6, 0.5, rows)
    runs("cy", 0.1, 0.9, rows)
    write(store, rows)
    found = judged(store, kind="rightsize", subject="c/ana0", gain_gpu_hours=20.0)
    assert found is not None
    # It lost 0.4 less, its like 0.1 less: 0.3 of forty hours.
    assert found.measured_gpu_hours == pytest.approx(12, abs=0.5)
    assert (found.status, found.reason, found.predicted_gpu_hours) == ("measured", "", 20)
    assert found.low_gpu_hours is not None
    assert found.high_gpu_hours is not None
    assert 10 < found.low_gpu_hours <= 12.1 <= found.high_gpu_hours + 0.2 < 14.5
    n = (found.treated_before, found.treated_after, found.matched_before, found.matched_after)
    assert n == (40, 40, 40, 40)


def test_what_happened_to_its_like_too_may_be_chance_and_is_told_as_such(store: Store) -> None:
    rows: list[Row] = [job("ana0", user="ana")]
    runs("ana", 0.6, 0.3, rows)
    runs("bo", 0.6, 0.3, rows)
    write(store, rows)
    found = judged(store, kind="rightsize", subject="c/ana0")
    assert found is not None
    assert found.status == "not_measurable"
    assert "may be chance" in found.reason
    assert found.measured_gpu_hours == pytest.approx(0, abs=0.1)


def test_nobody_like_it_is_no_outcome(store: Store) -> None:
    rows: list[Row] = [job("ana0", user="ana")]
    runs("ana", 0.6, 0.3, rows)
    write(store, rows)
    found = judged(store, kind="rightsize", subject="c/ana0")
    assert found is not None
    assert found.measured_gpu_hours is None
    assert found.reason == "only 0 observations like it before, 30 are needed"


def pool(name: str, before: float, after: float) -> list[Row]:
    """A fortnight of a pool of ten GPUs, of which these shares are stranded."""
    rows: list[Row] = []
    for i in range(14 * 24):
        at = (APPLIED - timedelta(days=7) + timedelta(hours=i)).replace(minute=0)
        lost = before if i < 7 * 24 else after
        lost += 0.01 * (i % 3 - 1)
        rows += [
            hour(at, "stranded", 36_000 * lost, pool=name),
            hour(at, "productive", 36_000 * (1 - lost), pool=name),
        ]
    return rows


def test_a_repack_is_measured_against_the_pools_most_like_it(store: Store) -> None:
    write(store, [*pool("big", 0.3, 0.1), *pool("mid", 0.25, 0.25), *pool("odd", 0.8, 0.2)])
    about = json.dumps({"pool/c/big": 10})
    found = judged(store, kind="repack", subject="pool/c/big", resources=about)
    assert found is not None
    assert found.measured_gpu_hours == pytest.approx(0.2 * 10 * 168, rel=0.05)
    assert found.status == "measured"
    assert found.matched_after == 7 * 24


def idled(native: str, start: datetime, hours: float, *, gpus: int = 2) -> Finding:
    """A job that was idle for so long."""
    return Finding(
        finding_id=hash64(native),
        kind="idle",
        subject=f"c/{native}",
        pool="big",
        since=start,
        until=start + timedelta(hours=hours),
        open=0,
        gpus=gpus,
        gpu_seconds=hours * 3600 * gpus,
        capacity_value=None,
        cash_avoidable=None,
        grade="A",
        confidence_ratio=None,
        summary="",
        evidence="",
        version=1,
    )


def test_a_reclaimed_job_is_measured_against_those_that_were_left_idle(store: Store) -> None:
    own = idled("own", APPLIED - timedelta(hours=2), 3)
    alike = [idled(f"j{i}", START + timedelta(days=4 + i % 5), 10 + i % 3) for i in range(40)]
    short = [idled(f"s{i}", START + timedelta(days=4 + i % 5), 1) for i in range(9)]
    write(store, [own, *alike, *short])
    told = {"finding_id": own.finding_id, "subject": "c/own"}
    found = judged(store, **told)
    assert found is not None
    # Like it, they went on for 8 to 10 hours after two of idleness; it did so for one. Two GPUs.
    assert found.measured_gpu_hours == pytest.approx(2 * (9 - 1), abs=0.2)
    assert (found.treated_after, found.matched_after, found.status) == (1, 40, "measured")
    again = judged(store, **told)
    assert again == found


def test_an_outcome_waits_until_its_horizon_is_over_and_a_week_at_least(store: Store) -> None:
    assert judged(store, NOW - timedelta(minutes=1), horizon_seconds=3600.0) is None
    assert judged(store, NOW, horizon_seconds=2 * WEEK_S) is None
    found = judged(store, NOW, horizon_seconds=3600.0)
    assert found is not None
    assert found.reason == "its own idleness is not known any more"
