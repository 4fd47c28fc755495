"""The prolog and epilog of deploy/slurm, and the source that reads what they left."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.hook import word
from collector.slurm_rows import Snapshot
from collector.source import Context
from collector.sources.slurm_hook import SlurmHookSettings, SlurmHookSource
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.work import Allocation
from gpuledger.errors import ReadError, Unavailable
from gpuledger.identity import alloc_id, gpu_id
from gpuledger.schema import FOREVER
from tests.collector.support import MIDNIGHT, FakeClock, context, tree

SCRIPTS = Path(__file__).parents[2] / "deploy" / "slurm"
FOLDER = "run/gpuledger/slurm"
START = round(MIDNIGHT) - 100


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Node:
    """A node made of files, the hook's scripts, and a source that reads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = FakeClock()
        self.here = context(root, self.clock)
        self.restart()

    def restart(self) -> None:
        settings = SlurmHookSettings(owner_uid=os.getuid())
        self.source = SlurmHookSource(settings, self.here)

    def write(self, job: int = 7, restart: int = 0, gpus: str = "0-1", more: str = "") -> Path:
        text = f"job={job}\nrestart={restart}\nnode=n1\ngpus={gpus}\nstart={START}\n{more}"
        tree(self.root, {f"{FOLDER}/job-{job}-{restart}": text})
        return self.root / FOLDER / f"job-{job}-{restart}"

    def read(self, after_s: float = 1.0) -> list[Allocation]:
        self.clock.pass_s(after_s)
        return [r for r in self.source.read() if isinstance(r, Allocation)]

    def run(self, script: str, **variables: str) -> int:
        done = subprocess.run(
            ["/bin/sh", str(SCRIPTS / f"gpuledger-{script}.sh")],
            env={"GPULEDGER_HOOK_DIR": str(self.root / FOLDER), **variables},
            capture_output=True,
            check=False,
            timeout=20,
        )
        assert done.stdout == b""
        return done.returncode


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_job_holds_its_gpus_from_the_prolog_to_the_epilog(node: Node) -> None:
    node.write()
    begun = node.read()
    assert {a.gpu_id for a in begun} == {gpu_id("c", "n1", 0), gpu_id("c", "n1", 1)}
    assert {a.alloc_id for a in begun} == {alloc_id("c/7", 0, a.gpu_id) for a in begun}
    assert {(a.valid_from, a.valid_to, a.source) for a in begun} == {(at(START), FOREVER, "hook")}
    assert node.read() == []
    node.write(more=f"stop={START + 60}\n")
    assert {a.valid_to for a in node.read()} == {at(START + 60)}
    assert node.read() == []


def test_what_is_held_is_said_again_every_ten_minutes(node: Node) -> None:
    node.write()
    node.write(job=8, more=f"stop={START + 60}\n")
    assert len(node.read()) == 4
    assert {a.job_id for a in node.read(600)} == {"c/7"}


def test_its_words_rank_around_those_of_the_scheduler(node: Node) -> None:
    """A beginning outranks the scheduler's; the scheduler's end outranks that; the epilog all."""
    node.write()
    begun = node.read()[0]
    node.write(more=f"stop={START + 60}\n")
    ended = node.read()[0]
    told = Snapshot("c", at(node.clock.wall_s + 60))
    assert told.version < begun.version < told.version_of_end < ended.version


def test_an_epilog_while_the_agent_was_down_is_read_by_the_next_one(node: Node) -> None:
    node.write()
    node.read()
    node.write(more=f"stop={START + 60}\n")
    node.restart()
    assert {a.valid_to for a in node.read(3600)} == {at(START + 60)}


