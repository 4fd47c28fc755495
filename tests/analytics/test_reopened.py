"""History that comes in long after its hours were booked and closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics import assets
from analytics.ledger import Ledger, Window
from analytics.runner import Runner
from gpuledger.config import Config
from gpuledger.store import Store
from tests.analytics.world import asset, at, card, gpu, samples, write

LATER = at(60 * 24 * 30)


def hours(windows: list[Window]) -> list[str]:
    return [f"{h:%H}" for w in windows for h in w.hours()]


def test_a_closed_hour_is_booked_again_only_where_it_is_reopened(store: Store) -> None:
    ledger, later = Ledger(store), at(60 * 30)
    write(store, [asset(0), *samples(0, 0, 60)])
    for window in ledger.dirty(later):
        ledger.book(window, later)
    write(store, samples(0, 60, 120))
    assert ledger.dirty(later) == []
    # The hours beside rest on what happened in these.
    assert hours(ledger.dirty(later, reopened=at(0))) == ["10", "11", "12", "13"]
    assert hours(ledger.dirty(later, reopened=at(120))) == ["12", "13"]


@pytest.mark.parametrize(("backlog", "first"), [(None, 300), (timedelta(days=60), 60)])
def test_how_long_a_place_is_owned_may_be_told_later(
    store: Store, backlog: timedelta | None, first: int
) -> None:
    write(store, [card(0, seen=at(300)), *samples(0, 300, 5)])
    assets.discover(store, at(400))
    write(store, samples(0, 60, 5))
    more = {"backlog": backlog} if backlog else {}
    assets.discover(store, LATER, **more)
    (found,) = store.select("SELECT valid_from FROM v_assets WHERE gpu_id = {id:UInt64}", id=gpu(0))
    assert found["valid_from"] == at(first)


def test_a_tick_that_reopens_books_what_came_in(store: Store) -> None:
    runner = Runner(store, Config())
    write(store, [card(0, seen=at(300)), *samples(0, 300, 60)])
    runner.tick(at(365))
    write(store, samples(0, 60, 60))
    runner.tick(at(366), reopened=at(0))
    (booked,) = store.select(
        "SELECT min(minute) AS first, sum(gpu_ms) / 60000 AS minutes FROM ledger_1m"
    )
    assert booked == {"first": at(60), "minutes": 365 - 60}
