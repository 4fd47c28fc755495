"""What room is worth, GPU by GPU: never less than what it can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics.repacking.bins import groups_of
from analytics.repacking.instance import Instance
from analytics.repacking.master import Prices
from analytics.repacking.room import CPU_PRICES, Room
from tests.analytics.repacking.parts import Parts, built, some_prices
from tests.analytics.repacking.worlds import node, pod, target


def room_of(parts: Parts, prices: Prices, at: int, moves: int = 2) -> Room:
    told = parts.state.instance.nodes[at]
    size = (told.gpus, told.cpu_milli, told.memory_mib, moves)
    kind = int(parts.state.kind[at])
    return Room(parts.space, parts.measure, parts.objective, prices, kind, *size)


def halves() -> Parts:
    """Two shares of half a GPU on GPUs of their own; a task of a whole one is expected."""
    pods = (pod("a", "n0", (0,), 500), pod("b", "n0", (1,), 500, movable=False))
    return built(Instance((node("n0", 2), node("n1", 2)), pods, (target(),)))


def test_a_crumb_is_worth_most_when_it_is_filled() -> None:
    parts = halves()
    room = room_of(parts, some_prices(parts, None), 0)
    assert room.step == 500
    filled = room.filled[0, -1]
    assert filled[:2] == pytest.approx([0.0, 0.0])
    stays = room_of(parts, Prices(np.zeros(len(parts.bins)), np.array([9.0]), 0.0, 0.0), 0)
    assert stays.filled[0, -1, 1] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    "about", [{"cpu_milli": 900}, {"memory_mib": 1000}, {"model": "A100"}, {"tainted": True}]
)
def test_who_cannot_run_here_has_no_price(about: dict[str, Any]) -> None:
    pods = (pod("a", "n1", (0,), gpu_spec="H100"),)
    instance = Instance((node("n0", 2, **about), node("n1", 2)), pods, (target(),))
    parts = built(instance)
    free = some_prices(parts, None)
    assert np.isinf(room_of(parts, free, 0).price).all()
    assert np.isfinite(room_of(parts, free, 1).price).all()


def test_processors_that_a_task_gives_back_are_paid_at_every_price() -> None:
    parts = halves()
    room = room_of(parts, some_prices(parts, None), 0)
    (a,) = groups_of(parts.state, parts.classes, np.array([0, 1]))
    # 1000 of 8000 milli-CPUs for each GPU.
    assert room.left(a, 0) == pytest.approx(np.array(CPU_PRICES) / 8)
