"""Asking the store: parameters, times, and answers of every shape, on both kinds of store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from gpuledger import ddl
from gpuledger.batch import Batch
from gpuledger.catalogue import ROWS
from gpuledger.errors import StoreError
from gpuledger.store import Store
from tests.store_contract import AWKWARD, NOON, another_database, at, both_stores


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


def test_parameters_are_bound_not_pasted(store: Store) -> None:
    [row] = store.select(
        "SELECT {s:String} AS s, {n:Int64} AS n, {a:Array(String)} AS a, {i:Array(Int64)} AS i",
        s=AWKWARD,
        n=-7,
        a=["it's", AWKWARD, ""],
        i=[1, -2],
    )
    assert row == {"s": AWKWARD, "n": -7, "a": ["it's", AWKWARD, ""], "i": [1, -2]}


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=2))])
def test_times_go_in_as_instants_and_come_back_aware_and_utc(store: Store, zone: timezone) -> None:
    given_at = at(0.123).astimezone(zone)
    [row] = store.select(
        "SELECT {t:DateTime64(3)} AS t, toStartOfHour(t) AS h, [t] AS several", t=given_at
    )
    assert row == {"t": at(0.123), "h": NOON, "several": [at(0.123)]}
    assert row["t"].tzinfo is not None
    assert row["t"].utcoffset() == row["h"].utcoffset() == timedelta(0)


def test_nothing_found_is_no_value(store: Store) -> None:
    assert store.value("SELECT 1 WHERE 0") is None
    assert store.select("SELECT 1 WHERE 0") == []


def test_an_answer_that_breaks_off_is_an_error_not_a_shorter_answer(store: Store) -> None:
    sql = "SELECT number, throwIf(number = 900000) FROM numbers(1000000)"
    for ask in (store.select, store.value, store.select_typed):
        with pytest.raises(StoreError, match="throwIf"):
            ask(sql)


def test_a_typed_answer_names_its_columns(store: Store) -> None:
    columns, rows = store.select_typed("SELECT 1 AS a, {x:String} AS b", x="y")
    assert columns == [("a", "UInt8"), ("b", "String")]
    assert rows == [(1, "y")]


def test_every_generated_view_answers(store: Store) -> None:
    for target in ddl.targets():
        if target.replaceable:
            store.select(f"SELECT * FROM {target.name} LIMIT 1")


def test_every_row_of_the_catalogue_can_be_inserted_with_nothing_known(store: Store) -> None:
    with another_database(store) as database:
        database.apply()
        for kind in ROWS:
            table = kind.table
            values = {f.visible: empty_value(f.type) for f in table.fields}
            database.insert(Batch.of_values(table, [values]))
            assert database.value(f"SELECT count() FROM v_{table.name}") == 1


def empty_value(kind: str) -> Any:
    if kind.startswith("Nullable"):
        return None
    return NOON if kind.startswith("DateTime") else "" if "String" in kind else 0
