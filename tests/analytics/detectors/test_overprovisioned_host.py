"""Jobs that ask for far more processors or memory of their nodes than they use."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.overprovisioned_host import OverprovisionedHostSettings, detector
from gpuledger.catalogue import CgroupSample, Finding
from gpuledger.identity import alloc_id, job_id
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.detectors.telemetry import inventory, keep
from tests.analytics.world import CLUSTER, at, cells, given, gpu, job, node_state

UNTIL = 90
GIB = 1 << 30
UID = "0123abcd-1111-2222-3333-444444444444"


def find(store: Store, since: int = 0, until: int = UNTIL, **changed: Any) -> list[Finding]:
    span = Span(at(since), at(until))
    return list(detector.find(store, OverprovisionedHostSettings(**changed), span))


def used(
    cores: float = 3.0,
    memory_gib: float = 20.0,
    *,
    name: str = "1",
    runtime: str = "slurm",
    minutes: range = range(UNTIL),
    node: str = "n0",
    before_s: float = 0.0,
) -> list[Row]:
    """What a control group tells by the minute; `before_s` is processor time used before."""
    return [
        CgroupSample.known(
            ts=at(m + 1),
            interval_seconds=60,
            cluster=CLUSTER,
            node=node,
            runtime=runtime,
            name=name,
            cpu_seconds=before_s + cores * 60 * (i + 1),
            cpu_throttled_seconds=0.0,
            memory_bytes=memory_gib * GIB,
            out_of_memory_kills=0,
            read_bytes=0,
            write_bytes=0,
        )
        for i, m in enumerate(minutes)
    ]


def world(
    store: Store,
    *told: Row,
    native: str = "1",
    slots: int = 1,
    cpus: int = 96,
    memory_gib: int | None = 60,
    constraints: str = "",
    blocked: range = range(0),
) -> None:
    """A job on some of the 8 GPUs of a node of 128 processors and 1024 GiB."""
    made = job(native, gpus=slots, cpus=cpus, memory_gib=memory_gib, started=at(0))
    made.constraints = constraints
    told_of_free = [c for s in (6, 7) for c in cells("stranded", blocked, s)]
    for cell in told_of_free:
        cell.cause = "cpu_ram"
    work = [c for s in range(slots) for c in cells("productive", range(UNTIL), s, native=native)]
    keep(
        store,
        [
            *inventory(),
            node_state(gpus=8, cpus=128, memory_gib=1024),
            made,
            *(given(native, s) for s in range(slots)),
            *(told or used()),
        ],
        [*work, *told_of_free],
        UNTIL,
    )


def test_processors_without_use_beyond_the_share_of_the_node_are_found(store: Store) -> None:
    world(store)
    (found,) = find(store)
    assert (found.subject, found.cause, found.owner, found.open) == ("c/1", "cpu", "job owner", 1)
    assert (found.user, found.team, found.gpus) == ("ana", "vision", 1)
    assert found.summary == (
        "train holds 1 of 8 GPUs on n0, but asks for 96 of 128 processors (75%; used at most 3.0"
        " in 90 min)"
    )
    # Its share, an eighth of the node, blocks nobody; it needs even less.
    assert found.action.startswith("Ask for 16 processors the next time")


def test_it_costs_no_gpu_time_of_its_own(store: Store) -> None:
    world(store)
    (found,) = find(store)
    assert (found.gpu_seconds, found.capacity_value, found.cash_avoidable) == (0, None, None)


def test_gpus_that_stayed_free_for_want_of_processors_are_told(store: Store) -> None:
    world(store, blocked=range(30, UNTIL))
    (found,) = find(store)
    told = "2 GPUs there stayed free for want of processors or memory: 2.0 GPU-hours stranded"
    assert found.summary.endswith(told)
    assert found.gpu_seconds == 0


def test_memory_without_use_is_found_as_well(store: Store) -> None:
    world(store, *used(memory_gib=100.0), cpus=8, memory_gib=800)
    (found,) = find(store)
    assert (found.cause, "Ask for 143 GiB of memory" in found.action) == ("memory", True)


def test_both_are_one_finding(store: Store) -> None:
    world(store, memory_gib=800)
    (found,) = find(store)
    assert found.cause == "cpu_memory"
    assert "16 processors and 128 GiB of memory" in found.action


@pytest.mark.parametrize(
    "about",
    [
        {"cpus": 24},
        {"slots": 8, "cpus": 128},
        {"cpus": 0, "memory_gib": None},
        {"constraints": "exclusive"},
    ],
)
def test_who_blocks_nobody_is_left_in_peace(store: Store, about: dict[str, Any]) -> None:
    world(store, **about)
    assert find(store) == []


@pytest.mark.parametrize("cores", [60.0, 96.0])
def test_processors_that_are_used_are_no_excess(store: Store, cores: float) -> None:
    world(store, *used(cores))
    assert find(store) == []


def test_a_twentieth_of_the_minutes_may_be_busier(store: Store) -> None:
    quiet = used(3.0, minutes=range(86))
    world(store, *quiet, *used(90.0, minutes=range(86, UNTIL), before_s=86 * 180.0))
    assert len(find(store)) == 1


def test_bursts_that_come_more_often_are_needed(store: Store) -> None:
    quiet = used(3.0, minutes=range(80))
    world(store, *quiet, *used(90.0, minutes=range(80, UNTIL), before_s=80 * 180.0))
    assert find(store) == []


def test_memory_that_was_needed_before_the_span_counts(store: Store) -> None:
    loading = used(memory_gib=700.0, minutes=range(10))
    world(store, *loading, *used(minutes=range(10, UNTIL)), cpus=8, memory_gib=800)
    assert find(store, since=20) == []


def test_an_hour_of_the_control_group_is_needed(store: Store) -> None:
    world(store)
    assert find(store, until=59) == []


def test_without_a_control_group_nothing_is_said(store: Store) -> None:
    world(store, *used(name="2"))
    assert find(store) == []


def test_a_pod_is_known_by_the_beginning_of_its_uid(store: Store) -> None:
    group = used(name=UID, runtime="kubernetes")
    world(store, *group, native=f"lab/train-0@{UID[:8]}")
    (found,) = find(store)
    assert found.subject == f"c/lab/train-0@{UID[:8]}"


def test_a_job_on_several_nodes_is_judged_by_the_busiest(store: Store) -> None:
    other = given("1", 0, "n1")
    assert other.alloc_id == alloc_id(job_id(CLUSTER, "1"), 0, gpu(0, "n1"))
    second = [*inventory(node="n1"), node_state("n1", gpus=8, cpus=128, memory_gib=1024), other]
    world(store, *used(3.0), *used(10.0, node="n1"), *second)
    (found,) = find(store)
    assert found.gpus == 2
    assert "on each of n0, n1, but asks for 96 of 128 processors" in found.summary
    assert "used at most 10.0" in found.summary
    assert found.action.startswith("Ask for 16 processors on each node")


def test_only_so_many_jobs_are_judged(store: Store) -> None:
    world(store)
    assert find(store, most_jobs=0) == []


def test_an_empty_span_has_no_findings(store: Store) -> None:
    world(store)
    assert find(store, 30, 30) == []


def test_the_finding_keeps_its_id_and_shows_its_rows(store: Store) -> None:
    world(store)
    (early,), (late,) = find(store, 0, 80), find(store)
    assert early.finding_id == late.finding_id
    assert find(store) == find(store)
    assert len(store.select(late.evidence)) == UNTIL
