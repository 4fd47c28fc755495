"""Rows that tell persons live shorter than sums, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.aging import Aging
from gpuledger.batch import by_table
from gpuledger.catalogue import AccountDay, AccountHour, Adjustment, Finding, Job, ProcessSample
from gpuledger.errors import ConfigError
from gpuledger.rows import changed
from gpuledger.schema import Row
from gpuledger.store import Store
from tests import two_teams
from tests.conftest import empty
from tests.store_contract import both_stores

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=91), NOW - timedelta(days=89)
SUMS = "SELECT team, pool, sum(gpu_ms) AS ms, count() AS n FROM accounts_1h GROUP BY ALL"


@pytest.fixture(scope="module", params=["embedded", "served"])
def shared(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


@pytest.fixture
def aged(shared: Store) -> Iterator[Store]:
    """An old and a new row of each table that tells persons and has an age."""
    empty(shared)
    for batch in by_table(rows()):
        shared.insert(batch)
    yield shared
    empty(shared)


def rows() -> Iterator[Row]:
    times = {AccountHour: "hour", AccountDay: "day", Adjustment: "hour", ProcessSample: "ts"}
    times |= {Job: "ended", Finding: "until"}
    for kind, name in times.items():
        for number, at in enumerate((OLD, NEW)):
            told: dict[str, Any] = {name: at}
            key = {Job: "job_id", Finding: "finding_id"}.get(kind)
            if key:
                told[key] = number if kind is Finding else f"c/{number}"
            yield changed(two_teams.row_of(kind, "red"), **told)


def users(store: Store, table: str) -> list[str]:
    return sorted(r["user"] for r in store.select(f"SELECT user FROM {table}"))


def test_old_rows_tell_nobody_and_sums_stay(aged: Store) -> None:
    before = aged.select(SUMS)
    Aging(aged, 90).step(NOW)
    for table in ("accounts_1h", "accounts_1d", "ledger_adjust", "jobs", "findings"):
        assert users(aged, table) == ["", "red-user"], table
    assert users(aged, "process_samples") == ["red-user"]
    assert aged.select(SUMS) == before
    names = aged.select("SELECT job_name FROM accounts_1h ORDER BY hour")
    assert [r["job_name"] for r in names] == ["", "red-job_name"]


def test_nothing_happens_unless_it_is_asked_for(aged: Store) -> None:
    Aging(aged, 0).step(NOW)
    assert users(aged, "accounts_1h") == ["red-user", "red-user"]


def test_it_is_done_once_a_day(aged: Store) -> None:
    aging = Aging(aged, 90)
    aging.step(NOW - timedelta(days=2))
    aging.step(NOW - timedelta(days=2) + timedelta(hours=23))
    assert users(aged, "jobs") == ["red-user", "red-user"]
    aging.step(NOW)
    assert users(aged, "jobs") == ["", "red-user"]


@pytest.mark.parametrize("days", [1, 35, -5])
def test_names_stay_while_the_book_is_corrected(store: Store, days: int) -> None:
    with pytest.raises(ConfigError, match="persons_days"):
        Aging(store, days)
