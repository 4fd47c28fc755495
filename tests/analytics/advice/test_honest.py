"""Which tasks may be asked to move."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.advice import honest
from analytics.repacking.instance import Instance
from tests.analytics.advice.fleets import node, pod


@pytest.mark.parametrize(
    ("told", "moves"),
    [
        ({}, False),
        ({"preemptible": False, "checkpointed": False}, False),
        ({"preemptible": True}, True),
        ({"checkpointed": True}, True),
        ({"checkpointed": True, "movable": False}, False),
    ],
)
def test_only_what_may_be_taken_off_or_has_a_checkpoint_moves(
    told: dict[str, bool], moves: bool
) -> None:
    fleet = Instance((node("n0"),), (pod("a", "n0", 0, **told),), ())
    assert honest.cheap(fleet).pods[0].movable is moves


def test_any_task_moves_where_somebody_says_so() -> None:
    fleet = Instance((node("n0"),), (pod("a", "n0", 0), pod("b", "n0", 1, movable=False)), ())
    assert [p.movable for p in honest.cheap(fleet, any_task=True).pods] == [True, False]


@pytest.mark.parametrize(
    ("told", "moves"),
    [
        ({}, True),
        ({"preemptible": False, "checkpointed": False}, False),
        ({"preemptible": False, "checkpointed": True}, True),
        ({"preemptible": False}, True),
        ({"preemptible": True, "gang": "g"}, False),
        ({"movable": False}, False),
    ],
)
def test_of_a_file_all_moves_but_what_loses_all_its_work_or_stops_others(
    told: dict[str, Any], moves: bool
) -> None:
    fleet = Instance((node("n0"),), (pod("a", "n0", 0, **told),), ())
    assert honest.movable(honest.literal(fleet)) == moves
    assert honest.movable(honest.literal(fleet, any_task=True)) == ("movable" not in told)


def test_lost_work_is_that_of_the_tasks_that_move() -> None:
    tasks = (pod("a", "n0", 0, cost_gpu_seconds=3600.0), pod("b", "n0", 1, cost_gpu_seconds=60.0))
    assert honest.lost_gpu_hours(Instance((node("n0"),), tasks, ()), ["a"]) == 1


def test_gpus_are_counted_with_their_shares() -> None:
    assert honest.gpus([pod("a", "n0", 0, 1)]) == 2
