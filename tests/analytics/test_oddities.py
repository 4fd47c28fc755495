"""Odd histories: the book closes over each, and each is counted and named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from analytics import assets, oddities
from analytics.ledger import Ledger
from gpuledger.catalogue import HostSample
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import (
    CLUSTER,
    START,
    asset,
    at,
    card,
    given,
    job,
    price,
    samples,
    write,
)

HOURS = 2
END = at(60 * HOURS)


def host(node: str, clock_error_s: float) -> HostSample:
    return HostSample.known(
        ts=at(30),
        interval_seconds=60,
        cluster=CLUSTER,
        node=node,
        clock_error_seconds=clock_error_s,
    )


def book(store: Store) -> None:
    assets.discover(store, END)
    ledger = Ledger(store)
    for window in ledger.dirty(END):
        ledger.book(window, END)


def booked(store: Store, rows: Sequence[Row]) -> dict[str, str]:
    """What is odd once the rows are booked, in words by name; the book is closed before."""
    write(store, rows)
    book(store)
    (told,) = store.select(
        "SELECT (SELECT sum(gpu_ms) FROM ledger_1m WHERE minute < {end:DateTime64(3, 'UTC')}) AS"
        " booked, (SELECT sum(toUnixTimestamp64Milli({end:DateTime64(3, 'UTC')})"
        " - toUnixTimestamp64Milli(valid_from)) FROM assets FINAL) AS owned",
        end=END,
    )
    assert told["booked"] == told["owned"] > 0
    return {f.oddity.name: f.text for f in oddities.met(store, END)}


def working(slot: int = 0) -> list[Row]:
    """A GPU whose agent reports and whose owner is known."""
    return [asset(slot), *samples(slot, 0, 60 * HOURS)]


def test_nothing_is_odd_about_a_plain_history(store: Store) -> None:
    rows = [*working(), job(started=START), given("1", 0)]
    assert booked(store, rows) == {}


def test_a_gpu_that_is_given_twice_is_shared_and_named(store: Store) -> None:
    jobs = [job(n, started=START) for n in "12"]
    found = booked(store, [*working(), *jobs, given("1", 0), given("2", 0, since=at(30))])
    assert found["shares"].startswith("1 GPUs were given away more than once")
    held = store.value(
        "SELECT count() FROM ledger_1m WHERE minute = {m:DateTime64(3, 'UTC')}", m=at(45)
    )
    assert held == 2


def test_allocations_that_follow_each_other_are_not_odd(store: Store) -> None:
    jobs = [job("1", started=START, ended=at(30)), job("2", started=at(30))]
    given_both = [given("1", 0, until=at(30)), given("2", 0, since=at(30))]
    assert booked(store, [*working(), *jobs, *given_both]) == {}


def test_an_allocation_without_an_end_ends_with_its_job(store: Store) -> None:
    found = booked(store, [*working(), job(started=START, ended=at(30)), given("1", 0)])
    assert found["open allocations"].endswith("c/1")
    after = (
        "SELECT count() FROM ledger_1m WHERE alloc_id != 0 AND minute >= {m:DateTime64(3, 'UTC')}"
    )
    assert store.value(after, m=at(31)) == 0


def test_a_gpu_that_never_reports_stays_in_the_book(store: Store) -> None:
    silent = asset(1, since=START - timedelta(days=8))
    write(store, [silent])
    found = booked(store, working())
    assert found["silent GPUs"] == "1 owned GPUs have not reported for a week: n0 GPU 1"


def test_a_gpu_that_nobody_listed_is_owned_from_when_its_card_is_known(store: Store) -> None:
    found = booked(store, [*working(), *samples(5, 0, 10)])
    assert found["unknown GPUs"] == "1 GPUs report and are on no asset list: n0 GPU 5"
    write(store, [card(5)])
    book(store)
    assert [f for f in oddities.met(store, END) if f.oddity.name == "unknown GPUs"] == []


def test_clocks_that_are_off_are_named(store: Store) -> None:
    found = booked(store, [*working(), host("n0", 0.002), host("n7", 3600.0)])
    assert (
        found["clocks"] == "the clocks of 1 nodes are more than 1 s off, or nothing sets them: n7"
    )


def test_a_job_id_that_was_used_years_ago_keeps_its_time(store: Store) -> None:
    old = given("1", 1, since=START - timedelta(days=700), until=START - timedelta(days=699))
    found = booked(store, [*working(), job(started=START), given("1", 0), old])
    assert found["job ids"] == "1 job ids were used again for other jobs: c/1"


def test_a_pool_without_a_price_has_no_worth_and_is_named(store: Store) -> None:
    other = asset(1, model="Other")
    other.pool = "cheap"
    found = booked(store, [*working(), other, *samples(1, 0, 60 * HOURS), price()])
    assert found["prices"] == "1 pools have GPUs without a price: cheap"
    worth = "SELECT count() FROM v_book_1h WHERE pool = 'cheap' AND price IS NOT NULL"
    assert store.value(worth) == 0


def test_users_without_a_team_are_named(store: Store) -> None:
    nobody = job(started=START, user="eve", team="unmapped")
    found = booked(store, [*working(), nobody, given("1", 0)])
    assert found["unmapped"] == "1 users' GPU time belongs to no team: eve"


@pytest.mark.parametrize("oddity", oddities.ODDITIES, ids=lambda o: o.name)
def test_each_question_is_answered_by_an_empty_store(store: Store, oddity: oddities.Oddity) -> None:
    assert oddity not in [f.oddity for f in oddities.met(store, END)]