@pytest.mark.parametrize("again", [False, True])
def test_after_a_reboot_jobs_ended_when_they_were_last_seen(node: Node, again: bool) -> None:
    file = node.write()
    node.read()
    seen = node.clock.wall_s
    file.unlink()
    file.parent.rmdir()
    node.restart()
    if again:
        node.write(job=9)
    rows = [a for a in node.read(3600) if a.job_id == "c/7"]
    assert {a.valid_to for a in rows} == {at(seen)}
    assert not [key for key in node.here.memory if "7-0" in key]


def test_without_the_folder_the_source_is_not_for_this_machine(node: Node) -> None:
    with pytest.raises(Unavailable, match="prolog"):
        node.read()


def test_a_folder_that_others_may_write_proves_nothing(node: Node) -> None:
    node.write().parent.chmod(0o777)
    with pytest.raises(ReadError, match="writable by no other"):
        node.read()


def test_a_file_of_somebody_else_is_not_read(node: Node) -> None:
    node.write(job=8)
    node.write().chmod(0o666)
    (node.root / FOLDER / "job-9-0").symlink_to(node.root / FOLDER / "job-8-0")
    assert {a.job_id for a in node.read()} == {"c/8"}


@pytest.mark.parametrize("text", ["", "job=7", "job=x\nrestart=0\nstart=1", "\0" * 50, "a" * 9000])
def test_a_file_that_says_nothing_is_passed_over(node: Node, text: str) -> None:
    node.write(job=8)
    tree(node.root, {f"{FOLDER}/job-7-0": text})
    assert {a.job_id for a in node.read()} == {"c/8"}


def test_the_order_of_gres_conf_gives_ordinals_their_devices(node: Node) -> None:
    lines = "NodeName=n[1-4] Name=gpu File=/dev/nvidia[0-1]\nNodeName=n1 Name=gpu File=/dev/nvidia5"
    tree(node.root, {"etc/slurm/gres.conf": lines})
    node.write(gpus="1-2")
    assert {a.gpu_id for a in node.read()} == {gpu_id("c", "n1", 1), gpu_id("c", "n1", 5)}


def test_without_files_in_gres_conf_ordinals_count_along_the_pci_bus(node: Node) -> None:
    cards = {"0000:1b:00.0": 3, "0000:43:00.0": 0}
    files = {
        f"proc/driver/nvidia/gpus/{bus}/information": f"Model: X\nDevice Minor: \t {minor}\n"
        for bus, minor in cards.items()
    }
    tree(node.root, {**files, "etc/slurm/gres.conf": "AutoDetect=nvml\n"})
    node.write(gpus="0")
    assert {a.gpu_id for a in node.read()} == {gpu_id("c", "n1", 3)}


def test_an_ordinal_beyond_the_list_is_missing_with_its_reason(node: Node) -> None:
    tree(node.root, {"etc/slurm/gres.conf": "Name=gpu File=/dev/nvidia0"})
    node.write(gpus="0,1")
    node.clock.pass_s(1)
    rows = list(node.source.read())
    assert [a.gpu_id for a in rows if isinstance(a, Allocation)] == [gpu_id("c", "n1", 0)]
    assert [m.reason for m in rows if isinstance(m, MissingValue)] == ["malformed"]


@pytest.mark.parametrize(
    "files",
    [
        {"etc/slurm/gres.conf": "Name=gpu File=/dev/nvidia0\nName=shard Count=4"},
        {"proc/driver/nvidia/capabilities/gpu0/mig/gi1/access": "x"},
    ],
)
def test_where_gpus_are_cut_the_hook_says_nothing(node: Node, files: dict[str, str]) -> None:
    tree(node.root, files)
    node.write()
    with pytest.raises(Unavailable, match="cut into parts"):
        node.read()


JOB = {"SLURM_JOB_ID": "12", "SLURM_JOB_GPUS": "0,2", "SLURMD_NODENAME": "n1"}


