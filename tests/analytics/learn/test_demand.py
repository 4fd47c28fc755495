"""Demand by the hour: what jobs held and waited for, and what they asked for."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from analytics.learn import demand
from analytics.learn.demand import Series
from gpuledger.catalogue import AccountHour, Job
from gpuledger.schema import Kind, Row
from gpuledger.store import Store
from tests.analytics import world

MIDNIGHT = world.START.replace(hour=0)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def account(hour: int, state: str, gpus: float, pool: str = "big") -> AccountHour:
    """An hour of that many GPUs in a state; every other column says nothing."""
    words = {Kind.LABEL, Kind.TEXT}
    nothing = {c.name: "" if c.kind in words else 0 for c in AccountHour.table.columns}
    told = {
        "cluster": world.CLUSTER,
        "pool": pool,
        "state": state,
        "grade": "A",
        "gpu_seconds": 3600 * gpus,
        "hour": MIDNIGHT + hour * HOUR,
    }
    return AccountHour(**{**nothing, **told})


def waiting(hours: float, *, reason: str = "Resources", gpus: int = 4) -> Job:
    """A job that waits from 01:00 on for so long."""
    since = MIDNIGHT + HOUR
    job = world.job("w", state="cancelled", reason=reason, gpus=gpus, eligible=since)
    job.submitted = since
    job.ended = since + hours * HOUR
    return job


def one(store: Store, measure: str, pool: str = "") -> Series:
    found = demand.series(store, MIDNIGHT, MIDNIGHT + DAY)
    (told,) = (s for s in found if (s.measure, s.pool) == (measure, pool))
    return told


def day(*rows: Row) -> list[Row]:
    """Four GPUs owned all day, and what else there is."""
    return [*rows, *(account(hour, "free_surplus", 4) for hour in range(24))]


def test_demand_is_what_was_held(store: Store) -> None:
    world.write(store, day(account(2, "productive", 3), account(2, "alloc_idle", 1)))
    assert list(one(store, "demand").hourly[:4]) == [0, 0, 4, 0]


def test_waiting_for_capacity_is_demand(store: Store) -> None:
    world.write(store, day(waiting(1.5)))
    assert list(one(store, "demand").hourly[:4]) == [0, 4, 2, 0]


def test_waiting_for_something_else_is_none(store: Store) -> None:
    world.write(store, day(waiting(1.5, reason="Dependency")))
    assert np.nansum(one(store, "demand").hourly) == 0


def test_asked_is_counted_when_it_was_handed_in(store: Store) -> None:
    world.write(store, day(waiting(5)))
    assert list(one(store, "asked").hourly[:3]) == [0, 4, 0]
    assert one(store, "asked").daily == pytest.approx([4])


def test_broken_gpus_are_not_usable(store: Store) -> None:
    world.write(store, day(account(2, "fault", 2)))
    assert list(one(store, "usable").hourly[:4]) == [4, 4, 4, 4]


def test_hours_that_were_not_booked_are_missing(store: Store) -> None:
    world.write(store, [account(hour, "productive", 2) for hour in range(12)])
    told = one(store, "demand")
    assert np.isnan(told.hourly[12:]).all()
    assert told.daily == pytest.approx([2])


def test_a_day_of_which_little_is_known_is_missing(store: Store) -> None:
    world.write(store, [account(hour, "productive", 2) for hour in range(11)])
    assert np.isnan(one(store, "demand").daily).all()


def test_pools_are_apart_and_add_up(store: Store) -> None:
    world.write(store, day(account(3, "productive", 2, pool="small"), account(3, "productive", 1)))
    assert one(store, "demand", "small").hourly[3] == 2
    assert one(store, "demand", "big").hourly[3] == 1
    assert one(store, "demand").hourly[3] == 3


def test_a_waiting_job_belongs_to_the_pool_where_its_queue_runs(store: Store) -> None:
    ran = world.job("1", pool="gpu", started=MIDNIGHT, ended=MIDNIGHT + HOUR)
    job = waiting(1)
    job.pool = "gpu"
    rows = day(job, ran, world.given("1", 0, since=MIDNIGHT, until=MIDNIGHT + HOUR))
    world.write(store, [*rows, world.asset(0), account(3, "productive", 1, pool="small")])
    assert one(store, "demand", "big").hourly[1] == 4


def test_an_empty_book_has_no_series(store: Store) -> None:
    assert demand.series(store, MIDNIGHT, MIDNIGHT + DAY) == []
