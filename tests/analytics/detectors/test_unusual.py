"""Runs of recurring jobs that are worse than their own history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analytics.book import Span
from analytics.detectors.unusual import detector
from analytics.learn.recurring import RecurringSettings
from gpuledger.catalogue import Finding
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.runs import HOUR, TODAY, going_on, history, run, write


def find(store: Store, span: Span = TODAY, **changed: Any) -> list[Finding]:
    return list(detector.find(store, RecurringSettings(**changed), span))


def test_a_run_that_took_longer_is_found_with_owner_extent_and_words(store: Store) -> None:
    write(store, *history(14), run(20, active=10, idle=2.4))
    (found,) = find(store)
    assert (found.kind, found.subject, found.cause) == ("unusual", "c/nightly-20@20", "gpu_hours")
    assert (found.user, found.team, found.pool) == ("ana", "vision", "big")
    assert (found.owner, found.gpus, found.grade) == ("job owner", 4, "A")
    assert (found.since, found.until, found.open) == (world.START, world.START + HOUR, 0)
    assert found.summary == ("nightly-20 of ana: 12.4 GPU-hours, usually 4.0 (14 earlier runs)")
    assert found.action.startswith(
        "This run of nightly-20 used 3.1x the GPU-hours of its 14 earlier ones"
    )


def test_a_run_that_worked_less_is_found(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6))
    (found,) = find(store)
    assert (found.cause, found.gpu_seconds) == ("activity", 0)
    assert found.summary == (
        "nightly-20 of ana: at work 10% of the time, usually 75% (10 earlier runs)"
    )
    assert "keeps its GPUs at work 10% of the time, its 10 earlier ones 75%" in found.action


def test_several_measures_of_a_run_are_one_finding(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=11.6))
    (found,) = find(store)
    assert "12.0 GPU-hours, usually 4.0" in found.summary
    assert "at work 3% of the time, usually 75%" in found.summary


@pytest.mark.parametrize(
    "better", [{"active": 1.0, "idle": 0.33}, {"active": 3.99, "idle": 0.01}, {"active": 3.0}]
)
def test_a_run_like_the_others_or_better_is_no_finding(
    store: Store, better: dict[str, Any]
) -> None:
    write(store, *history(), run(20, **better))
    assert find(store) == []


def test_low_power_alone_is_no_finding(store: Store) -> None:
    rows = run(20)
    for row in rows[1:]:
        row.energy_joules *= 0.5  # type: ignore[attr-defined] # the hours of the accounts
    write(store, *history(), rows)
    assert find(store) == []


def test_low_power_is_told_beside_what_is_worse(store: Store) -> None:
    rows = run(20, active=0.4, idle=3.6)
    for row in rows[1:]:
        row.energy_joules *= 0.5  # type: ignore[attr-defined] # the hours of the accounts
    write(store, *history(), rows)
    (found,) = find(store)
    assert "; 150 W a GPU, usually 300 W (10 earlier runs)" in found.summary


@pytest.mark.parametrize(
    ("active", "idle", "lost"), [(10.0, 2.0, 6.0), (5.0, 7.0, 1.0), (1.0, 11.0, 0.0)]
)
def test_lost_is_what_was_productive_beyond_a_usual_run(
    store: Store, active: float, idle: float, lost: float
) -> None:
    write(store, *history(), run(20, active=active, idle=idle))
    (found,) = find(store)
    assert found.gpu_seconds == pytest.approx(lost * 3600, abs=0.02 * 3600)


def test_what_is_lost_has_its_worth_and_no_cash(store: Store) -> None:
    world.write(store, [world.price()])
    write(store, *history(), run(20, active=10, idle=2))
    (found,) = find(store)
    assert found.capacity_value == pytest.approx(world.PRICE * found.gpu_seconds / 3600)
    assert (found.cash_avoidable, found.currency) == (0, "EUR")


def test_few_earlier_runs_and_weak_evidence_make_it_less_sure(store: Store) -> None:
    told = []
    for grade, runs in (("A", 14), ("A", 8), ("C", 8)):
        store.command("TRUNCATE TABLE accounts_1h")
        store.command("TRUNCATE TABLE accounts_1d")
        store.command("TRUNCATE TABLE jobs")
        write(store, *history(runs), run(20, active=10, idle=2, grade=grade))
        told += [f.confidence_ratio or 0 for f in find(store)]
    assert told == sorted(told, reverse=True)
    assert len(set(told)) == 3


def test_a_run_that_goes_on_is_an_open_finding(store: Store) -> None:
    write(store, *history(), going_on(active=10, idle=2))
    (found,) = find(store)
    assert (found.open, found.until) == (1, TODAY.until)
    assert "12.0 GPU-hours so far, usually 4.0" in found.summary


def test_a_run_keeps_its_finding_from_tick_to_tick(store: Store) -> None:
    write(store, *history(), going_on(active=10, idle=2))
    later = Span(TODAY.since + HOUR, TODAY.until + HOUR)
    assert {f.finding_id for f in find(store)} == {f.finding_id for f in find(store, later)}


def test_a_difference_that_is_worth_little_is_no_finding(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6))
    assert find(store, least_gpu_hours=2.7) == []


def test_the_evidence_shows_the_run_among_its_like(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6), run(20, name="other"))
    (found,) = find(store)
    rows = store.select(found.evidence)
    assert [r["job"] for r in rows[:2]] == ["c/nightly-20@20", "c/nightly-19@19"]
    assert len(rows) == 11
    assert rows[0]["active_ratio"] == pytest.approx(0.1)


def test_hostile_names_stay_names(store: Store) -> None:
    earlier = [run(day, name=world.HOSTILE) for day in range(10, 20)]
    write(store, *earlier, run(20, active=0.4, idle=3.6, name=world.HOSTILE))
    (found,) = find(store)
    assert len(store.select(found.evidence)) == 11


def test_only_asked_for_subjects_are_found(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6))
    long = TODAY.since - timedelta(days=3)
    assert find(store, Span(long, TODAY.until, ("c/other",))) == []
    assert len(find(store, Span(long, TODAY.until, ("c/nightly-20@20",)))) == 1


def test_an_empty_span_or_store_has_nothing(store: Store) -> None:
    assert find(store) == []
    assert find(store, Span(TODAY.until, TODAY.until)) == []
