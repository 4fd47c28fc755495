"""What waiting jobs could have used of the loose time, and what is slack."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics import recoverable
from analytics.ledger import Ledger, Window
from analytics.placement import Placement
from gpuledger.catalogue import DemandMinute
from gpuledger.measures import LOOSE_HOURS, RECOVERABLE_HOURS, SLACK_HOURS, select
from gpuledger.schema import Row
from gpuledger.store import Store
from gpuledger.views import book_between
from tests.analytics.world import START, asset, at, cells, given, job, samples, write

HOUR = timedelta(hours=1)


def wanted(minute: int, gpus: float, pool: str = "big") -> DemandMinute:
    """Jobs lack some GPUs for a whole minute."""
    return DemandMinute(
        cluster="c",
        pool=pool,
        minute=at(minute),
        unmet_seconds=60 * gpus,
        refused_seconds=0,
        jobs=1,
    )


def minutes(store: Store, rows: list[Row]) -> list[tuple[float, float, float]]:
    """(loose GPU-seconds, those unmet, share recoverable) of each minute of an hour."""
    write(store, [asset(0), asset(1), *rows])
    recoverable.write(store, [START])
    found = store.select("SELECT * FROM v_recoverable_1m ORDER BY minute")
    return [(r["loose_seconds"], r["unmet_seconds"], r["met_millionths"] / 1e6) for r in found]


def test_what_nobody_waited_for_is_slack(store: Store) -> None:
    assert minutes(store, cells("alloc_idle", [0])) == [(60.0, 0.0, 0.0)]


def test_recoverable_is_capped_by_what_jobs_lacked(store: Store) -> None:
    idle = [*cells("alloc_idle", [0, 1], 0), *cells("alloc_idle", [0, 1], 1)]
    found = minutes(store, [*idle, wanted(0, 0.5), wanted(1, 9)])
    assert found == [(120.0, 30.0, 0.25), (120.0, 540.0, 1.0)]


def test_underused_time_counts_half(store: Store) -> None:
    assert minutes(store, [*cells("underused", [0]), wanted(0, 1)]) == [(30.0, 60.0, 1.0)]


def test_work_and_faults_are_not_loose(store: Store) -> None:
    rows = [*cells("productive", [0]), *cells("fault", [1]), *cells("free_surplus", [2])]
    assert minutes(store, [*rows, wanted(0, 1), wanted(1, 1), wanted(2, 1)]) == []


def test_demand_for_another_pool_frees_nothing_here(store: Store) -> None:
    found = minutes(store, [*cells("alloc_idle", [0]), wanted(0, 1, pool="other")])
    assert found == [(60.0, 0.0, 0.0)]


def test_hours_hold_the_recoverable_part_of_their_minutes(store: Store) -> None:
    minutes(store, [*cells("alloc_idle", [0, 1, 2]), wanted(0, 0.5), wanted(1, 1)])
    (row,) = store.select("SELECT state, recoverable_seconds AS s FROM v_recoverable_1h")
    assert (row["state"], row["s"]) == ("alloc_idle", 90.0)


def test_writing_again_changes_nothing(store: Store) -> None:
    first = minutes(store, [*cells("alloc_idle", [0]), wanted(0, 0.5)])
    assert minutes(store, []) == first
    assert store.value("SELECT count() FROM recoverable_1h") == 1


def test_what_is_loose_no_longer_is_forgotten(store: Store) -> None:
    minutes(store, [*cells("alloc_idle", [0]), wanted(0, 1)])
    store.command("TRUNCATE TABLE ledger_1m")
    assert minutes(store, []) == []
    assert store.value("SELECT count() FROM recoverable_1h") == 0


@pytest.fixture
def booked(store: Store) -> Store:
    """Two GPUs for an hour: one idles all the time, one is free; a job waits in the second half."""
    rows = [
        *(asset(0), asset(1)),
        *(job("1", started=START), given("1", 0)),
        *samples(0, 0, 60, active=0.0),
        *samples(1, 0, 60, active=0.0, processes=0),
        job("2", state="pending", gpus=1, eligible=at(30)),
    ]
    write(store, rows)
    Placement(store).write(START, START + HOUR)
    Ledger(store).book(Window(START, START + HOUR), START + HOUR)
    return store


@pytest.mark.parametrize(("since", "until"), [(0, 60), (15, 45)], ids=["hours", "minutes"])
def test_recoverable_and_slack_are_loose_time_in_hours_and_in_minutes(
    booked: Store, since: int, until: int
) -> None:
    (row,) = booked.select(
        f"SELECT {select(LOOSE_HOURS, RECOVERABLE_HOURS, SLACK_HOURS)} FROM {book_between()}",
        since=at(since),
        until=at(until),
    )
    # From minute 30 on the idle GPU and the free one are loose, and one GPU is wanted.
    assert row["recoverable_gpu_hours"] == pytest.approx((until - 30) / 60)
    slack = row["loose_gpu_hours"] - row["recoverable_gpu_hours"]
    assert row["slack_gpu_hours"] == pytest.approx(slack)
    assert slack > 0
