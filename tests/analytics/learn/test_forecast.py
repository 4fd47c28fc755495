"""Forecasts in the store: once a day, with their past beside them, and as people see them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from analytics.learn import forecast
from analytics.learn.settings import LearnSettings
from gpuledger.catalogue import BookedHour
from gpuledger.cli import cli, options
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.test_demand import HOUR, MIDNIGHT, account

SETTINGS = LearnSettings()


def book(store: Store, days: int) -> None:
    """A book with two GPUs at work by day and none by night, of eight."""
    rows = [
        (account(h, "productive", 2.0 if 8 <= h % 24 < 20 else 0.0), account(h, "free_surplus", 6))
        for h in range(24 * days)
    ]
    world.write(store, [row for pair in rows for row in pair])
    last = MIDNIGHT + timedelta(days=days) - HOUR
    signed = [
        BookedHour(
            hour=MIDNIGHT + i * timedelta(days=1) if i < days else last,
            fingerprint=1,
            booked_until=last + HOUR,
            owned_seconds=0,
            booked_at=last,
            version=1,
        )
        for i in range(days + 1)
    ]
    world.write(store, signed)


def learn(store: Store, days: float) -> None:
    forecast.learn(store, MIDNIGHT + timedelta(days=days), SETTINGS)


def test_a_week_by_the_hour_once_there_are_two(store: Store) -> None:
    book(store, 15)
    learn(store, 15)
    found = {r["measure"]: r for r in forecast.current(store)}
    assert set(found) == {"demand", "asked", "usable"}
    steps = found["demand"]["steps"]
    assert len(steps) == 7 * 24
    assert steps[0]["at"] == MIDNIGHT + timedelta(days=15)
    assert [s["expected"] for s in steps[:24]] == pytest.approx([0.0] * 8 + [2.0] * 12 + [0.0] * 4)
    assert found["demand"]["naive_error_ratio"] == 0
    assert found["demand"]["history_days"] == 15


def test_no_more_gpus_are_usable_than_there_were(store: Store) -> None:
    book(store, 15)
    learn(store, 15)
    (usable,) = (r for r in forecast.current(store) if r["measure"] == "usable")
    assert max(step["high"] for step in usable["steps"]) == 8.0


def test_four_weeks_by_the_day_once_there_are_five(store: Store) -> None:
    book(store, 35)
    learn(store, 35)
    found = [r for r in forecast.current(store) if r["horizon_days"] == 28]
    assert {len(r["steps"]) for r in found} == {28}
    assert [r["expected"] for r in found if r["measure"] == "demand"] == pytest.approx([1.0])


def test_too_short_a_book_gives_none(store: Store) -> None:
    book(store, 13)
    learn(store, 13)
    assert forecast.current(store) == []
    assert forecast.days_booked(store) == 13


def test_once_a_day_is_enough(store: Store) -> None:
    book(store, 15)
    learn(store, 15)
    before = store.select("SELECT * FROM forecasts ORDER BY measure, at")
    learn(store, 15.5)
    assert store.select("SELECT * FROM forecasts ORDER BY measure, at") == before


def test_an_empty_store_gives_none(store: Store) -> None:
    learn(store, 15)
    assert forecast.current(store) == []


@pytest.fixture
def asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line over the test's store; arguments."""
    monkeypatch.setattr(options, "open_for_questions", lambda _url, _config: store)
    return ["forecast", "--store", "chdb:///nowhere"]


def test_the_table_shows_band_and_past_error(store: Store, asked: list[str]) -> None:
    book(store, 15)
    learn(store, 15)
    out = CliRunner().invoke(cli, asked).output
    assert "Forecast from 2026-03-17 on" in out
    assert "80 % band" in out
    assert "past error" in out
    assert "seasonal-naive" in out


def test_json_has_every_step(store: Store, asked: list[str]) -> None:
    book(store, 15)
    learn(store, 15)
    told = json.loads(CliRunner().invoke(cli, [*asked, "--format", "json"]).output)
    assert {len(row["steps"]) for row in told} == {168}
    assert {"low", "expected", "high", "error_ratio", "cover_ratio"} <= set(told[0])


def test_without_a_forecast_it_says_why(store: Store, asked: list[str]) -> None:
    out = CliRunner().invoke(cli, asked).output
    assert out == "No forecast: it needs 14 whole days, the book has 0.\n"
