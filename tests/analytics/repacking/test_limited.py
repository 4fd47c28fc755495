"""What nodes of whole GPUs could gain from tasks of other nodes: never less than what they can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics.repacking import whole
from analytics.repacking.instance import Instance
from analytics.repacking.limited import Limited
from analytics.repacking.master import Prices
from tests.analytics.repacking import nodes
from tests.analytics.repacking.parts import Parts, built, some_prices
from tests.analytics.repacking.test_whole import room_of
from tests.analytics.repacking.worlds import node, pod, target, unshared, world


def gain(parts: Parts, prices: Prices, at: int, moves: int) -> float | None:
    """What it is worth then, less what it is worth now."""
    state, one = parts.state, np.array([at])
    room, groups = room_of(parts, prices, at, moves)
    free = int((state.free[at] == 1000).sum())
    told = Limited(room, parts.space.supply)
    found = told.gain(free, int(state.cpu[at]), int(state.memory[at]), groups)
    now = float(parts.space.value(one, state.cpu[one], state.free[one])[0])
    return None if found is None else now + found


@pytest.mark.parametrize("moves", [1, 2, 3])
@pytest.mark.parametrize("prices", [None, 1, 2])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", range(50, 54))
def test_no_change_of_a_node_gains_more(
    seed: int, tied: bool, prices: int | None, moves: int
) -> None:
    instance = unshared(world(seed, nodes=3, tied=tied))
    parts = built(instance, moves=moves)
    at = some_prices(parts, prices)
    for n, told in enumerate(instance.nodes):
        if told.cpu_milli:
            found = gain(parts, at, n, moves)
            assert found is not None
            best = nodes.most(instance, parts, at, n, moves, from_elsewhere=True)
            assert found >= best - 1e-9


def two(**more: Any) -> Parts:
    """A node of two GPUs beside one whose only task may come to fill its crumb."""
    pods = (pod("a", "n0", (0,), movable=False), pod("b", "n1", (0,)))
    fleet = (node("n0", 2, **more), node("n1", 2))
    return built(Instance(fleet, pods, (target(2),)), moves=1)


def test_no_more_of_a_class_comes_than_there_is() -> None:
    pods = (pod("a", "n0", (0,), movable=False), pod("b", "n1", (0,)))
    parts = built(Instance((node("n0", 3), node("n1", 3)), pods, (target(3),)), moves=2)
    paid = Prices(np.zeros(2), np.array([-0.2]), 0.0, 0.0)
    # Two crumbs, and one task to come.
    assert gain(parts, paid, 0, 2) == pytest.approx(1.2)
    room, groups = room_of(parts, paid, 0, 2)
    loose = room.gain(parts.state.free[0], 24000, 196608, groups)
    assert loose == pytest.approx(-2 + 2.4)


def test_a_task_of_another_node_may_come() -> None:
    assert gain(two(), some_prices(two(), None), 0, 1) == pytest.approx(1.0)


def test_a_task_does_not_come_to_where_it_is() -> None:
    parts = two()
    paid = Prices(np.zeros(2), np.array([-5.0]), -9.0, 0.0)
    assert gain(parts, paid, 1, 1) == pytest.approx(0.0)
    assert gain(parts, paid, 0, 1) == pytest.approx(1.0 + 5.0)


def test_what_has_no_room_in_memory_does_not_come() -> None:
    parts = two(memory_mib=1500)
    assert gain(parts, some_prices(parts, None), 0, 1) == pytest.approx(0.0)


def test_no_more_move_than_the_plan_has_moves() -> None:
    parts = two()
    assert gain(parts, some_prices(parts, None), 0, 0) == pytest.approx(0.0)


def test_where_there_is_too_much_to_try_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = two()
    monkeypatch.setattr(whole, "MOST_CHOICES", 1)
    assert gain(parts, some_prices(parts, None), 1, 1) is None
