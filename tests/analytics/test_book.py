"""Questions to the book: spans, shares, sums, money and grades."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as example_of
from hypothesis import strategies as st

from analytics import accounts, book
from analytics.book import Span
from gpuledger.batch import EPOCH
from gpuledger.errors import ConfigError
from gpuledger.measures import DIMENSIONS
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.world import (
    ENERGY_PRICE,
    PRICE,
    asset,
    at,
    booked,
    cells,
    given,
    job,
    price,
    write,
)

UNTIL = datetime(2026, 3, 9, 12, 34, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("90m", UNTIL - timedelta(minutes=90)),
        ("12h", UNTIL - timedelta(hours=12)),
        ("7d", UNTIL - timedelta(days=7)),
        ("2w", UNTIL - timedelta(weeks=2)),
        ("2026-03-01T10:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:59.5+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_since_is_counted_back_or_is_an_instant(text: str, since: datetime) -> None:
    assert book.parse_since(text, UNTIL) == since


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "7x", "-7d", "1.5h", "yesterday", "99999999999d", "0001-01-01T00:00+14:00"],
)
def test_since_that_is_neither_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="write 7d, 12h, 90m or 2026-11-16T00:00Z"):
        book.parse_since(text, UNTIL)


@settings(max_examples=200, derandomize=True, database=None)
@example_of(st.text(max_size=12))
def test_since_is_an_instant_or_refused_whatever_is_written(text: str) -> None:
    with suppress(ConfigError):
        assert book.parse_since(text, UNTIL).tzinfo is UTC


def small_book() -> list[Row]:
    """Three and a half hours of three GPUs: one works, one idles for half of it, one is free."""
    minutes = range(210)
    return [
        *(asset(slot) for slot in range(3)),
        job("1", started=at(0)),
        job("2", name="notebook", user="bo", team="bio", started=at(0)),
        given("1", 0),
        given("2", 1),
        *booked(
            [
                *cells("productive", minutes, 0, native="1"),
                *cells("alloc_idle", minutes[:105], 1, native="2", grade="B"),
                *cells("productive", minutes[105:], 1, native="2"),
                *cells("free_surplus", minutes, 2, grade="D"),
            ],
            at(210),
        ),
    ]


@pytest.fixture
def small(store: Store) -> Store:
    write(store, small_book())
    return store


def test_an_empty_store_has_no_book(store: Store) -> None:
    assert book.last_booked(store) is None
    assert book.span(store, "7d") is None
    assert book.ledger(store, None, ["state"]) == []


def test_even_an_empty_store_refuses_a_span_that_is_none(store: Store) -> None:
    with pytest.raises(ConfigError, match="since soon"):
        book.span(store, "soon")


def test_a_span_ends_with_the_last_booked_minute_and_begins_with_the_book(small: Store) -> None:
    assert book.span(small, "7d") == Span(at(0), at(210))
    assert book.span(small, "90m") == Span(at(120), at(210))


def test_a_span_after_the_book_is_refused_with_where_the_book_ends(small: Store) -> None:
    with pytest.raises(ConfigError, match="nothing is booked after 2026-03-02 13:30"):
        book.span(small, "2026-03-02T13:30Z")


def test_the_states_add_up_to_all_owned_time(small: Store) -> None:
    rows = book.ledger(small, book.span(small, "7d"), ["state"])
    hours = {r["state"]: r["gpu_hours"] for r in rows}
    assert hours == {"productive": 5.25, "free_surplus": 3.5, "alloc_idle": 1.75}
    assert [r["share"] for r in rows] == pytest.approx([1 / 6, 0.5, 1 / 3], abs=1e-5)


SPANS = st.tuples(st.integers(0, 210), st.integers(0, 210)).map(sorted)


@settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example_of(SPANS, st.sampled_from(DIMENSIONS))
def test_any_span_has_as_many_gpu_hours_as_gpus_times_hours_and_its_shares_add_up_to_one(
    small: Store, minutes: list[int], dimension: str
) -> None:
    first, last = minutes
    # Answers are rounded to six digits.
    rows = book.ledger(small, Span(at(first), at(last)), [dimension])
    assert sum(r["gpu_hours"] for r in rows) == pytest.approx(3 * (last - first) / 60, rel=1e-4)
    assert sum(r["share"] for r in rows) == pytest.approx(1 if last > first else 0, abs=1e-5)


def test_every_dimension_names_its_owner_and_free_time_has_none(small: Store) -> None:
    rows = book.ledger(small, book.span(small, "7d"), ["team", "user", "job", "node", "cluster"])
    assert [(r["team"], r["user"], r["job"]) for r in rows] == [
        (None, None, None),
        ("bio", "bo", "c/2"),
        ("vision", "ana", "c/1"),
    ]
    assert {(r["node"], r["cluster"]) for r in rows} == {("n0", "c")}


def test_dimensions_are_named_once_each_and_in_order() -> None:
    assert book.dimensions("team, state,team") == ("team", "state")


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("teams", "unknown dimension 'teams'; did you mean 'team'"),
        ("state,", "unknown dimension ''"),
        ("xyz", "there are state, team, user"),
    ],
)
def test_an_unknown_dimension_is_refused_with_the_names_that_there_are(by: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        book.dimensions(by)


def test_without_a_price_money_is_absent_and_not_zero(small: Store) -> None:
    for row in book.ledger(small, book.span(small, "7d"), ["state"]):
        assert (row["capacity_value"], row["cash_avoidable"], row["currency"]) == (None, None, None)


def test_with_a_price_time_has_a_worth_and_recoverable_energy_a_cost(small: Store) -> None:
    write(small, [price()])
    rows = {r["state"]: r for r in book.ledger(small, book.span(small, "7d"), ["state"])}
    assert rows["productive"]["capacity_value"] == pytest.approx(5.25 * PRICE)
    assert rows["productive"]["cash_avoidable"] == 0
    kwh = 1.75 * 0.360
    assert rows["alloc_idle"]["cash_avoidable"] == pytest.approx(kwh * ENERGY_PRICE)
    assert {r["currency"] for r in rows.values()} == {"EUR"}


def test_a_group_says_how_much_of_it_has_a_price(small: Store) -> None:
    write(small, [price(), asset(2, model="unpriced")])
    accounts.write(small, [at(0).date()])
    (row,) = book.ledger(small, book.span(small, "7d"), ["cluster"])
    assert row["priced_ratio"] == pytest.approx(2 / 3)
    assert row["capacity_value"] == pytest.approx(7.0 * PRICE)


def test_a_group_carries_its_lowest_grade_and_the_share_of_each(small: Store) -> None:
    rows = {r["user"]: r for r in book.ledger(small, book.span(small, "7d"), ["user"])}
    assert rows["bo"]["grade"] == "B"
    assert rows["bo"]["grades"] == {"A": 0.5, "B": 0.5}
    assert rows[None]["grades"] == {"D": 1.0}


def test_states_are_read_in_their_declared_order(small: Store) -> None:
    rows = book.ledger(small, book.span(small, "7d"), ["state"])
    assert [r["state"] for r in rows] == ["alloc_idle", "productive", "free_surplus"]


def test_loose_time_is_recoverable_as_far_as_jobs_waited_and_slack_beyond(small: Store) -> None:
    rows = {r["state"]: r for r in book.ledger(small, book.span(small, "7d"), ["state"])}
    loose = rows["alloc_idle"]
    assert (loose["recoverable_gpu_hours"], loose["slack_gpu_hours"]) == (0.0, 1.75)
    assert rows["free_surplus"]["slack_gpu_hours"] == 0.0


@pytest.mark.parametrize("since", ["99999w", "0001-01-01", "9999-01-01"])
def test_a_time_before_all_others_or_after_them_is_one_that_the_store_can_hold(since: str) -> None:
    """Regression: ClickHouse refused the year 110 as a parameter."""
    assert EPOCH <= book.parse_since(since, at(210)) <= FOREVER