def test_the_scripts_write_what_the_source_reads(node: Node) -> None:
    assert node.run("prolog", **JOB, SLURM_JOB_RESTART_COUNT="1") == 0
    folder = node.root / FOLDER
    assert [p.name for p in folder.iterdir()] == ["job-12-1"]
    assert (folder.stat().st_mode & 0o777, (folder / "job-12-1").stat().st_mode & 0o777) == (
        0o755,
        0o644,
    )
    begun = node.read()
    assert {a.alloc_id for a in begun} == {alloc_id("c/12", 1, a.gpu_id) for a in begun}
    assert node.run("epilog", **JOB, SLURM_JOB_RESTART_COUNT="2") == 0
    ended = node.read()
    assert {a.alloc_id for a in ended} == {a.alloc_id for a in begun}
    assert all(a.valid_to < FOREVER for a in ended)
    assert [p.name for p in folder.iterdir()] == ["job-12-1"]


def test_a_run_without_an_epilog_ends_with_the_prolog_of_the_next(node: Node) -> None:
    first = node.write(job=12)
    other = node.write(job=123)
    node.read()
    assert node.run("prolog", **JOB, SLURM_JOB_RESTART_COUNT="1") == 0
    ended = {a.alloc_id: a for a in node.read() if a.valid_to < FOREVER}
    assert len(ended) == 2
    closed = first.read_text()
    assert node.run("epilog", **JOB, SLURM_JOB_RESTART_COUNT="2") == 0
    assert first.read_text() == closed
    assert "stop=" in first.with_name("job-12-1").read_text()
    assert "stop=" not in other.read_text()


def test_an_end_without_an_epilog_yields_to_the_schedulers(node: Node) -> None:
    node.write()
    begun = node.read()[0]
    node.write(more=f"stop={START + 60}\nepilog=missing\n")
    ended = node.read()[0]
    told = Snapshot("c", at(node.clock.wall_s - 60))
    assert begun.version < ended.version < told.version_of_end
    assert ended.valid_to == at(START + 60)


def test_a_prolog_that_runs_again_for_the_same_run_closes_nothing(node: Node) -> None:
    file = node.write(job=12)
    assert node.run("prolog", **JOB) == 0
    assert "stop=" not in file.read_text()


def test_a_second_epilog_changes_nothing(node: Node) -> None:
    file = node.write(job=12, more="stop=5\n")
    assert node.run("epilog", **JOB) == 0
    assert file.read_text().count("stop=") == 1


def test_the_epilog_clears_what_ended_a_day_ago_and_keeps_what_is_held(node: Node) -> None:
    old, held = node.write(job=1, more="stop=5\n"), node.write(job=2)
    for file in (old, held):
        os.utime(file, (1e9, 1e9))
    assert node.run("epilog", **JOB) == 0
    assert (old.exists(), held.exists()) == (False, True)


@pytest.mark.parametrize("script", ["prolog", "epilog"])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"SLURM_JOB_ID": "12"},
        {"SLURM_JOB_ID": "../../x", "SLURM_JOB_GPUS": "0"},
        {**JOB, "SLURM_JOB_RESTART_COUNT": "; touch x"},
        {**JOB, "GPULEDGER_HOOK_DIR": "/proc/nowhere"},
    ],
)
def test_the_scripts_never_fail_a_job(node: Node, script: str, variables: dict[str, str]) -> None:
    assert node.run(script, **variables) == 0
    assert not list(node.root.rglob("job-*"))


@given(st.text(max_size=200) | st.from_regex(r"(job|restart|gpus|start|stop)=[-0-9,]{0,12}\n"))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    word(text)
    word(f"job=1\nrestart=0\nstart=9\ngpus={text}")


def test_the_memory_of_the_agent_is_enough_to_go_on(node: Node) -> None:
    node.write()
    node.read()
    kept = dict(node.here.memory)
    other = Context("c", "n1", root=node.root, clock=node.clock.clock, memory=kept)
    source = SlurmHookSource(SlurmHookSettings(owner_uid=os.getuid()), other)
    assert len(list(source.read())) == 2
