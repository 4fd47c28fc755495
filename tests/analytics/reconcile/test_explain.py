"""Differences by reason: what is named adds up, and what nobody can name is left."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.reconcile.explain import REASONS, Explained, Ours, Theirs, by_reason, explain

HOUR = 3600.0


def mine(seconds: float = HOUR, **more: float) -> Ours:
    told = dict.fromkeys(("told", "weighted", "listed", "occupied"), seconds) | more
    return Ours(gpus=int(told.pop("gpus", 1)), known=True, jobs=1, **told)


def said(seconds: float = HOUR, gpus: int = 1) -> Theirs:
    return Theirs(seconds * gpus, gpus=gpus, seconds=seconds)


def reasons(found: Explained) -> dict[str, float]:
    return {str(r["reason"]): float(str(r["gpu_hours"])) * HOUR for r in by_reason(found.parts)}


def one(theirs: Theirs | None, ours: Ours | None, total: float | None = None) -> Explained:
    return explain(
        "sacct",
        {"j": theirs} if theirs else {},
        {"j": ours} if ours else {},
        total if total is not None else (ours.occupied if ours else 0.0),
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "named"),
    [
        (said(), mine(), {}),
        (said(), None, {"unknown_job": HOUR}),
        (said(), Ours(known=True), {"no_allocation": HOUR}),
        (None, mine(), {"only_ours": -HOUR}),
        (said(gpus=2), mine(), {"gpu_count": HOUR}),
        (said(HOUR + 30), mine(), {"times": 30}),
        (said(), mine(weighted=900, listed=900, occupied=900), {"share": 2700}),
        (said(), mine(listed=600, occupied=600), {"outside_inventory": 3000}),
        (said(), mine(occupied=600, unavailable=3000), {"node_state": 3000}),
        (Theirs(HOUR + 900, rounding_s=1800), mine(), {"rounding": 900}),
    ],
)
def test_each_reason_is_named(theirs: Theirs, ours: Ours, named: dict[str, float]) -> None:
    found = one(theirs, ours)
    assert reasons(found) == pytest.approx(named)
    assert found.unexplained == pytest.approx(0, abs=1e-6)


def test_gpus_that_several_hold_count_once() -> None:
    shared = Ours(HOUR, HOUR, HOUR, occupied=1800, gpus=1, known=True, shared=True)
    assert reasons(one(said(), shared)) == {"overlap": 1800}


def test_use_without_an_owner_is_named() -> None:
    assert reasons(one(said(), mine(), total=HOUR + 60)) == {"unowned": -60}


def test_times_that_differ_by_more_than_a_snapshot_stay_unexplained() -> None:
    found = one(said(HOUR + 600), mine())
    assert (reasons(found), found.unexplained) == ({}, 600)
    assert found.unexplained_ratio == pytest.approx(600 / 4200)


def test_what_was_told_and_never_booked_stays_unexplained() -> None:
    assert one(said(), mine(occupied=600)).unexplained == 3000


def test_nothing_at_all_has_no_share_that_is_unexplained() -> None:
    assert one(None, None).unexplained_ratio is None


seconds = st.floats(0, 1e6, allow_nan=False)
ours = st.builds(
    Ours,
    *(seconds,) * 5,
    gpus=st.integers(0, 16),
    jobs=st.just(1),
    shared=st.booleans(),
    known=st.booleans(),
)
theirs = st.builds(Theirs, seconds, st.integers(0, 16), seconds, st.floats(0, 3600), st.just(1))
subjects = st.sampled_from("abcd")


@settings(max_examples=80, derandomize=True, deadline=None, database=None)
@given(st.dictionaries(subjects, theirs), st.dictionaries(subjects, ours), seconds)
def test_reasons_and_the_rest_add_up_to_the_difference(
    told: dict[str, Theirs], known: dict[str, Ours], total: float
) -> None:
    found = explain("sacct", told, known, total)
    named = sum(float(str(r["gpu_hours"])) for r in by_reason(found.parts)) * HOUR
    assert named + found.unexplained == pytest.approx(found.theirs - found.ours, abs=1e-3)
    assert {p.reason for p in found.parts} <= set(REASONS)
