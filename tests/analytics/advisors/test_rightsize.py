"""Smaller requests for jobs that come again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.advisors.rightsize import RightsizeSettings, advisor
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.store import Store
from tests.analytics.world import at, job, write

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
    assert (proposal.title, proposal.command) == ("train: Ask for 1 GPU the next time.", "")


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
