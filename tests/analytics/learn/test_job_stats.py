"""The busiest phase of each GPU of a job, however often it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.learn import job_stats
from analytics.learn.settings import LearnSettings
from gpuledger.catalogue import GpuSample
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.quiet import BUSY, minutes

SETTINGS = LearnSettings()


def stats(store: Store, slot: int = 0) -> dict[str, Any]:
    rows = store.select(
        "SELECT * FROM v_job_stats WHERE gpu_id = {gpu:UInt64}", gpu=world.gpu(slot)
    )
    return rows[0] if rows else {}


def phase(first: int, count: int, sm: float, watts: float = 350.0) -> list[GpuSample]:
    return minutes(0, first, [watts] * count, **{**BUSY, "sm_active_ratio": sm})


def learn(store: Store, minute: float) -> None:
    job_stats.learn(store, world.at(minute), SETTINGS)


def test_maxima_are_of_five_minutes(store: Store) -> None:
    world.write(store, [world.given("1", 0), *phase(0, 5, 0.2), *phase(5, 1, 1.0)])
    world.write(store, phase(6, 4, 0.5, 140.0))
    learn(store, 11)
    found = stats(store)
    assert found["sm_active_ratio"] == pytest.approx((1.0 + 4 * 0.5) / 5)
    assert found["power_ratio"] == pytest.approx(0.5)
    assert found["tensor_active_ratio"] is None
    assert (found["first_active"], found["busiest"]) == (world.at(0), world.at(5))
    assert (found["active_minutes"], found["upto"]) == (10, world.at(10))


def test_a_quieter_phase_leaves_the_maximum(store: Store) -> None:
    world.write(store, [world.given("1", 0), *phase(0, 30, 0.8)])
    learn(store, 30)
    world.write(store, phase(30, 30, 0.1))
    learn(store, 60)
    assert stats(store)["sm_active_ratio"] == 0.8
    assert stats(store)["busiest"] == world.at(0)
    assert stats(store)["active_minutes"] == 60


def test_learning_twice_changes_nothing(store: Store) -> None:
    world.write(store, [world.given("1", 0), *phase(0, 30, 0.8)])
    learn(store, 30)
    before = stats(store)
    learn(store, 30)
    assert stats(store) == before


def test_in_pieces_as_at_once(store: Store) -> None:
    world.write(store, [world.given("1", 0), *phase(0, 20, 0.3), *phase(20, 40, 0.7)])
    for minute in (7, 13, 31, 60):
        learn(store, minute)
    pieces = stats(store)
    store.command("TRUNCATE TABLE job_stats")
    learn(store, 60)
    assert stats(store) == pieces


def test_rows_that_came_late_raise_the_maximum(store: Store) -> None:
    world.write(store, [world.given("1", 0), *phase(0, 10, 0.3), *phase(20, 10, 0.3)])
    learn(store, 30)
    world.write(store, phase(10, 10, 0.9))
    learn(store, 35)
    assert stats(store)["sm_active_ratio"] == 0.9


def test_a_job_that_does_nothing_has_no_row(store: Store) -> None:
    world.write(store, [world.given("1", 0), *minutes(0, 0, [110.0] * 30)])
    learn(store, 30)
    assert stats(store) == {}


def test_minutes_of_another_job_do_not_count(store: Store) -> None:
    world.write(
        store,
        [
            world.given("1", 0, until=world.at(10.5)),
            world.given("2", 0, since=world.at(10.5)),
            *phase(0, 11, 0.9),
            *phase(11, 19, 0.2),
        ],
    )
    learn(store, 30)
    rows = store.select("SELECT * FROM v_job_stats ORDER BY job_id")
    assert [(r["sm_active_ratio"], r["active_minutes"]) for r in rows] == [(0.9, 10), (0.2, 19)]


def test_five_minutes_that_hardly_anybody_saw_have_no_mean(store: Store) -> None:
    world.write(store, [world.given("1", 0), *phase(0, 5, 0.3), *phase(5, 2, 1.0)])
    learn(store, 10)
    assert stats(store)["sm_active_ratio"] == 0.3


def test_an_empty_store_teaches_nothing(store: Store) -> None:
    learn(store, 60)
    assert stats(store) == {}
