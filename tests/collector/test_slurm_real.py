"""The Slurm sources on a real one-node Slurm with fake GPUs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.source import Context
from collector.sources.slurm import SlurmSettings, SlurmSource
from collector.sources.slurm_hook import SlurmHookSettings, SlurmHookSource
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.work import Allocation, Job, NodeState, Pool, Reservation
from gpuledger.errors import ReadError
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER, Row
from tests.collector.slurm import of_kind
from tests.collector.support import FakeClock
from tests.components.fixtures import or_skip
from tests.components.process import program, wait_until
from tests.components.slurm import Slurm, hook_lines
from tests.components.slurmdbd import Accounting

# Out of order and with a gap, as after a repair: neither is Slurm's ordinal.
MINORS = (3, 0, 1, 5, 4, 7, 6)
HOOK = Path(__file__).parents[2] / "deploy" / "slurm"
MORE = ("PreemptType=preempt/partition_prio", "PreemptMode=REQUEUE")
LOW = "PartitionName=low Nodes=n1 PriorityTier=1 PreemptMode=REQUEUE MaxTime=60"


def listener(cluster: Slurm, here: Context | None = None, **more: str) -> SlurmSource:
    settings = SlurmSettings(conf=str(cluster.conf), **more)  # type: ignore[arg-type] # texts only
    return SlurmSource(settings, here or Context("c", "head"))


def held(rows: list[Row], job: int) -> dict[int, Allocation]:
    return {a.gpu_id: a for a in of_kind(rows, Allocation) if a.job_id == f"c/{job}"}


def gpus(*minors: int) -> set[int]:
    return {gpu_id("c", "n1", minor) for minor in minors}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A node whose devices have odd numbers, with the hook in slurm.conf."""
    directory = tmp_path_factory.mktemp("odd")
    more = (*MORE, LOW, *hook_lines(directory, HOOK))
    with or_skip(Slurm(directory, minors=MINORS, more=more)) as cluster:
        yield cluster


def hook(cluster: Slurm, here: Context | None = None) -> SlurmHookSource:
    settings = SlurmHookSettings(
        folder=str(cluster.directory / "hook"), gres_conf=str(cluster.directory / "gres.conf")
    )
    return SlurmHookSource(settings, here or Context("c", "n1"))


def test_a_real_job_from_its_wait_to_its_end(slurm: Slurm) -> None:
    source = listener(slurm)
    running = slurm.submit("sleep 300", gpus=4, name="train", account="vision")
    waiting = slurm.submit("sleep 300", gpus=8, name="sweep")
    slurm.wait_state(running, "RUNNING")

    first = list(source.read())
    found = {j.job_id: j for j in of_kind(first, Job)}
    assert found[f"c/{running}"].state == "running"
    assert found[f"c/{running}"].team == "vision"
    assert found[f"c/{waiting}"].state == "pending"
    assert found[f"c/{waiting}"].gpus_per_node == 8
    mine = set(held(first, running))
    assert mine == gpus(0, 1, 2, 3)
    assert [(n.node, n.state, n.gpus) for n in of_kind(first, NodeState)] == [("n1", "up", 8)]

    slurm.cancel(running)
    slurm.wait_state(running, "CANCELLED")
    second = list(source.read())
    assert {j.state for j in of_kind(second, Job) if j.job_id == f"c/{running}"} == {"cancelled"}
    closed = [a for a in of_kind(second, Allocation) if a.valid_to != FOREVER]
    assert {a.gpu_id for a in closed} >= mine
    slurm.cancel(waiting)


def test_a_real_exclusive_job_holds_all_gpus_of_its_node(odd: Slurm) -> None:
    source = listener(odd)
    job = odd.submit("sleep 300", gpus=0, name="whole", options=["--exclusive"])
    odd.wait_state(job, "RUNNING")
    rows = list(source.read())
    assert set(held(rows, job)) == gpus(*MINORS)
    odd.cancel(job)
    odd.wait_state(job, "CANCELLED")
    after = list(source.read())
    assert all(a.valid_to != FOREVER for a in held(after, job).values())
    for told in (rows, after):
        (row,) = (j for j in of_kind(told, Job) if j.job_id == f"c/{job}")
        assert row.gpus_per_node == len(MINORS)


