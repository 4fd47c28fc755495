"""The four success metrics: what changed, and what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from analytics import success
from analytics.book import Span
from analytics.success import Success, compared, days_of, mean, quantile
from gpuledger.catalogue import FreeBlock, Job
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, START, asset, at, booked, cells, job, write

SHAPE = Success("m", "w", "ratio")
DAY = timedelta(days=1)


def side(level: float, days: int = 10, per_day: int = 24, noise: float = 0.02) -> success.Days:
    random = np.random.default_rng(7)
    levels = [
        [level + noise * random.standard_normal() for _ in range(per_day)] for _ in range(days)
    ]
    return hours(levels)


def hours(levels: Sequence[Sequence[float]]) -> success.Days:
    """Observations by day."""
    return days_of(
        [
            {"at": START + DAY * d, "value": value, "weight": 1.0}
            for d, values in enumerate(levels)
            for value in values
        ]
    )


def test_a_real_change_is_told_with_an_interval_around_it() -> None:
    found = compared(SHAPE, side(0.40), side(0.55), mean)
    assert found.not_shown == ""
    assert found.change == pytest.approx(0.15, abs=0.01)
    assert found.low is not None
    assert found.high is not None
    assert 0.13 < found.low < found.change < found.high < 0.17


def test_what_may_be_chance_is_not_shown() -> None:
    found = compared(SHAPE, side(0.40), side(0.4005), mean)
    assert found.change is None
    assert found.not_shown.startswith("may be chance")


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (side(0.9, days=29, per_day=1), "only 29 observations"),
        (side(0.9, days=2), "only 2 days"),
        (side(0.9, days=0), "nothing is known of the time after"),
    ],
)
def test_too_little_data_says_so(after: success.Days, reason: str) -> None:
    found = compared(SHAPE, side(0.4), after, mean)
    assert (found.change, found.low) == (None, None)
    assert found.not_shown.startswith(reason)


def test_the_side_that_is_known_is_told_even_where_the_other_is_not() -> None:
    """Regression: a site's first week showed nothing at all."""
    found = compared(SHAPE, side(0.9, days=0), side(0.4), mean)
    assert found.before is None
    assert found.after == pytest.approx(0.4, abs=0.01)
    assert found.not_shown == "nothing is known of the time before"


def test_days_that_differ_widen_the_interval() -> None:
    """Hours of a day resemble each other: 240 of them are ten observations, not 240."""
    random = np.random.default_rng(3)
    levels = [[0.4 + 0.1 * random.standard_normal()] * 24 for _ in range(10)]
    calm = compared(SHAPE, side(0.2, noise=0.001), side(0.4, noise=0.001), mean)
    wild = compared(SHAPE, side(0.2, noise=0.001), hours(levels), mean)
    assert _width(wild) > 20 * _width(calm)


def _width(found: Success) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    hit = 0
    for _ in range(60):
        levels = [[value] for value in random.normal(0.5, 0.1, 40)]
        found = compared(SHAPE, side(0.3, noise=1e-6), hours(levels), mean)
        assert found.low is not None
        assert found.high is not None
        hit += found.low <= 0.2 <= found.high
    assert 50 <= hit <= 60


def test_a_median_by_weight_is_that_of_the_values_drawn() -> None:
    values, weights = np.array([1.0, 2.0, 9.0]), np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 2.0]])
    assert quantile(0.5)(values, weights).tolist() == [2.0, 9.0]


def test_the_same_data_gives_the_same_interval() -> None:
    first, again = (compared(SHAPE, side(0.4), side(0.5), quantile(0.5)) for _ in range(2))
    assert first == again


def finished(number: int, start_min: float, wait_s: float, run_min: float = 10) -> Job:
    return job(
        str(number),
        state="completed",
        eligible=at(start_min) - timedelta(seconds=wait_s),
        started=at(start_min),
        ended=at(start_min + run_min),
    )


def test_waits_before_and_after_are_compared_by_size(store: Store) -> None:
    write(store, [finished(i, i * 120, 600 + i % 7) for i in range(60)])
    write(store, [finished(100 + i, 14_400 + i * 120, 60 + i % 7) for i in range(60)])
    before, after = Span(at(0), at(7200)), Span(at(14_400), at(21_600))
    told = {m.what: m for m in success.metrics(store, before, after)}
    wait = told["queue wait, 1 GPU"]
    assert (wait.before, wait.after, wait.change) == (603, 63, -540)
    assert wait.n == (60, 60)
    assert told["queue wait, 1 GPU"].better == "lower"


def test_recurring_jobs_are_compared_with_their_own_usual_run(store: Store) -> None:
    write(store, [finished(i, i * 120, 0, run_min=20) for i in range(60)])
    write(store, [finished(100 + i, 14_400 + i * 120, 0, run_min=10) for i in range(60)])
    before, after = Span(at(0), at(7200)), Span(at(14_400), at(14_400 + 2000))
    told = {m.what: m for m in success.metrics(store, before, after)}
    runs = next(m for what, m in told.items() if what.startswith("run time"))
    assert runs.before == 1
    assert runs.after == 0.5


def test_availability_is_the_share_of_minutes_with_room(store: Store) -> None:
    write(
        store,
        [
            FreeBlock(cluster=CLUSTER, pool="big", minute=at(m), free_gpus=4 if m < 6000 else 1)
            for m in range(0, 12_000, 5)
        ],
    )
    before, after = Span(at(0), at(6000)), Span(at(6000), at(12_000))
    told = {m.what: m for m in success.metrics(store, before, after)}
    four, one = (told[f"a request for {n} could start at once"] for n in (4, 1))
    assert (four.before, four.after, four.change) == (1, 0, -1)
    assert (one.before, one.after, one.change) == (1, 1, None)


def test_windows_are_the_first_days_booked_and_the_last_week(store: Store) -> None:
    assert success.windows(store) is None
    write(store, [asset(0), *booked(cells("productive", range(120)), at(120))])
    before, after = success.windows(store) or pytest.fail("nothing is booked")
    assert after == Span(at(120) - timedelta(days=7), at(120))
    assert before.since == at(0)
    assert [m.not_shown for m in success.metrics(store, before, after)]
