"""Derived numbers: what they are on paper is what the engine says, and nothing is no number."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import accounts
from gpuledger import measures, view_measures
from gpuledger.catalogue import Asset, CellHour, Price, Rate
from gpuledger.measures import CASH_AVOIDABLE, DIMENSIONS, MEASURES, Measure, select
from gpuledger.states import (
    ACTIVE,
    BY_NAME,
    EXCLUDED,
    OCCUPIED,
    STATES,
    UNAVAILABLE,
    UNKNOWN,
    UNOCCUPIED,
    group_of,
)
from gpuledger.store import Store
from gpuledger.units import RATIO
from gpuledger.view_measures import OF_VIEWS
from gpuledger.views import VIEWS, book_between, startable_sql
from tests.store_contract import NOON, at

COLUMNS = (
    "state String, gpu_seconds Float64, energy_joules Nullable(Float64), price Nullable(Float64),"
    " energy_price Nullable(Float64), pue Nullable(Float64), carbon_per_kwh Nullable(Float64),"
    " cash_rate Nullable(Float64), avoidable_rate Nullable(Float64), team String, grade String,"
    " recoverable_seconds Float64"
)
PRICED, UNPRICED = "2., 0.5, 1., 0.4, NULL, NULL", "NULL, NULL, NULL, NULL, NULL, NULL"
NAMED = {**vars(view_measures), **vars(measures)}
ALL = {m.name: m for m in NAMED.values() if isinstance(m, Measure)}
OF_QUEUE = (measures.JOBS_STARTED, measures.WAIT_MEDIAN, measures.WAIT_P90)

IN_SERVICE = set(BY_NAME) - set(group_of(EXCLUDED))
# The part of loose time that somebody waited for.
MET = 0.25

books = st.lists(
    st.tuples(st.sampled_from(sorted(BY_NAME)), st.integers(1, 3600), st.integers(0, 10**6)),
    min_size=1,
    max_size=15,
)
Rows = list[tuple[str, int, int]]


def told(store: Store, rows: Rows, price: str = PRICED) -> dict[str, Any]:
    """Every measure over rows of (state, GPU-seconds, joules)."""
    values = ", ".join(
        f"('{s}', {seconds}, {j}, {price}, 'vision', 'B', {MET * seconds * BY_NAME[s].recoverable})"
        for s, seconds, j in rows
    )
    return store.select(f"SELECT {select(*MEASURES)} FROM values('{COLUMNS}', {values})")[0]


def seconds(rows: Rows, *names: str) -> float:
    return sum(s for state, s, _ in rows if state in names)


def by_hand(rows: Rows) -> dict[str, float | None]:
    """The ratios as docs define them."""
    owned = seconds(rows, *IN_SERVICE)
    unavailable = seconds(rows, *group_of(UNAVAILABLE))
    occupied = seconds(rows, *group_of(OCCUPIED))
    seen = seconds(rows, *(set(group_of(OCCUPIED)) - set(UNKNOWN)))
    available = owned - unavailable
    return {
        "availability_ratio": 1 - unavailable / owned if owned else None,
        "allocation_ratio": occupied / available if available else None,
        "activity_ratio": seconds(rows, *ACTIVE) / seen if seen else None,
        "utilization_ratio": seconds(rows, "productive") / owned if owned else None,
        "unknown_ratio": seconds(rows, *UNKNOWN) / owned if owned else None,
    }


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(books)
def test_ratios_are_what_they_are_by_hand(engine: Store, rows: Rows) -> None:
    said = told(engine, rows)
    for name, value in by_hand(rows).items():
        assert said[name] == (None if value is None else pytest.approx(value, abs=1e-12))
        assert value is None or 0 <= value <= 1


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(books)
def test_sums_are_what_they_are_by_hand(engine: Store, rows: Rows) -> None:
    said = told(engine, rows)
    wasted = [(s * BY_NAME[n].recoverable, j * BY_NAME[n].recoverable) for n, s, j in rows]
    lost_s, lost_j = sum(w[0] for w in wasted), sum(w[1] for w in wasted)
    assert said["gpu_hours"] * 3600 == pytest.approx(seconds(rows, *BY_NAME))
    assert said["owned_seconds"] == seconds(rows, *IN_SERVICE)
    assert said["capacity_value"] == pytest.approx(2 * said["gpu_hours"])
    assert said["loose_gpu_hours"] == pytest.approx(lost_s / 3600)
    assert said["loose_value"] == pytest.approx(2 * lost_s / 3600)
    assert said["recoverable_gpu_hours"] == pytest.approx(MET * lost_s / 3600)
    assert said["recoverable_value"] == pytest.approx(2 * MET * lost_s / 3600)
    assert said["slack_gpu_hours"] == pytest.approx((1 - MET) * lost_s / 3600)
    assert said["cash_avoidable"] == pytest.approx(0.5 * lost_j / 3.6e6)
    assert said["energy_kwh"] == pytest.approx(sum(j for *_, j in rows) / 3.6e6)


def test_without_a_price_there_is_no_money_and_everything_else_stays(engine: Store) -> None:
    rows = [("alloc_idle", 3600, 100), ("productive", 3600, 100)]
    said, priced = told(engine, rows, UNPRICED), told(engine, rows)
    money = {
        "capacity_value",
        "cash_avoidable",
        "loose_value",
        "recoverable_value",
        "energy_cost",
        "cash_billed",
    }
    money |= {"carbon_kg", "lost_value"}
    assert {name for name, value in said.items() if value is None} == money
    assert (said["priced_ratio"], priced["priced_ratio"]) == (0, 1)
    about_money = {*money, "priced_ratio"}
    assert {k: v for k, v in said.items() if k not in about_money} == {
        k: v for k, v in priced.items() if k not in about_money
    }


def test_energy_nobody_measured_is_no_cash_unless_nothing_was_avoidable(engine: Store) -> None:
    sql = f"SELECT {select(CASH_AVOIDABLE)} FROM values('{COLUMNS}', {{row}})"
    idle = f"('alloc_idle', 3600, NULL, {PRICED}, 'vision', 'B', 0)"
    busy = f"('productive', 3600, NULL, {PRICED}, 'vision', 'B', 0)"
    assert engine.value(sql.format(row=idle)) is None
    assert engine.value(sql.format(row=busy)) == 0


@pytest.fixture
def book(store: Store) -> Store:
    """One GPU, an hour a state, through the tables."""
    store.insert_rows(
        [
            Asset(
                gpu_id=1,
                asset_id="c/n/0",
                cluster="c",
                node="n",
                slot=0,
                model="M",
                valid_from=NOON,
                version=1,
            )
        ]
    )
    store.insert_rows(
        [
            CellHour(
                cluster="c",
                gpu_id=1,
                hour=at(3600 * i),
                alloc_id=0,
                state=state.name,
                grade="A",
                gpu_seconds=3600.0,
                energy_joules=3.6e6,
            )
            for i, state in enumerate(STATES)
        ]
    )
    accounts.write(store, [NOON.date(), at(3600 * (len(STATES) - 1)).date()])
    return store


def set_price(store: Store) -> None:
    store.insert_rows(
        [
            Price(
                model="M",
                capacity_value=2.0,
                energy_price=0.5,
                currency="EUR",
                valid_from=NOON,
                version=1,
            ),
        ]
    )
    store.insert_rows(
        [
            Rate(
                cluster="c",
                node="n",
                pool="",
                model="M",
                capacity_value=2.0,
                energy_price=0.5,
                pue=1.5,
                carbon_per_kwh=0.4,
                cash_rate=None,
                avoidable_rate=None,
                currency="EUR",
                valid_from=NOON,
                version=1,
            )
        ]
    )


@pytest.mark.parametrize("view", ["v_book_1m", "v_book_1h"])
def test_an_empty_book_says_nothing_rather_than_nan(store: Store, view: str) -> None:
    [said] = store.select(f"SELECT {select(*MEASURES)} FROM {view}")
    for measure in MEASURES:
        value = said[measure.name]
        assert value in {None, 0, ""}, measure.name
        assert measure.unit is not RATIO or value is None


def test_empty_queues_and_channels_say_nothing_rather_than_nan(store: Store) -> None:
    [waits] = store.select(f"SELECT {select(*OF_QUEUE)} FROM v_queue_waits")
    assert waits == {"jobs_started": 0, "wait_p50_seconds": None, "wait_p90_seconds": None}
    assert store.value(f"SELECT {measures.PAGES.sql} FROM v_notifications") == 0
    assert store.value(f"SELECT {measures.RESOLVE_MEDIAN.sql} FROM v_alert_states") is None
    assert store.value(f"SELECT minutes FROM ({startable_sql()})", since=NOON, until=NOON) == 0


def test_a_tiny_book_has_every_number(book: Store) -> None:
    set_price(book)
    [said] = book.select(f"SELECT {select(*MEASURES)} FROM v_book_1h")
    assert {name for name, value in said.items() if value is None} == {"cash_billed"}
    assert not any(isinstance(v, float) and math.isnan(v) for v in said.values())
    assert said["gpu_hours"] == len(STATES)
    assert said["capacity_value"] == 2 * len(STATES)
    assert said["grade"] == "A"


def test_a_book_without_prices_is_the_same_book(book: Store) -> None:
    rows = book.select("SELECT price, energy_price, node, model FROM v_book_1h")
    assert {(r["price"], r["energy_price"], r["node"], r["model"]) for r in rows} == {
        (None, None, "n", "M")
    }


def test_shares_of_states_and_of_groups_add_up_to_one(book: Store) -> None:
    owned = "sum(gpu_seconds) / (SELECT sum(gpu_seconds) FROM v_book_1h)"
    shares = book.select(f"SELECT state, {owned} AS share FROM v_book_1h GROUP BY state")
    assert math.fsum(r["share"] for r in shares) == pytest.approx(1, abs=1e-12)
    groups = [
        book.value(f"SELECT {owned} FROM v_book_1h WHERE state IN {measures.in_list(group_of(g))}")
        for g in (EXCLUDED, UNAVAILABLE, OCCUPIED, UNOCCUPIED)
    ]
    assert math.fsum(groups) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_book_can_be_asked_by_every_dimension(book: Store, dimension: str) -> None:
    for source in ("v_book_1h", book_between()):
        sql = f"SELECT `{dimension}`, {select(*MEASURES)} FROM {source} GROUP BY `{dimension}`"
        assert book.select(sql, since=NOON, until=at(3600 * 24))


def test_names_are_unique_and_say_their_unit() -> None:
    assert len(ALL) == len([m for m in NAMED.values() if isinstance(m, Measure)])
    for measure in ALL.values():
        assert measure.help
        assert measure.name.endswith("_ratio") == (measure.unit is RATIO)


def test_every_measure_is_in_the_list_of_its_view() -> None:
    others = {m.name for listed in OF_VIEWS.values() for m in listed}
    assert not set(ALL) - others - {m.name for m in MEASURES}
    assert set(VIEWS) >= {"v_book_1m", "v_book_1h", "v_queue_waits"}


@pytest.mark.parametrize("view", OF_VIEWS)
def test_measures_of_an_empty_view_say_nothing_rather_than_nan(store: Store, view: str) -> None:
    [said] = store.select(f"SELECT {select(*OF_VIEWS[view])} FROM {view}")
    for measure in OF_VIEWS[view]:
        assert said[measure.name] in ({None} if measure.unit is RATIO else {None, 0})
