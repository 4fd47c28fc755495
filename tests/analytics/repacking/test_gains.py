"""What nodes could gain GPU by GPU: never less than what they can."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.repacking import gains
from analytics.repacking.bins import groups_of
from analytics.repacking.gains import Gains
from analytics.repacking.instance import Instance
from analytics.repacking.master import Prices
from tests.analytics.repacking import nodes
from tests.analytics.repacking.parts import Parts, built, some_prices
from tests.analytics.repacking.test_room import halves, room_of
from tests.analytics.repacking.worlds import node, pod, target, unshared, world


def gain(parts: Parts, prices: Prices, *at: int, in_time: bool = True) -> list[float]:
    """What nodes like the first are worth then, less what they are worth now."""
    state, rows = parts.state, np.array(at)
    found = Gains(room_of(parts, prices, at[0]))
    for n in at:
        groups = groups_of(state, parts.classes, np.flatnonzero(state.node == n))
        found.add(state.free[n].tolist(), int(state.cpu[n]), groups)
    now = parts.space.value(rows, state.cpu[rows], state.free[rows])
    return [float(x) for x in found.most(now, lambda: not in_time)]


@pytest.mark.parametrize("in_time", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("prices", [None, 1, 2])
@pytest.mark.parametrize("seed", range(40, 44))
def test_no_change_of_a_node_gains_more(
    seed: int, prices: int | None, shared: bool, in_time: bool
) -> None:
    instance = world(seed, nodes=3)
    instance = instance if shared else unshared(instance)
    parts = built(instance, moves=2)
    at = some_prices(parts, prices)
    for n in range(len(instance.nodes)):
        (most,) = gain(parts, at, n, in_time=in_time)
        assert max(most, 0) >= nodes.most(instance, parts, at, n, 2) - 1e-9


def test_with_less_time_no_less_is_said() -> None:
    parts = built(world(43, nodes=3), moves=2)
    at = some_prices(parts, 2)
    for n in range(3):
        assert gain(parts, at, n, in_time=False)[0] >= gain(parts, at, n)[0] - 1e-9


@pytest.mark.parametrize("chunk", [1, 3, 2000])
def test_nodes_together_are_what_each_is_alone(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gains, "CHUNK", chunk)
    pods = (
        *(pod("a", "n0", (0, 1)), pod("b", "n0", (2,), 500), pod("c", "n1", (3,), 300)),
        *(pod("d", "n1", (0,), 700), pod("e", "n2", (0, 1)), pod("f", "n2", (2, 3))),
    )
    instance = Instance(tuple(node(f"n{i}") for i in range(4)), pods, (target(), target(4)))
    parts = built(instance)
    at = Prices(np.zeros(len(parts.bins)), np.full(len(parts.classes), 0.3), -0.1, 0.0)
    together = gain(parts, at, 0, 1, 2, 3)
    assert together == pytest.approx([gain(parts, at, n)[0] for n in range(4)])
    assert max(together) > 0


def test_a_gpu_is_opened_only_where_all_its_tasks_may_leave() -> None:
    parts = halves()
    at = Prices(np.zeros(len(parts.bins)), np.array([0.9]), 0.0, 0.0)
    # Half a GPU is whole again where the movable task leaves; the other one stays.
    assert gain(parts, at, 0) == pytest.approx([0.5 + 0.9])
    stays = Prices(at.of_bin, at.of_class, -2.0, 0.0)
    assert gain(parts, stays, 0)[0] <= 1e-9
