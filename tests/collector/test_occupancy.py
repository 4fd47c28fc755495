"""Processes as jobs, where there is no scheduler."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from collector.occupancy import Occupancy, Use
from collector.processes import Owner
from collector.source import Context
from gpuledger.catalogue.work import TRUST_BITS, Allocation, Job
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER, Row
from tests.collector.support import MIDNIGHT, FakeClock, context

BEGAN = datetime.fromtimestamp(MIDNIGHT - 60, UTC)
ADA = Owner("ada", "python3.11", session=77, started=BEGAN)


def uses(*slots: int, owner: Owner = ADA) -> list[Use]:
    return [Use(slot, owner) for slot in slots]


def jobs(rows: list[Row]) -> list[Job]:
    return [r for r in rows if isinstance(r, Job)]


def allocations(rows: list[Row]) -> list[Allocation]:
    return [r for r in rows if isinstance(r, Allocation)]


def test_the_processes_of_one_session_are_one_job_on_all_its_gpus() -> None:
    rows = list(Occupancy(context()).rows(uses(0, 1, 1)))
    (job,) = jobs(rows)
    assert (job.user, job.name, job.state, job.gpus_per_node) == ("ada", "python3.11", "running", 2)
    assert job.job_id == f"c/n1.77@{round(MIDNIGHT) - 60}"
    assert {a.gpu_id for a in allocations(rows)} == {gpu_id("c", "n1", 0), gpu_id("c", "n1", 1)}
    assert all(a.valid_from == BEGAN and a.valid_to == FOREVER for a in allocations(rows))


def test_the_word_of_a_scheduler_outweighs_it() -> None:
    (job,) = jobs(list(Occupancy(context()).rows(uses(0))))
    assert job.version >> TRUST_BITS == 1


def test_what_is_known_is_not_said_again_at_once() -> None:
    occupancy = Occupancy(context())
    list(occupancy.rows(uses(0)))
    assert list(occupancy.rows(uses(0))) == []


def test_a_job_ends_when_its_processes_were_last_seen() -> None:
    clock = FakeClock()
    occupancy = Occupancy(context(clock=clock))
    list(occupancy.rows(uses(0, 1)))
    clock.pass_s(5)
    list(occupancy.rows(uses(0, 1)))
    clock.pass_s(5)
    rows = list(occupancy.rows([]))
    last_seen = datetime.fromtimestamp(MIDNIGHT, UTC) + timedelta(seconds=5)
    assert [(j.state, j.ended) for j in jobs(rows)] == [("completed", last_seen)]
    assert [a.valid_to for a in allocations(rows)] == [last_seen, last_seen]


def test_a_gpu_given_back_ends_its_allocation_only() -> None:
    occupancy = Occupancy(context())
    list(occupancy.rows(uses(0, 1)))
    rows = list(occupancy.rows(uses(0)))
    closed = [a for a in allocations(rows) if a.valid_to != FOREVER]
    assert [a.gpu_id for a in closed] == [gpu_id("c", "n1", 1)]
    assert [j.state for j in jobs(rows)] == ["running"]


def test_a_job_that_ended_while_the_agent_was_down_is_closed() -> None:
    here: Context = context()
    list(Occupancy(here).rows(uses(0)))
    rows = list(Occupancy(here).rows([]))
    assert [j.state for j in jobs(rows)] == ["completed"]
    assert dict(here.memory) == {}


def test_a_job_that_goes_on_keeps_its_id_across_a_restart() -> None:
    here = context()
    before = jobs(list(Occupancy(here).rows(uses(0))))
    younger = Owner("ada", "python3.11", session=77, started=BEGAN + timedelta(seconds=30))
    after = jobs(list(Occupancy(here).rows(uses(0, owner=younger))))
    assert {j.job_id for j in after} == {j.job_id for j in before}


def test_two_users_on_one_gpu_are_two_jobs() -> None:
    bob = Owner("bob", "vllm", session=88, started=BEGAN)
    rows = list(Occupancy(context()).rows([*uses(0), *uses(0, owner=bob)]))
    assert sorted(j.user for j in jobs(rows)) == ["ada", "bob"]


def test_the_processes_of_one_container_are_one_job_whatever_their_sessions() -> None:
    one = Owner("ada", "python", session=1, started=BEGAN, runtime="docker", container="ab" * 32)
    other = Owner("ada", "nccl", session=2, started=BEGAN, runtime="docker", container="ab" * 32)
    (job,) = jobs(list(Occupancy(context()).rows([*uses(0, owner=one), *uses(1, owner=other)])))
    assert job.job_id == f"c/n1.docker:abababababab@{round(MIDNIGHT) - 60}"
    assert (job.user, job.gpus_per_node) == ("ada", 2)


def test_root_in_a_container_is_the_container() -> None:
    owner = Owner("root", "python", 1, BEGAN, "docker", "ab" * 32, is_root=True)
    (job,) = jobs(list(Occupancy(context()).rows(uses(0, owner=owner))))
    assert job.user == "docker:abababababab"


def test_a_pod_keeps_its_whole_name() -> None:
    pod = "0f3b2a1c-1111-2222-3333-444455556666"
    owner = Owner("ada", "python", 1, BEGAN, "kubernetes", pod)
    (job,) = jobs(list(Occupancy(context()).rows(uses(0, owner=owner))))
    assert job.job_id.startswith(f"c/n1.kubernetes:{pod}@")
