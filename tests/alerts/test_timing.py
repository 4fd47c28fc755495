from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rule import Severity
from alerts.timing import Timing, is_retried

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(0, 3 * 366 * 86_400).map(
    lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)


def berlin(*at: int) -> datetime:
    return datetime(*at, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[misc, arg-type]


NIGHT = Timing(zone=BERLIN, quiet=(time(22), time(7)), digest_at=time(8))


@pytest.mark.parametrize(
    ("hour", "quiet"), [(21, False), (22, True), (23, True), (0, True), (6, True), (7, False)]
)
def test_quiet_hours_are_wall_clock_hours_and_span_midnight(hour: int, quiet: bool) -> None:
    until = NIGHT.quiet_until(Severity.HIGH, berlin(2026, 7, 1, hour))
    assert (until is not None) is quiet


@pytest.mark.parametrize(("hour", "quiet"), [(11, False), (12, True), (13, False)])
def test_quiet_hours_within_a_day(hour: int, quiet: bool) -> None:
    noon = Timing(quiet=(time(12), time(13)))
    until = noon.quiet_until(Severity.HIGH, datetime(2026, 7, 1, hour, tzinfo=UTC))
    assert (until is not None) is quiet


def test_the_worst_breaks_through() -> None:
    assert NIGHT.quiet_until(Severity.CRITICAL, berlin(2026, 7, 1, 23)) is None


def test_without_quiet_hours_there_are_none() -> None:
    assert Timing().quiet_until(Severity.INFO, berlin(2026, 7, 1, 23)) is None


@pytest.mark.parametrize("day", [28, 29, 30])
def test_what_waits_through_the_night_of_the_switch_waits_until_seven(day: int) -> None:
    until = NIGHT.quiet_until(Severity.HIGH, berlin(2026, 3, day - 1, 23))
    assert until == berlin(2026, 3, day, 7)


def test_a_summary_has_the_same_hour_on_the_wall_before_and_after_the_switch() -> None:
    assert NIGHT.last_summary(berlin(2026, 3, 28, 9)).hour == 7
    assert NIGHT.last_summary(berlin(2026, 3, 30, 9)).hour == 6
    assert NIGHT.last_summary(berlin(2026, 10, 26, 9)).hour == 7


def test_a_summary_whose_hour_the_clock_leaps_over_comes_that_day_all_the_same() -> None:
    leapt = Timing(zone=BERLIN, digest_at=time(2, 30))
    assert berlin(2026, 3, 29, 1) < leapt.last_summary(berlin(2026, 3, 29, 12))


def test_the_hour_of_the_summary_itself_has_come() -> None:
    at = berlin(2026, 7, 1, 8)
    assert NIGHT.last_summary(at) == at
    assert NIGHT.next_summary(at) == berlin(2026, 7, 2, 8)


@given(now=MOMENTS, at=st.times())
def test_summaries_lie_around_now_a_day_apart(now: datetime, at: time) -> None:
    timing = Timing(zone=BERLIN, digest_at=at.replace(tzinfo=None))
    last, following = timing.last_summary(now), timing.next_summary(now)
    assert last <= now < following
    assert timedelta(hours=22) <= following - last <= timedelta(hours=26)


@pytest.mark.parametrize(
    ("severity", "only", "summarised"),
    [("info", False, True), ("warning", False, False), ("critical", True, True)],
)
def test_mild_ones_are_summarised_and_in_digest_mode_all(
    severity: str, only: bool, summarised: bool
) -> None:
    assert Timing(only_summaries=only).is_summarised(Severity(severity)) is summarised


@pytest.mark.parametrize(
    ("failures", "seconds", "again"),
    [(0, 0, True), (1, 54, False), (1, 55, True), (2, 60, False), (2, 120, True), (9, 3600, True)],
)
def test_waiting_grows_with_failures(failures: int, seconds: int, again: bool) -> None:
    now = berlin(2026, 7, 1, 8)
    assert is_retried(failures, now - timedelta(seconds=seconds), now) is again
