"""Which job a run was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pytest

from analytics.experiments.matching import Known, Match, match
from analytics.experiments.server import Run
from gpuledger.schema import FOREVER
from tests.analytics.world import at

BEGAN, ENDED = at(10), at(50)


def run(
    tags: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    user: str = "ana",
    ended: datetime = ENDED,
) -> Run:
    return Run("r", "e", "n", user, "finished", BEGAN, ended, parameters or {}, {}, tags or {})


def known(job_id: str = "c/17", user: str = "ana", since: float = 0, until: float = 60) -> Known:
    return Known(job_id, user, at(since), at(until))


@pytest.mark.parametrize("name", ["SLURM_JOB_ID", "slurm.job_id", "gpuledger.job", "job_id"])
def test_a_tag_that_names_the_job_is_believed(name: str) -> None:
    jobs = [known(), known("c/18")]
    assert match(run({name: "17"}, user="somebody"), jobs) == Match("c/17", "tag", 1.0)


def test_a_parameter_that_names_the_job_is_believed() -> None:
    jobs = [known(), known("c/18")]
    assert match(run(parameters={"slurm_job_id": "18"}), jobs) == Match("c/18", "parameter", 1.0)


def test_a_pod_is_found_by_its_name_alone() -> None:
    jobs = [known("k/research/train-0"), known("k/research/train-1")]
    assert match(run({"hostname": "train-1"}), jobs).job_id == "k/research/train-1"


def test_a_number_that_was_used_at_another_time_is_another_job() -> None:
    jobs = [known("c/17@old", since=-900, until=-800), known()]
    assert match(run({"SLURM_JOB_ID": "17"}), jobs).job_id == "c/17"


def test_the_only_job_of_the_user_is_a_guess() -> None:
    jobs = [known(), known("c/18", user="ben")]
    assert match(run(), jobs) == Match("c/17", "time", 0.6)
    assert match(run(ended=FOREVER), jobs).job_id == "c/17"


@pytest.mark.parametrize(
    "jobs",
    [
        [],
        [known(), known("c/18")],
        [known(user="ben")],
        [known(since=20)],
        [known(until=30), known("c/18", user="ben")],
    ],
)
def test_what_could_be_several_or_none_is_not_guessed(jobs: list[Known]) -> None:
    assert match(run(), jobs) == Match()
