"""The best single move, again and again."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.repacking import steepest
from analytics.repacking.instance import Instance
from analytics.repacking.master import Limits
from tests.analytics.repacking import proof, worlds
from tests.analytics.repacking.parts import built
from tests.analytics.repacking.worlds import Place, node, pod, target, world

FIXED = settings(max_examples=20, derandomize=True, database=None, deadline=None)


def descended(instance: Instance, limits: Limits, *, late: bool = False) -> list[Place]:
    parts = built(instance)
    value = parts.objective.value(parts.state, parts.measure)
    steps = steepest.descend(parts.state, parts.classes, value, limits, lambda: late)
    pods, nodes = instance.pods, instance.nodes
    return [(pods[s.task].name, nodes[s.node].name, s.gpus) for s in steps]


def pinned(instance: Instance, names: set[str]) -> Instance:
    pods = (
        msgspec.structs.replace(p, movable=p.movable and p.name not in names) for p in instance.pods
    )
    return msgspec.structs.replace(instance, pods=tuple(pods))


@FIXED
@given(seed=st.integers(0, 10_000), budget=st.sampled_from([0.0, 150.0, 1e9]))
def test_every_move_is_possible_in_turn_and_lowers_the_value(seed: int, budget: float) -> None:
    instance = world(seed)
    moves = descended(instance, Limits(6, budget))
    values = [
        proof.plain(proof.carry_out(instance, moves[:n], "live", 6, budget))
        for n in range(len(moves) + 1)
    ]
    assert all(after < before - 1e-10 for before, after in pairwise(values))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", range(20, 25))
def test_the_first_move_is_the_best_of_all_and_the_last_leaves_none(seed: int, tied: bool) -> None:
    instance = world(seed, nodes=3, tied=tied)
    moves = descended(instance, Limits(50))
    first = proof.carry_out(instance, moves[:1], "live", 1)
    assert proof.plain(first) == pytest.approx(worlds.best(instance, proof.plain, 1), abs=1e-6)
    end = pinned(proof.carry_out(instance, moves, "live", 50), {name for name, _, _ in moves})
    assert worlds.best(end, proof.plain, 1) == pytest.approx(proof.plain(end), abs=1e-6)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_no_more_moves_than_allowed(most: int) -> None:
    instance = world(1, nodes=12)
    assert len(descended(instance, Limits(50))) > 3
    assert len(descended(instance, Limits(most))) == most


def test_a_share_turns_to_another_gpu_of_its_node() -> None:
    pods = (pod("a", "n0", (0,), 500), pod("b", "n0", (1,), 500, movable=False))
    instance = Instance((node("n0", 2),), pods, (target(),))
    assert descended(instance, Limits(3)) == [("a", "n0", (1,))]


def test_a_node_that_is_closed_takes_not_even_its_own() -> None:
    pods = (pod("a", "n0", (0,), 500), pod("b", "n0", (1,), 500, movable=False))
    instance = Instance((node("n0", 2, closed=True),), pods, (target(),))
    assert descended(instance, Limits(3)) == []


def test_the_cheaper_move_is_made_where_the_better_one_costs_too_much() -> None:
    dear = pod("a", "n0", (0, 1), cost_gpu_seconds=100.0)
    pods = (dear, pod("b", "n1", (0,)), pod("c", "n2", (0,)))
    nodes = (node("n0", 4), node("n1", 2), node("n2", 2))
    instance = Instance(nodes, pods, (target(2),))
    moves = descended(instance, Limits(3, 99.0))
    assert moves
    assert "a" not in {name for name, _, _ in moves}


def test_without_time_nothing_is_moved() -> None:
    assert descended(world(1), Limits(5), late=True) == []


def test_in_fleets_too_large_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = built(world(1))
    pairs = len(parts.classes) * len(parts.state.cpu)
    monkeypatch.setattr(steepest, "MOST_PAIRS", pairs)
    assert descended(world(1), Limits(5))
    monkeypatch.setattr(steepest, "MOST_PAIRS", pairs - 1)
    assert descended(world(1), Limits(5)) == []


def test_without_tasks_there_is_nothing_to_move() -> None:
    assert descended(Instance((node(),), (), (target(),)), Limits(5)) == []
