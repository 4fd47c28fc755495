"""Which node and which GPU a policy gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.placing.shapes import WHOLE, Kind, Shape, Wish, fits
from analytics.placing.shapes import Node as Place
from analytics.repacking.instance import kind_of
from analytics.replay.policy import POLICIES, Chooser, policy_of
from analytics.replay.room import Room
from gpuledger.errors import ConfigError
from tests.analytics.replay.world import node, task

HALF = task("half", share=500)
USUAL = [HALF, task("eight", 8), task("one")]


def chooser(policy: str, *names: str, gpus: int = 4) -> Chooser:
    room = Room([node(name, gpus) for name in names])
    return Chooser(room, policy_of(policy, room, USUAL, 0))


def test_best_fit_fills_what_is_begun() -> None:
    given_to = chooser("best-fit", "a", "b")
    given_to.room.take(1, task("x").shape, (2,))
    assert given_to.place(task("y").shape) == [(1, (0,))]


def test_best_fit_gives_a_share_of_the_fullest_gpu() -> None:
    given_to = chooser("best-fit", "a")
    given_to.room.take(0, HALF.shape, (3,))
    assert given_to.place(HALF.shape) == [(0, (3,))]


def test_spread_takes_the_emptiest_node_and_gpu() -> None:
    given_to = chooser("spread", "a", "b")
    given_to.room.take(0, HALF.shape, (0,))
    assert given_to.place(HALF.shape) == [(1, (0,))]


@pytest.mark.parametrize("policy", ["fgd", "fgd-demand"])
def test_fgd_leaves_whole_gpus_to_tasks_that_want_them(policy: str) -> None:
    given_to = chooser(policy, "a", "b")
    given_to.room.take(1, HALF.shape, (2,))
    assert given_to.place(HALF.shape) == [(1, (2,))]


def test_fgd_by_demand_keeps_a_node_of_eight_whole() -> None:
    room = Room([node("a", 8), node("b", 4)])
    given_to = Chooser(room, policy_of("fgd-demand", room, USUAL, 0))
    assert given_to.place(task("x").shape) == [(1, (0,))]


@pytest.mark.parametrize("policy", POLICIES)
def test_parts_of_a_task_are_on_nodes_of_their_own_or_nowhere(policy: str) -> None:
    given_to = chooser(policy, "a", "b", "c")
    assert sorted(row for row, _ in given_to.place(task("x", 3, hosts=3).shape)) == [0, 1, 2]
    assert given_to.place(task("y", 2, hosts=2).shape) == []
    assert given_to.room.held_milli == 9 * WHOLE


@pytest.mark.parametrize("policy", POLICIES)
def test_who_shares_with_nobody_gets_an_empty_node(policy: str) -> None:
    given_to = chooser(policy, "a", "b")
    given_to.place(replace(HALF.shape))
    shape = replace(task("x").shape, exclusive=True)
    assert [len(gpus) for _, gpus in given_to.place(shape)] == [4]
    assert given_to.place(shape) == []


def test_nodes_that_are_closed_or_of_another_model_get_nothing() -> None:
    room = Room([node("a", closed=True), node("b", model="A100")])
    given_to = Chooser(room, policy_of("best-fit", room, USUAL, 0))
    assert given_to.place(task("x", model="H100").shape) == []


def test_a_word_that_only_some_nodes_have_binds() -> None:
    room = Room([node("a"), node("b", labels=("ib",))])
    given_to = Chooser(room, policy_of("best-fit", room, USUAL, 0))
    shape = replace(task("x").shape, wish=Wish(words=frozenset({"ib", "never told"})))
    assert given_to.place(shape) == [(1, (0,))]


def test_an_unknown_policy_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no policy 'bestfit'; did you mean 'best-fit'"):
        policy_of("bestfit", Room([node()]), USUAL, 0)


shapes = st.builds(
    Shape,
    gpus=st.integers(0, 4),
    cpu_milli=st.sampled_from([0, 1000, 9000]),
    memory_mib=st.sampled_from([0, 1024]),
    wish=st.builds(Wish, models=st.sampled_from([frozenset(), frozenset({"A"})])),
)


@given(
    held=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([300, WHOLE])), max_size=5),
    wanted=shapes,
    share=st.sampled_from([250, 700, WHOLE]),
    cpu=st.sampled_from([0, 4000, 16_000]),
    exclusive=st.booleans(),
)
def test_what_fits_is_what_fits_says(
    held: list[tuple[int, int]], wanted: Shape, share: int, cpu: int, exclusive: bool
) -> None:
    if share < WHOLE:
        wanted = replace(wanted, gpus=min(wanted.gpus, 1), share_milli=share)
    elif exclusive:
        wanted = replace(wanted, exclusive=True)
    room = Room([node("a", 3, "A", cpu_milli=cpu), node("b", 3, "B", cpu_milli=cpu)])
    for gpu, milli in held:
        if room.free[0, gpu] >= milli:
            room.take(0, Shape(1, share_milli=milli, cpu_milli=500), (gpu,))
    told = room.fits(wanted, np.arange(2)).tolist()
    assert told == [fits(_place(room, row), wanted) for row in range(2)]


def _place(room: Room, row: int) -> Place:
    """The same node as `fits` wants it: its GPUs may be shared."""
    known = room.nodes[row]
    kind: Kind = replace(kind_of(known), parts=True)
    left = {g: int(milli) for g, milli in enumerate(room.free[row][: known.gpus])}
    return Place(
        name=known.name,
        kind=kind,
        free={g for g, milli in left.items() if milli == WHOLE},
        shared={g: milli for g, milli in left.items() if milli},
        cpu_used=known.cpu_milli - int(room.cpu[row]) if known.cpu_milli else 0,
        memory_used=known.memory_mib - int(room.memory[row]),
    )
