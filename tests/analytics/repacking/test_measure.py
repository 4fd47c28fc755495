"""The measure of fragmentation, against its definition and published values."""

from __future__ import annotations

import gzip
from csv import DictReader
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.repacking.instance import Instance, Node, Pod, Target
from analytics.repacking.measure import (
    causes,
    demand_target,
    fragmentation,
    full,
    measure_of,
    popularity_target,
    slots,
)
from analytics.repacking.state import state_of
from tests.analytics.repacking import proof
from tests.analytics.repacking.worlds import node, pod, target, world

FIXED = settings(max_examples=60, derandomize=True, database=None, deadline=None)
OPENB = Path(__file__).parents[3] / "benchmarks" / "openb"
shapes = st.tuples(
    st.integers(0, 64000),
    st.sampled_from([(0, 0), (1, 100), (1, 333), (1, 500), (1, 1000), (2, 1000), (8, 1000)]),
    st.sampled_from(["", "A100", "H100", "A100|H100", "B200"]),
    st.floats(0, 1),
)
targets = st.lists(shapes, max_size=6).map(
    lambda told: tuple(Target(cpu, *gpu, spec, p) for cpu, gpu, spec, p in told)
)


@pytest.fixture(scope="module")
def cluster() -> tuple[tuple[Node, ...], tuple[Pod, ...]]:
    """The nodes of openb, and its tasks."""
    with (OPENB / "openb_node_list_gpu_node.csv").open() as lines:
        nodes = tuple(
            Node(r["sn"], r["model"], int(r["cpu_milli"]), int(r["memory_mib"]), int(r["gpu"]))
            for r in DictReader(lines)
        )
    with gzip.open(OPENB / "openb_pod_list_default.csv.gz", "rt") as lines:
        pods = tuple(
            Pod(
                *(r["name"], "", (), int(r["cpu_milli"]), int(r["memory_mib"])),
                *(int(r["num_gpu"]), int(r["gpu_milli"]), r["gpu_spec"] or ""),
            )
            for r in DictReader(lines)
        )
    return nodes, pods


def share_of_empty(nodes: tuple[Node, ...], expected: tuple[Target, ...]) -> float:
    state = state_of(Instance(nodes, (), expected))
    return float(fragmentation(state, expected).sum() / state.free.sum() * 1000)


def test_the_empty_cluster_starts_where_it_was_published(
    cluster: tuple[tuple[Node, ...], tuple[Pod, ...]],
) -> None:
    nodes, pods = cluster
    assert share_of_empty(nodes, popularity_target(pods)) == pytest.approx(0.13945, abs=5e-6)


def test_with_gpu_tasks_only_next_to_nothing_of_it_is_fragmented(
    cluster: tuple[tuple[Node, ...], tuple[Pod, ...]],
) -> None:
    nodes, pods = cluster
    expected = popularity_target(p for p in pods if p.num_gpu)
    assert share_of_empty(nodes, expected) == pytest.approx(0.0042, abs=5e-5)


def test_weights_by_demand_see_tasks_of_several_gpus(
    cluster: tuple[tuple[Node, ...], tuple[Pod, ...]],
) -> None:
    _, pods = cluster
    several = sum(t.p for t in demand_target(pods) if t.num_gpu > 1)
    assert several == pytest.approx(0.056, abs=0.02)
    assert not any(t.num_gpu > 1 for t in popularity_target(pods))
    assert sum(t.p for t in demand_target(pods)) == pytest.approx(1)


@FIXED
@given(st.integers(0, 10_000), targets)
def test_tables_give_what_the_definition_gives(seed: int, expected: tuple[Target, ...]) -> None:
    instance = msgspec.structs.replace(world(seed), target=expected)
    found = fragmentation(state_of(instance), expected)
    by_node = [proof.of_room(room, expected) for room in proof.rooms(instance).values()]
    assert found == pytest.approx(by_node, abs=1e-9)
    assert proof.fragments(instance) == pytest.approx(sum(by_node), abs=1e-9)


@FIXED
@given(st.integers(0, 10_000), targets)
def test_causes_add_up_to_what_is_free(seed: int, expected: tuple[Target, ...]) -> None:
    instance = msgspec.structs.replace(world(seed), target=expected)
    state = state_of(instance)
    found = causes(state, expected)
    bins = {name: getattr(found, name) for name in type(found).__dataclass_fields__}
    if sum(t.p for t in expected) or not expected:
        assert sum(bins.values()) == pytest.approx(state.free.sum(axis=1) / 1000, abs=1e-9)
    assert all((part >= 0).all() for part in bins.values())


@FIXED
@given(st.integers(0, 10_000), targets.filter(lambda told: sum(t.p for t in told) > 0))
def test_all_that_is_not_usable_is_a_fragment(seed: int, expected: tuple[Target, ...]) -> None:
    instance = msgspec.structs.replace(world(seed), target=expected)
    state = state_of(instance)
    usable = causes(state, expected).usable
    rest = state.free.sum(axis=1) / 1000 - usable
    assert fragmentation(state, expected) == pytest.approx(rest, abs=1e-9)


def lost(told: Target, *tasks: Pod, **about: Any) -> dict[str, float]:
    """Causes, in GPUs, on a node of four GPUs."""
    one = node("n0", 4, "H100", **about)
    found = causes(state_of(Instance((one,), tasks, (told,))), (told,))
    every = {name: float(getattr(found, name)[0]) for name in type(found).__dataclass_fields__}
    return {name: gpus for name, gpus in every.items() if gpus}


def test_a_gpu_that_is_partly_held_is_a_crumb_for_whole_tasks() -> None:
    assert lost(target(), pod("t", "n0", (0,), 400)) == pytest.approx({"crumbs": 0.6, "usable": 3})


def test_too_few_gpus_are_told_apart_from_too_few_processors() -> None:
    assert lost(target(8)) == {"lacks_gpu": 4}
    assert lost(target(cpu=10**6)) == {"lacks_cpu": 4}
    assert lost(target(8, cpu=10**6)) == {"lacks_both": 4}


def test_a_model_that_is_not_accepted_comes_before_all_else() -> None:
    assert lost(target(8, cpu=10**6, spec="A100")) == {"wrong_model": 4}


def test_a_task_without_gpus_uses_none() -> None:
    assert lost(target(0, 0)) == {"no_gpu_asked": 4}


def test_slots_are_whole_tasks_on_single_nodes() -> None:
    free = np.array([[1000, 1000, 1000, 0], [1000, 999, 1000, 1000]])
    assert full(free).tolist() == [3, 3]
    assert [slots(free, size) for size in (1, 2, 3, 4)] == [6, 2, 2, 0]


def test_weights_need_not_add_up_to_one() -> None:
    instance = world(3)
    twice = tuple(msgspec.structs.replace(t, p=2 * t.p) for t in instance.target)
    state = state_of(instance)
    assert fragmentation(state, twice) == pytest.approx(fragmentation(state, instance.target))


def test_without_a_target_nothing_free_is_of_use() -> None:
    state = state_of(world(3))
    assert fragmentation(state, ()) == pytest.approx(state.free.sum(axis=1) / 1000)


def test_some_states_of_nodes_are_measured_without_the_others() -> None:
    instance = world(5)
    state = state_of(instance)
    rows = np.array([2, 0, 2])
    tables = measure_of(instance.target, state.kinds, state.free.shape[1])
    some = tables.of_nodes(state.kind[rows], state.cpu[rows], state.free[rows])
    assert some == pytest.approx(fragmentation(state, instance.target)[rows])
