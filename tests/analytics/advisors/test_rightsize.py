"""Smaller requests for jobs that come again."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from analytics.advisors.rightsize import RightsizeSettings, advisor
from gpuledger.catalogue import CellHour, Finding, Recommendation
from gpuledger.store import Store
from tests.analytics.world import PRICE, START, asset, at, given, gpu, job, price, write

NOW = at(600)


def finding(native: str, hours: float = 4.0, **changed: object) -> Finding:
    """A job that would fit half of what it holds."""
    values: dict[str, object] = {
        "finding_id": int(native),
        "kind": "overprovisioned",
        "subject": f"c/{native}",
        "user": "ana",
        "team": "vision",
        "since": at(0),
        "until": NOW,
        "open": 1,
        "gpus": 2,
        "gpu_seconds": hours * 3600,
        "capacity_value": 3.0 * hours,
        "cash_avoidable": None,
        "currency": "EUR",
        "grade": "A",
        "cause": "fewer_gpus",
        "action": "Ask for 1 GPU the next time.",
        "asks": '{"gpus": 1}',
        "confidence_ratio": 0.85,
        "summary": "would fit 1 GPU",
        "evidence": "SELECT 1",
        "version": 1,
        **changed,
    }
    return Finding(**values)


def advise(store: Store, *findings: Finding, name: str = "train") -> list[Recommendation]:
    jobs = [job(f.subject.partition("/")[2], name=name, started=at(0)) for f in findings]
    write(store, [*jobs, *findings])
    return list(advisor.advise(store, RightsizeSettings(), findings, NOW))


def test_jobs_of_one_name_are_one_proposal_and_their_losses_its_gain(store: Store) -> None:
    (proposal,) = advise(store, finding("1"), finding("2", 6.0, open=0))
    assert (proposal.subject, proposal.gain_gpu_hours) == ("c/1", 10)
    assert proposal.gain_capacity_value == pytest.approx(30)
    assert proposal.horizon_seconds == timedelta(days=7).total_seconds()
    assert proposal.title == "train: Ask for 1 GPU the next time."
    assert proposal.command == "# no command: no scheduler is known that has the job"


def test_jobs_that_wait_are_told_to_ask_for_less_with_its_undo(store: Store) -> None:
    waits = job("8", state="pending", reason="Resources", gpus=2)
    runs = job("1", started=at(0), gpus=2)
    write(store, [asset(0), given("1", 0), waits, runs, finding("1", 9.0)])
    (told,) = advisor.advise(store, RightsizeSettings(), [finding("1", 9.0)], NOW)
    assert told.command.splitlines()[-1] == "scontrol update JobId=8 TresPerNode=gres/gpu:1"
    assert told.undo.splitlines()[-1] == "scontrol update JobId=8 TresPerNode=gres/gpu:2"


def test_another_users_losses_do_not_count(store: Store) -> None:
    write(store, [job("7", user="bob", started=at(0)), finding("7", 50.0, user="bob", open=0)])
    (proposal,) = advise(store, finding("1", 6.0))
    assert proposal.gain_gpu_hours == 6


def test_a_small_gain_is_not_worth_a_message(store: Store) -> None:
    assert advise(store, finding("1", 4.9)) == []


@pytest.mark.parametrize(
    "changed", [{"open": 0}, {"cause": "exempt"}, {"kind": "partial_idle", "cause": "went_quiet"}]
)
def test_what_is_over_agreed_or_broken_needs_no_smaller_request(
    store: Store, changed: dict[str, object]
) -> None:
    assert advise(store, finding("1", 50.0, **changed)) == []


def test_the_same_finding_keeps_its_recommendation(store: Store) -> None:
    assert advise(store, finding("1", 9.0)) == advise(store, finding("1", 9.0))


def test_what_somebody_agreed_to_is_no_loss(store: Store) -> None:
    agreed = finding("2", 50.0, open=0, cause="exempt")
    (proposal,) = advise(store, finding("1", 6.0), agreed)
    assert proposal.gain_gpu_hours == 6


def test_the_gain_has_an_interval_by_the_days_of_the_week_before(store: Store) -> None:
    (proposal,) = advise(store, finding("1", 9.0))
    assert proposal.gain_low_gpu_hours is not None
    assert proposal.gain_high_gpu_hours is not None
    assert proposal.gain_low_gpu_hours <= 9 <= proposal.gain_high_gpu_hours


HOST = {"kind": "overprovisioned_host", "cause": "cpu", "gpu_seconds": 0, "capacity_value": None}


def stranded(slot: int, node: str, hour: int, cause: str = "cpu_ram") -> CellHour:
    """An hour of a GPU beside the job that nobody could have."""
    return CellHour(
        cluster="c",
        node=node,
        gpu_id=gpu(slot, node),
        hour=START + timedelta(hours=hour),
        alloc_id=0,
        state="stranded",
        cause=cause,
        grade="A",
        gpu_seconds=3600,
        energy_joules=None,
    )


def beside(store: Store, *findings: Finding, cause: str = "cpu_ram") -> list[Recommendation]:
    """Three GPUs stranded for ten hours beside the job, and one on a node that it never saw."""
    others = [stranded(s, "n0", h, cause) for s in (1, 2, 3) for h in range(10)]
    write(store, [*(asset(s) for s in range(4)), asset(0, "n1"), given("1", 0)])
    write(store, [*others, stranded(0, "n1", 0), price()])
    return advise(store, *findings)


def test_processors_without_use_cost_the_gpus_that_they_strand(store: Store) -> None:
    (told,) = beside(store, finding("1", action="Ask for 8 processors.", **HOST))
    assert told.gain_gpu_hours == 30
    assert told.gain_capacity_value == pytest.approx(30 * PRICE)
    assert json.loads(told.resources) == {"node/c/n0": 30}
    assert told.title == "train: Ask for 8 processors."
    assert "stranded for want of processors or memory" in told.because


def test_gpus_that_are_stranded_for_another_reason_are_not_its_doing(store: Store) -> None:
    assert beside(store, finding("1", **HOST), cause="gpu_type") == []


def test_fewer_gpus_and_fewer_processors_are_two_proposals(store: Store) -> None:
    both = beside(store, finding("1", 9.0), finding("1", **{**HOST, "finding_id": 2}))
    assert sorted(r.gain_gpu_hours or 0 for r in both) == [9, 30]
