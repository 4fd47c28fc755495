"""The board of our own health, over a world in which n2 fell silent and its rows got lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dashboards.boards.collection import board
from gpuledger.catalogue import Allocation, Gpu, Job
from gpuledger.store import Store
from tests.dashboards.machines import Asked
from tests.dashboards.world import CLUSTER, FREE, HOUR, SINCE


@pytest.fixture
def asked(machines: Store) -> Asked:
    return Asked(board, machines)


def test_an_empty_store_shows_nothing(store: Store) -> None:
    assert [p.title for p in board.panels if Asked(board, store).all(p.title)] == []


def test_what_the_book_knows(asked: Asked) -> None:
    knows = asked.one("What the book knows")
    assert (knows["unknown_ratio"], knows["priced_ratio"], knows["grade"]) == (0.0, 1.0, "B")
    nobody = asked.one("GPUs that nobody saw")
    assert (nobody["alloc_unknown"], nobody["unalloc_unknown"]) == (0.0, 0.0)


def test_how_far_the_book_is_behind_and_off(own_machines: Store) -> None:
    asked = Asked(board, own_machines)
    whole = asked.one("Whether the book is whole")
    # Booked for half an hour, seen at its 59th minute.
    assert (whole["behind_seconds"], whole["hours"], whole["restated"]) == (29 * 60, 1, 0)
    assert whole["closure_error_ratio"] == 0.0
    own_machines.command("ALTER TABLE booked_hours UPDATE owned_ms = 7500000 WHERE 1")
    [point] = asked.all("Closure of the book")
    assert (point["time"], point["closure_error_ratio"]) == (HOUR, pytest.approx(0.04))


def test_sources_that_fail_come_first_with_why(asked: Asked) -> None:
    source = asked.one("Sources")
    assert (source["nodes"], source["readings"], source["failed_ratio"]) == (2, 120, 0.125)
    assert (source["reason"], source["duration_seconds"]) == ("denied", 0.004)


def test_the_longest_silent_node_comes_first(own_machines: Store) -> None:
    asked = Asked(board, own_machines)
    n2, n1 = asked.all("Nodes by how long they are silent")
    assert (n2["node"], n2["silent_seconds"], n2["gpus"]) == ("n2", 55 * 60, 2)
    assert (n1["node"], n1["silent_seconds"]) == ("n1", 29 * 60)
    own_machines.command("TRUNCATE TABLE source_runs")
    never = asked.all("Nodes by how long they are silent")[0]
    assert (never["heard"], never["silent_seconds"]) == (None, None)


def test_what_agents_cost_and_what_waits_in_them(asked: Asked) -> None:
    first, last = asked.all("Delay of delivery")
    assert (first["worst"], last["worst"]) == (30.0, 60.0)
    agent = asked.one("What the agents cost")
    # 6 s in the last of the two minutes that it told of.
    assert agent["processor_ratio"] == pytest.approx(6 / 120)
    assert agent["memory_bytes"] == 20 * 2**20


def test_rows_lost_kept_aside_and_values_missing(asked: Asked) -> None:
    lost = asked.one("Rows lost or refused")
    assert (lost["node"], lost["dropped_rows"], lost["rejected_rows"]) == ("n2", 50.0, 0.0)
    aside = asked.one("Kept aside")
    assert (aside["rows_aside"], aside["reason"]) == (12, "future")
    missing = asked.one("Readings without a value")
    assert (missing["reading"], missing["reason"], missing["nodes"]) == (
        "sm_active_ratio",
        "denied",
        1,
    )


def test_what_is_odd(own_machines: Store) -> None:
    asked = Asked(board, own_machines)
    assert asked.all("What is odd") == []
    ended = Job(
        job_id=f"{CLUSTER}/7",
        cluster=CLUSTER,
        user="ana",
        state="completed",
        gpus_per_node=1,
        memory_bytes=None,
        submitted=SINCE,
        started=SINCE,
        ended=SINCE,
        seen_at=HOUR,
        version=1,
    )
    left = Allocation(
        gpu_id=FREE,
        alloc_id=7,
        job_id=ended.job_id,
        cluster=CLUSTER,
        node="n2",
        valid_from=SINCE,
        source="slurm",
        seen_at=HOUR,
        version=1,
    )
    strange = Gpu(
        gpu_id=99, cluster=CLUSTER, node="n3", slot=0, uuid="GPU-9", memory_bytes=None, version=1
    )
    for row in (ended, left, strange):
        own_machines.insert_rows([row])
    rows = asked.all("What is odd")
    assert {row["what"]: (row["many"], row["example"]) for row in rows} == {
        "GPUs that report and are on no asset list": (1, "n3 GPU 0"),
        "allocations without an end whose job has ended": (1, ended.job_id),
    }


def test_of_a_long_range_the_last_hours_of_the_sources_are_read(machines: Store) -> None:
    late = Asked(board, machines, SINCE, HOUR + timedelta(hours=2, minutes=10))
    [source] = late.all("Sources")
    assert source["nodes"] == 1
    assert late.all("Kept aside", pool=["none"]) == []
