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
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.test_demand import account

SETTINGS = RecurringSettings()
HOUR = timedelta(hours=1)
TODAY = Span(world.START - timedelta(hours=10), world.START + timedelta(hours=14))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train-v12_2026-03-02", "train-v"),
        ("train-v13", "train-v"),
        ("Nightly_Eval#8812", "nightly-eval"),
        ("sweep-3fa9c1d0b2", "sweep"),
        ("deadbeef", ""),
        ("finetune", "finetune"),
        ("", ""),
    ],
)
def test_a_stem_has_no_numbers(name: str, said: str) -> None:
    assert recurring.stem(name) == said


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


def run(day: int, *, active: float = 3.0, idle: float = 1.0, name: str = "") -> list[Row]:
    """A run on that day, the 20th being today, of so many GPU-hours."""
    started = world.START + timedelta(days=day - 20)
    job = world.job(f"r{day}{name}", name=name or f"nightly-{day}", started=started)
    job.ended = started + HOUR
    hours = []
    for state, gpus in (("productive", active), ("alloc_idle", idle)):
        row = account(10 + 24 * (day - 20), state, gpus)
        row.job, row.energy_joules = job.job_id, gpus * 3600 * 300
        hours.append(row)
    return [job, *hours]


def write(store: Store, *runs: list[Row]) -> None:
    world.write(store, [row for rows in runs for row in rows])


def found(store: Store, **settings: Any) -> list[Unusual]:
    return recurring.unusual(store, RecurringSettings(**settings), TODAY)


def history(count: int = 10) -> list[list[Row]]:
    return [run(day, active=3.0 + 0.01 * (day % 3)) for day in range(20 - count, 20)]


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


def test_gpu_hours_of_a_run_that_goes_on_are_not_compared(store: Store) -> None:
    rows = run(20, active=30, idle=10)
    rows[0].ended = TODAY.until + HOUR  # type: ignore[attr-defined] # the first is the job
    write(store, *history(), rows)
    assert found(store) == []


def test_an_empty_store_has_nothing_unusual(store: Store) -> None:
    assert found(store) == []
