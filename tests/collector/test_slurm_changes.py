"""The Slurm source from snapshot to snapshot: what was missed, and what is told beside jobs."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from collector.slurm_rows import TRUST_HOOK_HOLDS
from collector.sources.slurm import SlurmSettings, SlurmSource
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.work import Pool, Reservation, version
from gpuledger.errors import ReadError
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER
from tests.collector.slurm import NOW, Cluster, allocations, at, jobs, of_kind, states
from tests.collector.slurm_versions import Told
from tests.collector.support import context


def test_a_job_that_vanished_ended_when_accounting_says() -> None:
    cluster = Cluster()
    cluster.read()
    started = cluster.job(101)["start_time"]["number"]
    cluster.vanish(101)
    record = Told("24.05").ended(101, start=started, end=round(NOW) + 37)
    cluster.ended = {"jobs": [record, Told("24.05").ended(101, start=1, end=2)]}
    rows = cluster.read()
    gone = jobs(rows)["c/101"]
    assert (gone.state, gone.ended, gone.reason) == ("timeout", at(NOW + 37), "")
    assert {a.valid_to for a in allocations(rows)} == {at(NOW + 37)}


def test_accounting_is_not_asked_while_nothing_is_missed() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.read()
    assert "sacct" not in cluster.asked


def test_a_job_that_came_and_went_in_a_long_silence_is_told() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.ended = {"jobs": [Told("24.05").ended(4711)]}
    missed = jobs(cluster.read(7200))["c/4711"]
    assert (missed.state, missed.team, missed.gpus_per_node) == ("timeout", "vision", 2)


def test_without_accounting_the_last_snapshot_decides_and_that_is_said_once() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.ended = None
    cluster.vanish(101)
    rows = cluster.read()
    assert jobs(rows)["c/101"].ended == at(NOW + 30)
    assert [m.reading for m in of_kind(rows, MissingValue)] == ["accounting"]


def test_what_vanished_waits_for_an_accounting_that_does_not_answer() -> None:
    cluster = Cluster()
    started = cluster.job(101)["start_time"]["number"]
    cluster.read()
    cluster.vanish(101)
    cluster.sacct_fails = True
    rows = cluster.read(7200)
    assert "c/101" not in jobs(rows)
    assert not allocations(rows)
    for _ in range(8):
        assert cluster.read() == []
    cluster.restart()
    assert "c/101" not in jobs(cluster.read())
    cluster.sacct_fails = False
    ended = [Told("24.05").ended(101, start=started, end=round(NOW) + 3600)]
    cluster.ended = {"jobs": [*ended, Told("24.05").ended(4711)]}
    rows = cluster.read()
    gone = jobs(rows)["c/101"]
    assert (gone.state, gone.ended) == ("timeout", at(NOW + 3600))
    assert {a.valid_to for a in allocations(rows)} == {at(NOW + 3600)}
    assert "c/4711" in jobs(rows)
    asked = {call[-1] for call in cluster.calls if call[0] == "sacct"}
    assert asked == {f"--starttime={at(NOW + 30):%Y-%m-%dT%H:%M:%S}"}
    assert cluster.read() == []
    assert "since" not in cluster.here.memory


def test_after_ten_snapshots_without_accounting_what_vanished_ended_when_it_was_last_listed() -> (
    None
):
    cluster = Cluster()
    cluster.read()
    cluster.vanish(101)
    cluster.sacct_fails = True
    for _ in range(10):
        assert not jobs(cluster.read())
    rows = cluster.read()
    assert jobs(rows)["c/101"].ended == at(NOW + 30)
    assert {a.valid_to for a in allocations(rows)} == {at(NOW + 30)}
    cluster.vanish(102)
    assert jobs(cluster.read())["c/102"].state == "cancelled"


def test_a_job_that_is_listed_again_while_accounting_is_asked_goes_on() -> None:
    cluster = Cluster()
    cluster.read()
    sane = copy.deepcopy(cluster.jobs)
    cluster.vanish(101)
    cluster.sacct_fails = True
    cluster.read()
    cluster.jobs = sane
    cluster.sacct_fails = False
    rows = cluster.read()
    assert not jobs(rows)
    assert not allocations(rows)
    assert cluster.read() == []


def test_an_end_that_slurm_told_is_not_told_again_by_an_accounting_that_was_away() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.vanish(101)
    cluster.sacct_fails = True
    cluster.read()
    cluster.vanish(100)
    cluster.read()
    cluster.sacct_fails = False
    cluster.ended = {"jobs": [Told("24.05").ended(100)]}
    assert "c/100" not in jobs(cluster.read())


def test_a_job_that_was_said_to_be_gone_is_forgotten_after_two_days() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.vanish(101)
    cluster.read()
    cluster.restart()
    cluster.read(86_400)
    assert "gone/c/101" in cluster.here.memory
    cluster.read(2 * 86_400)
    assert "gone/c/101" not in cluster.here.memory


def test_two_hours_without_slurm_end_nothing_and_then_everything_is_said_anew() -> None:
    """What stays open has a fresh `seen_at` as soon as Slurm is heard again."""
    cluster = Cluster()
    held = {a.alloc_id for a in allocations(cluster.read())}
    sane = cluster.jobs
    cluster.jobs = {"jobs": [], "errors": ["slurm_load_jobs"]}
    for _ in range(8):
        with pytest.raises(ReadError):
            cluster.read(900)
    cluster.jobs = sane
    again = allocations(cluster.read())
    assert {a.alloc_id for a in again} == held
    assert {(a.valid_to, a.seen_at) for a in again} == {(FOREVER, at(cluster.clock.wall_s))}


def test_a_job_that_was_said_to_be_gone_outranks_its_own_end_when_it_is_back() -> None:
    cluster = Cluster()
    cluster.read()
    sane = copy.deepcopy(cluster.jobs)
    cluster.vanish(101)
    ended = {a.alloc_id: a.version for a in allocations(cluster.read())}
    cluster.jobs = sane
    cluster.restart()
    back = allocations(cluster.read())
    assert back
    assert all(a.version > ended[a.alloc_id] and a.valid_to == FOREVER for a in back)


def test_an_end_outranks_what_the_prolog_said() -> None:
    cluster = Cluster()
    begun = max(a.version for a in allocations(cluster.read()))
    cluster.vanish(101)
    by_hook = version(TRUST_HOOK_HOLDS, round((NOW + 600) * 1000))
    assert begun < by_hook < min(a.version for a in allocations(cluster.read()))


def test_partitions_and_reservations_are_told_when_they_change() -> None:
    cluster = Cluster()
    first = cluster.read()
    assert [(p.pool, p.state) for p in of_kind(first, Pool)] == [("gpu", "up")]
    assert not of_kind(first, Reservation)
    cluster.partitions = cluster.partitions.replace("State=UP", "State=DOWN")
    cluster.reservations = (
        "ReservationName=fix StartTime=2026-11-22T08:59:10 EndTime=2026-11-22T09:59:10 Nodes=n1"
    )
    rows = cluster.read()
    assert [p.state for p in of_kind(rows, Pool)] == ["down"]
    assert [r.nodes for r in of_kind(rows, Reservation)] == ["n1"]
    assert cluster.read() == []


def test_a_reservation_that_was_deleted_ends_and_so_does_a_partition() -> None:
    cluster = Cluster()
    line = "ReservationName=fix StartTime=2026-01-01T00:00:00 EndTime=2027-01-01T00:00:00 Nodes=n1"
    cluster.reservations = line
    cluster.read()
    cluster.restart()
    cluster.reservations = "No reservations in the system"
    cluster.partitions = cluster.partitions.replace("=gpu", "=new")
    rows = cluster.read()
    (ended,) = of_kind(rows, Reservation)
    assert (ended.reservation, ended.valid_to) == ("fix", at(NOW + 60))
    assert {p.pool: p.state for p in of_kind(rows, Pool)} == {"gpu": "inactive", "new": "up"}


@pytest.mark.parametrize("said", ["", "<html>", "PartitionName=", "Nodes=n1"])
def test_partitions_that_cannot_be_read_do_not_spoil_the_snapshot(said: str) -> None:
    cluster = Cluster()
    cluster.read()
    cluster.partitions = said
    cluster.job(102)["state_reason"] = "Priority"
    rows = cluster.read()
    assert jobs(rows)["c/102"].reason == "Priority"
    assert [m.reading for m in of_kind(rows, MissingValue)] == ["partitions"]
    assert not of_kind(rows, Pool)


def test_nothing_is_taken_as_told_by_a_snapshot_that_fails() -> None:
    cluster = Cluster()
    sane = cluster.jobs
    cluster.jobs = {"jobs": [{"job_state": ["RUNNING"]}]}
    with pytest.raises(ReadError):
        cluster.read()
    cluster.jobs = sane
    assert of_kind(cluster.read(), Pool)


def test_the_switch_of_a_node_is_its_rack() -> None:
    cluster = Cluster()
    cluster.topology = "SwitchName=leaf1 Level=0 LinkSpeed=1 Nodes=n[1-2]"
    found = {n.node: n.rack for n in states(cluster.read())}
    assert (found["n1"], found["n3"]) == ("leaf1", "")


def test_gres_conf_beside_slurm_conf_gives_ordinals_their_devices(tmp_path: Path) -> None:
    (tmp_path / "gres.conf").write_text("NodeName=n2 Name=gpu File=/dev/nvidia[7,6,5,4,3,2,1,0]")
    cluster = Cluster()
    settings = SlurmSettings(conf=str(tmp_path / "slurm.conf"))
    found = allocations(list(SlurmSource(settings, context(), cluster.ask).read()))
    assert {a.gpu_id for a in found if a.node == "n2"} == {
        gpu_id("c", "n2", slot) for slot in (7, 2)
    }


def test_a_running_job_whose_gpus_are_not_told_once_keeps_those_it_had() -> None:
    cluster = Cluster()
    held = {a.alloc_id for a in allocations(cluster.read())}
    told = cluster.job(101)["gres_detail"]
    cluster.job(101)["gres_detail"] = []
    assert allocations(cluster.read()) == []
    assert {a.alloc_id for a in allocations(cluster.read(600)) if a.valid_to == FOREVER} == held
    cluster.job(101)["gres_detail"] = told
    assert allocations(cluster.read()) == []
