"""Fleets as arrays."""

from __future__ import annotations

import pytest

from analytics.placing.shapes import Wish
from analytics.repacking.instance import Instance
from analytics.repacking.state import UNKNOWN, state_of
from tests.analytics.repacking import proof
from tests.analytics.repacking.worlds import node, pod, world


@pytest.mark.parametrize("seed", range(12))
def test_what_is_left_is_what_is_left_task_by_task(seed: int) -> None:
    instance = world(seed)
    state = state_of(instance)
    for i, room in enumerate(proof.rooms(instance).values()):
        gpus = len(room.free)
        assert state.free[i, :gpus].tolist() == room.free
        assert not state.free[i, gpus:].any()
        assert (state.cpu[i], state.memory[i]) == (room.cpu, room.memory)


def test_a_node_that_nobody_told_the_processors_of_has_enough() -> None:
    state = state_of(Instance((node("n0", 1, cpu_milli=0, memory_mib=0),), (), ()))
    assert state.cpu[0] == state.memory[0] == UNKNOWN


def test_without_nodes_and_tasks_there_is_an_empty_state() -> None:
    state = state_of(Instance((), (), ()))
    assert len(state.free) == len(state.node) == len(state.kinds) == 0


def test_nodes_that_requests_cannot_tell_apart_are_one_kind() -> None:
    nodes = (node("a", 2, "H100"), node("b", 8, "H100"), node("c", 2, "A100"))
    assert state_of(Instance(nodes, (), ())).kind.tolist() == [0, 0, 1]


def test_a_node_that_a_task_names_is_a_kind_of_its_own() -> None:
    nodes = (node("a"), node("b"), node("c"))
    state = state_of(Instance(nodes, (pod("t", "a", (0,), off=("b",)),), ()))
    assert state.accepts(Wish(off=frozenset({"b"})))[state.kind].tolist() == [True, False, True]


def test_a_label_binds_where_some_node_has_it() -> None:
    nodes = (node("a", labels=("fast",)), node("b"))
    tasks = (pod("t", "a", (0,), words=("fast",)), pod("u", "a", (1,), words=("unheard",)))
    state = state_of(Instance(nodes, tasks, ()))
    assert state.accepts(Wish(words=frozenset({"fast"})))[state.kind].tolist() == [True, False]
    assert state.accepts(Wish(words=frozenset({"unheard"})))[state.kind].all()


def test_a_copy_may_be_changed_and_knows_what_was_worked_out() -> None:
    state = state_of(Instance((node("n0", 2),), (pod("a", "n0", (0,), movable=False),), ()))
    assert not state.movable.any()
    copy = state.copy()
    copy.free[0, 1] = 0
    assert state.free[0, 1] == 1000
    assert copy.movable is state.movable
    assert copy.kind.tolist() == state.kind.tolist() == [0]
