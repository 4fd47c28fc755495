"""Spare GPUs of a pool go to a neighbour whose jobs wait."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from analytics.advisors.lend import LendSettings, advisor
from gpuledger.catalogue import CellHour, Recommendation
from gpuledger.store import Store
from tests.analytics.advice.test_demand import hour, lacked
from tests.analytics.advisors.outlooks import finding, forecast
from tests.analytics.world import START, asset, gpu, write

NOW = START + timedelta(days=4)
ISLANDS = finding("islands", "c/big>small", NOW, 3, summary="big has GPUs, small waits")


def site(store: Store, waited: float) -> None:
    """Four days in which two GPUs of `big` were surplus while jobs lacked some at `small`."""
    hours = [START + timedelta(hours=h) for h in range(96)]
    write(store, [asset(0), asset(1), *map(hour, hours)])
    write(store, [lacked(h, waited, "small") for h in hours])
    write(store, [surplus(slot, h) for slot in (0, 1) for h in hours])


def surplus(slot: int, at: object) -> CellHour:
    """A GPU's hour that nobody needed."""
    return CellHour(
        cluster="c",
        node="n0",
        gpu_id=gpu(slot),
        hour=at,
        alloc_id=0,
        state="free_surplus",
        grade="A",
        gpu_seconds=3600,
        energy_joules=None,
    )


def advise(store: Store, *findings: object) -> list[Recommendation]:
    return list(advisor.advise(store, LendSettings(), findings, NOW))  # type: ignore[arg-type] - a test's


def test_the_gain_is_what_was_spare_here_while_jobs_waited_there(store: Store) -> None:
    site(store, waited=1.5)
    (told,) = advise(store, ISLANDS)
    assert told.gain_gpu_hours == told.gain_low_gpu_hours == pytest.approx(1.5 * 168)
    assert told.title == "Let jobs of small run on 3 GPUs of big that nobody needs there"
    assert json.loads(told.resources) == {"pool/c/big": pytest.approx(252)}
    assert "there is no forecast of big yet" in told.because


def test_no_more_is_lent_than_the_forecast_leaves(store: Store) -> None:
    site(store, waited=5.0)
    write(store, forecast(START + timedelta(days=3), (0, 1, 7), (8, 8, 8), 7, pool="big"))
    (told,) = advise(store, ISLANDS)
    assert "1 GPU of big" in told.title
    assert told.gain_gpu_hours == pytest.approx(168)


def test_a_pool_that_will_need_its_gpus_lends_none(store: Store) -> None:
    site(store, waited=5.0)
    write(store, forecast(START + timedelta(days=3), (0, 8, 9), (8, 8, 8), 7, pool="big"))
    assert advise(store, ISLANDS) == []


def test_where_nobody_waited_nothing_is_lent(store: Store) -> None:
    site(store, waited=0.0)
    assert advise(store, ISLANDS) == []


def test_a_finding_that_is_over_or_about_something_else_says_nothing(store: Store) -> None:
    site(store, waited=5.0)
    over = finding("islands", "c/big>small", NOW, 3, open=0)
    assert advise(store, over, finding("idle", "c/1", NOW, 3)) == []


def test_an_empty_store_lends_nothing(store: Store) -> None:
    assert advise(store, ISLANDS) == []
