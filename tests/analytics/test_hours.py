"""Episodes out of rows of whole hours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from analytics import hours
from tests.analytics.world import at


def hour(number: int, key: str = "a", worth: float | None = 1.0) -> dict[str, Any]:
    return {"hour": at(60 * number), "until": at(60 * number + 60), "key": key, "worth": worth}


def runs(*rows: dict[str, Any], gap: int = 0) -> list[int]:
    found = hours.consecutive(rows, lambda r: r["key"], timedelta(hours=gap))
    return [len(run) for run in found]


def test_hours_that_follow_each_other_are_one_episode() -> None:
    assert runs(hour(0), hour(1), hour(3)) == [2, 1]
    assert runs() == []


def test_a_gap_that_is_allowed_does_not_end_it() -> None:
    assert runs(hour(0), hour(2), hour(5), gap=1) == [2, 1]


def test_each_key_has_its_own() -> None:
    assert runs(hour(0), hour(1, "b")) == [1, 1]


def test_an_episode_lasts_from_its_first_hour_to_the_end_of_its_last() -> None:
    assert hours.length([hour(0), hour(2)]) == timedelta(hours=3)


def test_what_is_not_known_adds_nothing() -> None:
    assert hours.known_sum([hour(0), hour(1, worth=None)], "worth") == 1
    assert hours.known_sum([hour(0, worth=None)], "worth") is None
