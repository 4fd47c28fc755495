"""What a job waited for is not rewritten when it starts, ends, or waits for something else."""

from __future__ import annotations

import pytest

from analytics.placement import CAPACITY_REASONS as COUNTED
from gpuledger.catalogue.work import Job
from gpuledger.schema import FOREVER
from gpuledger.waits import CAPACITY_REASONS
from tests.collector.slurm import NOW, Cluster, at, jobs

SUBMITTED = at(1795324592)
OTHER_REASONS = ["Dependency", "QOSMaxGRESPerUser", "JobHeldUser", "BeginTime", "AssocGrpGRES"]


class Queue(Cluster):
    """A Slurm whose job 102 waits for `reason`; a snapshot every 30 s from NOW + 30 on."""

    def __init__(self, reason: str = "Resources") -> None:
        super().__init__()
        self.told: Job | None = None
        self.turn(reason)

    def turn(self, reason: str) -> Job:
        self.job(102)["state_reason"] = reason
        return self.look()

    def start(self, seconds: float) -> Job:
        self.job(102).update(job_state=["RUNNING"], state_reason="None")
        self.job(102)["start_time"] = wrapped(seconds)
        return self.look()

    def end(self, seconds: float, state: str = "COMPLETED") -> Job:
        self.job(102).update(job_state=[state], state_reason="None")
        self.job(102)["end_time"] = wrapped(seconds)
        return self.look()

    def look(self) -> Job:
        """What is known of the job after one more snapshot."""
        self.told = jobs(self.read()).get("c/102", self.told)
        assert self.told is not None
        return self.told


def wrapped(seconds: float) -> dict[str, object]:
    return {"set": True, "infinite": False, "number": round(seconds)}


def test_the_reasons_are_those_that_placement_counts() -> None:
    assert set(COUNTED) == CAPACITY_REASONS


@pytest.mark.parametrize("reason", ["Resources", "Priority", "None", ""])
def test_a_job_that_waits_for_capacity_is_eligible_since_the_scheduler_says_so(reason: str) -> None:
    queue = Queue(reason)
    assert queue.look().eligible == SUBMITTED
    assert queue.start(NOW + 80).eligible == SUBMITTED


@pytest.mark.parametrize("reason", OTHER_REASONS)
def test_a_job_that_waits_for_something_else_keeps_the_schedulers_time(reason: str) -> None:
    queue = Queue(reason)
    assert (queue.look().eligible, queue.look().reason) == (SUBMITTED, reason)


@pytest.mark.parametrize("reason", OTHER_REASONS)
def test_a_job_is_eligible_from_the_snapshot_that_first_sees_it_wait_for_capacity(
    reason: str,
) -> None:
    queue = Queue(reason)
    assert queue.turn("Resources").eligible == at(NOW + 60)
    assert queue.turn("Priority").eligible == at(NOW + 60)
    assert queue.start(NOW + 100).eligible == at(NOW + 60)
    assert queue.end(NOW + 140).eligible == at(NOW + 60)


def test_a_job_that_starts_straight_from_another_reason_never_waited_for_capacity() -> None:
    assert Queue("Dependency").start(NOW + 45).eligible == at(NOW + 45)


def test_a_job_that_is_cancelled_in_another_wait_never_waited_for_capacity() -> None:
    queue = Queue("JobHeldUser")
    assert queue.end(NOW + 45, "CANCELLED").eligible == at(NOW + 45)


def test_a_job_that_vanishes_in_another_wait_never_waited_for_capacity() -> None:
    queue = Queue("Dependency")
    queue.vanish(102)
    gone = queue.look()
    assert (gone.state, gone.eligible, gone.ended) == ("cancelled", at(NOW + 30), at(NOW + 30))


def test_a_job_held_in_between_waits_for_capacity_anew() -> None:
    queue = Queue()
    assert queue.turn("JobHeldUser").eligible == SUBMITTED
    assert queue.turn("Resources").eligible == at(NOW + 90)


def test_the_scheduler_may_say_later_but_not_earlier() -> None:
    queue = Queue()
    queue.job(102)["eligible_time"] = wrapped(NOW + 20)
    assert queue.look().eligible == at(NOW + 20)
    queue.job(102)["eligible_time"] = wrapped(NOW - 20)
    assert queue.look().eligible == at(NOW + 20)


def test_what_was_not_yet_eligible_is_so_from_the_snapshot_that_says_it() -> None:
    queue = Queue("Resources")
    queue.job(102)["eligible_time"] = {"set": False, "infinite": False, "number": 0}
    assert queue.look().eligible == FOREVER
    queue.job(102)["eligible_time"] = wrapped(NOW)
    assert queue.look().eligible == at(NOW + 90)


def test_a_requeued_job_did_not_wait_while_it_ran() -> None:
    queue = Queue()
    queue.start(NOW + 45)
    queue.job(102).update(job_state=["PENDING"], restart_cnt=1)
    assert queue.turn("Resources").eligible == at(NOW + 90)


def test_a_requeued_job_that_runs_again_at_once_did_not_wait() -> None:
    queue = Queue()
    queue.start(NOW + 45)
    queue.job(102).update(restart_cnt=1)
    assert queue.start(NOW + 80).eligible == at(NOW + 80)


def test_restarts_of_the_agent_forget_nothing() -> None:
    queue = Queue("Dependency")
    queue.restart()
    assert queue.turn("Resources").eligible == at(NOW + 60)
    queue.restart()
    assert queue.start(NOW + 70).eligible == at(NOW + 60)
    queue.restart()
    assert queue.end(NOW + 100).eligible == at(NOW + 60)
    queue.restart()
    assert queue.look().eligible == at(NOW + 60)
