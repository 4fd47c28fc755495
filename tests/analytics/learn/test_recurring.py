"""Recurring jobs are compared with their own history, robustly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.book import Span
from analytics.learn import recurring
from analytics.learn.recurring import RecurringSettings, Unusual
from gpuledger.store import Store
from tests.analytics.learn.runs import TODAY, going_on, history, run, write

SETTINGS = RecurringSettings()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train-v12_2026-03-02", "train-v"),
        ("train-v13", "train-v"),
        ("Nightly_Eval#8812", "nightly-eval"),
        ("sweep-3fa9c1d0b2", "sweep"),
        ("sweep-3fa9c1d0b2-a", "sweep-a"),
        ("deadbeef", ""),
        ("finetune", "finetune"),
        ("", ""),
    ],
)
def test_a_stem_has_no_numbers(store: Store, name: str, said: str) -> None:
    assert store.value(f"SELECT {recurring.stem_sql('{name:String}')}", name=name) == said


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=20),
    st.floats(-1e3, 1e3),
    st.floats(-1e3, 1e3),
)
def test_a_shift_of_everything_changes_no_score(
    history: list[float], value: float, shift: float
) -> None:
    moved = recurring.score([x + shift for x in history], value + shift, 1.0)
    assert moved == pytest.approx(recurring.score(history, value, 1.0), abs=1e-6)


def test_one_wild_run_does_not_hide_another() -> None:
    history = [10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 1000.0, 10.1]
    assert recurring.score(history, 1000.0, 0.01) > 100


def found(store: Store, **settings: Any) -> list[Unusual]:
    return recurring.unusual(store, RecurringSettings(**settings), TODAY)


def test_a_run_unlike_the_others_is_unusual(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6))
    (one,) = found(store)
    assert (one.measure, one.stem, one.user, one.runs) == ("active_ratio", "nightly", "ana", 10)
    assert one.value == pytest.approx(0.1)
    assert one.usual == pytest.approx(0.75, abs=0.01)
    assert one.z < -SETTINGS.outlier_z


def test_a_run_that_took_longer_is_unusual(store: Store) -> None:
    write(store, *history(), run(20, active=30, idle=10))
    assert [one.measure for one in found(store)] == ["log_gpu_hours"]


def test_a_run_like_the_others_is_not(store: Store) -> None:
    write(store, *history(), run(20))
    assert found(store) == []


def test_too_short_a_history_tells_nothing(store: Store) -> None:
    write(store, *history(SETTINGS.least_runs - 1), run(20, active=0.4, idle=3.6))
    assert found(store) == []


def test_other_names_are_other_jobs(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6, name="debug"))
    assert found(store) == []


def test_a_run_that_goes_on_can_have_had_more_than_usual(store: Store) -> None:
    write(store, *history(), going_on(active=30, idle=10))
    assert [(u.measure, u.z > 0) for u in found(store)] == [("log_gpu_hours", True)]


def test_a_run_that_goes_on_has_not_had_all_its_gpu_hours(store: Store) -> None:
    write(store, *history(), going_on(active=1.5, idle=0.5))
    assert found(store) == []


@pytest.mark.parametrize(("hours", "count"), [(0.4, 0), (0.6, 1)])
def test_a_run_that_has_hardly_begun_is_not_idler_than_usual(
    store: Store, hours: float, count: int
) -> None:
    write(store, *history(), going_on(active=0, idle=4 * hours))
    assert len(found(store)) == count


def test_what_nobody_saw_is_not_idle(store: Store) -> None:
    write(store, *history(), run(20, active=0.75, idle=0.25, unseen=3.0))
    assert found(store) == []


def test_energy_that_nobody_measured_is_no_low_power(store: Store) -> None:
    rows = run(20)
    rows[-1].energy_joules = None  # type: ignore[attr-defined] # an hour of the accounts
    write(store, *history(), rows)
    assert found(store) == []


def test_activity_is_compared_within_one_grade(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6, grade="C"))
    assert found(store) == []


def test_runs_that_failed_are_no_history(store: Store) -> None:
    failed = [run(day, active=0.2, idle=0.1, state="failed") for day in range(10, 20)]
    write(store, *failed, run(20))
    assert found(store) == []


def test_runs_of_the_very_same_name_come_first(store: Store) -> None:
    small = [run(day, active=3, name="train-7b") for day in range(6, 16)]
    large = [run(day, active=39, name="train-70b") for day in range(7, 17)]
    write(store, *small, *large, run(20, active=3, name="train-7b"))
    assert found(store) == []


def test_only_the_latest_runs_are_history(store: Store) -> None:
    before = [run(day, active=30, idle=10) for day in range(-10, 10)]
    write(store, *before, *history(), run(20))
    assert found(store, most_runs=10) == []
    assert found(store, most_runs=30) != []


@pytest.mark.parametrize("name", ["python3.11", "bash", "12345"])
def test_the_name_of_a_program_is_no_job_that_recurs(store: Store, name: str) -> None:
    earlier = [run(day, name=name) for day in range(10, 20)]
    write(store, *earlier, run(20, active=0.4, idle=3.6, name=name))
    assert found(store) == []


def test_small_runs_are_not_looked_at(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6))
    assert found(store, least_gpu_hours=4.1) == []


def test_one_job_is_found_alone_as_among_all(store: Store) -> None:
    write(store, *history(), run(20, active=0.4, idle=3.6))
    (one,) = found(store)
    long = Span(TODAY.since - timedelta(days=5), TODAY.until, (one.job,))
    assert recurring.unusual(store, SETTINGS, long) == [one]


def test_an_empty_store_has_nothing_unusual(store: Store) -> None:
    assert found(store) == []
