"""Estimates with their intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.advice.interval import Interval, of_days, quantiles

days = st.lists(st.floats(0, 1e6), min_size=3, max_size=20)


@given(days)
def test_the_mean_of_days_lies_in_its_interval_and_both_among_the_days(values: list[float]) -> None:
    found = of_days(values, 0.0, 1e6)
    slack = 1e-6 * max(values)
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert min(values) - slack <= found.expected <= max(values) + slack


def test_days_that_differ_give_a_wider_interval_than_equal_ones() -> None:
    assert of_days([4.0] * 5, 0.0, 9.0) == Interval(4.0, 4.0, 4.0)
    found = of_days([0.0, 8.0, 0.0, 8.0], 0.0, 9.0)
    assert found.low < found.expected == 4.0 < found.high


@pytest.mark.parametrize(("values", "mean"), [([], 0.0), ([2.0, 4.0], 3.0)])
def test_too_few_days_tell_no_more_than_what_is_possible(values: list[float], mean: float) -> None:
    assert of_days(values, 0.0, 8.0) == Interval(mean, 0.0, 8.0)


def test_the_same_days_give_the_same_interval() -> None:
    values = [1.0, 5.0, 2.0, 9.0]
    assert of_days(values, 0.0, 9.0) == of_days(values, 0.0, 9.0)


def test_single_values_give_their_median_and_where_most_of_them_lie() -> None:
    found = quantiles([float(v) for v in range(11)], 0.0, 99.0)
    assert (found.low, found.expected, found.high) == (1.0, 5.0, 9.0)
    assert quantiles([], 0.0, 7.0) == Interval(0.0, 0.0, 7.0)


def test_a_negative_factor_turns_an_interval_round() -> None:
    assert Interval(2.0, 1.0, 4.0).times(-2) == Interval(-4.0, -8.0, -2.0)


def test_a_known_loss_moves_the_whole_interval() -> None:
    assert Interval(2.0, 1.0, 4.0).less(1.5) == Interval(0.5, -0.5, 2.5)


def test_an_interval_is_told_only_where_it_has_a_width() -> None:
    assert Interval(2.0, 1.0, 400.0).words("GPU-hours") == "2 (1 to 400) GPU-hours"
    assert Interval(2.0, 2.0, 2.0).words("kWh") == "2 kWh"
