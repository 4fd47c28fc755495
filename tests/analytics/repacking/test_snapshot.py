"""One moment of a fleet from a real store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from analytics.repacking import instance, snapshot
from analytics.repacking.fleet import SHARES
from analytics.repacking.instance import Instance, Pod
from analytics.repacking.settings import SnapshotSettings
from gpuledger.catalogue import Allocation, Gpu, GpuLink, Job, Reservation
from gpuledger.errors import ConfigError
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import (
    CLUSTER,
    MODEL,
    asset,
    at,
    card,
    given,
    job,
    node_state,
    samples,
    write,
)

NOON = at(120)


def owned(count: int = 4, *names: str) -> list[Row]:
    return [asset(slot, name) for name in names or ("n0",) for slot in range(count)]


def running(native: str = "1", *, since: float = 0, gpus: int = 1, **told: Any) -> Job:
    made = job(native, started=at(since), gpus=gpus)
    for name, value in told.items():
        setattr(made, name, value)
    return made


def seen(store: Store, rows: list[Row], moment: datetime = NOON, **settings: Any) -> Instance:
    write(store, rows)
    found = snapshot.snapshot(store, moment, SnapshotSettings(**settings))
    assert list(instance.problems(found)) == []
    return found


def only(found: Instance) -> Pod:
    (pod,) = found.pods
    return pod


def test_an_empty_store_has_an_empty_instance(store: Store) -> None:
    assert snapshot.snapshot(store, NOON) == Instance((), (), ())


def test_a_node_is_told_with_all_it_has(store: Store) -> None:
    state = node_state(cpus=64, memory_gib=512, pools="big")
    state.rack, state.labels = "r1", "ib"
    found = seen(store, [*owned(4), state, running(), given("1", 2)])
    (node,) = found.nodes
    assert (node.name, node.model, node.gpus, node.cluster) == ("c/n0", "h100", 4, CLUSTER)
    assert (node.cpu_milli, node.memory_mib, node.island) == (64_000, 512 * 1024, "r1")
    assert (node.pools, node.closed, node.lost_gpus) == (("big",), False, ())


def test_a_task_is_told_with_its_very_gpus(store: Store) -> None:
    told = running(gpus=2, cpu_milli=8000, memory_bytes=32 << 30, preemptible=1)
    pod = only(seen(store, [*owned(4), told, given("1", 3), given("1", 1)]))
    assert (pod.name, pod.node, pod.gpu_ids) == ("c/1", "c/n0", (1, 3))
    assert (pod.num_gpu, pod.gpu_milli, pod.cpu_milli, pod.memory_mib) == (2, 1000, 8000, 32768)
    assert (pod.movable, pod.preemptible, pod.checkpointed) == (True, True, None)


def test_the_past_is_told_as_it_was(store: Store) -> None:
    rows = [
        *owned(4),
        *(running("1"), given("1", 0, until=at(60))),
        *(running("2", since=90), given("2", 1, since=at(90))),
    ]
    write(store, rows)
    held = [[p.name for p in snapshot.snapshot(store, at(minute)).pods] for minute in (30, 60, 90)]
    assert held == [["c/1"], [], ["c/2"]]


def test_it_goes_to_json_and_back(store: Store) -> None:
    rows = [*owned(4), node_state(cpus=64), running(), given("1", 2), job("2", state="pending")]
    write(store, rows)
    taken = snapshot.take(store, NOON)
    assert instance.read(instance.write(taken.instance)) == taken.instance
    assert snapshot.load(snapshot.dump(taken)) == taken
    with pytest.raises(ConfigError, match="snapshot: "):
        snapshot.load(b"{}")


def test_a_task_may_only_go_where_its_job_may(store: Store) -> None:
    told = running(pool="big,small", constraints="ib,not:n7", gpu_model="")
    pod = only(seen(store, [*owned(2), told, given("1", 0)]))
    assert (pod.pools, pod.words, pod.off) == (("big", "small"), ("ib",), ("c/n7",))
    assert pod.gpu_spec == MODEL


def test_a_job_that_names_a_model_may_go_to_each_that_has_the_name(store: Store) -> None:
    rows: list[Row] = [*owned(1), asset(0, "n1", model="H100 PCIe"), asset(0, "n2", model="A100")]
    pod = only(seen(store, [*rows, running(gpu_model="h100"), given("1", 0)]))
    assert pod.gpu_spec == f"H100 PCIe|{MODEL}"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"constraints": "exclusive"}, "has its node to itself"),
        ({"constraints": "on:n0"}, "asks for this very node"),
        ({"constraints": "kubernetes.io/hostname=n0"}, "asks for this very node"),
        ({"kind": "interactive"}, "somebody sits at it"),
        ({"gang": "g"}, "one of a gang: moving it stops all of it"),
    ],
)
def test_what_cannot_move_says_why(store: Store, told: dict[str, Any], why: str) -> None:
    pod = only(seen(store, [*owned(2), running(**told), given("1", 0)]))
    assert not pod.movable
    assert pod.why.startswith(why)


def test_a_job_of_several_nodes_is_a_gang_that_stays(store: Store) -> None:
    rows = [*owned(1, "n0", "n1"), running(nodes=2), given("1", 0, "n0"), given("1", 0, "n1")]
    pods = seen(store, rows).pods
    assert [p.name for p in pods] == ["c/1 n0", "c/1 n1"]
    assert {(p.gang, p.movable) for p in pods} == {("c/1", False)}


def test_what_nobody_told_of_stays(store: Store) -> None:
    pod = only(seen(store, [*owned(1), given("9", 0)]))
    assert (pod.movable, pod.why) == (False, "nobody told what it asked for")


def test_a_move_costs_the_work_since_the_start_and_a_restart(store: Store) -> None:
    told = running(gpus=2, preemptible=1)
    pod = only(seen(store, [*owned(2), told, given("1", 0), given("1", 1)], startup_s=600))
    assert pod.cost_gpu_seconds == 2 * (7200 + 600)
    assert pod.why == (
        "preemptible; no checkpoint is known: it has run for 2.0 h; a restart takes 10 min"
    )


def test_a_service_loses_nothing_but_its_start(store: Store) -> None:
    pod = only(seen(store, [*owned(1), running(kind="service"), given("1", 0)], startup_s=60))
    assert pod.cost_gpu_seconds == 60


def test_shares_beyond_a_whole_gpu_are_scaled(store: Store) -> None:
    held = [replace_share(given(str(n), 0), 600) for n in (1, 2)]
    pods = seen(store, [*owned(1), running("1"), running("2"), *held]).pods
    assert [(p.num_gpu, p.gpu_milli, p.words) for p in pods] == [(1, 500, (SHARES,))] * 2


def replace_share(held: Allocation, milli: int) -> Allocation:
    held.share_milli = milli
    return held


def test_a_node_that_holds_more_than_it_has_has_what_it_holds(store: Store) -> None:
    rows = [*owned(1), node_state(cpus=4), running(cpu_milli=8000), given("1", 0)]
    assert seen(store, rows).nodes[0].cpu_milli == 8000


@pytest.mark.parametrize("state", ["down", "drained"])
def test_nothing_moves_to_a_node_out_of_service(store: Store, state: str) -> None:
    assert seen(store, [*owned(1), node_state(state=state)]).nodes[0].closed


def test_nothing_moves_to_a_reserved_node(store: Store) -> None:
    kept = Reservation(
        cluster=CLUSTER,
        reservation="r",
        scheduler="slurm",
        nodes="n0",
        valid_from=at(0),
        seen_at=at(0),
        version=1,
    )
    assert seen(store, [*owned(1), kept]).nodes[0].closed


def test_a_lost_gpu_is_nobodys(store: Store) -> None:
    told = samples(1, 110, 10, active=0.0, processes=0)
    for sample in told:
        sample.lost_seconds = 60
    assert seen(store, [*owned(2), *told]).nodes[0].lost_gpus == (1,)


def slice_of(uuid: str, slot: int = 0) -> Gpu:
    made = card(slot)
    made.uuid, made.parent, made.profile = uuid, f"GPU-n0-{slot}", "1g.10gb"
    made.entitlement_milli = 143
    return made


def test_a_cut_card_is_told_by_its_slices(store: Store) -> None:
    cut = card(0)
    cut.mig = "enabled"
    held = given("1", 0)
    held.slice = "MIG-a"
    rows = [*owned(2), cut, slice_of("MIG-a"), slice_of("MIG-b"), running(), held]
    write(store, rows)
    taken = snapshot.take(store, NOON)
    assert taken.cards == (snapshot.Card("c/n0", 0, MODEL, (1, 1), (1,)),)
    assert taken.instance.nodes[0].lost_gpus == (0,)
    assert only(taken.instance).why.startswith("holds MIG slices")


def test_gpus_that_nvlink_joins_are_groups(store: Store) -> None:
    links: list[Row] = [
        GpuLink(
            cluster=CLUSTER,
            node="n0",
            slot=a,
            peer=str(a ^ 1),
            path="nvlink",
            nvlinks=4,
            seen_at=at(0),
            version=1,
        )
        for a in range(4)
    ]
    write(store, [*owned(4), *links])
    assert snapshot.take(store, NOON).groups == {"c/n0": ((0, 1), (2, 3))}


def test_waiting_tasks_have_no_place_yet(store: Store) -> None:
    held = [running("9", gpus=2), given("9", 0), given("9", 1)]
    waits = job("1", state="pending", gpus=2, nodes=2, pool="big")
    waiting = seen(store, [*owned(2), *held, waits]).waiting
    assert [(p.name, p.node, p.num_gpu, p.gang) for p in waiting] == [
        ("c/1 0", "", 2, "c/1"),
        ("c/1 1", "", 2, "c/1"),
    ]


def history(native: str, count: int, **told: Any) -> list[Row]:
    return [running(f"{native}{n}", ended=at(30), **told) for n in range(count)]


def test_what_is_expected_weighs_by_the_gpus_it_asked_for(store: Store) -> None:
    rows = [*owned(8), *history("a", 8), *history("b", 1, gpus=8), *history("z", 50, gpus=0)]
    target = seen(store, rows).target
    assert [(t.num_gpu, t.p, t.gpu_spec) for t in target] == [(1, 0.5, ""), (8, 0.5, "")]


def test_a_job_of_several_nodes_is_as_many_tasks(store: Store) -> None:
    rows = [*owned(4), *history("a", 4), *history("b", 1, gpus=2, nodes=2)]
    assert [(t.num_gpu, t.p) for t in seen(store, rows).target] == [(1, 0.5), (2, 0.5)]


def test_weights_by_popularity_are_those_of_the_authors(store: Store) -> None:
    rows = [*owned(8), *history("a", 60), *history("z", 40, gpus=0), *history("b", 1, gpus=8)]
    target = seen(store, rows, weights="popularity").target
    assert [(t.num_gpu, t.p) for t in target] == [(0, 0.4), (1, 0.6)]


def test_what_no_node_here_takes_is_not_expected(store: Store) -> None:
    rows = [*owned(4), *history("a", 4), *history("b", 9, gpus=8), *history("c", 9, gpu_model="A1")]
    assert [t.num_gpu for t in seen(store, rows).target] == [1]


def test_one_cluster_can_be_asked_for(store: Store) -> None:
    other = asset(0, "m0")
    other.cluster = "d"
    write(store, [*owned(1), other, running(), given("1", 0)])
    found = snapshot.snapshot(store, NOON, cluster="d")
    assert ([n.name for n in found.nodes], found.pods) == (["d/m0"], ())
