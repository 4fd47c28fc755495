"""Users and teams with little use for a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analytics.book import Span
from analytics.detectors.low_efficiency import LowEfficiencySettings, detector
from gpuledger.catalogue import CellHour, Finding
from gpuledger.identity import alloc_id, job_id
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, running, told
from tests.analytics.world import CLUSTER, gpu, write

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
FIRST = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOURS = 13


def find(store: Store, until: datetime = MIDNIGHT + timedelta(hours=1)) -> list[Finding]:
    span = Span(until - timedelta(hours=26), until)
    return list(detector.find(store, LowEfficiencySettings(), span))


def world(store: Store, state: str = "underused", use: float = 0.1) -> None:
    """Eight GPUs of one user, 13 hours of a day."""
    hours: list[Row] = [
        CellHour(
            cluster=CLUSTER,
            gpu_id=gpu(slot),
            hour=FIRST + timedelta(hours=h),
            alloc_id=alloc_id(job_id(CLUSTER, "1"), 0, gpu(slot)),
            state=state,
            grade="A",
            gpu_seconds=3600,
            energy_joules=None,
        )
        for slot in range(8)
        for h in range(HOURS)
    ]
    samples = [
        s for slot in range(8) for s in told(slot, range(0, 60 * HOURS, 60), sm_active_ratio=use)
    ]
    write(store, [*inventory(), *running(), *hours, *samples])


def test_little_use_of_many_gpu_hours_is_found_for_user_and_team(store: Store) -> None:
    world(store)
    found = find(store)
    assert [f.subject for f in found] == ["user/ana", "team/vision"]
    assert [f.owner for f in found] == ["job owner", "team lead"]
    assert found[0].until == MIDNIGHT
    # 104 GPU-hours at 10 %, counted against 50 %.
    assert found[0].gpu_seconds == pytest.approx(8 * HOURS * 3600 * (1 - 0.1 / 0.5))


@pytest.mark.parametrize(("state", "use"), [("productive", 0.1), ("underused", 0.3)])
def test_who_works_or_uses_more_is_not_found(store: Store, state: str, use: float) -> None:
    world(store, state, use)
    assert find(store) == []


def test_a_day_that_goes_on_is_not_judged(store: Store) -> None:
    world(store)
    assert find(store, MIDNIGHT - timedelta(minutes=1)) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store)
    assert list(detector.find(store, LowEfficiencySettings(), Span(MIDNIGHT, MIDNIGHT))) == []


def test_the_finding_is_the_same_all_day_and_shows_its_rows(store: Store) -> None:
    world(store)
    early, late = find(store), find(store, MIDNIGHT + timedelta(hours=20))
    assert [f.finding_id for f in early] == [f.finding_id for f in late]
    assert sum(r["gpu_hours"] for r in store.select(early[0].evidence)) == 8 * HOURS
