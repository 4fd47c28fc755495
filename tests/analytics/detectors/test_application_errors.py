"""Jobs whose program makes GPUs report errors."""

from __future__ import annotations

import pytest

from analytics.book import Span
from analytics.detectors.application_errors import ApplicationErrorSettings, detector
from gpuledger.catalogue import Finding, GpuEvent
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, given, gpu, job, write

WHOLE = Span(at(0), at(60))


def xid(minute: float, count: int = 1, cause: str = "application", slot: int = 0) -> GpuEvent:
    return GpuEvent(
        ts=at(minute),
        cluster=CLUSTER,
        node="n0",
        slot=slot,
        gpu_id=gpu(slot),
        kind="xid",
        code=31,
        cause=cause,
        count=count,
    )


def find(store: Store, events: list[GpuEvent]) -> list[Finding]:
    write(store, [asset(0), asset(1), job(started=at(0)), given("1", 0), given("1", 1), *events])
    return list(detector.find(store, ApplicationErrorSettings(), WHOLE))


@pytest.mark.parametrize(("count", "found"), [(19, 0), (20, 1)])
def test_many_errors_within_an_hour_are_told_to_the_owner(
    store: Store, count: int, found: int
) -> None:
    assert len(find(store, [xid(5, count)])) == found


def test_errors_of_all_gpus_are_one_finding_of_the_job(store: Store) -> None:
    (found,) = find(store, [xid(50, 15), xid(55, 15, slot=1)])
    assert (found.subject, found.user, found.owner) == ("c/1", "ana", "job owner")
    assert (found.gpus, found.open) == (2, 1)
    assert found.summary == "train made 2 GPUs report 30 errors of its program (XID 31)"
    assert len(store.select(found.evidence)) == 2


def test_errors_of_the_hardware_are_not_the_programs(store: Store) -> None:
    assert find(store, [xid(5, 50, cause="hardware")]) == []


def test_errors_without_a_job_are_nobodys(store: Store) -> None:
    write(store, [asset(0), xid(5, 50)])
    assert list(detector.find(store, ApplicationErrorSettings(), WHOLE)) == []


def test_it_finds_the_same_again_and_nothing_in_an_empty_span(store: Store) -> None:
    first = find(store, [xid(5, 50)])
    again = detector.find(store, ApplicationErrorSettings(), WHOLE)
    assert [f.values() for f in first] == [f.values() for f in again]
    empty = Span(at(100), at(160))
    assert list(detector.find(store, ApplicationErrorSettings(), empty)) == []
