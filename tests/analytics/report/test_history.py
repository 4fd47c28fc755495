"""The last 13 weeks: from days or hours, in the readers' time zone, with gaps left empty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analytics.report.history import WEEKS, history
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet


@pytest.mark.parametrize("shift", [0, 5])
def test_weeks_from_days_and_from_hours_say_the_same(store: Store, shift: int) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    begin = MONDAY - WEEK + shift * HOUR
    fleet.hours(0, "productive", begin, 100)
    fleet.hours(0, "underused", begin + 100 * HOUR, 20)
    fleet.hours(0, "alloc_idle", begin + 120 * HOUR, 8)
    fleet.hours(0, "free_surplus", begin + 128 * HOUR, 30)
    fleet.hours(0, "fault", begin + 158 * HOUR, 10)
    fleet.write()
    found = history(store, MONDAY + WEEK + shift * HOUR)
    assert len(found) == WEEKS
    week = found[-2]
    assert (week.paid, week.available, week.allocated) == (168, 158, 128)
    assert (week.active, week.productive, week.booked_hours) == (120, 100, 168)
    assert week.since == begin


def test_weeks_that_are_not_there_have_no_numbers(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.hours(0, "productive", MONDAY, 168)
    fleet.write()
    *gone, last = history(store, MONDAY + WEEK)
    assert {(w.paid, w.productive, w.booked_hours) for w in gone} == {(None, None, 0)}
    assert (last.week, last.paid) == ("W47", 168)


def test_a_week_of_the_switch_has_an_hour_more(store: Store) -> None:
    zone = ZoneInfo("Europe/Berlin")
    until = datetime(2026, 10, 26, tzinfo=zone).astimezone(UTC)
    last = history(store, until, zone)[-1]
    assert (last.week, last.expected_hours) == ("W43", 169)
    assert until - last.since == timedelta(hours=169)
