"""How much of what is won back somebody would use."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from analytics.advice.demand import DAY_H, begin, unmet
from analytics.advice.interval import Interval
from gpuledger.catalogue import BookedHour
from gpuledger.catalogue.demand import DemandMinute
from gpuledger.store import Store
from tests.analytics.world import START, write

NOW = START + timedelta(days=4)


def hour(at: datetime) -> BookedHour:
    """An hour that was booked."""
    until = at + timedelta(hours=1)
    return BookedHour(
        hour=at, fingerprint=1, booked_until=until, owned_seconds=0, booked_at=until, version=1
    )


def lacked(at: datetime, gpus: float, pool: str = "big", cluster: str = "c") -> DemandMinute:
    """An hour in which jobs lacked so many GPUs, told in one minute."""
    return DemandMinute(
        cluster=cluster,
        pool=pool,
        minute=at,
        unmet_seconds=3600 * gpus,
        refused_seconds=0,
        jobs=1,
    )


@pytest.fixture
def site(store: Store) -> Store:
    """Four booked days, in which jobs lacked 6 GPUs half of the time, and 2 in another pool."""
    hours = [START + timedelta(hours=h) for h in range(4 * DAY_H)]
    write(store, map(hour, hours))
    write(store, [lacked(h, 6) for h in hours[::2]])
    write(store, [lacked(h, 2, "small") for h in hours[::2]])
    return store


def test_waiting_jobs_use_no_more_than_they_lacked(site: Store) -> None:
    found = unmet(site, NOW)
    assert found.used(4, 10, "c") == Interval(20, 20, 20)
    assert found.used(100, 10, "c").expected == 40
    assert found.used(100, 10, "elsewhere").expected == 0


def test_what_they_lack_now_counts_as_one_day_more(site: Store) -> None:
    used = unmet(site, NOW).used(4, 5, "c", now=3)
    assert used.expected == pytest.approx((4 * 2 + 3) / 5 * 5)
    assert used.low < used.expected < used.high


def test_pools_are_told_apart_and_added_up(site: Store) -> None:
    found = unmet(site, NOW)
    assert [np.nanmax(found.of(*where)) for where in (("c", "small"), ("c", ""), ("", ""))] == [
        2,
        8,
        8,
    ]


def test_hours_that_were_not_booked_tell_nothing(site: Store) -> None:
    assert int(np.isfinite(unmet(site, NOW).of("c")).sum()) == 4 * DAY_H


def test_of_an_empty_book_only_what_waits_now_is_known(store: Store) -> None:
    assert unmet(store, NOW).used(4, 2, "c", now=3) == Interval(6, 0, 8)
    assert unmet(store, NOW).used(4, 2, "c") == Interval(0, 0, 8)


def test_the_two_weeks_end_with_the_hour_of_now() -> None:
    assert begin(START + timedelta(minutes=1)) == START - timedelta(days=14, hours=-1)
    assert begin(START) == START - timedelta(days=14)
