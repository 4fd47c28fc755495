"""What may become of a node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics.repacking.instance import Instance
from analytics.repacking.patterns import (
    MOST_ARRIVALS,
    Patterns,
    Pool,
    Space,
    accepted,
    arrivals,
)
from analytics.repacking.state import Ints
from tests.analytics.repacking import proof
from tests.analytics.repacking.parts import built
from tests.analytics.repacking.worlds import node, pod, target, world


def listed(row: Ints) -> list[int]:
    return [int(x) for x in row if x >= 0]


def left_by(space: Space, patterns: Patterns, row: int) -> set[int]:
    """The tasks that leave in a pattern."""
    groups = listed(patterns.leaving[row])
    return {t for g in set(groups) for t in space.groups[g].tasks[: groups.count(g)]}


@pytest.mark.parametrize("seed", range(8))
def test_a_pattern_is_the_state_that_its_departures_leave(seed: int) -> None:
    instance = world(seed)
    parts = built(instance)
    for row in range(len(parts.patterns)):
        first = int(parts.bins.first[parts.patterns.bin[row]])
        room = list(proof.rooms(instance).values())[first]
        gone = [instance.pods[t] for t in left_by(parts.space, parts.patterns, row)]
        for task in gone:
            assert task.movable
            room.ends(task, task.gpu_ids)
        assert parts.patterns.free[row, : len(room.free)].tolist() == room.free
        assert (parts.patterns.cpu[row], parts.patterns.memory[row]) == (room.cpu, room.memory)
        assert parts.patterns.cost[row] == sum(p.cost_gpu_seconds for p in gone)
        value = proof.of_room(room, instance.target)
        assert parts.patterns.value[row] == pytest.approx(value, abs=1e-9)


def test_all_departures_are_listed_once() -> None:
    pods = (pod("a", "n0", (0,), 300), pod("b", "n0", (1,), 500), pod("c", "n0", (2,), 500))
    parts = built(Instance((node(),), pods, (target(),)))
    found = [frozenset(left_by(parts.space, parts.patterns, r)) for r in range(len(parts.patterns))]
    assert len(found) == len(set(found)) == 8


def test_equal_whole_tasks_leave_in_one_order_only() -> None:
    pods = tuple(pod(f"t{g}", "n0", (g,)) for g in range(4))
    parts = built(Instance((node(),), pods, (target(),)))
    assert sorted(parts.patterns.moves.tolist()) == [0, 1, 2, 3, 4]


def test_no_more_leave_than_may_move() -> None:
    pods = tuple(pod(f"t{g}", "n0", (g,)) for g in range(4))
    parts = built(Instance((node(),), pods, (target(),)), moves=2)
    assert parts.patterns.moves.max() == 2


def test_closed_nodes_and_other_models_take_nothing() -> None:
    nodes = (node("n0"), node("n1", closed=True), node("n2", model="A100"))
    pods = (pod("a", "n0", (0,), gpu_spec="H100"), pod("b", "n0", (1,)))
    parts = built(Instance(nodes, pods, (target(),)))
    found = accepted(parts.state, parts.classes, np.arange(3))
    assert found.tolist() == [[True, True], [False, False], [False, True]]


def arrived(instance: Instance, to: str, *classes: int) -> Patterns:
    """The pattern of a node in which nothing leaves and these classes arrive."""
    parts = built(instance)
    at = [n.name for n in instance.nodes].index(to)
    patterns = parts.patterns.at(
        np.flatnonzero((parts.patterns.bin == parts.bins.of[at]) & (parts.patterns.moves == 0))
    )
    for c in classes:
        patterns = arrivals(parts.space, patterns, np.zeros(1, np.int64), np.array([c]))
        if not len(patterns):
            break
    return patterns


def test_a_share_arrives_where_it_leaves_the_least() -> None:
    # GPUs of n1 have 0.4, 1 and 1 left: only on the first is no other GPU broken.
    nodes = (node("n0", 1), node("n1", 3))
    pods = (pod("a", "n0", (0,), 400), pod("b", "n1", (0,), 600))
    found = arrived(Instance(nodes, pods, (target(2), target(1))), "n1", 0)
    assert (found.on[0, 0], found.free[0].tolist()) == (0, [0, 1000, 1000])


def test_whole_tasks_take_whole_gpus() -> None:
    nodes = (node("n0", 2), node("n1", 3))
    pods = (pod("a", "n0", (0, 1)), pod("b", "n1", (1,), 100))
    found = arrived(Instance(nodes, pods, (target(),)), "n1", 0)
    assert found.free[0].tolist() == [0, 900, 0]


@pytest.mark.parametrize("about", [{"cpu_milli": 10**6}, {"memory_mib": 10**9}, {}])
def test_nothing_arrives_where_it_does_not_fit(about: dict[str, Any]) -> None:
    more: dict[str, Any] = {key: value + 10**6 for key, value in about.items()}
    nodes = (node("n0", 2, **more), node("n1", 2 if about else 1))
    assert not len(arrived(Instance(nodes, (pod("a", "n0", (0, 1), **about),), ()), "n1", 0))


def test_arrivals_end_somewhere() -> None:
    nodes = (node("n0", 2), node("n1", 8))
    told = Instance(nodes, (pod("a", "n0", (0,), 100),), (target(),))
    assert len(arrived(told, "n1", *([0] * MOST_ARRIVALS))) == 1
    assert not len(arrived(told, "n1", *([0] * (MOST_ARRIVALS + 1))))


def test_a_pool_keeps_what_it_had() -> None:
    parts = built(world(2))
    pool = Pool(parts.patterns, len(parts.classes))
    pool.tried[0] = True
    rows = [pool.add([parts.patterns, parts.patterns]) for _ in range(3)]
    n = len(parts.patterns)
    assert rows[-1].tolist() == list(range(5 * n, 7 * n))
    again = parts.patterns.at(np.tile(np.arange(len(parts.patterns)), 7))
    assert (pool.patterns.value == again.value).all()
    assert (pool.patterns.leaving == again.leaving).all()
    assert pool.tried[0].all()
    assert not pool.tried[1:].any()
