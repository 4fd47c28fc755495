"""The Slurm source on what two versions of Slurm really say, and from snapshot to snapshot."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.slurm_ask import NODES
from collector.sources.slurm import SlurmSettings, SlurmSource
from gpuledger.batch import Batch
from gpuledger.catalogue.host import MissingValue
from gpuledger.errors import ReadError, Unavailable
from gpuledger.identity import alloc_id, gpu_id
from gpuledger.schema import FOREVER
from tests.collector.slurm import NOW, Cluster, allocations, at, jobs, of_kind, states
from tests.collector.support import context


def test_slurm_22_05_running_pending_and_ended_jobs() -> None:
    rows = Cluster("2205").read()
    found = jobs(rows)
    train, quick, wait = (found[f"c/{n}"] for n in (1, 2, 3))
    assert (train.state, train.user, train.team, train.pool) == (
        "running",
        "root",
        "vision",
        "gpu",
    )
    assert (train.gpus_per_node, train.gpu_model, train.nodes) == (4, "h100", 1)
    assert (train.cpu_milli, train.memory_bytes) == (1000, 100 << 20)
    assert (train.started, train.ended) == (at(1795324593), FOREVER)
    assert train.ends_by == at(1795324593 + 30 * 60)
    assert (quick.state, quick.ended) == ("completed", at(1795324593))
    assert (wait.state, wait.reason, wait.team) == ("pending", "", "unmapped")
    assert wait.gpus_per_node == 8
    assert {a.gpu_id for a in allocations(rows)} == {gpu_id("c", "n1", slot) for slot in range(4)}


def test_slurm_22_05_tells_nodes_through_sinfo_and_is_asked_there_next_time() -> None:
    cluster = Cluster("2205")
    (node,) = states(cluster.read())
    assert (node.node, node.state, node.gpus, node.gpu_model) == ("n1", "up", 8, "h100")
    assert (node.cpu_milli, node.memory_bytes) == (64_000, 64_000 << 20)
    cluster.read()
    assert cluster.asked[:3] == ["squeue", "scontrol", "sinfo"]
    assert cluster.asked.count("sinfo") == 2
    assert cluster.calls.count(NODES) == 1


def test_slurm_24_05_exact_gpus_on_several_nodes() -> None:
    found = allocations(Cluster().read())
    expected = {("n1", slot) for slot in range(8)} | {("n2", 0), ("n2", 5)}
    assert {(a.node, a.gpu_id) for a in found} == {
        (node, gpu_id("c", node, slot)) for node, slot in expected
    }
    one = found[0]
    assert one.alloc_id == alloc_id("c/101", 0, one.gpu_id)
    assert (one.valid_from, one.valid_to, one.source) == (at(1795324600), FOREVER, "slurm")


def test_slurm_24_05_wrapped_numbers_and_lists_of_states() -> None:
    found = jobs(Cluster().read())
    assert {k: v.state for k, v in found.items()} == {
        "c/101": "running",
        "c/102": "pending",
        "c/100": "completed",
        "c/99": "cancelled",
    }
    train, sweep = found["c/101"], found["c/102"]
    assert (train.nodes, train.gpus_per_node, train.cpu_milli) == (2, 8, 16_000)
    assert (train.memory_bytes, train.priority) == (200 << 30, 4294901759)
    assert (sweep.gpus_per_node, sweep.ends_by, sweep.started) == (4, FOREVER, FOREVER)
    assert (sweep.team, sweep.reason) == ("unmapped", "Resources")


def test_slurm_24_05_node_states() -> None:
    found = {n.node: n for n in states(Cluster().read())}
    assert {n: s.state for n, s in found.items()} == {
        "n1": "up",
        "n2": "drained",
        "n3": "down",
        "n4": "up",
        "login": "up",
    }
    assert (found["n2"].reason, found["n2"].valid_from) == ("ECC errors on GPU 3", at(1795320000))
    assert (found["n1"].gpus, found["login"].gpus) == (8, 0)


def test_what_is_known_is_not_said_again_until_the_refresh() -> None:
    cluster = Cluster()
    first = cluster.read()
    assert cluster.read() == []
    assert len(cluster.read(600)) == len(first)


def test_a_new_priority_alone_waits_for_the_refresh() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.job(102)["priority"]["number"] = 2000
    assert cluster.read() == []
    assert jobs(cluster.read(600))["c/102"].priority == 2000


def test_a_new_priority_goes_along_with_other_news() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.job(102)["priority"]["number"] = 2000
    cluster.job(102)["state_reason"] = "Priority"
    assert jobs(cluster.read())["c/102"].priority == 2000


def test_a_job_that_ends_gives_its_gpus_back_at_its_end() -> None:
    cluster = Cluster()
    cluster.read()
    job = cluster.job(101)
    job.update(job_state=["COMPLETED"], gres_detail=[])
    job["end_time"]["number"] = round(NOW) + 45
    rows = cluster.read()
    assert jobs(rows)["c/101"].ended == at(NOW + 45)
    assert [a.valid_to for a in allocations(rows)] == [at(NOW + 45)] * 10


def test_a_job_that_vanished_ended_when_it_was_last_seen() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.read()
    cluster.vanish(101)
    rows = cluster.read()
    gone = jobs(rows)["c/101"]
    assert (gone.state, gone.ended) == ("completed", at(NOW + 60))
    assert gone.reason == "no longer listed by the scheduler"
    assert {a.valid_to for a in allocations(rows)} == {at(NOW + 60)}
    assert cluster.read() == []


def test_a_job_that_vanished_while_the_agent_was_down_is_closed_by_the_next_one() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.restart()
    cluster.jobs["jobs"] = []
    rows = cluster.read(7200)
    assert {k: (v.state, v.ended) for k, v in jobs(rows).items()} == {
        "c/101": ("completed", at(NOW + 30)),
        "c/102": ("cancelled", at(NOW + 30)),
    }
    assert len(allocations(rows)) == 10
    assert not [key for key in cluster.here.memory if key.startswith("job/")]


def test_a_requeued_job_gives_back_what_its_first_run_had() -> None:
    cluster = Cluster()
    cluster.read()
    job = cluster.job(101)
    job.update(restart_cnt=1, gres_detail=["gpu:h100:8(IDX:0-7)"], nodes="n1")
    job["start_time"]["number"] = round(NOW) + 50
    rows = allocations(cluster.read())
    closed = [a for a in rows if a.valid_to != FOREVER]
    opened = [a for a in rows if a.valid_to == FOREVER]
    assert (len(closed), len(opened)) == (10, 8)
    assert {a.valid_to for a in closed} == {at(NOW + 30)}
    assert {a.valid_from for a in opened} == {at(NOW + 50)}
    assert not {a.alloc_id for a in closed} & {a.alloc_id for a in opened}


def test_a_node_that_goes_down_ends_its_time_of_being_up() -> None:
    cluster = Cluster()
    cluster.read()
    node = cluster.nodes["nodes"][0]
    node.update(state=["DOWN"], reason="power")
    node["reason_changed_at"] = {"set": True, "infinite": False, "number": round(NOW) + 40}
    before, after = states(cluster.read())
    assert (before.state, before.valid_from, before.valid_to) == (
        "up",
        at(NOW + 30),
        at(NOW + 40),
    )
    assert (after.state, after.valid_from, after.valid_to) == ("down", at(NOW + 40), FOREVER)


def told_since(node: dict[str, Any], seconds: float) -> None:
    node["reason_changed_at"] = {"set": True, "infinite": False, "number": round(seconds)}


def test_a_node_that_is_down_and_then_drained_was_down_until_it_was_last_seen_so() -> None:
    cluster = Cluster()
    node = cluster.nodes["nodes"][0]
    node.update(state=["DOWN"], reason="power")
    told_since(node, NOW - 3300)
    cluster.read()
    cluster.read()
    node.update(state=["IDLE", "DRAIN"])
    down, drained = states(cluster.read())
    assert (down.state, down.valid_from, down.valid_to) == ("down", at(NOW - 3300), at(NOW + 60))
    assert (drained.state, drained.valid_from, drained.valid_to) == (
        "drained",
        at(NOW + 60),
        FOREVER,
    )


def test_what_an_earlier_life_last_saw_of_a_node_stands_too() -> None:
    cluster = Cluster()
    node = cluster.nodes["nodes"][0]
    node.update(state=["DOWN"], reason="power")
    told_since(node, NOW - 3300)
    cluster.read()
    cluster.restart()
    node.update(state=["IDLE", "DRAIN"])
    before, after = (n for n in states(cluster.read(7200)) if n.node == "n1")
    assert (before.state, before.valid_to) == ("down", at(NOW + 30))
    assert (after.state, after.valid_from) == ("drained", at(NOW + 30))


def test_a_node_that_was_removed_ends_when_it_was_last_seen() -> None:
    cluster = Cluster()
    cluster.read()
    cluster.nodes["nodes"].pop(0)
    (gone,) = states(cluster.read())
    assert (gone.node, gone.valid_to) == ("n1", at(NOW + 30))


def nonsense(change: Callable[[Any], Any]) -> Callable[[Cluster], None]:
    return lambda cluster: setattr(cluster, "jobs", change(copy.deepcopy(cluster.jobs)))


@pytest.mark.parametrize(
    "spoil",
    [
        nonsense(lambda _: {}),
        nonsense(lambda _: []),
        nonsense(lambda told: {**told, "errors": [{"error": "Unable to contact"}]}),
        nonsense(lambda told: {**told, "jobs": ["?"]}),
        nonsense(lambda told: {**told, "jobs": [{**told["jobs"][0], "job_id": None}]}),
        lambda cluster: cluster.nodes.update(nodes=[{**cluster.nodes["nodes"][0], "name": ""}]),
    ],
)
def test_from_nonsense_nothing_is_concluded(spoil: Callable[[Cluster], None]) -> None:
    cluster = Cluster()
    cluster.read()
    sane = cluster.jobs, copy.deepcopy(cluster.nodes)
    spoil(cluster)
    with pytest.raises(ReadError):
        cluster.read()
    cluster.jobs, cluster.nodes = sane
    assert cluster.read() == []


@pytest.mark.parametrize(
    "odd",
    [
        {"job_state": ["NEW_WORD"]},
        {"job_state": ["UNKNOWN"]},
        {"nodes": "n[x-y]"},
        {"submit_time": None},
        {"gres_detail": ["gpu:h100:8(IDX:9-1)", ""]},
    ],
)
def test_a_job_that_cannot_be_understood_stays_as_it_was_and_that_is_said_once(
    odd: dict[str, Any],
) -> None:
    cluster = Cluster()
    cluster.read()
    sane = copy.deepcopy(cluster.job(101))
    cluster.job(101).update(odd)
    cluster.job(102)["state_reason"] = "Priority"
    rows = cluster.read()
    assert jobs(rows).keys() == {"c/102"}
    assert not allocations(rows)
    (missing,) = of_kind(rows, MissingValue)
    assert (missing.subject, missing.reading, missing.reason) == ("jobs", "record", "malformed")
    assert cluster.read() == []
    again = jobs(cluster.read(600))["c/101"]
    assert (again.state, again.seen_at) == ("running", at(cluster.clock.wall_s))
    cluster.job(101).update(sane)
    assert [(m.reading, m.reason) for m in cluster.read()] == [("record", "")]  # type: ignore[attr-defined] # missing values only


def test_a_job_that_could_never_be_understood_is_left_out() -> None:
    cluster = Cluster()
    cluster.job(101)["job_state"] = ["NEW_WORD"]
    rows = cluster.read()
    assert "c/101" not in jobs(rows)
    assert {"c/100", "c/102"} <= jobs(rows).keys()


@pytest.mark.parametrize("odd", [{"state": None}, {"gres": "gpu:h100:8(IDX:9-1)"}])
def test_a_node_that_cannot_be_understood_stays_as_it_was(odd: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.read()
    cluster.nodes["nodes"][0].update(odd)
    (missing,) = of_kind(cluster.read(), MissingValue)
    assert (missing.subject, missing.reason) == ("nodes", "malformed")
    again = {n.node: n for n in states(cluster.read(600))}
    assert (again["n1"].state, again["n1"].gpus, again["n1"].valid_to) == ("up", 8, FOREVER)


def ask_for_nothing(job: dict[str, Any]) -> None:
    job.update(tres_per_node="", tres_per_job="", tres_req_str="cpu=8,mem=16G,node=2")


def test_gpus_that_a_job_holds_without_having_asked_for_them_are_booked() -> None:
    cluster = Cluster()
    ask_for_nothing(cluster.job(101))
    rows = cluster.read()
    assert len(allocations(rows)) == 10
    assert jobs(rows)["c/101"].gpus_per_node == 5


def test_a_job_keeps_its_number_of_gpus_when_slurm_no_longer_tells_them() -> None:
    cluster = Cluster()
    job = cluster.job(101)
    ask_for_nothing(job)
    cluster.read()
    told, job["gres_detail"] = job["gres_detail"], []
    assert not allocations(cluster.read())
    job["gres_detail"] = told
    cluster.read()
    job.update(job_state=["COMPLETED"], gres_detail=[])
    job["end_time"]["number"] = round(NOW) + 100
    rows = cluster.read()
    assert jobs(rows)["c/101"].gpus_per_node == 5
    assert {a.valid_to for a in allocations(rows)} == {at(NOW + 100)}


def test_a_waiting_job_may_come_to_ask_for_no_gpus() -> None:
    cluster = Cluster()
    cluster.read()
    ask_for_nothing(cluster.job(102))
    assert jobs(cluster.read())["c/102"].gpus_per_node == 0


def test_more_gpus_than_a_column_holds_do_not_lose_the_jobs() -> None:
    cluster = Cluster()
    cluster.job(102)["tres_per_node"] = "gres/gpu:h100=70000"
    rows = jobs(cluster.read())
    assert rows["c/102"].gpus_per_node == 65_535
    assert len(Batch.of_rows(list(rows.values()))) == 4


def test_gpus_that_one_job_does_not_tell_stay_missing_while_others_tell_theirs() -> None:
    cluster = Cluster()
    other = copy.deepcopy(cluster.job(101))
    other.update(job_id=98, gres_detail=[])
    cluster.jobs["jobs"].insert(0, other)
    (missing,) = of_kind(cluster.read(), MissingValue)
    assert (missing.reading, missing.reason) == ("GPU indices", "unsupported")
    assert cluster.read() == []


def test_where_slurm_does_not_tell_the_gpus_none_is_booked_and_that_is_said_once() -> None:
    cluster = Cluster()
    cluster.job(101)["gres_detail"] = []
    rows = cluster.read()
    assert allocations(rows) == []
    (missing,) = of_kind(rows, MissingValue)
    assert (missing.reading, missing.reason) == ("GPU indices", "unsupported")
    assert "c/101" in missing.detail
    assert cluster.read() == []


def test_without_slurms_commands_the_source_is_not_for_this_machine(tmp_path: Path) -> None:
    source = SlurmSource(SlurmSettings(commands=str(tmp_path)), context())
    with pytest.raises(Unavailable, match="squeue"):
        source.read()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'slurm_load_jobs error' >&2; exit 1", "ended with 1: slurm_load_jobs error"),
        ("echo not json", "prints no JSON"),
        ("sleep 30", "no answer in 0.2 s"),
    ],
)
def test_a_command_that_fails_is_a_failed_reading(tmp_path: Path, script: str, reason: str) -> None:
    program = tmp_path / "squeue"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    settings = SlurmSettings(commands=str(tmp_path), timeout_s=0.2 if "sleep" in script else 20)
    with pytest.raises(ReadError, match=reason):
        SlurmSource(settings, context()).read()


def test_the_configured_slurm_conf_reaches_the_commands(tmp_path: Path) -> None:
    program = tmp_path / "squeue"
    program.write_text('#!/bin/sh\necho "$SLURM_CONF" >&2; exit 1\n')
    program.chmod(0o755)
    assert subprocess.run([program], check=False, capture_output=True).returncode == 1
    settings = SlurmSettings(commands=str(tmp_path), conf="/etc/other.conf")
    with pytest.raises(ReadError, match=r"/etc/other\.conf"):
        SlurmSource(settings, context()).read()
