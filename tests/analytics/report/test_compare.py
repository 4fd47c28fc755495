"""Changes with fleet and job mix held constant, and why some are not shown."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.book import Span
from analytics.report import compare
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet

BEFORE, NOW = Span(MONDAY - WEEK, MONDAY), Span(MONDAY, MONDAY + WEEK)


def row(
    stratum: tuple[str, ...], weight: float, value: float = 0.5, day: int = 1
) -> dict[str, Any]:
    return {
        "stratum": stratum,
        "weight": weight,
        "value": value,
        "at": date(2026, 11, 1) + timedelta(days=day),
    }


A1, A8, AFREE = ("c", "a", "1 GPU"), ("c", "a", "5-8 GPUs"), ("c", "a", "")


def test_sizes_of_jobs_count_as_much_as_now() -> None:
    found = compare.reweighed([row(A1, 30), row(A8, 10)], [row(A1, 10), row(A8, 30)])
    assert isinstance(found, list)
    assert {r["stratum"]: r["weight"] for r in found} == {A1: 10, A8: 30}


def test_time_without_jobs_keeps_its_share() -> None:
    found = compare.reweighed([row(A1, 60), row(AFREE, 40)], [row(A1, 90), row(AFREE, 10)])
    assert isinstance(found, list)
    assert {r["stratum"]: r["weight"] for r in found} == {A1: 60, AFREE: 40}


@given(st.lists(st.floats(1, 1e6), min_size=4, max_size=4))
def test_the_weight_of_a_pool_becomes_that_of_now(weights: list[float]) -> None:
    before = [row(A1, weights[0]), row(A8, weights[1])]
    now = [row(A1, weights[2]), row(A8, weights[3])]
    found = compare.reweighed(before, now)
    assert isinstance(found, list)
    assert sum(r["weight"] for r in found) == pytest.approx(weights[2] + weights[3])


def test_another_mix_is_not_compared() -> None:
    told = compare.reweighed([row(A1, 10), row(A8, 90)], [row(A1, 100)])
    assert told == (
        "fleet or job mix changed too much:"
        " only 10% of the baseline is of pools and job sizes that both have"
    )


def test_a_fleet_that_doubled_is_not_compared(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(2)
    fleet.hours(0, "free_surplus", MONDAY - WEEK, 336)
    fleet.hours(1, "free_surplus", MONDAY, 168)
    fleet.write()
    assert compare.availability(store, BEFORE, NOW, 1).not_shown == "the fleet grew by 100%"


def test_more_work_on_the_same_fleet_is_a_change(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    for day in range(14):
        at, job_id = MONDAY - WEEK + day * 24 * HOUR, f"alpha/{day}"
        worked = 8 if day < 7 else 16 + day % 2
        fleet.job(job_id, submitted=at, started=at, ended=at + 24 * HOUR)
        fleet.hours(0, "productive", at, worked, job_id)
        fleet.hours(0, "alloc_idle", at + worked * HOUR, 24 - worked, job_id)
    fleet.write()
    found = compare.utilization(store, BEFORE, NOW, (168, 168))
    assert found.not_shown == ""
    assert found.adjusted == pytest.approx(8 / 24, abs=1e-6)
    assert found.change is not None
    assert found.low is not None
    assert found.high is not None
    assert 0.3 < found.low <= found.change <= found.high < 0.4


def test_few_jobs_tell_nothing(store: Store) -> None:
    fleet = Fleet(store)
    for day in range(-7, 7):
        at = MONDAY + timedelta(days=day)
        fleet.job(f"alpha/{day}", submitted=at, started=at + HOUR)
    fleet.write()
    told = compare.waits(store, BEFORE, NOW).not_shown
    assert told == "the baseline has 7 jobs, a comparison needs 30"