def test_a_drained_node_is_told_with_its_reason(slurm: Slurm) -> None:
    source = listener(slurm)
    slurm.run("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=fan broken")
    (node,) = of_kind(list(source.read()), NodeState)
    slurm.run("scontrol", "update", f"NodeName={slurm.node}", "State=RESUME")
    assert (node.state, node.reason) == ("drained", "fan broken")


def test_a_requeued_job_ends_its_first_run_though_the_epilog_counts_further(odd: Slurm) -> None:
    job = odd.submit("sleep 300", gpus=1, name="again")
    odd.wait_state(job, "RUNNING")
    first = odd.directory / f"hook/job-{job}-0"
    wait_until(first.exists, 20, "prolog")
    odd.run("scontrol", "requeue", str(job))
    wait_until(lambda: "stop=" in first.read_text(), 20, "epilog")
    odd.cancel_all()
    assert not (odd.directory / f"hook/job-{job}-1").exists()


def test_partitions_reservations_arrays_and_interactive_jobs(odd: Slurm) -> None:
    odd.run(
        *("scontrol", "create", "reservation", "ReservationName=fix", "StartTime=now+2hours"),
        *("Duration=60", "Users=root", "Flags=MAINT,IGNORE_JOBS", "Nodes=ALL"),
    )
    array = odd.submit("sleep 300", name="many", options=["--array=0-9%2", "--partition=low"])
    try:
        odd.run("salloc", "--no-shell", "--gres=gpu:h100:1", "--job-name=look", "--time=5")
        rows = list(listener(odd).read())
    finally:
        odd.run("scontrol", "delete", "ReservationName=fix")
        odd.cancel_all()

    pools = {p.pool: p for p in of_kind(rows, Pool)}
    assert (pools["low"].longest_seconds, pools["low"].preemptible) == (3600, 1)
    assert (pools["gpu"].nodes, pools["gpu"].longest_seconds) == ("n1", None)
    (kept,) = of_kind(rows, Reservation)
    assert (kept.reservation, kept.nodes, kept.users) == ("fix", "n1", "root")
    assert kept.flags.startswith("MAINT,IGNORE_JOBS")
    assert (kept.valid_to - kept.valid_from).total_seconds() == 3600
    found = of_kind(rows, Job)
    named = {j.name: j for j in found if j.state in {"running", "pending"}}
    assert named["look"].kind == "interactive"
    assert {"many[0]", "many[1]", "many[2-9%2]"} <= named.keys()
    assert named["many[2-9%2]"].job_id == f"c/{array}"
    assert named["many[0]"].preemptible == 1


def test_the_rest_service_tells_what_the_commands_tell(odd: Slurm) -> None:
    program("slurmrestd")
    job = odd.submit("sleep 300", gpus=2, name="train")
    odd.wait_state(job, "RUNNING")
    address = odd.start_rest()
    said = [r for r in listener(odd, accounting="").read() if not isinstance(r, MissingValue)]
    rest = [
        r for r in listener(odd, rest=f"unix://{address}").read() if not isinstance(r, MissingValue)
    ]
    odd.cancel_all()
    assert len(rest) == len(said)
    for one, other in zip(rest, said, strict=True):
        assert without_time(one) == without_time(other)


def without_time(row: Row) -> dict[str, object]:
    # 22.05's slurmrestd tells a partition's own PreemptMode, scontrol the one that is in force.
    other = {"seen_at", "version", "valid_from", "preemptible"}
    return {k: v for k, v in row.__dict__.items() if k not in other}


