"""Accounting as sacct prints it: what each column means, and what is left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.backfill.sacct import COMMAND, FIELDS, Listing, Run, number_restarts, read, take
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER

HEADER = "|".join(FIELDS)
DONE = {
    "JobIDRaw": "100",
    "JobID": "100",
    "User": "ana",
    "Account": "vision",
    "Partition": "gpu",
    "QOS": "normal",
    "State": "COMPLETED",
    "Submit": "2026-03-02T10:00:00",
    "Eligible": "2026-03-02T10:00:00",
    "Start": "2026-03-02T10:05:00",
    "End": "2026-03-02T11:05:00",
    "TimelimitRaw": "120",
    "Priority": "7",
    "NNodes": "2",
    "NodeList": "n[1-2]",
    "ReqTRES": "billing=16,cpu=16,gres/gpu=8,mem=64G,node=2",
    "AllocTRES": "billing=16,cpu=16,gres/gpu:h100=8,gres/gpu=8,mem=64G,node=2",
    "Reason": "None",
    "JobName": "train",
}


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC)


def line(**told: str) -> str:
    return "|".join({**DONE, **told}.values())


def listed(*lines: str, zone: str = "UTC") -> Listing:
    listing = Listing()
    take([HEADER, *lines], "sacct.txt", listing, ZoneInfo(zone))
    number_restarts(listing.runs)
    return listing


def run(**told: str) -> Run:
    (found,) = listed(line(**told)).runs
    return found


def test_a_finished_job() -> None:
    found = run()
    assert (found.native, found.name, found.user, found.team) == ("100", "train", "ana", "vision")
    assert (found.state, found.gpus, found.nodes, found.hosts) == ("completed", 8, 2, ("n1", "n2"))
    assert (found.submitted, found.started, found.ended) == (at(10), at(10, 5), at(11, 5))
    assert (found.model, found.cpu_milli, found.memory_bytes) == ("h100", 8000, 32 << 30)
    assert (found.ends_by, found.priority, found.qos) == (at(12, 5), 7, "normal")


def test_a_job_that_waits_asks_for_what_it_requests() -> None:
    found = run(
        State="PENDING",
        Start="Unknown",
        End="Unknown",
        NodeList="None assigned",
        AllocTRES="",
        NNodes="2",
        Reason="Dependency",
    )
    assert (found.state, found.reason, found.gpus, found.nodes) == ("pending", "Dependency", 8, 2)
    assert (found.started, found.ended, found.hosts) == (FOREVER, FOREVER, ())


def test_a_job_that_was_cancelled_in_the_queue_never_started() -> None:
    found = run(State="CANCELLED by 1000", NodeList="None assigned", AllocTRES="")
    assert (found.state, found.started, found.ended) == ("cancelled", FOREVER, at(11, 5))


def test_a_job_that_runs_has_no_end() -> None:
    found = run(State="RUNNING", End="Unknown")
    assert (found.state, found.started, found.ended) == ("running", at(10, 5), FOREVER)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("FAILED", "failed"),
        ("TIMEOUT", "timeout"),
        ("NODE_FAIL", "failed"),
        ("OUT_OF_MEMORY", "failed"),
        ("PREEMPTED", "cancelled"),
    ],
)
def test_every_state_has_a_word(told: str, state: str) -> None:
    assert run(State=told).state == state


def test_a_task_of_an_array_has_the_number_by_which_slurm_knows_it() -> None:
    found = run(JobIDRaw="105", JobID="100_4")
    assert (found.native, found.name) == ("105", "train[4]")


def test_components_of_a_heterogeneous_job_start_as_a_whole() -> None:
    found = listed(line(JobID="100+0"), line(JobIDRaw="101", JobID="100+1")).runs
    assert [(r.native, r.gang) for r in found] == [("100", "100"), ("101", "100")]


def test_each_run_of_a_requeued_job_is_one_of_its_restarts() -> None:
    again = line(Submit="2026-03-02T11:06:00", Start="2026-03-02T11:10:00", End="Unknown")
    found = listed(again.replace("COMPLETED", "RUNNING"), line(State="REQUEUED")).runs
    assert sorted((r.restart, r.state) for r in found) == [(0, "cancelled"), (1, "running")]
    assert {r.native for r in found} == {"100"}


def test_a_number_that_slurm_gave_out_again_is_another_job() -> None:
    later = {"Submit": "2026-03-03T10:00:00", "Start": "2026-03-03T10:00:00"}
    other = line(User="ben", JobName="other", End="2026-03-03T11:00:00", **later)
    found = {r.user: r for r in listed(line(), other).runs}
    assert found["ben"].native == "100"
    assert found["ana"].native == "100@2026-03-02T10:00:00Z"
    assert [r.restart for r in found.values()] == [0, 0]


def test_a_bar_in_the_name_stays_in_the_name() -> None:
    assert run(JobName="a|b || c").name == "a|b || c"


def test_times_are_of_the_zone_that_is_given() -> None:
    (found,) = listed(line(), zone="Europe/Berlin").runs
    assert found.started == at(9, 5)


def test_times_may_be_seconds_or_tell_their_own_zone() -> None:
    seconds = str(int(at(10, 5).timestamp()))
    (found,) = listed(line(Start=seconds, End="2026-03-02T12:05:00+0100"), zone="Asia/Tokyo").runs
    assert (found.started, found.ended) == (at(10, 5), at(11, 5))


def test_steps_and_jobs_without_gpus_are_left_out() -> None:
    step = line(JobIDRaw="100.batch", JobID="100.batch")
    listing = listed(step, line(AllocTRES="cpu=4,mem=1G,node=1"))
    assert (listing.runs, listing.without_gpus, listing.odd) == ([], 1, 0)


@pytest.mark.parametrize(
    "odd",
    [
        "100|too short",
        line(State="SHINY"),
        line(Submit="yesterday"),
        line(End="2026-03-02T09:00:00"),
        line(NodeList="n[1-"),
        line(NodeList="n[1-900000000]"),
    ],
)
def test_a_line_that_cannot_be_read_is_counted_and_the_others_count(odd: str) -> None:
    listing = listed(line(), odd)
    assert (len(listing.runs), listing.odd) == (1, 1)
    assert listing.first_odd.startswith("line 3: ")


def test_what_is_no_output_of_sacct_says_how_to_make_one() -> None:
    with pytest.raises(ConfigError, match=r"garbage is no output of sacct --parsable2; run: TZ="):
        take(["\x00\x01garbage"], "garbage", Listing())
    with pytest.raises(ConfigError, match="lacks the columns NodeList, AllocTRES; run: "):
        take(["JobID|User|Account|State|Submit|Start|End"], "short", Listing())
    with pytest.raises(ConfigError, match=r"no line can be read \(line 2: "):
        take([HEADER, "a|b"], "odd", Listing())


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--sacct .*gone.txt: No such file"):
        read([tmp_path / "gone.txt"])


def test_the_command_asks_for_what_is_read() -> None:
    assert f"--format={','.join(FIELDS)}" in COMMAND
    assert FIELDS[-1] == "JobName"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_no_line_breaks_the_reader(text: str) -> None:
    listing = Listing()
    take([HEADER, line(), *text.splitlines()], "any", listing)
    assert len(listing.runs) >= 1
