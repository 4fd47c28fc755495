"""What forecasts leave spare or lacking."""

from __future__ import annotations

from datetime import timedelta

from analytics.advice.interval import Interval
from analytics.advice.outlook import Outlook, finest, outlooks
from gpuledger.store import Store
from tests.analytics.advisors.outlooks import forecast
from tests.analytics.world import START, write

NOW = START + timedelta(hours=1)


def steps(*bands: tuple[float, float, float]) -> list[dict[str, float]]:
    """Low, expected and high of each step."""
    return [dict(zip(("low", "expected", "high"), band, strict=True)) for band in bands]


def look(demand: list[dict[str, float]], usable: list[dict[str, float]], pool: str = "") -> Outlook:
    return Outlook("c", pool, START, demand, usable, None, None)


def test_spare_is_what_even_the_worst_step_leaves() -> None:
    found = look(steps((1, 2, 3), (4, 5, 9)), steps((10, 11, 12), (10, 11, 12)))
    assert found.spare == 1


def test_lacking_is_the_mean_of_the_steps_that_lack_something() -> None:
    found = look(steps((8, 12, 16), (0, 0, 0)), steps((9, 10, 11), (9, 10, 11)))
    assert found.lacking == Interval(1, 0, 3.5)


def test_the_newest_forecasts_are_read_by_pool(store: Store) -> None:
    write(store, forecast(START, (1, 2, 3), (4, 5, 6), 7, pool="big"))
    write(store, forecast(START, (1, 2, 3), (4, 5, 6), 28, pool="big"))
    (found,) = outlooks(store, 7, NOW)
    assert (found.pool, len(found.demand), found.spare, found.error_ratio) == ("big", 168, 1, 0.1)


def test_a_forecast_that_is_over_is_none(store: Store) -> None:
    write(store, forecast(START, (1, 2, 3), (4, 5, 6), 7))
    assert outlooks(store, 7, START + timedelta(days=8)) == []


def test_a_cluster_speaks_for_itself_only_where_its_pools_are_not_told_apart() -> None:
    whole, part = look([], []), look([], [], "big")
    assert finest([whole, part]) == [part]
    assert finest([whole]) == [whole]
