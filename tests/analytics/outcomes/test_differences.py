"""Difference in differences with numbers that are known."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.outcomes.differences import Sides, effect
from analytics.success import Days, days_of
from tests.analytics.world import START


def side(level: float, count: int = 40, days: int = 5) -> Days:
    """Observations around a level, spread over days."""
    rows = [
        {
            "at": START + timedelta(days=i % days),
            "value": level + 0.001 * (i % 7 - 3),
            "weight": 1.0,
        }
        for i in range(count)
    ]
    return days_of(rows)


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=10, deadline=None)
def test_what_happened_to_all_is_no_effect(level: float, own: float, common: float) -> None:
    found = effect(Sides(side(level), side(level + own + common), side(0.5), side(0.5 + common)))
    assert found.value == pytest.approx(own, abs=0.002)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= own + 0.002
    assert found.high >= own - 0.002


def test_the_same_observations_give_the_same_interval() -> None:
    sides = Sides(side(0.4), side(0.1), side(0.4), side(0.35))
    assert effect(sides) == effect(sides)


@pytest.mark.parametrize(
    ("few", "reason"),
    [
        (side(0.4, count=29), "only 29 observations of it after, 30 are needed"),
        (side(0.4, days=2), "only 2 days of it after, 3 are needed"),
    ],
)
def test_too_few_observations_tell_nothing(few: Days, reason: str) -> None:
    found = effect(Sides(side(0.4), few, side(0.4), side(0.4)))
    assert (found.value, found.reason) == (None, reason)


def test_nothing_like_it_tells_nothing() -> None:
    found = effect(Sides(side(0.4), side(0.1), days_of([]), days_of([])))
    assert found.reason == "only 0 observations like it before, 30 are needed"
