"""Weeks in a zone: the year's end, both switches of the clocks, and when a report is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.report import weeks
from gpuledger.errors import ConfigError

BERLIN = weeks.zone_of("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("label", "zone", "since", "hours"),
    [
        ("2026-W47", "UTC", "2026-11-16T00:00Z", 168),
        ("2026-W47", "Europe/Berlin", "2026-11-15T23:00Z", 168),
        ("2026-W13", "Europe/Berlin", "2026-03-22T23:00Z", 167),
        ("2026-W43", "Europe/Berlin", "2026-10-18T22:00Z", 169),
        ("2026-W10", "America/New_York", "2026-03-02T05:00Z", 167),
        ("2026-W44", "America/New_York", "2026-10-26T04:00Z", 169),
        ("2026-W47", "Asia/Kolkata", "2026-11-15T18:30Z", 168),
        ("2026-W53", "Europe/Berlin", "2026-12-27T23:00Z", 168),
        ("2027-W01", "Europe/Berlin", "2027-01-03T23:00Z", 168),
        ("2026-W01", "Pacific/Auckland", "2025-12-28T11:00Z", 168),
    ],
)
def test_a_week_begins_on_monday_in_the_zone(label: str, zone: str, since: str, hours: int) -> None:
    first, last = weeks.bounds(label, weeks.zone_of(zone))
    assert first == at(since)
    assert last - first == hours * HOUR


@pytest.mark.parametrize("label", ["2027-W53", "2026-W00", "2026-47", "47", "0000-W01", "2026-W4٧"])
def test_a_week_that_does_not_exist_is_refused(label: str) -> None:
    with pytest.raises(ConfigError, match=r"--week .*2026-W47"):
        weeks.bounds(label)


@pytest.mark.parametrize(
    ("label", "earlier"),
    [("2027-W01", "2026-W53"), ("2026-W01", "2025-W52"), ("2026-W14", "2026-W13")],
)
def test_the_week_before_is_found_over_the_end_of_a_year(label: str, earlier: str) -> None:
    assert weeks.before(label, BERLIN) == earlier


def test_the_last_days_of_december_may_lie_in_the_first_week() -> None:
    assert weeks.of(at("2024-12-30T00:00+01:00"), BERLIN) == "2025-W01"
    assert weeks.of(at("2024-12-29T23:30Z"), BERLIN) == "2025-W01"
    assert weeks.of(at("2024-12-29T23:30Z"), UTC) == "2024-W52"


def test_the_week_before_a_switch_has_its_own_length() -> None:
    bounds = weeks.bounds("2026-W14", BERLIN)
    since, until = weeks.earlier(*bounds, BERLIN)
    assert (since, until) == weeks.bounds("2026-W13", BERLIN)
    assert until - since == 167 * HOUR


def test_before_what_is_no_week_is_as_much_time() -> None:
    since, until = at("2026-11-17T05:00Z"), at("2026-11-20T05:00Z")
    assert weeks.earlier(since, until, BERLIN) == (at("2026-11-14T05:00Z"), since)


def test_a_span_of_seven_days_of_another_zone_has_no_label() -> None:
    assert weeks.label(*weeks.bounds("2026-W47"), BERLIN) == ""


@given(
    st.integers(700_000_000, 3_700_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    st.sampled_from(ZONES),
)
def test_every_instant_lies_in_exactly_its_week(moment: datetime, name: str) -> None:
    zone = weeks.zone_of(name)
    label = weeks.of(moment, zone)
    since, until = weeks.bounds(label, zone)
    assert since <= moment < until
    assert weeks.label(since, until, zone) == label
    assert weeks.bounds(weeks.before(label, zone), zone)[1] == since


@pytest.mark.parametrize(
    ("now", "week"),
    [
        ("2026-11-23T06:59Z", "2026-W46"),
        ("2026-11-23T07:00Z", "2026-W47"),
        ("2026-11-29T23:00Z", "2026-W47"),
        ("2026-11-30T07:00Z", "2026-W48"),
        # Winter begins on Sunday 25 October: Monday 08:00 is an hour later in UTC than before.
        ("2026-10-26T06:59Z", "2026-W42"),
        ("2026-10-26T07:00Z", "2026-W43"),
        ("2026-03-30T05:59Z", "2026-W12"),
        ("2026-03-30T06:00Z", "2026-W13"),
        ("2027-01-04T07:00Z", "2026-W53"),
    ],
)
def test_a_report_is_due_on_monday_morning_of_the_zone(now: str, week: str) -> None:
    assert weeks.due(at(now), "Monday 08:00", BERLIN) == week


def test_a_time_that_the_clocks_skip_is_due_once_they_are_on() -> None:
    due = weeks.due_at("2026-W12", "Sunday 02:30", BERLIN)
    assert due == at("2026-03-29T01:30Z")


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    assert weeks.due_at("2026-W42", "Sunday 02:30", BERLIN) == at("2026-10-25T00:30Z")


@pytest.mark.parametrize("text", ["Monday", "Mon 08:00", "08:00", "Monday 24:00", "Monday 08:60"])
def test_a_time_of_the_week_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="Monday 08:00"):
        weeks.moment_of(text)


@pytest.mark.parametrize("name", ["Europe/Berlim", "", "../etc", "/etc/passwd"])
def test_a_zone_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"\[report\] timezone"):
        weeks.zone_of(name)


def test_a_period_is_told_by_its_days_in_the_zone() -> None:
    bounds = weeks.bounds("2026-W13", BERLIN)
    assert weeks.days(*bounds, "Europe/Berlin") == "23 Mar 2026 to 29 Mar 2026, Europe/Berlin"
    hours = weeks.days(bounds[0], bounds[0] + HOUR, "UTC")
    assert hours == "22 Mar 2026, 23:00 to 23 Mar 2026, 00:00, UTC"
