"""Where requests fit, and when waiting work would have filled a free GPU."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta

import pytest
from hypothesis import given as example_of
from hypothesis import settings
from hypothesis import strategies as st

from analytics.placement import Node, Placement, Shape, Waiting, choose, fits, place
from gpuledger.catalogue import GpuSample
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, given, gpu, job, node_state, samples, write

FIXED = settings(max_examples=300, derandomize=True, database=None, deadline=None)
HOUR = timedelta(hours=1)


def node(name: str = "n0", free: int = 4, **known: object) -> Node:
    """A node with GPUs 100 × its number and upwards."""
    first = 100 * int(name[1:])
    return Node(name, free=set(range(first, first + free)), **known)  # type: ignore[arg-type]


def waiting(name: str, shape: Shape, priority: int = 0, eligible: int = 0) -> Waiting:
    return Waiting((-priority, eligible, name), name, shape)


@pytest.mark.parametrize(
    ("known", "asked", "fitting"),
    [
        ({}, Shape(4), True),
        ({}, Shape(5), False),
        ({"up": False}, Shape(1), False),
        ({"gpu_model": "NVIDIA H100 80GB HBM3"}, Shape(1, gpu_model="h100"), True),
        ({"gpu_model": "NVIDIA A100"}, Shape(1, gpu_model="h100"), False),
        ({"pools": frozenset({"a", "b"})}, Shape(1, pools=frozenset("b")), True),
        ({"pools": frozenset({"a"})}, Shape(1, pools=frozenset("b")), False),
        ({"pools": frozenset("bc")}, Shape(1, pools=frozenset("ab")), True),
        ({"pools": frozenset({"a"})}, Shape(1), True),
        ({"cpu_milli": 8000, "cpu_used": 4000}, Shape(1, cpu_milli=4000), True),
        ({"cpu_milli": 8000, "cpu_used": 4001}, Shape(1, cpu_milli=4000), False),
        ({"memory_mib": 100, "memory_used": 50}, Shape(1, memory_mib=50), True),
        ({"memory_mib": 100, "memory_used": 51}, Shape(1, memory_mib=50), False),
    ],
)
def test_a_request_fits_where_everything_it_asks_for_is_left(
    known: dict[str, object], asked: Shape, fitting: bool
) -> None:
    assert fits(node(**known), asked) is fitting


def test_an_unknown_capacity_binds_nothing() -> None:
    assert fits(node(), Shape(1, cpu_milli=10**9, memory_mib=10**9, pools=frozenset({"any"})))


def test_the_fullest_node_that_fits_is_chosen_so_that_big_holes_stay() -> None:
    nodes = [node("n0", 8), node("n1", 3), node("n2", 2)]
    assert [n.name for n in choose(nodes, Shape(3))] == ["n1"]


def test_a_gang_is_placed_whole_or_not_at_all() -> None:
    nodes = {n.name: n for n in (node("n0", 4), node("n1", 4))}
    assert place([waiting("gang", Shape(4, nodes=3))], nodes) == {}
    assert len(place([waiting("gang", Shape(4, nodes=2))], nodes)) == 8


def test_a_job_that_fits_nowhere_lets_a_smaller_one_through() -> None:
    queue = [waiting("big", Shape(8), priority=9), waiting("small", Shape(1))]
    assert set(place(queue, {"n0": node()}).values()) == {"small"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (waiting("z", Shape(4), priority=2), waiting("a", Shape(4), priority=1)),
        (waiting("z", Shape(4), eligible=1), waiting("a", Shape(4), eligible=2)),
        (waiting("a", Shape(4)), waiting("b", Shape(4))),
    ],
    ids=["priority", "eligible time", "job id"],
)
def test_the_queue_is_served_by_priority_then_eligible_time_then_job_id(
    first: Waiting, second: Waiting
) -> None:
    assert set(place([second, first], {"n0": node()}).values()) == {first.job_id}


SHAPES = st.builds(
    Shape,
    gpus=st.integers(1, 8),
    nodes=st.integers(1, 3),
    cpu_milli=st.integers(0, 20) | st.just(0),
    memory_mib=st.integers(0, 20) | st.just(0),
    gpu_model=st.sampled_from(("", "", "h100", "a100")),
    pools=st.sampled_from((frozenset(), frozenset(), frozenset("p"), frozenset("qr"))),
)


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, Node]:
    names = [f"n{i}" for i in range(draw(st.integers(0, 5)))]
    return {
        name: node(
            name,
            draw(st.integers(0, 8)),
            gpu_model=draw(st.sampled_from(("", "NVIDIA H100", "A100"))),
            pools=draw(st.sampled_from((frozenset(), frozenset("p"), frozenset("pq")))),
            cpu_milli=draw(st.integers(0, 30)),
            memory_mib=draw(st.integers(0, 30)),
            up=draw(st.sampled_from((True, True, True, False))),
        )
        for name in names
    }


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    shapes = draw(st.lists(SHAPES, max_size=8))
    return [
        waiting(f"j{i}", shape, draw(st.integers(0, 2)), draw(st.integers(0, 2)))
        for i, shape in enumerate(shapes)
    ]


@FIXED
@example_of(queues(), fleets())
def test_every_placed_job_gets_all_it_asked_for_on_free_gpus_of_nodes_that_fit(
    queue: list[Waiting], nodes: dict[str, Node]
) -> None:
    wanted = place(queue, nodes)
    shapes = {w.job_id: w.shape for w in queue}
    used = {name: Node(**{**n.__dict__, "free": set(n.free)}) for name, n in nodes.items()}
    for name in set(wanted.values()):
        shape = shapes[name]
        parts = {n.name: [g for g in n.free if wanted.get(g) == name] for n in nodes.values()}
        parts = {n: gpus for n, gpus in parts.items() if gpus}
        assert len(parts) == shape.nodes
        for place_name, gpus in parts.items():
            assert len(gpus) == shape.gpus
            # Never overfilled, whichever other jobs came there before.
            assert fits(used[place_name], shape)
            used[place_name].free -= set(gpus)
            used[place_name].cpu_used += shape.cpu_milli
            used[place_name].memory_used += shape.memory_mib
    assert wanted.keys() <= {g for n in nodes.values() for g in n.free}


@FIXED
@example_of(queues(), fleets(), st.randoms(use_true_random=False))
def test_placing_changes_no_node_and_does_not_depend_on_the_order_it_is_told_in(
    queue: list[Waiting], nodes: dict[str, Node], random: object
) -> None:
    before = deepcopy(nodes)
    wanted = place(queue, nodes)
    shuffled = sorted(queue, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert place(shuffled, dict(reversed(nodes.items()))) == wanted
    assert nodes == before


Stretch = tuple[int, datetime, datetime, str]


def demand(store: Store, rows: list[Row], until: datetime = START + HOUR) -> list[Stretch]:
    """Free states of a world: (GPU, from, until, job)."""
    write(store, rows)
    Placement(store).write(START, until)
    return stored(store)


def stored(store: Store) -> list[Stretch]:
    rows = store.select("SELECT * FROM v_free_states ORDER BY valid_from, gpu_id")
    assert {r["state"] for r in rows} <= {"free_demand"}
    return [(r["gpu_id"], r["valid_from"], r["valid_to"], r["job_id"]) for r in rows]


def owned(slots: int = 4, name: str = "n0") -> list[Row]:
    return [asset(slot, name) for slot in range(slots)]


def test_a_waiting_job_wants_as_many_gpus_as_it_would_take_for_as_long_as_it_waits(
    store: Store,
) -> None:
    waits = job(gpus=2, eligible=at(10), started=at(25))
    found = demand(store, [*owned(), waits])
    assert len({g for g, *_ in found}) == 2
    assert {(a, b, j) for _, a, b, j in found} == {(at(10), at(25), "c/1")}


def test_demand_is_cut_at_whole_hours(store: Store) -> None:
    waits = job(eligible=at(50), started=at(130))
    found = demand(store, [*owned(1), waits], START + 3 * HOUR)
    assert [(a, b) for _, a, b, _ in found] == [
        (at(50), at(60)),
        (at(60), at(120)),
        (at(120), at(130)),
    ]


@pytest.mark.parametrize("reason", ["", "None", "Resources", "Priority"])
def test_a_job_that_waits_for_capacity_is_demand(store: Store, reason: str) -> None:
    assert demand(store, [*owned(), job(state="pending", reason=reason)])


@pytest.mark.parametrize(
    "reason", ["Dependency", "JobHeldUser", "BeginTime", "QOSMaxGRESPerUser", "JobArrayTaskLimit"]
)
def test_a_job_that_waits_for_something_else_is_no_demand(store: Store, reason: str) -> None:
    assert demand(store, [*owned(), job(state="pending", reason=reason)]) == []


def test_a_job_that_is_not_eligible_is_no_demand(store: Store) -> None:
    assert demand(store, [*owned(), job(state="pending", eligible=FOREVER)]) == []


def test_a_job_too_large_for_what_is_free_is_no_demand(store: Store) -> None:
    held = [job("2", started=START), given("2", 0)]
    assert demand(store, [*owned(4), *held, job(gpus=4, state="pending")]) == []


def test_gpus_are_wanted_only_while_no_job_holds_them(store: Store) -> None:
    held = [job("2", started=START, ended=at(20)), given("2", 0, until=at(20))]
    found = demand(store, [*owned(1), *held, job(state="pending")])
    assert found == [(gpu(0), at(20), at(60), "c/1")]


def test_processors_and_memory_of_running_jobs_are_not_free(store: Store) -> None:
    place_ = node_state(cpus=8, memory_gib=64)
    held = [job("2", cpus=6, started=START, ended=at(30)), given("2", 0, until=at(30))]
    found = demand(store, [*owned(4), place_, *held, job(cpus=4, state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(at(30), at(60))]


@pytest.mark.parametrize("state", ["down", "drained"])
def test_a_node_out_of_service_is_no_place(store: Store, state: str) -> None:
    out = [
        node_state("n0", state, START, at(20)),
        node_state("n0", "up", at(20)),
    ]
    found = demand(store, [*owned(1), *out, job(state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(at(20), at(60))]


def test_the_schedulers_latest_word_counts_even_if_nobody_took_back_the_one_before(
    store: Store,
) -> None:
    out = [node_state("n0", "drained", START), node_state("n0", "up", at(20))]
    found = demand(store, [*owned(1), *out, job(state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(at(20), at(60))]


def test_an_older_word_holds_again_when_a_later_one_has_ended(store: Store) -> None:
    """Regression: the book said so, but demand took the node for a place."""
    out = [node_state("n0", "drained", START), node_state("n0", "up", at(20), at(40))]
    found = demand(store, [*owned(1), *out, job(state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(at(20), at(40))]


def lost(slot: int, first: int, count: int, ratio: float = 0.5) -> list[GpuSample]:
    """Minutes for some part of which a GPU was lost."""
    told = samples(slot, first, count, active=0.0, processes=0)
    for sample in told:
        sample.lost_seconds = 60 * ratio
    return told


def test_a_lost_gpu_is_no_place_so_its_healthy_neighbour_is_not_wanted(store: Store) -> None:
    """Regression: a job for two GPUs was placed on one that was lost and one that was not."""
    told = [*lost(1, 10, 20), *samples(0, 10, 20, active=0.0, processes=0)]
    found = demand(store, [*owned(2), *told, job(gpus=2, state="pending")])
    want = [(START, at(10)), (at(30), at(60))]
    assert [(a, b) for g, a, b, _ in found if g == gpu(0)] == want
    assert [(a, b) for g, a, b, _ in found if g == gpu(1)] == want


def test_a_gpu_lost_for_less_than_half_of_the_minute_is_a_place(store: Store) -> None:
    found = demand(store, [*owned(1), *lost(0, 0, 60, ratio=0.49), job(state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(START, at(60))]


def test_a_silent_gpu_of_a_node_that_is_up_is_a_place(store: Store) -> None:
    told = samples(0, 0, 10, active=0.0, processes=0)
    found = demand(store, [*owned(1), node_state(), *told, job(state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(START, at(60))]


def test_a_job_submitted_to_several_pools_fits_in_each_of_them(store: Store) -> None:
    rows = [*owned(1), node_state(pools="a,b"), job(state="pending", pool="c,b")]
    assert [(a, b) for _, a, b, _ in demand(store, rows)] == [(START, at(60))]


def test_a_node_outside_the_jobs_pool_is_no_place(store: Store) -> None:
    rows = [*owned(1), node_state(pools="a,b"), job(state="pending", pool="c")]
    assert demand(store, rows) == []


def test_writing_again_changes_nothing_and_forgets_demand_that_was_none(store: Store) -> None:
    first = demand(store, [*owned(), job(state="pending", eligible=at(5))])
    assert first
    assert demand(store, []) == first
    gone = job(state="cancelled", eligible=at(5), ended=at(5), version=2)
    assert demand(store, [gone]) == []
