"""Deadlines on whole seconds, intervals from the monotonic clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.pace import ClockWatch, Pace, Tick
from tests.collector.support import MIDNIGHT, FakeClock


def follow(clock: FakeClock, pace: Pace, late_s: float = 0.0) -> Tick:
    clock.pass_s(pace.wait_s() + late_s)
    return pace.tick()


def test_readings_fall_on_whole_multiples_of_the_period_of_the_wall_clock() -> None:
    clock = FakeClock(wall=MIDNIGHT + 0.3)
    pace = Pace(2.0, clock.clock)
    stamps = [follow(clock, pace).wall_ms for _ in range(3)]
    assert stamps == [round((MIDNIGHT + s) * 1000) for s in (2, 4, 6)]


def test_the_first_reading_covers_nothing_and_the_next_one_period() -> None:
    clock = FakeClock()
    pace = Pace(1.0, clock.clock)
    assert [follow(clock, pace).elapsed_s for _ in range(3)] == [0.0, 1.0, 1.0]


def test_a_wake_up_of_some_milliseconds_late_counts_as_on_time() -> None:
    clock = FakeClock()
    pace = Pace(1.0, clock.clock)
    ticks = [follow(clock, pace, late_s) for late_s in (0.003, 0.04, 0.0)]
    assert [t.wall_ms % 1000 for t in ticks] == [0, 0, 0]
    assert [t.elapsed_s for t in ticks] == [0.0, 1.0, 1.0]


def test_deadlines_that_passed_during_a_long_reading_are_left_out() -> None:
    clock = FakeClock()
    pace = Pace(1.0, clock.clock)
    follow(clock, pace)
    clock.pass_s(1.6)
    assert pace.wait_s() == pytest.approx(0.4)


def test_a_row_never_speaks_for_more_than_two_and_a_half_periods() -> None:
    clock = FakeClock()
    pace = Pace(1.0, clock.clock)
    follow(clock, pace)
    clock.pass_s(600)
    assert follow(clock, pace).elapsed_s == 2.5


@pytest.mark.parametrize("step_s", [-3600.25, 7.75, -0.4])
def test_after_a_step_of_the_wall_clock_intervals_stay_and_stamps_align_again(
    step_s: float,
) -> None:
    clock = FakeClock()
    pace = Pace(1.0, clock.clock)
    follow(clock, pace)
    clock.wall_s += step_s
    follow(clock, pace)
    tick = follow(clock, pace)
    assert tick.wall_ms % 1000 == 0
    assert 0.4 < tick.elapsed_s <= 1.5


@given(st.lists(st.floats(0, 5), max_size=20), st.sampled_from([0.5, 1.0, 10.0, 30.0]))
def test_the_wait_is_always_positive_and_never_longer_than_two_periods(
    readings_s: list[float], period_s: float
) -> None:
    clock = FakeClock(wall=MIDNIGHT + 0.123)
    pace = Pace(period_s, clock.clock)
    for took_s in readings_s:
        wait_s = pace.wait_s()
        assert 0 < wait_s <= 2 * period_s
        clock.pass_s(wait_s + took_s)


def test_a_step_of_the_wall_clock_is_noticed_once() -> None:
    clock = FakeClock()
    watch = ClockWatch(clock.clock)
    steps = [watch.step_s()]
    clock.pass_s(10)
    steps.append(watch.step_s())
    clock.wall_s -= 3600
    steps += [watch.step_s(), watch.step_s()]
    assert steps == [0.0, 0.0, pytest.approx(-3600), 0.0]


def test_a_minutes_reading_that_is_a_little_late_is_still_that_minutes() -> None:
    clock = FakeClock()
    pace = Pace(60.0, clock.clock)
    ticks = [follow(clock, pace, late_s) for late_s in (0.0, 0.06, 2.9, 0.001)]
    assert [t.wall_ms % 60_000 for t in ticks] == [0, 0, 0, 0]
    assert [t.elapsed_s for t in ticks] == [0.0, 60.0, 60.0, 60.0]


def test_a_reading_that_is_late_by_more_says_when_it_was() -> None:
    clock = FakeClock()
    pace = Pace(60.0, clock.clock)
    ticks = [follow(clock, pace, late_s) for late_s in (0.0, 7.0)]
    assert [t.elapsed_s for t in ticks] == [0.0, 67.0]
