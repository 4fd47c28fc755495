"""What nodes of whole GPUs could gain: never less than what they can."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.repacking import whole
from analytics.repacking.bins import Group, groups_of
from analytics.repacking.instance import Instance
from analytics.repacking.master import Prices
from analytics.repacking.room import Room
from analytics.repacking.whole import WholeRoom
from tests.analytics.repacking import nodes
from tests.analytics.repacking.parts import Parts, built, some_prices
from tests.analytics.repacking.worlds import node, pod, target, unshared, world


def room_of(parts: Parts, prices: Prices, at: int, moves: int) -> tuple[WholeRoom, list[Group]]:
    told = parts.state.instance.nodes[at]
    size = (told.gpus, told.cpu_milli, told.memory_mib, moves)
    room = Room(
        parts.space, parts.measure, parts.objective, prices, int(parts.state.kind[at]), *size
    )
    tasks = np.flatnonzero(parts.state.node == at)
    return WholeRoom(room), groups_of(parts.state, parts.classes, tasks)


def gain(parts: Parts, prices: Prices, at: int, moves: int) -> float | None:
    """What it is worth then, less what it is worth now."""
    state, one = parts.state, np.array([at])
    room, groups = room_of(parts, prices, at, moves)
    found = room.gain(state.free[at], int(state.cpu[at]), int(state.memory[at]), groups)
    now = float(parts.space.value(one, state.cpu[one], state.free[one])[0])
    return None if found is None else now + found


@pytest.mark.parametrize("prices", [None, 1, 2])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", range(30, 34))
def test_no_change_of_a_node_gains_more(seed: int, tied: bool, prices: int | None) -> None:
    instance = unshared(world(seed, nodes=3, tied=tied))
    parts = built(instance, moves=2)
    at = some_prices(parts, prices)
    for n, told in enumerate(instance.nodes):
        if told.cpu_milli:
            found = gain(parts, at, n, 2)
            assert found is not None
            assert found >= nodes.most(instance, parts, at, n, 2) - 1e-9


def half() -> Instance:
    pods = (pod("a", "n0", (0,)), pod("b", "n1", (1,), movable=False))
    return Instance((node("n0", 2), node("n1", 2)), pods, (target(2),))


def test_a_task_that_leaves_gives_all_that_is_free() -> None:
    parts = built(half(), moves=1)
    free = some_prices(parts, None)
    assert gain(parts, free, 0, 1) == pytest.approx(1.0)
    # Whoever comes takes what nobody could use.
    assert gain(parts, free, 1, 1) == pytest.approx(1.0)
    assert gain(parts, free, 0, 0) == pytest.approx(0.0)


def test_who_comes_and_who_leaves_pays() -> None:
    parts = built(half(), moves=1)
    at = Prices(np.zeros(len(parts.bins)), np.array([0.25]), -0.5, 0.0)
    assert gain(parts, at, 0, 1) == pytest.approx(1.0 + 0.25 - 0.5)
    assert gain(parts, at, 1, 1) == pytest.approx(1.0 - 0.25)


def test_what_the_node_has_not_in_memory_cannot_come() -> None:
    told = half()
    tight = Instance((told.nodes[0], node("n1", 2, memory_mib=1024)), told.pods, told.target)
    parts = built(tight, moves=1)
    assert gain(parts, some_prices(parts, None), 1, 1) == pytest.approx(0.0)


def test_where_there_is_too_much_to_try_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = built(half(), moves=1)
    free = some_prices(parts, None)
    monkeypatch.setattr(whole, "MOST_CHOICES", 1)
    assert gain(parts, free, 0, 1) is None
    assert gain(parts, free, 1, 1) is not None
