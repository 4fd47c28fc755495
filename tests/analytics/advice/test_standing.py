"""Before a plan, after it, and at the bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics.advice.standing import standings
from analytics.repacking.instance import Instance
from analytics.repacking.plan import Plan, plan
from tests.analytics.advice.fleets import EIGHT, node, pod, two_nodes


def planned(fleet: Instance, objective: str, moves: int = 4) -> Plan:
    """The plan of a fleet that is small enough to be planned at once."""
    return plan(fleet, objective, max_moves=moves, time_limit_s=2.0)


def three_nodes(**told: Any) -> Instance:
    """Three nodes of eight with one, two and three tasks of a GPU."""
    tasks = tuple(pod(f"{n}{i}", f"n{n}", i, **told) for n in range(3) for i in range(n + 1))
    return Instance(tuple(node(f"n{n}") for n in range(3)), tasks, (EIGHT,))


def test_draining_counts_the_nodes_that_are_emptied() -> None:
    fleet = three_nodes()
    of = standings(fleet, planned(fleet, "drain"), "drain", 4)
    told = [of.before.empty_nodes, of.after.empty_nodes, of.bound.empty_nodes]
    assert told == [0, 2, 2]
    assert (of.after.empty_gpus, of.at_bound) == (16, True)


@pytest.mark.parametrize(("moves", "most"), [(1, 1), (2, 1), (3, 2), (6, 2)])
def test_no_more_nodes_are_emptied_than_moves_take_tasks_off(moves: int, most: int) -> None:
    fleet = three_nodes()
    of = standings(fleet, replace(planned(fleet, "drain", 0), reached=0.0), "drain", moves)
    assert of.bound.empty_nodes == most


def test_a_node_with_a_task_that_stays_is_not_emptied() -> None:
    fleet = Instance(
        (node("n0"), node("n1")), (pod("a", "n0", 0), pod("b", "n1", 0, movable=False)), (EIGHT,)
    )
    of = standings(fleet, planned(fleet, "drain"), "drain", 4)
    assert (of.after.empty_nodes, of.bound.empty_nodes) == (1, 1)


def test_room_for_the_size_that_was_asked_for_is_told() -> None:
    fleet = two_nodes()
    of = standings(fleet, planned(fleet, "slots:3"), "slots:3", 4)
    assert (of.before.slots["3"], of.after.slots["3"]) == (4, 4)
    assert of.at_bound


def test_where_nothing_may_move_the_bound_is_where_it_stands() -> None:
    fleet = two_nodes(movable=False)
    of = standings(fleet, planned(fleet, "slots:8"), "slots:8", 4)
    assert of.bound == of.before
    moves = two_nodes()
    assert standings(moves, planned(moves, "drain", 0), "drain", 0).bound.empty_nodes == 0


def test_what_is_not_drained_has_no_empty_nodes() -> None:
    fleet = two_nodes()
    of = standings(fleet, planned(fleet, "fragmentation"), "fragmentation", 4)
    assert "empty_nodes" not in of.after.document()
    assert not of.at_bound