def test_allocations_survive_a_killed_controller_and_end_with_their_jobs(odd: Slurm) -> None:
    """Two jobs run, one waits; gres.conf's order gives each ordinal its device."""
    source, here = listener(odd), hook(odd)
    first = odd.submit("sleep 300", gpus=3, name="train")
    second = odd.submit("sleep 300", gpus=2, name="tune", options=["--partition=low"])
    waiting = odd.submit("sleep 300", gpus=7, name="sweep")
    odd.wait_state(second, "RUNNING")
    for job in (first, second):
        # A job is running before its prolog has ended.
        wait_until((odd.directory / f"hook/job-{job}-0").exists, 20, "prolog")

    rows = list(source.read())
    assert set(held(rows, first)) == gpus(3, 0, 1)
    assert set(held(rows, second)) == gpus(5, 4)
    assert not held(rows, waiting)
    by_hook = list(here.read())
    for job in (first, second):
        told = held(by_hook, job)
        assert {a.alloc_id for a in told.values()} == {a.alloc_id for a in held(rows, job).values()}
        assert all(a.version > held(rows, job)[g].version for g, a in told.items())

    odd.kill_controller()
    with pytest.raises(ReadError, match="slurm_load_jobs"):
        source.read()
    odd.start_controller()
    again = list(source.read())
    assert not [a for a in of_kind(again, Allocation) if a.valid_to != FOREVER]

    odd.cancel(first)
    odd.wait_state(first, "CANCELLED")
    wait_until(lambda: "stop=" in (odd.directory / f"hook/job-{first}-0").read_text(), 20, "epilog")
    ended, stopped = held(list(source.read()), first), held(list(here.read()), first)
    assert set(ended) == set(stopped) == gpus(3, 0, 1)
    assert all(a.valid_to != FOREVER for a in [*ended.values(), *stopped.values()])
    assert all(stopped[g].version > ended[g].version for g in ended)
    assert not held(list(here.read()), second)
    odd.cancel_all()


def test_accounting_knows_the_exact_end_of_jobs_that_nobody_lists_any_more(
    tmp_path: Path,
) -> None:
    """MinJobAge is two seconds: what ended is forgotten before the next snapshot."""
    clock = FakeClock(wall=time.time())
    with (
        or_skip(Accounting(tmp_path)) as accounting,
        or_skip(Slurm(tmp_path, more=["MinJobAge=2"], accounting=accounting)) as cluster,
    ):
        program("slurmrestd")
        rest = f"unix://{cluster.start_rest()}"
        sources = [listener(cluster, ours(clock)), listener(cluster, ours(clock), rest=rest)]
        seen = cluster.submit("sleep 300", gpus=2, name="seen")
        cluster.wait_state(seen, "RUNNING")
        for source in sources:
            assert set(held(list(source.read()), seen)) == gpus(0, 1)
        cluster.cancel(seen)
        missed = cluster.submit("exit 3", gpus=1, name="missed")
        sacct = ("sacct", "-nPX", "-o", "JobID,State,End")
        wait_until(lambda: f"{missed}|FAILED" in cluster.run(*sacct), 30, "accounting")
        wait_until(lambda: not cluster.run("squeue", "-h", "-t", "all"), 90, "forgotten")
        clock.pass_s(time.time() - clock.wall_s)
        told = dict(line.split("|")[::2] for line in cluster.run(*sacct).splitlines())
        for source in sources:
            rows = list(source.read())
            jobs = {j.job_id: j for j in of_kind(rows, Job)}
            assert (jobs[f"c/{seen}"].state, jobs[f"c/{missed}"].state) == ("cancelled", "failed")
            assert f"{jobs[f'c/{missed}'].ended:%Y-%m-%dT%H:%M:%S}" == told[str(missed)]
            ends = {f"{a.valid_to:%Y-%m-%dT%H:%M:%S}" for a in held(rows, seen).values()}
            assert ends == {told[str(seen)]}


def ours(clock: FakeClock) -> Context:
    return Context("c", "head", clock=clock.clock)


def test_a_controller_that_is_gone_is_a_failed_reading(tmp_path: Path) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text("ClusterName=x\nSlurmctldHost=localhost\nSlurmctldPort=1\n")
    settings = SlurmSettings(conf=str(conf), timeout_s=1.0)
    with pytest.raises(ReadError):
        SlurmSource(settings, Context("c", "head")).read()
