"""From patterns to moves, and their order."""

from __future__ import annotations

import time

import numpy as np
import pytest

from analytics.repacking import order
from analytics.repacking.instance import Instance, Pod
from analytics.repacking.master import Limits
from analytics.repacking.order import Change, Slot, changes, ordered
from analytics.repacking.search import Search
from tests.analytics.repacking import proof
from tests.analytics.repacking.parts import built
from tests.analytics.repacking.worlds import node, pod, target, twice, world


def one_per_node(*pods: Pod, nodes: int = 3) -> Instance:
    fleet = tuple(node(f"n{i}", 1) for i in range(nodes))
    return Instance(fleet, pods, (target(),))


def steps(instance: Instance, *moves: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Tasks that can move one after the other, and those that block each other."""
    parts = built(instance)
    told = [Change((task,), (Slot(int(parts.classes.of[task]), to, (0,)),)) for task, to in moves]
    live, blocked = ordered(parts.space, told)
    return [s.task for s in live], [s.task for s in blocked]


def test_a_move_waits_for_its_room() -> None:
    instance = one_per_node(pod("a", "n0", (0,), cpu_milli=1), pod("b", "n1", (0,), cpu_milli=2))
    assert steps(instance, (0, 1), (1, 2)) == ([1, 0], [])


def test_a_chain_is_undone_from_its_end() -> None:
    pods = tuple(pod(f"t{i}", f"n{i}", (0,), cpu_milli=i) for i in range(4))
    instance = one_per_node(*pods, nodes=5)
    assert steps(instance, *((i, i + 1) for i in range(4))) == ([3, 2, 1, 0], [])


def test_out_of_time_those_that_were_found_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "AT_ONCE", 2)
    pods = tuple(pod(f"t{i}", f"n{i}", (0,), cpu_milli=i) for i in range(4))
    parts = built(one_per_node(*pods, nodes=5))
    told = [Change((i,), (Slot(int(parts.classes.of[i]), i + 1, (0,)),)) for i in range(4)]
    live, blocked = ordered(parts.space, told, lambda: True)
    assert ([s.task for s in live], blocked) == ([3, 2], [])


def test_tasks_that_swap_block_each_other() -> None:
    instance = one_per_node(pod("a", "n0", (0,), cpu_milli=1), pod("b", "n1", (0,), cpu_milli=2))
    live, blocked = steps(instance, (0, 1), (1, 0))
    assert (live, sorted(blocked)) == ([], [0, 1])


def test_the_rest_goes_on_beside_those_that_block_each_other() -> None:
    pods = (
        pod("a", "n0", (0,), cpu_milli=1),
        pod("b", "n1", (0,), cpu_milli=2),
        pod("c", "n2", (0,), cpu_milli=3),
    )
    live, blocked = steps(one_per_node(*pods, nodes=4), (0, 1), (1, 0), (2, 3))
    assert (live, sorted(blocked)) == ([2], [0, 1])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", [1, 5, 22])
def test_patterns_become_moves_that_save_as_much(seed: int, tied: bool) -> None:
    # Twice the same nodes: a pattern of a bin's first node has to do for the other, too.
    instance = twice(world(seed, nodes=3, tied=tied))
    parts = built(instance)
    until = time.monotonic() + 0.3
    found = Search(parts.space, parts.patterns, Limits(5), 0, until).run()
    live, blocked = ordered(parts.space, changes(parts.space, found))
    moves = [
        (instance.pods[s.task].name, instance.nodes[s.node].name, tuple(s.gpus))
        for s in (*live, *blocked)
    ]
    end = proof.carry_out(instance, moves, "batch", 5)
    saved = proof.plain(instance) - proof.plain(end)
    weighs = float(found.patterns.toll @ found.times)
    assert saved == pytest.approx(found.saving + weighs, abs=1e-6)
    proof.carry_out(instance, moves[: len(live)], "live", 5)
    assert len(moves) == int(found.patterns.moves @ found.times)


def test_gpus_of_a_move_are_as_many_as_it_needs() -> None:
    pods = (pod("a", "n0", (0, 1)), pod("b", "n1", (0,)))
    instance = Instance((node("n0", 4), node("n1", 4)), pods, (target(4),))
    parts = built(instance)
    until = time.monotonic() + 0.3
    found = Search(parts.space, parts.patterns, Limits(2), 0, until).run()
    live, _ = ordered(parts.space, changes(parts.space, found))
    assert live
    for step in live:
        assert len(np.unique(step.gpus)) == instance.pods[step.task].num_gpu
