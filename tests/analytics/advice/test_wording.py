"""A plan in words."""

from __future__ import annotations

import pytest

from analytics.advice.wording import reach
from analytics.repacking.plan import Move, Plan, Summary

NONE = Summary(0.0, {})


@pytest.mark.parametrize(
    ("reached", "most", "told"),
    [
        (0.666, 5, "reaches 67 % of what any 5 moves could"),
        (0.999, 5, "reaches 99 % of what any 5 moves could"),
        (1.0, 1, "reaches 100 % of what any single move could"),
    ],
)
def test_only_what_meets_its_bound_reaches_all(reached: float, most: int, told: str) -> None:
    plan = Plan((Move("a", "n1", (0,)),), "live", NONE, NONE, NONE, reached=reached)
    assert reach(plan, most) == told


def test_a_plan_without_moves_reaches_nothing_worth_telling() -> None:
    assert reach(Plan((), "live", NONE, NONE, NONE), 5) == ""
