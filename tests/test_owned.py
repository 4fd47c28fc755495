"""A file of ours has one owner, is known by its mark, and changes as a whole or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gpuledger.errors import ConfigError, StoreError
from gpuledger.owned import OwnedFile

SCHEMA = "CREATE TABLE IF NOT EXISTS t (n INTEGER);"


@pytest.fixture
def ours(tmp_path: Path) -> OwnedFile:
    return OwnedFile(tmp_path / "file.db", "journal", b"test")


def test_it_is_known_by_its_mark(ours: OwnedFile, tmp_path: Path) -> None:
    assert not ours.is_foreign()
    ours.connect(SCHEMA).close()
    assert not ours.is_foreign()
    assert OwnedFile(ours.path, "spool", b"else").is_foreign()
    (tmp_path / "letter").write_text("dear reader")
    assert OwnedFile(tmp_path / "letter", "spool", b"test").is_foreign()


def test_it_is_for_its_owner_only_and_has_one(ours: OwnedFile) -> None:
    db = ours.connect(SCHEMA)
    assert ours.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        ours.connect(SCHEMA)
    db.close()


def test_a_transaction_that_fails_leaves_nothing(ours: OwnedFile) -> None:
    db = ours.connect(SCHEMA)

    def half() -> None:
        with ours.transaction(db):
            db.execute("INSERT INTO t VALUES (1)")
            db.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreError, match=r"journal .*file\.db: no such table"):
        half()
    assert db.execute("SELECT count() FROM t").fetchone() == (0,)
    with ours.transaction(db):
        db.execute("INSERT INTO t VALUES (2)")
    assert db.execute("SELECT n FROM t").fetchall() == [(2,)]
    db.close()


def test_a_path_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot use spool"):
        OwnedFile(tmp_path / "no" / "file.db", "spool", b"test").connect(SCHEMA)
