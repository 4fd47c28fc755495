"""Traces from files: openb's lists and what Slurm prints; what is wrong has its line's number."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from analytics.backfill.sacct import FIELDS
from analytics.replay.load import load, load_nodes
from gpuledger.errors import ConfigError
from tests.analytics.replay.world import published

NODES = "sn,cpu_milli,memory_mib,gpu,model\n"
TASKS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time,"
    "scheduled_time\n"
)
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
    "ReqTRES": "",
    "AllocTRES": "cpu=16,gres/gpu:h100=8,gres/gpu=8,mem=64G,node=2",
    "Reason": "None",
    "JobName": "train",
}
SCONTROL = """NodeName=n1 Arch=x86_64 CoresPerSocket=32
   CPUAlloc=0 CPUTot=64 CPULoad=0.10
   ActiveFeatures=ib,nvme
   Gres=gpu:H100:8(S:0-1)
   OS=Linux 6.1 #1 SMP Version=24.05
   RealMemory=1000000 AllocMem=0
   State=IDLE ThreadsPerCore=2
   Partitions=gpu,debug
   Reason=NodeName=n9 fine again

NodeName=n2 Arch=x86_64
   CPUTot=64 Gres=gpu:H100:8(S:0-1) RealMemory=1000000
   State=IDLE+DRAIN Partitions=gpu
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def slurm(tmp_path: Path, *jobs: dict[str, str]) -> Path:
    lines = ["|".join(FIELDS), *("|".join({**DONE, **job}.values()) for job in jobs)]
    return written(tmp_path / "sacct.txt", "\n".join(lines))


def scontrol(tmp_path: Path) -> Path:
    return written(tmp_path / "nodes.txt", SCONTROL)


def test_the_openb_lists_are_read_whole() -> None:
    nodes, tasks = published()
    assert (len(nodes), sum(n.gpus for n in nodes), len(tasks)) == (1213, 6212, 8152)


def test_a_task_is_as_long_as_it_ran(tmp_path: Path) -> None:
    nodes = load_nodes(written(tmp_path / "n.csv", NODES + "a,1000,1024,2,T4\n"))
    told = TASKS + "x,500,10,1,300,T4|P100,7,30,10\ny,0,0,0,0,,8,9,\n"
    found = load(written(tmp_path / "t.csv", told), nodes)
    x, y = found.tasks
    assert (x.arrives_s, x.runs_s, x.gpus, x.size) == (7, 20, 0.3, "share")
    assert x.shape.wish.models == {"T4", "P100"}
    assert (y.runs_s, y.gpus, y.size) == (1, 0, "no GPU")
    assert (found.since_s, found.until_s) == (7, 30)


def test_packed_files_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "n.csv.gz"
    path.write_bytes(gzip.compress((NODES + "a,1000,1024,2,T4\n").encode()))
    assert [n.name for n in load_nodes(path)] == ["a"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,x,1,1,T4", "line 2: cpu_milli is 'x', no number"),
        ("a,1,-1,1,T4", "line 2: memory_mib is -1, out of range"),
        ("a,1,nan,1,T4", "line 2: memory_mib is nan, out of range"),
        ("a,1,1,65,T4", "line 2: gpu is 65, more than 64"),
        (",1,1,1,T4", "line 2: sn is empty"),
        ("a,1,1,1,T4\na,1,1,1,T4", "line 3: a is there twice"),
        ("a,1,1", "line 2: gpu is '', no number"),
        ("", "has no lines below its header"),
    ],
)
def test_a_wrong_node_is_told_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_nodes(written(tmp_path / "n.csv", f"{NODES}{line}\n"))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x,1,1,1,1500,,0,1,", "gpu_milli is 1500, not from 1 to 1000"),
        ("x,1,1,2,500,,0,1,", "2 GPUs of 500 thousandths; only one is shared"),
        ("x,1,1,1,1000,,9,1,", "deletion_time 1 lies before 9"),
    ],
)
def test_a_wrong_task_is_told_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"line 2: {problem}"):
        load(written(tmp_path / "t.csv", f"{TASKS}{line}\n"), ())


