"""Teams get what they are guaranteed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.advisors.quota import QuotaSettings, advisor
from gpuledger.catalogue import Quota, Recommendation
from gpuledger.store import Store
from tests.analytics.advisors.outlooks import finding
from tests.analytics.world import START, asset, job, write

NOW = START + timedelta(hours=24)
PAIR = finding("quota_borrowing", "c/vision>nlp", NOW, 4, summary="vision waits, nlp borrows")


def quota(team: str, guaranteed: int, limit: int = 0) -> Quota:
    """What a team may use, in GPUs."""
    return Quota(
        cluster="c",
        scheduler="slurm",
        team=team,
        guaranteed_milli=1000 * guaranteed,
        limit_milli=1000 * limit,
        seen_at=START,
        version=1,
    )


def site(store: Store, waits: int = 4) -> None:
    """`nlp` runs 10 GPUs on a quota of 4 while `vision` has none of its 8 and waits."""
    rows = [quota("vision", 8), quota("nlp", 4, 16)]
    rows += [
        job("1", team="nlp", gpus=10, started=START),
        job("2", team="vision", gpus=waits, state="pending", reason="Resources"),
    ]
    write(store, [asset(0), *rows])


def advise(store: Store, *findings: object) -> list[Recommendation]:
    return list(advisor.advise(store, QuotaSettings(), findings, NOW))  # type: ignore[arg-type] - a test's


def test_the_borrower_is_limited_to_what_leaves_the_owner_its_own(store: Store) -> None:
    site(store)
    (told,) = advise(store, PAIR)
    assert told.title == "Limit nlp to 6 GPUs while vision waits for what it is guaranteed"
    assert "gpu=6" in told.command
    assert "gpu=16" in told.undo
    assert (told.team, told.finding_id) == ("vision", 7)


def test_gpus_change_hands_and_none_is_freed(store: Store) -> None:
    site(store)
    (told,) = advise(store, PAIR)
    assert told.gain_gpu_hours == 0
    moved = 4 * 168
    assert f"moves {moved}" in told.because
    assert "a week to vision, frees none" in told.because


def test_a_borrower_keeps_what_it_is_guaranteed(store: Store) -> None:
    site(store)
    (told,) = advise(store, finding("quota_borrowing", "c/vision>nlp", NOW, 9))
    assert "gpu=4" in told.command


@pytest.mark.parametrize("subject", ["c/vision>speech", "c/vision", "d/vision>nlp"])
def test_without_a_quota_of_both_nothing_is_proposed(store: Store, subject: str) -> None:
    site(store)
    assert advise(store, finding("quota_borrowing", subject, NOW, 4)) == []


def test_who_waits_for_nothing_is_given_nothing(store: Store) -> None:
    site(store, waits=0)
    assert advise(store, PAIR) == []


def test_an_empty_store_moves_no_quota(store: Store) -> None:
    assert advise(store, PAIR) == []
