"""The plan that there is at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.repacking.instance import Instance
from analytics.repacking.master import Limits
from analytics.repacking.part import Chosen
from analytics.repacking.pricing import Pricing
from analytics.repacking.single import single_moves
from tests.analytics.repacking import proof
from tests.analytics.repacking.parts import balance, built, opened, within
from tests.analytics.repacking.worlds import node, pod, single, target, twice, world

FIXED = settings(max_examples=15, derandomize=True, database=None, deadline=None)
# What few moves and the work that they lose weigh beside fragments.
TOLL = 2e-3


def chosen(instance: Instance, limits: Limits) -> tuple[Pricing, Chosen]:
    pricing = opened(built(instance, moves=limits.moves))
    return pricing, single_moves(pricing, limits)


def saved(instance: Instance, limits: Limits) -> float:
    pricing, found = chosen(instance, limits)
    return pricing.saving(found.rows, found.times)


@FIXED
@given(
    seed=st.integers(0, 10_000),
    most=st.integers(0, 6),
    budget=st.sampled_from([0.0, 150.0, 1e9]),
    mirrored=st.booleans(),
)
def test_what_leaves_arrives_within_the_limits(
    seed: int, most: int, budget: float, mirrored: bool
) -> None:
    instance = world(seed, nodes=3)
    limits = Limits(most, budget)
    pricing, found = chosen(twice(instance) if mirrored else instance, limits)
    assert not balance(pricing, found).any()
    assert within(pricing, found, limits)
    assert pricing.saving(found.rows, found.times) >= 0


@pytest.mark.parametrize("seed", range(8))
def test_one_move_is_the_best_to_another_node(seed: int) -> None:
    instance = world(seed, nodes=3)
    at = {p.name: p.node for p in instance.pods}
    ends = (
        proof.plain(proof.carry_out(instance, [move], "live", 1))
        for move in single(instance)
        if move[1] != at[move[0]]
    )
    best = max(0.0, proof.plain(instance) - min(ends))
    assert saved(instance, Limits(1)) == pytest.approx(best, abs=TOLL)


def scattered(fleets: int) -> Instance:
    """Pairs of equal nodes, half of each held; a task of two GPUs is expected."""
    pods = tuple(pod(f"t{i}", f"n{i}", (i % 2,)) for i in range(2 * fleets))
    nodes = tuple(node(f"n{i}", 2) for i in range(2 * fleets))
    return Instance(nodes, pods, (target(2),))


@pytest.mark.parametrize("fleets", [1, 3])
def test_equal_nodes_are_each_taken_once(fleets: int) -> None:
    assert saved(scattered(fleets), Limits(10)) == pytest.approx(2.0 * fleets, abs=TOLL)
    assert saved(scattered(fleets), Limits(1)) == pytest.approx(2.0, abs=TOLL)


def test_a_node_alone_does_not_take_its_own_task() -> None:
    pods = (pod("a", "n0", (0,), 500), pod("b", "n0", (1,), 500))
    _, found = chosen(Instance((node("n0", 2),), pods, (target(),)), Limits(3))
    assert len(found.rows) == 0
