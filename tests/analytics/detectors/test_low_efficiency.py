"""Users and teams with little use for a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.low_efficiency import LowEfficiencySettings, detector
from gpuledger.catalogue import CellHour, Finding
from gpuledger.catalogue.people import Exemption, Service
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


def world(
    store: Store,
    state: str = "underused",
    use: float = 0.1,
    *more: Row,
    held_up: int = 0,
    by: tuple[str, str] = ("alloc_idle", "peer_fault"),
    **about: Any,
) -> None:
    """Eight GPUs of one user, 13 hours of a day, the first of them in state and cause `by`."""
    booked: list[Row] = []
    samples: list[Row] = []
    for slot in range(8):
        for h in range(HOURS):
            told_state, cause = by if h < held_up else (state, "")
            booked.append(hour(slot, h, told_state, cause))
        samples += told(slot, range(0, 60 * held_up, 60), sm_active_ratio=0.0)
        samples += told(slot, range(60 * held_up, 60 * HOURS, 60), sm_active_ratio=use)
    write(store, [*inventory(), *running(**about), *booked, *samples, *more])


def hour(slot: int, hours: int, state: str, cause: str) -> CellHour:
    return CellHour(
        cluster=CLUSTER,
        gpu_id=gpu(slot),
        hour=FIRST + timedelta(hours=hours),
        alloc_id=alloc_id(job_id(CLUSTER, "1"), 0, gpu(slot)),
        state=state,
        cause=cause,
        grade="A",
        gpu_seconds=3600,
        energy_joules=None,
    )


def agreed(**changed: Any) -> Exemption:
    """An approved exemption of the job that began in the days and has ended since."""
    values = {
        "subject": "c/1",
        "reason": "demo",
        "owner": "ana",
        "approved_by": "lea",
        "valid_from": FIRST,
        "valid_to": FIRST + timedelta(hours=5),
        "version": 1,
    }
    return Exemption(**{**values, **changed})


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


@pytest.mark.parametrize("by", [("alloc_idle", "peer_fault"), ("fault", "xid")])
def test_time_that_broken_hardware_held_up_is_not_theirs(store: Store, by: tuple[str, str]) -> None:
    world(store, use=0.1, held_up=6, by=by)
    user, team = find(store)
    # 56 of 104 GPU-hours are left, and their use is what it was in them.
    assert "10% on average" in user.summary
    assert "56 GPU-hours" in user.summary
    assert user.gpu_seconds == team.gpu_seconds == pytest.approx(8 * 7 * 3600 * 0.8)
    assert sum(r["gpu_hours"] for r in store.select(user.evidence)) == 56


def test_who_was_held_up_most_of_the_time_is_not_found(store: Store) -> None:
    world(store, "productive", 0.6, held_up=10)
    assert find(store) == []


@pytest.mark.parametrize(
    "rows",
    [
        [agreed()],
        [agreed(kinds="idle,low_efficiency")],
        [Service(cluster="c", service="chat", jobs="tra", valid_from=FIRST, version=1)],
    ],
)
def test_what_was_agreed_to_and_services_are_left_out(store: Store, rows: list[Row]) -> None:
    world(store, "underused", 0.1, *rows)
    assert find(store) == []


def test_a_pod_of_a_service_is_left_out(store: Store) -> None:
    world(store, kind="service")
    assert find(store) == []


@pytest.mark.parametrize(
    "changed", [{"approved_by": ""}, {"kinds": "idle"}, {"valid_from": MIDNIGHT}]
)
def test_what_was_not_agreed_to_in_these_days_counts(store: Store, changed: dict[str, Any]) -> None:
    world(store, "underused", 0.1, agreed(**{"valid_to": MIDNIGHT + timedelta(days=1), **changed}))
    assert len(find(store)) == 2


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
