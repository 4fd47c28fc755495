"""What no plan can pass, at any prices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analytics.repacking.bound import bound
from analytics.repacking.instance import Instance
from analytics.repacking.master import INF, Limits, Prices
from tests.analytics.repacking import proof, worlds
from tests.analytics.repacking.parts import built
from tests.analytics.repacking.worlds import node, pod, target, unshared, world


def at_most(
    instance: Instance,
    moves: int,
    wanted: str = "fragmentation",
    seed: int | None = None,
    gpu_seconds: float = INF,
) -> float:
    """The bound at random prices of the right signs, or at none."""
    parts = built(instance, wanted, moves)
    rng = np.random.default_rng(seed)
    size = 0.0 if seed is None else 1.0
    prices = Prices(
        of_bin=-size * rng.random(len(parts.bins)),
        of_class=size * rng.normal(size=len(parts.classes)),
        of_move=-size * float(rng.random()),
        of_cost=0.0 if gpu_seconds == INF else -size * 0.01 * float(rng.random()),
    )
    limits = Limits(moves, gpu_seconds)
    return bound(parts.space, parts.measure, parts.objective, prices, limits)


@pytest.mark.parametrize("prices", [None, 1, 2, 3])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", range(5, 11))
def test_it_holds_at_any_prices(seed: int, tied: bool, prices: int | None) -> None:
    instance = world(seed, nodes=3, tied=tied)
    saved = proof.plain(instance) - worlds.best(instance, proof.plain, 1, batch=True)
    assert at_most(instance, 1, seed=prices) >= saved - 1e-6


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("wanted", ["fragmentation", "slots:2", "slots:4", "drain"])
@pytest.mark.parametrize("seed", [12, 14])
def test_it_holds_for_whole_and_shared_gpus(seed: int, wanted: str, shared: bool) -> None:
    instance = world(seed, nodes=3, tied=False)
    instance = instance if shared else unshared(instance)
    values: dict[str, Callable[[Instance], float]] = {
        "fragmentation": proof.plain,
        "slots:2": lambda i: -proof.room_for(i, 2),
        "slots:4": lambda i: -proof.room_for(i, 4),
        "drain": lambda i: -proof.emptied(i),
    }
    value = values[wanted]
    saved = value(instance) - worlds.best(instance, value, 1, batch=True)
    slack = 0.0 if wanted == "fragmentation" else 0.25
    for prices in (None, 1, 2, 3):
        assert at_most(instance, 1, wanted, prices) >= saved - slack - 1e-6


def test_the_prices_that_were_once_too_good_are_not() -> None:
    instance = world(26, nodes=3)
    saved = proof.plain(instance) - worlds.best(instance, proof.plain, 2, batch=True)
    for prices in (None, 1, 2, 3, 4, 5):
        assert at_most(instance, 2, seed=prices) >= saved - 1e-6


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", range(60, 66))
def test_it_holds_for_two_moves_of_whole_gpus(seed: int, tied: bool) -> None:
    instance = unshared(world(seed, nodes=3, tied=tied))
    saved = proof.plain(instance) - worlds.best(instance, proof.plain, 2, batch=True)
    for prices in (None, 1, 2, 3, 4, 5):
        assert at_most(instance, 2, seed=prices) >= saved - 1e-6


@pytest.mark.parametrize(("wanted", "saved"), [("slots:2", 1.0), ("drain", 1.0)])
@pytest.mark.parametrize("prices", [None, 1, 2, 3])
def test_a_node_that_one_move_frees_is_within_it(
    wanted: str, saved: float, prices: int | None
) -> None:
    pods = (pod("a", "n0", (0,)), pod("b", "n1", (0,)))
    instance = Instance((node("n0", 2), node("n1", 2)), pods, (target(2),))
    assert at_most(instance, 1, wanted, prices) >= saved - 0.25


@pytest.mark.parametrize("prices", [None, 1, 2])
def test_lost_work_is_paid_for(prices: int | None) -> None:
    instance = world(5, nodes=3)
    saved = proof.plain(instance) - worlds.best(instance, proof.plain, 1, batch=True)
    assert at_most(instance, 1, seed=prices, gpu_seconds=1e6) >= saved - 1e-6


def test_where_nothing_is_free_nothing_can_be_saved() -> None:
    instance = Instance((node("n0", 1),), (pod("a", "n0", (0,)),), (target(1),))
    assert at_most(instance, 1) == pytest.approx(0, abs=1e-9)
