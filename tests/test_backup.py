"""Backup and restore of the whole database, by the engine itself, embedded and on a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from gpuledger.backup import Backups
from gpuledger.errors import ConfigError, StoreError
from gpuledger.service import ServiceFile
from gpuledger.store import Address, Store
from tests.components.clickhouse import ClickHouse
from tests.conftest import empty
from tests.lake.world import contents, samples
from tests.store_contract import another_database, both_stores


@pytest.fixture(scope="module", params=["embedded", "server"])
def beside(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


@pytest.fixture(scope="module")
def database(beside: Store) -> Iterator[Store]:
    """A database that nobody else has."""
    with another_database(beside) as made:
        yield made


@pytest.fixture
def store(database: Store) -> Store:
    """The database with every table, samples of a day and nothing else, whatever was before."""
    database.command("DROP TABLE IF EXISTS theirs")
    database.apply()
    empty(database)
    database.insert_rows(samples(range(24)))
    return database


@pytest.fixture
def to(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> str:
    """Somewhere that the engine may write."""
    if store.address.directory:
        return str(tmp_path / "it's \\ a backup")
    server = cast("ClickHouse", request.getfixturevalue("clickhouse"))
    return f"File('{server.directory}/backups/{store.address.database}-{tmp_path.name}')"


def another(to: str) -> str:
    """A place beside it."""
    return to[:-2] + "-more')" if to.endswith("')") else to + "-more"


def test_a_restored_database_equals_the_one_that_was_backed_up(store: Store, to: str) -> None:
    before = contents(store)
    made = Backups(store).make(to)
    assert made.files > 0
    assert made.bytes > 0
    empty(store)
    assert contents(store) == {}
    Backups(store).restore(to)
    assert contents(store) == before


def test_what_is_restored_is_written_to_like_before(store: Store, to: str) -> None:
    Backups(store).make(to)
    empty(store)
    Backups(store).restore(to)
    assert store.plan() == [s for s in store.plan() if s.startswith("CREATE OR REPLACE VIEW")]
    store.insert_rows(samples(range(30, 31), node="later"))
    for table in ("gpu_samples", "gpu_samples_1m", "gpu_samples_1d"):
        assert store.value(f"SELECT count() FROM {table} WHERE node = 'later'") > 0


def test_a_backup_upon_another_holds_only_the_rest(store: Store, to: str) -> None:
    whole = Backups(store).make(to)
    store.insert_rows(samples(range(30, 31)))
    before = contents(store)
    rest = Backups(store).make(another(to), base=to)
    assert 0 < rest.own_bytes < whole.own_bytes
    assert rest.bytes > whole.bytes
    empty(store)
    Backups(store).restore(another(to))
    assert contents(store) == before


def test_a_database_that_is_not_there_is_restored(store: Store, to: str) -> None:
    before = contents(store)
    Backups(store).make(to)
    outside = store.elsewhere("system")
    outside.command(f"DROP DATABASE `{store.address.database}` SYNC")
    outside.close()
    Backups(store).restore(to)
    assert contents(store) == before


def test_a_directory_without_a_store_is_not_backed_up(tmp_path: Path) -> None:
    nowhere = Store(Address(directory=tmp_path / "none"))
    with pytest.raises(ConfigError, match="there is no gpuledger store in"):
        Backups(nowhere).make(str(tmp_path / "backup"))
    assert list(tmp_path.iterdir()) == []


def test_rows_are_never_overwritten(store: Store, to: str) -> None:
    Backups(store).make(to)
    before = contents(store)
    with pytest.raises(ConfigError, match=r"not empty: it has [\d,]+ rows in"):
        Backups(store).restore(to)
    assert contents(store) == before


def test_tables_of_others_are_never_dropped(store: Store, to: str) -> None:
    Backups(store).make(to)
    empty(store)
    store.command("CREATE TABLE theirs (a Int8) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ConfigError, match="it has theirs"):
        Backups(store).restore(to)
    assert "theirs" in store.existing()


def test_a_place_that_is_taken_is_refused_in_one_line(store: Store, to: str) -> None:
    Backups(store).make(to)
    with pytest.raises(ConfigError, match="already exists") as caught:
        Backups(store).make(to)
    assert "\n" not in str(caught.value)
    assert "Stack trace" not in str(caught.value)
    assert "DB::Exception" not in str(caught.value)


def test_a_backup_that_is_not_there_leaves_the_database_empty(store: Store, to: str) -> None:
    empty(store)
    with pytest.raises(ConfigError, match="not found"):
        Backups(store).restore(to)
    store.apply()
    assert contents(store) == {}


@pytest.mark.parametrize(
    "place",
    ["S3('https://h/b', 'key', 'hush')", "/tmp/x; DROP DATABASE x", "File('a') x", "Null()", ""],
)
def test_a_server_is_told_only_destinations(place: str) -> None:
    asked: list[str] = []

    class Deaf(Store):
        def command(self, sql: str, **_: object) -> None:
            asked.append(sql)
            raise StoreError("deaf")

    backups = Backups(Deaf(Address(host="db.example")))
    expected = StoreError if place.startswith("S3") else ConfigError
    with pytest.raises(expected):
        backups.make(place)
    assert len(asked) == (expected is StoreError)


def test_keys_of_a_destination_are_not_shown() -> None:
    from gpuledger.backup import _told

    assert _told("S3('https://h/b', 'key', 'hush')") == "S3('https://h/b')"
    assert _told("Disk('backups', 'monday.zip')") == "Disk('backups', 'monday.zip')"


def test_while_the_service_runs_a_backup_says_so(engine: Store, tmp_path: Path) -> None:
    assert engine.address.directory
    file = ServiceFile(engine.address.directory)
    file.write("http://127.0.0.1:1", "token")
    try:
        with pytest.raises(ConfigError, match="stop the service"):
            Backups(engine).make(str(tmp_path / "b"))
    finally:
        file.remove()
    assert not os.path.lexists(tmp_path / "b")