def test_files_that_cannot_be_a_trace_are_one_line(tmp_path: Path) -> None:
    half = tmp_path / "half.gz"
    half.write_bytes(gzip.compress(b"sn,cpu_milli" * 99)[:30])
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xfd")
    for path, problem in (
        (tmp_path / "gone", "No such file"),
        (tmp_path, "Is a directory"),
        (half, "ended before"),
        (binary, "not UTF-8"),
        (written(tmp_path / "empty", "\n"), "is empty"),
        (written(tmp_path / "other", "a,b\n1,2\n"), "lacks the columns"),
    ):
        for read in (load_nodes, lambda p: load(p, ())):
            with pytest.raises(ConfigError, match=problem) as caught:
                read(path)
            assert "\n" not in str(caught.value)


def test_nodes_of_scontrol_say_what_they_have(tmp_path: Path) -> None:
    first, second = load_nodes(scontrol(tmp_path))
    assert (first.name, first.model, first.gpus, first.cpu_milli) == ("n1", "H100", 8, 64_000)
    assert (first.memory_mib, first.pools, first.labels) == (
        1_000_000,
        ("gpu", "debug"),
        ("ib", "nvme"),
    )
    assert (first.closed, second.closed) == (False, True)


def test_a_wrong_number_of_scontrol_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "n.txt", "\nNodeName=a CPUTot=4\nNodeName=b CPUTot=many\n")
    with pytest.raises(ConfigError, match="line 3: CPUTot is 'many', no number"):
        load_nodes(path)


def test_a_job_of_sacct_arrives_when_it_may_start(tmp_path: Path) -> None:
    found = load(
        slurm(tmp_path, {"Eligible": "2026-03-02T10:01:00"}), load_nodes(scontrol(tmp_path))
    )
    (job,) = found.tasks
    assert (job.shape.gpus, job.shape.nodes, job.gpus, job.size) == (4, 2, 8, "5-8")
    assert (job.runs_s, job.priority, job.team) == (3600, 7, "vision")
    assert (job.shape.cpu_milli, job.shape.memory_mib) == (8000, 32 * 1024)
    assert job.shape.wish.pools == {"gpu"}
    assert job.arrives_s % 3600 == 60


def test_gpus_that_nodes_do_not_share_alike_are_a_gang(tmp_path: Path) -> None:
    uneven = {"AllocTRES": "cpu=16,gres/gpu=5,node=2"}
    found = load(slurm(tmp_path, uneven), load_nodes(scontrol(tmp_path)))
    assert [(t.name, t.shape.gpus, t.shape.nodes, t.gang) for t in found.tasks] == [
        ("100", 3, 1, "100"),
        ("100+", 2, 1, "100"),
    ]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = slurm(
        tmp_path,
        {},
        {"JobIDRaw": "101", "State": "PENDING", "Start": "Unknown", "End": "Unknown"},
        {"JobIDRaw": "102", "AllocTRES": "cpu=1,node=1"},
        {"JobIDRaw": "103", "Submit": "yesterday"},
    )
    notes = " ".join(load(path, ()).notes)
    assert "1 jobs never started" in notes
    assert "1 jobs without GPUs" in notes
    assert "1 lines cannot be read (line 5: " in notes


def test_a_job_that_still_runs_is_as_long_as_was_seen(tmp_path: Path) -> None:
    path = slurm(tmp_path, {}, {"JobIDRaw": "101", "State": "RUNNING", "End": "Unknown"})
    assert [t.runs_s for t in load(path, ()).tasks] == [3600, 3600]


def test_runs_of_a_requeued_job_are_tasks_of_their_own(tmp_path: Path) -> None:
    again = {"Start": "2026-03-02T12:00:00", "End": "2026-03-02T13:00:00"}
    path = slurm(tmp_path, {"State": "NODE_FAIL"}, again)
    assert len({t.name for t in load(path, ()).tasks}) == 2
