"""The choice of patterns, as a linear program and in whole numbers."""

from __future__ import annotations

import time

import numpy as np
import pytest

from analytics.repacking.master import INF, Columns, Limits, Master


def columns(*told: tuple[int, float, int, dict[int, int]], cost: float = 0.0) -> Columns:
    """Bin, saving, moves, and tasks by class that leave (arrivals below 0)."""
    flow = [(i, c, n) for i, (_, _, _, flows) in enumerate(told) for c, n in flows.items()]
    return Columns(
        saving=np.array([t[1] for t in told]),
        bin=np.array([t[0] for t in told]),
        moves=np.array([t[2] for t in told]),
        cost=np.array([cost * t[2] for t in told]),
        flow_at=np.array([f[0] for f in flow], np.int64),
        flow_class=np.array([f[1] for f in flow], np.int64),
        flow=np.array([f[2] for f in flow], np.int64),
    )


LEAVE = (0, 1.0, 1, {0: 1})
ARRIVE = (1, 0.0, 0, {0: -1})
TWICE = (1, 0.5, 0, {0: -2})


def master(found: Columns, moves: int = 10, gpu_seconds: float = INF, count: int = 4) -> Master:
    out = Master(np.array([count, count]), np.zeros(1, np.int64), Limits(moves, gpu_seconds))
    out.add(found, np.arange(2))
    return out


def whole(told: Master, n: int) -> list[float]:
    found = told.whole(np.arange(n), np.zeros(n), 1.0)
    return [float(x) for x in found]


def test_what_leaves_arrives() -> None:
    told = master(columns(LEAVE, ARRIVE))
    assert whole(told, 2) == [4, 4]


def test_no_more_moves_than_allowed() -> None:
    told = master(columns(LEAVE, ARRIVE), moves=3)
    most, prices = told.relaxed()
    assert most == pytest.approx(3)
    assert prices.of_move == pytest.approx(-1)
    assert whole(told, 2) == [3, 3]


def test_no_more_work_is_lost_than_allowed() -> None:
    told = master(columns(LEAVE, ARRIVE, cost=10.0), gpu_seconds=29.0)
    assert told.relaxed()[0] == pytest.approx(2.9)
    assert whole(told, 2) == [2, 2]


def test_a_bin_has_only_so_many_nodes() -> None:
    told = master(columns(LEAVE, ARRIVE), count=1)
    assert told.relaxed()[0] == pytest.approx(1)
    assert whole(told, 2) == [1, 1]


def test_parts_of_nodes_are_worth_more_than_whole_ones() -> None:
    told = master(columns(LEAVE, TWICE), moves=3)
    assert told.relaxed()[0] == pytest.approx(3.75)
    assert whole(told, 2) == [2, 1]


def test_a_dive_ends_in_whole_numbers() -> None:
    told = master(columns(LEAVE, TWICE), moves=3)
    told.relaxed()
    found = told.dive(time.monotonic() + 5, time.monotonic)
    assert found.tolist() == [2, 1]


def test_a_dive_without_time_chooses_nothing() -> None:
    told = master(columns(LEAVE, TWICE))
    assert not told.dive(0.0, lambda: 1.0).any()


def test_only_the_columns_given_are_used() -> None:
    told = master(columns(LEAVE, ARRIVE, TWICE), moves=2)
    assert told.whole(np.array([0, 1]), np.zeros(3), 1.0).tolist() == [2, 2, 0]


def test_columns_may_come_later() -> None:
    told = master(columns(LEAVE))
    assert told.relaxed()[0] == pytest.approx(0)
    told.add(columns(ARRIVE), np.arange(2))
    assert told.relaxed()[0] == pytest.approx(4)


def test_what_is_settled_elsewhere_has_to_arrive_here() -> None:
    # One more arrives than leaves: outside, one has left already.
    told = Master(np.array([1, 1]), np.array([-1]), Limits(5))
    told.add(columns(LEAVE, ARRIVE, TWICE), np.arange(2))
    assert whole(told, 3) == [1, 0, 1]
