"""A plan in words."""

from __future__ import annotations

import pytest

from analytics.advice.wording import Movable, no_moves, reach
from analytics.repacking.plan import Move, Plan, Summary

NONE = Summary(0.0, {})


def planned(reached: float, *moves: Move) -> Plan:
    """A plan that gets so far."""
    return Plan(moves, "live", NONE, NONE, NONE, reached=reached)


@pytest.mark.parametrize(
    ("reached", "most", "told"),
    [
        (0.766, 5, "reaches 77 % of what any 5 moves could"),
        (0.999, 5, "reaches 99 % of what any 5 moves could"),
        (1.0, 1, "reaches 100 % of what any single move could"),
    ],
)
def test_only_what_meets_its_bound_reaches_all(reached: float, most: int, told: str) -> None:
    assert reach(planned(reached, Move("a", "n1", (0,))), most) == told


def test_a_bound_that_may_be_far_off_itself_is_told_so() -> None:
    told = reach(planned(0.56, Move("a", "n1", (0,))), 5)
    assert told == "reaches at least 56 % of what any 5 moves could: the bound is not sharp here"


def test_what_counts_whole_slots_may_reach_the_bound_with_less() -> None:
    plan = planned(0.94, Move("a", "n1", (0,)))
    assert reach(plan, 5, at_bound=True) == "reaches the bound: no other 5 moves do better"
    assert reach(plan, 1, at_bound=True) == "reaches the bound: no other single move does better"


def test_a_plan_without_moves_reaches_nothing_worth_telling() -> None:
    assert reach(planned(1.0), 5) == ""


@pytest.mark.parametrize(
    ("reached", "most", "movable", "told"),
    [
        (1.0, 5, Movable(0, 8, 8), "no task may move: 0 of 8; --any-task would let them"),
        (1.0, 5, Movable(0, 8, 3), "no task may move: 0 of 8; --any-task would let 3 of them"),
        (1.0, 5, Movable(0, 8), "no task may move: 0 of 8"),
        (0.0, 0, Movable(8, 8), "no move was allowed: 0 moves at most; 8 of 8 tasks may move"),
        (1.0, 5, Movable(2, 8), "no move helps: 2 of 8 tasks may move"),
        (0.0, 5, Movable(2, 8), "no move was found that helps, and the bound is not sharp here:"),
    ],
)
def test_why_there_are_no_moves(reached: float, most: int, movable: Movable, told: str) -> None:
    assert no_moves(planned(reached), most, movable).startswith(told)


def test_what_may_move_is_told_with_what_else_would() -> None:
    assert Movable(2, 8, 3).words == "2 of 8 tasks may move; --any-task would let 3 more of them"
