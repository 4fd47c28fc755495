"""Features of jobs out of the database: what is missing stays missing."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.learn import features
from analytics.learn.features import NAMES, Features
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.quiet import BUSY, minutes

JOB = f"{world.CLUSTER}/1"


def of(store: Store, minute: float = 60) -> Features:
    return features.of_jobs(store, [JOB], world.at(minute))


def value(found: Features, name: str) -> float:
    return float(found.values[0, NAMES.index(name)])


def test_shares_of_time_and_use(store: Store) -> None:
    rows = [*minutes(0, 0, [350.0] * 10, **BUSY), *minutes(0, 10, [70.0] * 30)]
    world.write(store, [world.job("1"), world.given("1", 0), *rows])
    found = of(store)
    assert (found.jobs, list(found.minutes), found.kinds) == ((JOB,), [40], ("batch",))
    assert value(found, "active") == 0.25
    assert value(found, "sm_at_work") == pytest.approx(0.8)
    assert value(found, "sm") == pytest.approx(0.2)
    assert value(found, "power") == pytest.approx((10 * 0.5 + 30 * 0.1) / 40)
    assert value(found, "switches") == pytest.approx(1 / 40)


def test_what_a_card_cannot_tell_is_missing(store: Store) -> None:
    rows = minutes(0, 0, [350.0] * 10, **{**BUSY, "sm_active_ratio": None})
    world.write(store, [world.job("1"), world.given("1", 0), *rows])
    found = of(store)
    assert np.isnan(value(found, "sm"))
    assert np.isnan(value(found, "tensor_per_sm"))
    assert value(found, "util") == 1.0


def test_minutes_of_other_jobs_do_not_count(store: Store) -> None:
    given = world.given("1", 0, since=world.at(5), until=world.at(10))
    world.write(store, [world.job("1"), given, *minutes(0, 0, [70.0] * 30)])
    assert list(of(store).minutes) == [5]


def test_all_gpus_of_a_job_count(store: Store) -> None:
    rows = [*minutes(0, 0, [350.0] * 10, **BUSY), *minutes(1, 0, [70.0] * 10)]
    world.write(store, [world.job("1"), world.given("1", 0), world.given("1", 1), *rows])
    found = of(store)
    assert value(found, "active") == 0.5
    assert value(found, "gpus") == 1.0


def test_only_the_last_day_counts(store: Store) -> None:
    rows = [*minutes(0, 0, [70.0] * 30), *minutes(0, 25 * 60, [70.0] * 10)]
    world.write(store, [world.job("1"), world.given("1", 0), *rows])
    assert list(of(store, 26 * 60).minutes) == [10]


def test_jobs_without_telemetry_have_no_features(store: Store) -> None:
    world.write(store, [world.job("1"), world.given("1", 0)])
    assert of(store).jobs == ()
    assert of(store).values.shape == (0, len(NAMES))


def test_no_jobs_ask_nothing(store: Store) -> None:
    assert features.of_jobs(store, [], world.at(0)).jobs == ()
