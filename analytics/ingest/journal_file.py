"""The journal's file: one SQLite database that one process owns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics.ingest import bundle, keys
from gpuledger.errors import ConfigError, StoreError
from gpuledger.owned import OwnedFile

# 16 MiB: most rows are gone again before their page is moved into the file proper.
CHECKPOINT_PAGES = 4_000
LOG_LIMIT_BYTES = 64 << 20
MARK = b"gplj"
IN_USE = "another relay or service uses it; give this one a --spool of its own"
SCHEMA = """
CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, token TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, key TEXT NOT NULL,
    rows INTEGER NOT NULL, reason TEXT NOT NULL, created REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS lost (
    tbl TEXT NOT NULL, why TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (tbl, why));
"""


class JournalFile:
    """A connection that threads take turns on; `open` before use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = OwnedFile(path, "journal", MARK)
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create the file (mode 0600). ConfigError where it cannot be used."""
        if self._file.is_foreign():
            raise ConfigError(f"{self.path} is no journal of gpuledger: name another --spool")
        try:
            self._connect()
        except sqlite3.Error as e:
            self.close()
            told = IN_USE if "locked" in str(e) else str(e)
            raise ConfigError(f"cannot use journal {self.path}: {told}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db:
                self._db.close()
                self._db = None

    def read(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Rows of the last commit's state. StoreError where the file cannot be read."""
        with self._lock:
            try:
                return self._connection().execute(sql, parameters).fetchall()
            except sqlite3.Error as e:
                raise StoreError(f"journal {self.path}: {e}") from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction; SQLite's errors (disk full, read-only) become StoreError."""
        with self._lock:
            db = self._connection()
            with self._file.transaction(db):
                yield db

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"journal {self.path} is closed")
        return self._db

    def _connect(self) -> None:
        # Two relays on one journal would also insert the same rows under two tokens.
        self._db = self._file.connect(
            f"{SCHEMA} {bundle.SCHEMA} {keys.SCHEMA}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {LOG_LIMIT_BYTES}",
        )
