"""One small cluster in the words of every version from 22.05 to 25.05."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sacct import Ending, ending, endings
from collector.sacct import job_row as ended_row
from collector.slurm_devices import devices
from collector.slurm_json import moment
from collector.slurm_pools import Site, pool_row, racks, reservation_row, shards_by_node
from collector.slurm_rows import Snapshot, allocation_rows, job_row, node_row
from gpuledger.catalogue.work import Allocation, Pool, Reservation
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER
from gpuledger.slurm_words import duration_s
from tests.collector.slurm import at
from tests.collector.slurm_versions import END, START, SUBMIT, VERSIONS, Told

AT = datetime(2026, 11, 22, 5, tzinfo=UTC)
PLAIN = Snapshot("c", AT)


@pytest.fixture(params=VERSIONS)
def told(request: pytest.FixtureRequest) -> Told:
    return Told(str(request.param))


def around(**site: Any) -> Snapshot:
    return Snapshot("c", AT, Site(**site))


def held(job: dict[str, Any], snapshot: Snapshot = PLAIN) -> list[Allocation] | None:
    found = allocation_rows(job, job_row(job, snapshot), snapshot)
    return None if found is None else list(found)


def pool(told: dict[str, Any]) -> Pool:
    return pool_row(told, "c", AT, 1)


def reservation(told: dict[str, Any]) -> Reservation:
    return reservation_row(told, "c", AT, 1)


def test_a_running_job(told: Told) -> None:
    job = told.job(7, "RUNNING", qos="high", resv_name="fix")
    row = job_row(job, PLAIN)
    assert (row.state, row.user, row.team, row.pool) == ("running", "ada", "vision", "gpu")
    assert (row.qos, row.reservation, row.constraints, row.kind) == ("high", "fix", "ib", "batch")
    assert (row.gpus_per_node, row.gpu_model, row.cpu_milli) == (2, "h100", 8000)
    assert (row.submitted, row.started, row.ended) == (at(SUBMIT), at(START), FOREVER)
    assert row.ends_by == at(START + 3600)
    assert {a.gpu_id for a in held(job) or ()} == {gpu_id("c", "n1", slot) for slot in (0, 1)}


def test_a_waiting_job(told: Told) -> None:
    row = job_row(told.job(8, "PENDING"), PLAIN)
    assert (row.state, row.reason, row.started) == ("pending", "Resources", FOREVER)


def test_an_interactive_job(told: Told) -> None:
    assert job_row(told.job(7, "RUNNING", batch_flag=False), PLAIN).kind == "interactive"


def test_tasks_of_an_array_are_named(told: Told) -> None:
    number = told.number
    task = told.job(9, "RUNNING", array_job_id=number(7), array_task_id=number(0))
    rest = told.job(7, "PENDING", array_job_id=number(7), array_task_string="1-9%2")
    assert [job_row(j, PLAIN).name for j in (task, rest)] == ["train[0]", "train[1-9%2]"]
    assert [job_row(j, PLAIN).job_id for j in (task, rest)] == ["c/9", "c/7"]


def test_components_of_a_heterogeneous_job_are_a_gang(told: Told) -> None:
    parts = [told.job(n, "PENDING", het_job_id=told.number(7)) for n in (7, 8)]
    assert {job_row(p, PLAIN).gang for p in parts} == {"c/7"}
    assert job_row(told.job(9, "PENDING"), PLAIN).gang == ""


def test_nodes_asked_for_are_constraints(told: Told) -> None:
    job = told.job(7, "PENDING", required_nodes="n1", excluded_nodes=["n2"], shared=["none"])
    assert job_row(job, PLAIN).constraints == "ib,on:n1,not:n2,exclusive"


def test_preemptible_where_every_partition_is(told: Told) -> None:
    snapshot = around(preemptible=frozenset({"low", "scrap"}))
    jobs = [told.job(7, "PENDING", partition=p) for p in ("low", "low,scrap", "low,gpu", "gpu")]
    assert [job_row(j, snapshot).preemptible for j in jobs] == [1, 1, 0, 0]


def test_ordinals_become_minor_numbers(told: Told) -> None:
    snapshot = around(devices=devices("Name=gpu File=/dev/nvidia[0,2]"))
    job = told.job(7, "RUNNING")
    assert {a.gpu_id for a in held(job, snapshot) or ()} == {gpu_id("c", "n1", s) for s in (0, 2)}
    job["gres_detail"] = ["gpu:h100:1(IDX:2)"]
    assert held(job, snapshot) is None


@pytest.mark.parametrize(
    ("detail", "shares"),
    [
        ("shard:h100:2(IDX:1)", {1: 250}),
        ("shard:h100:3(2/8,1/8)", {0: 250, 1: 125}),
        ("gpu:h100:1(IDX:0),shard:2(IDX:1)", {0: 1000, 1: 250}),
        ("shard:h100:2", None),
    ],
)
def test_shards_are_parts_of_a_gpu(told: Told, detail: str, shares: dict[int, int] | None) -> None:
    job = told.job(7, "RUNNING", gres_detail=[detail])
    found = held(job, around(shards={"n1": 8}))
    expected = shares and {gpu_id("c", "n1", slot): s for slot, s in shares.items()}
    assert (found and {a.gpu_id: a.share_milli for a in found}) == expected


def test_a_request_for_shards(told: Told) -> None:
    job = told.job(7, "PENDING", tres_per_node=told.request("shard:2"))
    row = job_row(job, around(shards={"n1": 8}))
    assert (row.gpus_per_node, row.share_milli) == (1, 250)


def test_slices_are_sevenths_of_their_card(told: Told) -> None:
    job = told.job(
        7,
        "RUNNING",
        tres_per_node=told.request("gpu:3g.40gb:1"),
        gres_detail=["gpu:3g.40gb:1(IDX:1)"],
    )
    card = "Name=gpu Type=3g.40gb MultipleFiles=/dev/nvidia0,/dev/nvidia-caps/nvidia-cap{}\n"
    snapshot = around(devices=devices(card.format(1) + card.format(2)))
    (row,) = held(job, snapshot) or []
    assert (row.gpu_id, row.share_milli) == (gpu_id("c", "n1", 0), 428)
    assert job_row(job, snapshot).share_milli == 428


def test_a_node(told: Told) -> None:
    row = node_row(told.node(), around(racks={"n1": "leaf1"}))
    assert (row.state, row.gpus, row.gpu_model) == ("up", 2, "h100")
    assert (row.pools, row.labels, row.rack) == ("gpu", "ib,gen5", "leaf1")
    assert (row.shares, row.taints) == ("shard=8", "")
    assert shards_by_node([told.node()]) == {"n1": 4}


def test_a_node_with_slices_counts_cards(told: Told) -> None:
    row = node_row(told.node(gres="gpu:1g.10gb:7,gpu:3g.40gb:2,gpu:h100:6"), PLAIN)
    assert (row.gpus, row.shares) == (8, "mig-1g.10gb=7,mig-3g.40gb=2")


def test_a_partition(told: Told) -> None:
    row = pool(told.partition())
    assert (row.pool, row.state, row.nodes) == ("gpu", "up", "n1,n2")
    assert (row.priority, row.longest_seconds) == (3, 7200)
    assert row.preemptible == int(told.version == "22.05")  # newer ones do not tell


def test_a_partition_in_text() -> None:
    row = pool(
        {
            "PartitionName": "low",
            "Nodes": "(null)",
            "MaxTime": "1-02:00:00",
            "PriorityTier": "2",
            "PreemptMode": "GANG,SUSPEND",
            "State": "DRAIN",
        }
    )
    assert (row.state, row.nodes, row.priority) == ("drained", "", 2)
    assert (row.longest_seconds, row.preemptible) == (26 * 3600, 1)


def test_a_reservation(told: Told) -> None:
    row = reservation(told.reservation())
    assert (row.nodes, row.users, row.teams) == ("n1,n2", "ada,bob", "")
    assert (row.flags, row.valid_from, row.valid_to) == ("MAINT,SPEC_NODES", at(START), at(END))


def test_how_a_job_ended(told: Told) -> None:
    found = ending(told.ended())
    assert found == Ending(
        native=7,
        state="timeout",
        submitted=at(SUBMIT),
        started=at(START),
        ended=at(END),
        team="vision",
        name="train",
        user="ada",
        pool="gpu",
        qos="normal",
        nodes=1,
        gpus=2,
    )
    row = ended_row(found, "c", AT, 1)
    assert (row.job_id, row.state, row.gpus_per_node) == ("c/7", "timeout", 2)


def test_a_requeued_job_has_one_end_for_each_run(told: Told) -> None:
    found = endings([told.ended(), told.ended(start=END + 60, end=END + 120), {"job_id": 8}, 7])
    running = job_row(told.job(7, "RUNNING", start_time=told.number(END + 60)), PLAIN)
    assert [e.ended for e in found[7] if e.is_of(running)] == [at(END + 120)]
    assert list(found) == [7]


def test_the_lowest_switch_is_the_rack() -> None:
    told = [
        {"SwitchName": "leaf1", "Level": "0", "Nodes": "n[1-2]"},
        {"SwitchName": "core", "Level": "1", "Nodes": "n[1-2]"},
        {"BlockName": "b1", "BlockIndex": "0", "Nodes": "n3"},
    ]
    assert racks(told) == {"n1": "leaf1", "n2": "leaf1", "n3": "b1"}


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("01:00:00", 3600), ("30:00", 1800), ("2-00:00:00", 172_800), ("UNLIMITED", None), ("", None)],
)
def test_durations(told: str, seconds: int | None) -> None:
    assert duration_s(told) == seconds


def test_moments() -> None:
    assert moment("2026-11-22T05:00:00") == AT
    assert moment("Unknown") is None


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
KEYS = [
    *("name", "nodes", "state", "partition", "priority", "maximums", "flags", "node_list"),
    *("start_time", "end_time", "job_id", "time", "tres", "account", "Nodes", "MaxTime"),
    *("PartitionName", "ReservationName", "StartTime", "gres", "SwitchName", "Level"),
]


@given(st.dictionaries(st.sampled_from(KEYS), NOISE))
def test_nonsense_is_refused_in_a_way_that_the_source_expects(told: dict[str, Any]) -> None:
    for read in (pool, reservation, ending, lambda t: racks([t]), lambda t: shards_by_node([t])):
        try:
            read(told)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
