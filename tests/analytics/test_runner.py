"""Ticks: what they bring up to date, what they leave alone, and what they survive."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics import book
from analytics.runner import Runner, RunnerSettings, until_settled
from gpuledger.config import Config
from gpuledger.errors import BookNotClosed, ConfigError, StoreError
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.analytics.world import at, card, gpu, job, node_state, samples, write
from tests.analytics.world import given as allocation

PRICED = {
    "runner": {"settle_s": 0},
    "prices": {"currency": "EUR", "capacity_value": 2.0, "energy_price": 0.1},
}
DEADLINE_S = 30.0


def runner(store: Store, **changed: Any) -> Runner:
    return Runner(store, Config({**PRICED, **changed}))


def history(store: Store) -> None:
    """Two GPUs for two and a half hours: one works, one idles after half an hour; one job waits."""
    write(
        store,
        [
            card(0),
            card(1),
            node_state(gpus=2),
            *samples(0, 0, 150),
            *samples(1, 0, 30),
            *samples(1, 30, 120, active=0.0),
            job("1", started=at(0)),
            job("2", name="notebook", user="bo", started=at(0)),
            allocation("1", 0),
            allocation("2", 1),
        ],
    )


def rows(store: Store, table: str) -> list[dict[str, Any]]:
    """Every row that holds, without what says when it was written."""
    written = "EXCEPT (booked_at, version)" if table == "booked_hours" else ""
    final = "" if table.startswith("ledger") else "FINAL"
    return store.select(f"SELECT * {written} FROM {table} {final} ORDER BY ALL")


TABLES = ("assets", "ledger_1m", "ledger_1h", "booked_hours", "findings", "recommendations")


def test_a_tick_owns_books_finds_advises_and_runs_what_is_wired_to_it(store: Store) -> None:
    history(store)
    ran: list[datetime] = []
    ticking = Runner(store, Config(PRICED), steps=(ran.append,))
    ticking.tick(at(150))
    hours = book.ledger(store, book.span(store, "7d"), ["state"])
    assert sum(r["gpu_hours"] for r in hours) == pytest.approx(5.0)
    assert {"productive", "alloc_idle"} <= {r["state"] for r in hours}
    (found,) = book.findings(store)
    assert (found["subject"], found["since"], found["gpus"]) == ("c/2", at(30), 1)
    (advice,) = book.recommendations(store)
    assert (advice["subject"], advice["command"]) == ("c/2", "scancel 2")
    assert advice["gain_capacity_value"] == pytest.approx(2.0 * advice["gain_gpu_hours"])
    assert ran == [at(150)]
    assert ticking.last_tick == at(150)


def test_a_second_tick_without_news_changes_nothing(store: Store) -> None:
    history(store)
    runner(store).tick(at(150))
    before = {table: rows(store, table) for table in TABLES}
    assert all(before.values())
    runner(store).tick(at(150))
    assert {table: rows(store, table) for table in TABLES} == before


def test_a_tick_over_an_empty_store_does_nothing_and_says_when_it_ran(store: Store) -> None:
    ticking = runner(store)
    ticking.tick(at(150))
    assert ticking.last_tick == at(150)
    assert all(rows(store, table) == [] for table in TABLES)


def test_a_minute_is_booked_once_it_is_old_enough(store: Store) -> None:
    history(store)
    runner(store, runner={"settle_s": 90}).tick(at(120))
    assert book.last_booked(store) == at(118)


def test_a_finding_goes_on_with_its_id_and_closes_with_its_job(store: Store) -> None:
    history(store)
    runner(store).tick(at(100))
    (early,) = book.findings(store)
    write(
        store,
        [
            job("2", state="completed", started=at(0), ended=at(120), version=2),
            allocation("2", 1, until=at(120)),
        ],
    )
    runner(store).tick(at(150))
    assert book.findings(store) == []
    (late,) = book.findings(store, open_only=False)
    assert late["finding_id"] == early["finding_id"]
    assert (late["since"], late["until"], late["open"]) == (at(30), at(120), 0)


def test_a_recommendation_expires_with_its_finding(store: Store) -> None:
    history(store)
    runner(store).tick(at(100))
    assert len(book.recommendations(store)) == 1
    write(store, samples(1, 150, 30))
    write(store, samples(0, 150, 30))
    runner(store).tick(at(180))
    assert book.recommendations(store) == []
    assert len(book.recommendations(store, status="expired")) == 1


def test_a_closed_finding_stays_as_it_is_when_the_look_back_moves_on(store: Store) -> None:
    history(store)
    write(store, samples(1, 150, 60))
    write(store, samples(0, 150, 60))
    short = {"runner": {"settle_s": 0, "look_back_h": 1.0}}
    runner(store, **short).tick(at(155))
    (before,) = book.findings(store, open_only=False)
    runner(store, **short).tick(at(190))
    (after,) = book.findings(store, open_only=False)
    assert (before["since"], before["until"]) == (at(30), at(150))
    assert after == before


def test_a_wrong_key_in_a_detectors_section_is_refused_before_anything_starts(
    store: Store,
) -> None:
    with pytest.raises(ConfigError, match="unknown key 'after_mins'"):
        runner(store, idle={"after_mins": 5})


def test_an_hour_that_does_not_close_stops_no_other_and_is_told(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    history(store)
    broken = runner(store)
    broken._ledger = _ByTheHour(broken._ledger, open_at=at(60))  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR), pytest.raises(BookNotClosed, match="does not close"):
        broken.tick(at(150))
    assert "does not close" in caplog.text
    booked = store.select("SELECT DISTINCT toStartOfHour(minute) AS h FROM ledger_1m ORDER BY h")
    assert [r["h"] for r in booked] == [at(0), at(120)]


def test_a_booking_that_fails_silences_no_step_and_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: object) -> None:
        raise StoreError("no room")

    def wrong(_now: datetime) -> None:
        raise ValueError("a step of ours is wrong")

    asked: list[datetime] = []
    ticking = Runner(store, Config(PRICED), steps=(wrong, asked.append))
    monkeypatch.setattr(ticking, "_book", gone)
    with caplog.at_level(logging.ERROR), pytest.raises(StoreError, match="no room"):
        ticking.tick(at(150))
    assert asked == [at(150)]
    assert caplog.messages == ["a step failed: a step of ours is wrong"]
    assert ticking.last_tick is None


class _ByTheHour:
    """A ledger that books hour by hour; one hour cannot close, or the first ends the service."""

    def __init__(
        self, ledger: Any, *, open_at: datetime | None = None, stop: threading.Event | None = None
    ) -> None:
        self._ledger = ledger
        self._open_at = open_at
        self._stop = stop

    def dirty(self, now: datetime, reopened: datetime | None = None) -> list[Any]:
        windows = [
            type(w)(hour, min(hour + (at(60) - at(0)), w.until))
            for w in self._ledger.dirty(now, reopened)
            for hour in w.hours()
        ]
        assert len(windows) > 2
        return windows

    def book(self, window: Any, booked_at: datetime) -> None:
        if window.since == self._open_at:
            raise BookNotClosed(f"the book of {window.since:%H:%M} does not close")
        self._ledger.book(window, booked_at)
        if self._stop:
            self._stop.set()

    def restate(self, now: datetime, days: float) -> int:
        return int(self._ledger.restate(now, days))


def test_a_service_that_ends_amid_a_long_catch_up_stops_after_the_window_at_hand(
    store: Store,
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    write(store, [card(0, seen=now - timedelta(hours=9))])
    stop = threading.Event()
    ticking = runner(store)
    ticking._ledger = _ByTheHour(ticking._ledger, stop=stop)  # type: ignore[assignment]
    thread = threading.Thread(target=ticking.run, args=(stop,), daemon=True)
    thread.start()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert book.last_booked(store) == now - timedelta(hours=8)


class _Unreachable(Store):
    """A store that refuses, counts how often, and ends the loop with the third refusal."""

    def __init__(self, stop: threading.Event) -> None:
        self.asked = 0
        self._stop = stop

    def select(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        self.asked += 1
        if self.asked == 3:
            self._stop.set()
        raise StoreError("the store is gone")


def test_a_store_that_is_gone_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    gone = _Unreachable(stop)
    ticking = Runner(gone, Config({"runner": {"period_s": 0.01}}))
    thread = threading.Thread(target=ticking.run, args=(stop,), daemon=True)
    with caplog.at_level(logging.ERROR):
        thread.start()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert gone.asked == 3
    assert caplog.messages == ["tick failed: the store is gone"] * 3
    assert ticking.last_tick is None


@pytest.mark.parametrize(("second", "wait_s"), [(5, 15), (19.5, 0.5), (20, 60), (50, 30)])
def test_a_tick_begins_as_soon_as_a_minute_has_settled(second: float, wait_s: float) -> None:
    settings = RunnerSettings(period_s=60, settle_s=20)
    assert until_settled(settings, at(7) + timedelta(seconds=second)) == pytest.approx(wait_s)


def test_the_loop_ends_at_once_when_it_is_told_to_stop(store: Store) -> None:
    stop = threading.Event()
    ticking = Runner(store, Config({"runner": {"period_s": 3600}}), steps=(lambda _: stop.set(),))
    thread = threading.Thread(target=ticking.run, args=(stop,), daemon=True)
    thread.start()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_a_gpu_that_waiting_work_would_fill_is_booked_as_demand(store: Store) -> None:
    write(
        store,
        [
            card(0),
            node_state(gpus=1),
            *samples(0, 0, 60, active=0.0, processes=0),
            job("1", state="pending", reason="Resources", eligible=at(15), started=FOREVER),
        ],
    )
    runner(store).tick(at(60))
    states = {
        r["state"]: r["gpu_hours"] for r in book.ledger(store, book.span(store, "1d"), ["state"])
    }
    assert states["free_demand"] == pytest.approx(0.75)
    demanded = store.select("SELECT DISTINCT gpu_id, job_id FROM free_states")
    assert demanded == [{"gpu_id": gpu(0), "job_id": "c/1"}]


def test_history_is_looked_at_once_an_hour(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[datetime] = []
    monkeypatch.setattr("analytics.learn.learn_all", lambda _store, now, *_: looks.append(now))
    ticking = runner(store)
    for minute in (0, 30, 60, 90, 125):
        ticking.tick(at(minute))
    assert looks == [at(0), at(60), at(125)]


def test_news_of_closed_hours_are_looked_for_once_a_day(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.learn.learn_all", lambda *_: None)
    looks: list[tuple[datetime, float]] = []
    ticking = runner(store)
    monkeypatch.setattr(ticking._ledger, "restate", lambda now, days: looks.append((now, days)))
    for hour in (0, 12, 24):
        ticking.tick(at(60 * hour))
    assert looks == [(at(0), 35.0), (at(24 * 60), 35.0)]


def test_a_correction_of_a_closed_hour_is_adjusted_by_the_next_days_tick(store: Store) -> None:
    history(store)
    ticking = runner(store)
    ticking.tick(at(150))
    corrected = allocation("2", 1, until=at(20))
    corrected.version = 2
    write(store, [corrected])
    ticking.tick(at(150) + timedelta(hours=27))
    freed = store.select(
        "SELECT state, reverses, sum(gpu_seconds) / 60 AS m FROM v_ledger_adjust"
        " WHERE hour = {h:DateTime64(3, 'UTC')} AND alloc_id = 0 GROUP BY ALL",
        h=at(0),
    )
    assert sum(r["m"] * (1 - 2 * r["reverses"]) for r in freed) == pytest.approx(40)
