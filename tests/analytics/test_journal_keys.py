"""Keys of accepted parcels: each known, in little room."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.ingest import keys as module
from analytics.ingest.keys import KEPT_DAYS, SCHEMA, Keys

SPOOL = "node/6f1f4f9c-92ab-4a3a-8f0c-2f3e6a1f0d11"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    yield connection
    connection.close()


def add(db: sqlite3.Connection, keys: Keys, number: int, table: str = "t", day: int = 0) -> bool:
    return keys.add(db, table, f"{SPOOL}/{table}/{number}", day)


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60))
def test_a_number_is_new_once_in_whatever_order_they_come(numbers: list[tuple[int, bool]]) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    keys, seen = Keys(), set[int]()
    for number, restart in numbers:
        assert add(connection, keys, number) == (number not in seen)
        seen.add(number)
        keys.write(connection)
        if restart:
            keys = Keys()
    connection.close()


def test_a_spool_that_counts_on_takes_no_more_room(db: sqlite3.Connection) -> None:
    keys = Keys()
    for number in range(1, 2_001):
        assert add(db, keys, number, table=f"t{number % 9}")
    keys.write(db)
    assert db.execute("SELECT count(*), sum(length(runs)) FROM spools").fetchone() == (1, 24)
    assert db.execute("SELECT count(*) FROM keys").fetchone() == (0,)


@pytest.mark.parametrize(
    "key",
    [f"{SPOOL}/other/7", f"{SPOOL}/t/x", "node/spool/t/7", f"{SPOOL}/t/{'9' * 30}", "é\n", "/t/1"],
)
def test_any_other_key_is_known_as_well(db: sqlite3.Connection, key: str) -> None:
    assert [Keys().add(db, "t", key, 0), Keys().add(db, "t", key, 0)] == [True, False]
    assert db.execute("SELECT count(*) FROM keys").fetchone() == (1,)


def test_what_was_not_written_is_not_known(db: sqlite3.Connection) -> None:
    keys = Keys()
    add(db, keys, 1)
    keys.roll_back()
    assert add(db, keys, 1)


def test_a_sender_that_counts_oddly_has_its_share_only(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_RUNS", 3)
    keys = Keys()
    for number in (2, 4, 6, 8):
        add(db, keys, number)
    assert [add(db, keys, n) for n in (4, 6, 8)] == [False] * 3
    assert add(db, keys, 2)


def test_after_a_week_keys_go_a_part_at_a_time(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PRUNED_AT_ONCE", 2)
    keys = Keys()
    for name in "abc":
        keys.add(db, "t", name, 0)
    add(db, keys, 1)
    keys.write(db)
    keys.prune(db, KEPT_DAYS)
    assert db.execute("SELECT count(*) FROM keys").fetchone() == (3,)
    for left in (1, 0):
        keys.prune(db, KEPT_DAYS + 1)
        assert db.execute("SELECT count(*) FROM keys").fetchone() == (left,)
    assert db.execute("SELECT count(*) FROM spools").fetchone() == (0,)
    assert add(db, keys, 1)
