"""Forecasts of one series: deterministic, honest about their past, and naive where nothing wins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.learn import series
from analytics.learn.methods import METHODS, NAIVE, Values, seasonal_naive

DAY = 24


def weekly(days: int, seed: int = 1, noise: float = 0.3) -> Values:
    """Counts by the hour with a week, a day and noise."""
    rng = np.random.default_rng(seed)
    at = np.arange(days * DAY)
    week = np.array([1.0, 1.2, 1.1, 1.1, 1.0, 0.5, 0.4])[at // DAY % 7]
    day = 1 + 0.5 * np.sin(at % DAY / DAY * 2 * np.pi)
    return np.asarray(20 * week * day * np.exp(rng.normal(0, noise, len(at))))


def test_noise_around_a_week_is_smoothed() -> None:
    out = series.outlook(weekly(35), DAY, 7)
    assert out is not None
    assert out.method != NAIVE
    assert out.error is not None
    assert out.naive_error is not None
    assert out.error < 0.8 * out.naive_error


def test_what_nothing_beats_is_shown_as_seasonal_naive() -> None:
    values = np.tile(np.random.default_rng(2).uniform(1, 100, 7 * DAY), 5)
    out = series.outlook(values, DAY, 7)
    assert out is not None
    assert out.method == NAIVE
    assert out.expected == pytest.approx(values[: 7 * DAY])
    assert out.error == out.naive_error == 0


def test_a_gain_within_noise_is_no_gain() -> None:
    assert series.chosen({NAIVE: 0.2, "profile": 0.195}) == NAIVE
    assert series.chosen({NAIVE: 0.2, "profile": 0.15}) == "profile"


def test_the_band_covers_what_it_promises() -> None:
    values = weekly(60)
    out = series.outlook(values[: 53 * DAY], DAY, 7)
    assert out is not None
    came = values[53 * DAY :]
    assert 0.72 <= ((came >= out.low) & (came <= out.high)).mean() <= 0.88
    assert out.cover == pytest.approx(0.8, abs=0.05)


def test_twice_the_same() -> None:
    one, two = (series.outlook(weekly(20), DAY, 7) for _ in range(2))
    assert one is not None
    assert two is not None
    assert (one.method, one.error, one.cover) == (two.method, two.error, two.cover)
    assert (one.low == two.low).all()
    assert (one.high == two.high).all()


@pytest.mark.parametrize(("days", "ahead"), [(13, 7), (34, 28)])
def test_too_little_history_gives_no_forecast(days: int, ahead: int) -> None:
    assert series.outlook(weekly(days), DAY, ahead) is None


def test_a_series_without_values_gives_no_forecast() -> None:
    assert series.outlook(np.full(20 * DAY, np.nan), DAY, 7) is None


def test_gaps_are_not_zeros() -> None:
    values = weekly(28, noise=0.0)
    values[100:148] = np.nan
    out = series.outlook(values, DAY, 7)
    assert out is not None
    assert out.expected == pytest.approx(weekly(35, noise=0.0)[28 * DAY :], rel=0.1)


def test_four_weeks_by_the_day() -> None:
    out = series.outlook(weekly(60).reshape(-1, DAY).sum(axis=1), 1, 28)
    assert out is not None
    assert len(out.expected) == 28
    assert out.origins >= 20


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.one_of(st.floats(0, 1e6), st.just(float("nan"))), min_size=14, max_size=40).filter(
        lambda v: np.isfinite(v).any()
    ),
    st.sampled_from(sorted(METHODS)),
)
def test_every_method_says_something_finite_and_not_negative(found: list[float], name: str) -> None:
    said = METHODS[name](np.array(found), 1, 10)
    assert said.shape == (10,)
    assert np.isfinite(said).all()
    assert (said >= 0).all()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1e5), min_size=14, max_size=40))
def test_the_band_holds_what_is_expected(found: list[float]) -> None:
    out = series.outlook(np.array(found), 1, 7)
    assert out is not None
    assert (out.low >= 0).all()
    assert (out.low <= out.expected).all()
    assert (out.expected <= out.high).all()


def test_the_week_before_again() -> None:
    assert list(seasonal_naive(np.arange(14.0), 1, 9)) == [7, 8, 9, 10, 11, 12, 13, 7, 8]
