"""The board of one job, over the small world: a notebook that idles on n1, a training beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dashboards.boards.job import board
from gpuledger.catalogue import Job
from gpuledger.store import Store
from tests.dashboards.machines import GIB, Asked
from tests.dashboards.world import CLUSTER, HOUR, NOTEBOOK, TRAIN


@pytest.fixture
def asked(machines: Store) -> Asked:
    return Asked(board, machines)


def test_an_empty_store_shows_nothing(store: Store) -> None:
    assert [p.title for p in board.panels if Asked(board, store).all(p.title)] == []


def test_without_a_choice_the_job_with_most_to_win_back_is_shown(asked: Asked) -> None:
    job = asked.one("The job")
    assert (job["job"], job["user"], job["wait_seconds"]) == (NOTEBOOK, "ben", 240)
    # It still runs: up to the end of the board's range.
    assert (job["ran_seconds"], job["done"]) == (59 * 60, None)
    assert asked.one("The job", team=["vision"])["job"] == TRAIN


def test_its_team_is_the_one_that_the_book_names(own_machines: Store) -> None:
    own_machines.command("ALTER TABLE jobs UPDATE team = 'account-7' WHERE 1")
    assert Asked(board, own_machines).one("The job")["team"] == "speech"


def test_chosen_jobs_are_shown_whatever_they_did(asked: Asked) -> None:
    assert [r["job"] for r in asked.all("The job", job=[TRAIN, NOTEBOOK])] == [TRAIN, NOTEBOOK]
    assert asked.one("What it had and what that was worth", job=[TRAIN])["activity_ratio"] == 1.0


def test_a_job_that_waits_says_why(own_machines: Store) -> None:
    asked = Asked(board, own_machines)
    waits = Job(
        job_id=f"{CLUSTER}/9",
        cluster=CLUSTER,
        user="ana",
        state="pending",
        reason="Resources",
        gpus_per_node=8,
        memory_bytes=None,
        submitted=HOUR,
        eligible=HOUR,
        seen_at=HOUR,
        version=1,
    )
    own_machines.insert_rows([waits])
    job = asked.one("The job", job=[waits.job_id])
    assert (job["why_it_waits"], job["wait_seconds"], job["began"]) == ("Resources", 3540, None)
    assert asked.all("Power of its GPUs", job=[waits.job_id]) == []


def test_what_it_had_cost_and_lost(asked: Asked) -> None:
    had = asked.one("What it had and what that was worth")
    assert (had["gpu_hours"], had["idle_gpu_hours"], had["activity_ratio"]) == (0.5, 0.5, 0.0)
    assert (had["capacity_value"], had["cash_avoidable"], had["grade"]) == (2.0, 0.1, "B")
    place = asked.one("Where it ran")
    assert (place["node"], place["gpu_hours"], place["idle_gpu_hours"]) == ("n1", 0.5, 0.5)


def test_a_strip_ends_where_nothing_more_is_booked(asked: Asked) -> None:
    first, last = asked.all("What its GPUs did")
    assert (first["time"], first["gpu"], first["state"]) == (HOUR, "n1 GPU 1", "alloc_idle")
    assert (last["time"], last["state"]) == (HOUR + timedelta(minutes=2), None)


def test_its_gpus_alone_are_drawn(asked: Asked) -> None:
    told = {
        "Activity of its GPUs": ("sm_active_ratio", 0.1),
        "Power of its GPUs": ("power_watts", 400.0),
        "Memory of its GPUs": ("memory_used_bytes", 40 * GIB),
    }
    for title, (name, value) in told.items():
        rows = asked.all(title)
        assert {row["gpu"] for row in rows} == {"n1 GPU 1"}
        assert [row[name] for row in rows] == [pytest.approx(value)] * 2
    busy = asked.all("Activity of its GPUs", job=[TRAIN])
    assert {(row["gpu"], row["sm_active_ratio"]) for row in busy} == {("n1 GPU 0", 0.5)}


def test_host_network_and_storage_of_its_nodes(asked: Asked) -> None:
    host = asked.all("Its hosts")[0]
    assert (host["busy"], host["iowait"], host["memory"]) == (0.25, 0.05, pytest.approx(0.4))
    # 60,000 bytes more in each minute, of the node that it is on.
    network = {r["series"]: r["rate"] for r in asked.all("Network of its nodes")}
    assert network == {"infiniband received": 1000.0, "infiniband sent": 2000.0}
    storage = {r["series"]: r["rate"] for r in asked.all("Storage of its nodes")}
    assert (storage["local disks read"], storage["nfs /home read"]) == (100.0, 10.0)


def test_before_it_began_its_nodes_are_somebody_elses(own_machines: Store) -> None:
    asked = Asked(board, own_machines)
    own_machines.command("TRUNCATE TABLE allocations")
    for title in ("Its hosts", "Network of its nodes", "Storage of its nodes"):
        assert asked.all(title) == []


def test_findings_and_advice_about_it(asked: Asked) -> None:
    found = asked.one("What was found")
    assert (found["kind"], found["found_gpu_hours"], found["now"]) == ("idle", 0.5, "goes on")
    advice = asked.one("What to do")
    assert (advice["gain_gpu_hours"], advice["command"]) == (6.0, "scancel 2")
    assert asked.all("What was found", job=[TRAIN]) == []
