"""Equal nodes and equal tasks as one."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from analytics.repacking.bins import Bins, Classes, bins_of, classes_of, groups_of
from analytics.repacking.instance import Instance, Node, Pod
from analytics.repacking.state import State, state_of
from tests.analytics.repacking.worlds import node, pod, world


def grouped(nodes: tuple[Node, ...], pods: tuple[Pod, ...]) -> tuple[State, Classes, Bins]:
    state = state_of(Instance(nodes, pods, ()))
    classes = classes_of(state)
    return state, classes, bins_of(state, classes)


def bins(nodes: tuple[Node, ...], pods: tuple[Pod, ...] = ()) -> list[int]:
    return [int(b) for b in grouped(nodes, pods)[2].of]


def pair(left: tuple[Pod, ...], right: tuple[Pod, ...], **about: Any) -> bool:
    """Whether two nodes with these tasks are one bin."""
    nodes = (node("n0"), node("n1", **about))
    found = bins(nodes, (*left, *right))
    return found[0] == found[1]


def test_equal_requests_are_one_class() -> None:
    pods = (pod("a", "n0", (0,)), pod("b", "n0", (1,)), pod("c", "n0", (2,), 500))
    _, classes, _ = grouped((node(),), pods)
    assert classes.of.tolist() == [0, 0, 1]
    assert (classes.gpus.tolist(), classes.milli.tolist()) == ([1, 1], [1000, 500])


@pytest.mark.parametrize(
    "about",
    [
        {"cpu_milli": 5},
        {"memory_mib": 5},
        {"gpu_spec": "H100"},
        {"pools": ("p",)},
        {"words": ("w",)},
        {"off": ("n9",)},
        {"gang": "g"},
    ],
)
def test_requests_that_differ_are_two_classes(about: dict[str, Any]) -> None:
    pods = (pod("a", "n0", (0,)), pod("b", "n0", (1,), **about))
    _, classes, _ = grouped((node(island="x"),), pods)
    assert len(classes) == 2


def test_classes_know_which_kinds_of_nodes_take_them() -> None:
    nodes = (node("n0", 4, "H100"), node("n1", 4, "A100"))
    state, classes, _ = grouped(nodes, (pod("a", "n0", (0,), gpu_spec="H100"),))
    assert classes.accepted[0, state.kind].tolist() == [True, False]


def test_the_order_of_tasks_and_gpus_does_not_tell_nodes_apart() -> None:
    left = (pod("a", "n0", (0,), 300), pod("b", "n0", (3,), 700))
    right = (pod("c", "n1", (2,), 700), pod("d", "n1", (1,), 300))
    assert pair(left, right)


def test_tasks_that_share_a_gpu_are_not_tasks_with_one_each() -> None:
    left = (pod("a", "n0", (0,), 500), pod("b", "n0", (0,), 500))
    right = (pod("c", "n1", (0,), 500), pod("d", "n1", (1,), 500))
    assert not pair(left, right)


@pytest.mark.parametrize("about", [{"movable": False}, {"cost_gpu_seconds": 5.0}])
def test_what_a_move_needs_tells_nodes_apart(about: dict[str, Any]) -> None:
    task = pod("a", "n0", (0,))
    assert not pair((task,), (pod("b", "n1", (0,), **about),))


@pytest.mark.parametrize(
    "about",
    [{"model": "A100"}, {"cpu_milli": 7}, {"memory_mib": 7}, {"closed": True}, {"gpus": 3}],
)
def test_nodes_that_differ_are_two_bins(about: dict[str, Any]) -> None:
    assert not pair((), (), **about)


@pytest.mark.parametrize("seed", range(8))
def test_copies_of_nodes_fall_into_the_same_bins(seed: int) -> None:
    instance = world(seed)
    plain = tuple(msgspec.structs.replace(p, off=()) for p in instance.pods)
    again = tuple(msgspec.structs.replace(n, name=f"copy-{n.name}") for n in instance.nodes)
    tasks = tuple(
        msgspec.structs.replace(p, name=f"copy-{p.name}", node=f"copy-{p.node}") for p in plain
    )
    found = bins((*instance.nodes, *again), (*plain, *tasks))
    assert found[: len(again)] == found[len(again) :]


def test_counts_and_first_nodes_belong_to_bins() -> None:
    _, _, found = grouped((node("a"), node("b", 2), node("c"), node("d")), ())
    assert found.count[found.of].tolist() == [3, 1, 3, 3]
    assert found.first[found.of].tolist() == [0, 1, 0, 0]


def test_whole_tasks_are_alike_and_shares_by_their_gpu() -> None:
    pods = (
        *(pod("a", "n0", (0,)), pod("b", "n0", (1,))),
        *(pod("c", "n0", (2,), 300), pod("d", "n0", (3,), 300)),
        pod("e", "n0", (2,), 300, movable=False),
    )
    state, classes, _ = grouped((node(),), pods)
    found = groups_of(state, classes, np.arange(5))
    assert sorted((g.gpu, g.tasks) for g in found) == [(-1, (0, 1)), (2, (2,)), (3, (3,))]


def test_the_cheapest_task_of_a_group_leaves_first() -> None:
    pods = (
        pod("a", "n0", (0,), cost_gpu_seconds=9.0),
        pod("b", "n0", (1,), cost_gpu_seconds=1.0),
    )
    state, classes, _ = grouped((node(),), pods)
    (group,) = groups_of(state, classes, np.arange(2))
    assert group.tasks == (1, 0)
    assert group.lost == (1.0, 9.0)
    assert group.gpus == ((1,), (0,))
