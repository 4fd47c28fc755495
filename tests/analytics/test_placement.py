"""Why free GPUs are free: what is written for a window of a real store."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from analytics.placement import Placement
from gpuledger.catalogue import AssetState, GpuSample, Quota, Reservation
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.world import (
    CLUSTER,
    START,
    asset,
    at,
    card,
    given,
    gpu,
    job,
    node_state,
    samples,
    write,
)

HOUR = timedelta(hours=1)

Stretch = tuple[int, datetime, datetime, str]


def demand(store: Store, rows: list[Row], until: datetime = START + HOUR) -> list[Stretch]:
    """Demand of a world: (GPU, from, until, job)."""
    write(store, rows)
    Placement(store).write(START, until)
    return stored(store)


def stored(store: Store, state: str = "free_demand") -> list[Stretch]:
    rows = store.select(
        "SELECT * FROM v_free_states WHERE state = {state:String} ORDER BY valid_from, gpu_id",
        state=state,
    )
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


def reservation(nodes: str, since: float, until: float, flags: str = "") -> Reservation:
    """Nodes that are kept."""
    return Reservation(
        cluster=CLUSTER,
        reservation="r1",
        scheduler="slurm",
        nodes=nodes,
        flags=flags,
        valid_from=at(since),
        valid_to=at(until),
        seen_at=START,
        version=1,
    )


def test_a_reservation_holds_the_free_gpus_of_its_nodes(store: Store) -> None:
    rows = [*owned(1), *owned(1, "n1"), reservation("n0,n9", 10, 20), job(state="pending")]
    found = demand(store, rows)
    assert [(g, a, b) for g, a, b, _ in stored(store, "held")] == [(gpu(0), at(10), at(20))]
    assert (gpu(0, "n1"), at(10), at(20), "c/1") in found


def test_a_reservation_for_maintenance_is_no_place_and_holds_nothing(store: Store) -> None:
    found = demand(store, [*owned(1), reservation("n0", 10, 20, "MAINT"), job(state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(START, at(10)), (at(20), at(60))]
    assert stored(store, "held") == []


def test_a_job_that_waits_for_its_reservation_is_no_demand(store: Store) -> None:
    waits = job(state="pending")
    waits.reservation = "r1"
    assert demand(store, [*owned(1), waits]) == []


def test_a_gpu_that_is_out_of_service_is_no_place(store: Store) -> None:
    state = AssetState(gpu_id=gpu(0), state="repair", valid_from=at(10), version=1)
    back = AssetState(gpu_id=gpu(0), state="service", valid_from=at(20), version=1)
    found = demand(store, [*owned(1), state, back, job(state="pending")])
    assert [(a, b) for _, a, b, _ in found] == [(START, at(10)), (at(20), at(60))]


def test_jobs_of_a_gang_are_wanted_together_or_not_at_all(store: Store) -> None:
    gang = [job(name, gpus=2, state="pending") for name in "12"]
    for member in gang:
        member.gang = "c/g"
    assert demand(store, [*owned(3), *gang]) == []
    assert len(demand(store, owned(4))) == 4


def test_a_slice_is_wanted_by_a_job_that_asks_for_its_shape(store: Store) -> None:
    parts = [card(0) for _ in range(2)]
    for i, part in enumerate(parts):
        part.uuid, part.parent, part.profile = f"MIG-{i}", "GPU-n0-0", "3g.40gb"
        part.entitlement_milli = 428
    waits = job(state="pending")
    waits.share_milli = 429
    offers = node_state()
    offers.shares = "mig-3g.40gb=2"
    held = given("2", 0, until=at(20))
    held.slice, held.share_milli = "MIG-0", 428
    more = given("3", 0, until=at(10))
    more.slice, more.share_milli = "MIG-1", 428
    rows = [*owned(1), card(0), *parts, offers, waits, held, more]
    found = demand(store, rows)
    assert [(a, b) for _, a, b, _ in found] == [(at(10), at(60))]


def refused(name: str = "1", reason: str = "Quota", pool: str = "queue") -> Row:
    return job(name, state="pending", reason=reason, pool=pool, eligible=FOREVER)


def quota(limit: int) -> Quota:
    return Quota(
        cluster=CLUSTER,
        scheduler="kueue",
        queue="queue",
        limit_milli=1000 * limit,
        seen_at=START,
        version=1,
    )


def flags(store: Store) -> dict[tuple[int, str, str], int]:
    """GPUs by state and flags: how many stretches."""
    rows = store.select("SELECT gpu_id, state, flags FROM v_free_states ORDER BY gpu_id")
    return {(r["gpu_id"], r["state"], r["flags"]): 1 for r in rows}


def test_a_workload_that_its_queue_did_not_let_in_is_demand_while_its_quota_has_room(
    store: Store,
) -> None:
    assert demand(store, [*owned(1), refused(), quota(1)])


def test_a_gpu_that_only_a_quota_keeps_free_stays_surplus_and_is_flagged(store: Store) -> None:
    running = job("2", pool="queue", started=START)
    found = demand(store, [*owned(2), running, given("2", 0), refused(), quota(1)])
    assert found == []
    assert flags(store) == {(gpu(1), "free_surplus", "quota_held"): 1}


@pytest.mark.parametrize("reason", ["QOSGrpGRES", "AssocGrpGRES"])
def test_a_limit_of_the_whole_team_is_a_quota(store: Store, reason: str) -> None:
    assert demand(store, [*owned(1), refused(reason=reason)]) == []
    assert flags(store) == {(gpu(0), "free_surplus", "quota_held"): 1}


def waited(store: Store) -> list[tuple[datetime, float, float]]:
    """(minute, GPU-seconds refused for capacity, for a quota)."""
    rows = store.select("SELECT * FROM v_demand_1m ORDER BY minute")
    assert {(r["cluster"], r["pool"]) for r in rows} <= {(CLUSTER, "big")}
    return [(r["minute"], r["unmet_seconds"], r["refused_seconds"]) for r in rows]


def test_demand_is_what_waits_in_each_minute_placed_or_not(store: Store) -> None:
    small = job("1", gpus=1, eligible=at(10), started=at(11.5))
    large = job("2", gpus=4, nodes=2, eligible=at(11), started=at(12))
    demand(store, [*owned(), *owned(4, "n1"), small, large])
    assert waited(store) == [(at(10), 60.0, 0.0), (at(11), 30.0 + 480.0, 0.0)]


def test_demand_for_a_quota_is_apart(store: Store) -> None:
    demand(store, [*owned(1), refused(reason="QOSGrpGRES")])
    assert waited(store)[0] == (START, 0.0, 60.0)


def test_a_job_that_no_gpu_could_ever_take_is_nobodys_demand(store: Store) -> None:
    demand(store, [*owned(1), job(gpus=8, state="pending")])
    assert store.value("SELECT uniqExact(pool) = 1 AND any(pool) = '' FROM demand_1m")


def test_jobs_of_the_last_days_say_what_is_stranded_while_nobody_waits(store: Store) -> None:
    usual = [
        job(f"u{i}", gpus=4, started=START - timedelta(days=1), ended=START - timedelta(hours=9))
        for i in range(30)
    ]
    held = [job("2", started=START), given("2", 0)]
    demand(store, [*owned(4), *usual, *held])
    assert {g for g, *_ in stored(store, "stranded")} == {gpu(1), gpu(2), gpu(3)}
