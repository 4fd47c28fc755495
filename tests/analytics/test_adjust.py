"""Closed hours: what is learned later adjusts them in pairs, and leaves every cell as it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from analytics import adjust, book
from analytics.ledger import HOUR, Ledger
from gpuledger.store import Store
from tests.analytics.ledger_world import (
    START,
    History,
    Phase,
    Telemetry,
    allocation,
    asset,
    at,
    samples,
)

GPU = asset(0, since=START)
OTHER = asset(1, since=START)
END = at(120)
LATER = END + timedelta(hours=30)
DAYS = 35.0
HELD = "if(alloc_id = 0, 'free', 'held')"
IDLE = Phase(120, processes=0, active=0.0, sm=0.0, util=0.0)


@pytest.fixture
def closed(store: Store) -> Ledger:
    """Two hours of two GPUs, booked and long closed: one works, the other is free."""
    telemetry = [Telemetry(GPU, 0, [Phase(60)]), Telemetry(OTHER, 0, [IDLE])]
    History(END, [GPU, OTHER], [allocation(GPU, 1, START, END)], telemetry=telemetry).write(store)
    ledger = Ledger(store)
    for window in ledger.dirty(END):
        ledger.book(window, END)
    return ledger


def adjustments(store: Store) -> list[dict[str, Any]]:
    return store.select("SELECT * FROM v_ledger_adjust ORDER BY ALL")


def signed(store: Store, what: str) -> dict[str, float]:
    """GPU-hours that adjustments add and take away, by a column."""
    rows = store.select(
        f"SELECT {what} AS k, sum(if(reverses = 1, -1, 1) * gpu_seconds) / 3600 AS h"
        " FROM v_ledger_adjust GROUP BY k HAVING h != 0"
    )
    return {r["k"]: pytest.approx(r["h"]) for r in rows}


def cells(store: Store) -> list[dict[str, Any]]:
    return store.select("SELECT * FROM ledger_1m ORDER BY ALL")


def late_allocation(store: Store) -> None:
    """The free GPU had been given away for half an hour."""
    store.insert_rows([allocation(OTHER, 2, at(30), at(60))])


def test_without_news_nothing_is_adjusted(store: Store, closed: Ledger) -> None:
    assert closed.restate(LATER, DAYS) == 0
    assert adjustments(store) == []


def test_a_late_allocation_of_a_closed_hour_is_a_pair_and_no_cell_changes(
    store: Store, closed: Ledger
) -> None:
    before = cells(store)
    late_allocation(store)
    assert closed.restate(LATER, DAYS) == 2
    assert cells(store) == before
    assert signed(store, HELD) == {"free": -0.5, "held": 0.5}
    assert {r["reason"] for r in adjustments(store)} == {"allocation"}
    assert {r["hour"] for r in adjustments(store)} == {START}
    assert signed(store, "pair") == {}


def test_looking_again_adjusts_nothing_more(store: Store, closed: Ledger) -> None:
    late_allocation(store)
    closed.restate(LATER, DAYS)
    before = adjustments(store)
    assert closed.restate(LATER + HOUR, DAYS) == 0
    assert adjustments(store) == before


def test_a_restart_between_the_pair_and_the_signature_is_harmless(
    store: Store, closed: Ledger
) -> None:
    late_allocation(store)
    signatures = store.select("SELECT * FROM booked_hours")
    closed.restate(LATER, DAYS)
    before = adjustments(store)
    store.command("TRUNCATE TABLE booked_hours")
    names = ", ".join(signatures[0])
    rows = ", ".join(_row(r) for r in signatures)
    store.command(f"INSERT INTO booked_hours ({names}) VALUES {rows}")
    assert closed.restate(LATER + HOUR, DAYS) == 2
    assert adjustments(store) == before


def _row(values: dict[str, Any]) -> str:
    told = [f"'{v:%F %T}'" if isinstance(v, datetime) else str(v) for v in values.values()]
    return f"({', '.join(told)})"


def test_what_is_corrected_twice_ends_as_the_last_word_has_it(store: Store, closed: Ledger) -> None:
    late_allocation(store)
    closed.restate(LATER, DAYS)
    store.insert_rows([allocation(OTHER, 2, at(30), at(45), version=2)])
    closed.restate(LATER + HOUR, DAYS)
    assert signed(store, HELD) == {"free": -0.25, "held": 0.25}


def test_late_telemetry_of_a_closed_hour_is_a_pair_too(store: Store, closed: Ledger) -> None:
    store.insert_rows(samples(GPU, 60, [Phase(60)]))
    closed.restate(LATER, DAYS)
    assert signed(store, "state") == {"alloc_unknown": -1, "productive": 1}
    assert {r["reason"] for r in adjustments(store)} == {"evidence"}


def test_a_place_that_was_never_owned_is_reversed_alone(store: Store, closed: Ledger) -> None:
    store.insert_rows([asset(1, since=at(60), version=2)])
    closed.restate(LATER, DAYS)
    assert signed(store, "reason") == {"owned": -1}


def test_hours_that_closed_too_long_ago_stay_as_they_are(store: Store, closed: Ledger) -> None:
    late_allocation(store)
    assert closed.restate(LATER, 1.0) == 0
    assert adjustments(store) == []


def test_hours_that_another_release_signed_are_signed_anew_and_not_adjusted(
    store: Store, closed: Ledger
) -> None:
    rows = "SELECT * REPLACE (1 AS fingerprint, 2 AS formula, version + 1 AS version)"
    store.command(f"INSERT INTO booked_hours {rows} FROM booked_hours FINAL")
    assert closed.restate(LATER, DAYS) == 2
    assert adjustments(store) == []
    assert closed.restate(LATER, DAYS) == 0


def test_an_hour_that_is_booked_again_needs_its_adjustments_no_more(
    store: Store, closed: Ledger
) -> None:
    late_allocation(store)
    closed.restate(LATER, DAYS)
    for window in closed.dirty(LATER, START):
        closed.book(window, LATER)
    assert adjustments(store) == []
    assert store.value("SELECT count() FROM ledger_1m WHERE alloc_id = 2") == 30


def test_work_that_a_failure_lost_is_told_apart_once(store: Store, closed: Ledger) -> None:
    for _ in range(2):
        adjust.lost_work(store, "c/1", at(40), at(70), LATER)
    assert signed(store, "(state, cause)") == {
        ("productive", ""): pytest.approx(-1 / 3),
        ("productive", "lost_work"): pytest.approx(1 / 3),
    }
    closed.restate(LATER, DAYS)
    assert {r["reason"] for r in adjustments(store)} == {"lost_work"}


def test_the_book_is_told_as_it_was_closed_and_as_it_is_known_now(
    store: Store, closed: Ledger
) -> None:
    late_allocation(store)
    closed.restate(LATER, DAYS)
    span = book.Span(START, END)
    before, after = (
        {r["job"]: r["gpu_hours"] for r in book.ledger(store, span, ["job"], restated=known)}
        for known in (False, True)
    )
    assert before == {None: 2.0, "c/1": 2.0}
    assert after == {None: 1.5, "c/1": 2.0, "c/2": 0.5}


def test_an_hour_that_a_span_cuts_is_told_as_it_was_closed(store: Store, closed: Ledger) -> None:
    late_allocation(store)
    closed.restate(LATER, DAYS)
    rows = book.ledger(store, book.Span(at(15), END), ["job"], restated=True)
    assert {r["job"]: r["gpu_hours"] for r in rows} == {None: 1.75, "c/1": 1.75}
