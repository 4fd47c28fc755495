"""The journal's file: one SQLite database that one process owns."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics.ingest import bundle, keys
from gpuledger.errors import ConfigError, StoreError

# 16 MiB: most rows are gone again before their page is moved into the file proper.
CHECKPOINT_PAGES = 4_000
LOG_LIMIT_BYTES = 64 << 20
# Where SQLite's header holds the mark of the application (sqlite.org/fileformat2), and ours.
HEADER_BYTES, APPLICATION, OURS = 100, slice(68, 72), b"gplj"
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
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create the file (mode 0600). ConfigError where it cannot be used."""
        self._refuse_foreign()
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
            db, done = self._connection(), False
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
                done = True
            except sqlite3.Error as e:
                raise StoreError(f"journal {self.path}: {e}") from None
            finally:
                # On a full or broken disk SQLite may have ended it by itself.
                if not done and db.in_transaction:
                    db.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"journal {self.path} is closed")
        return self._db

    def _connect(self) -> None:
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as e:
            raise ConfigError(f"cannot use journal {self.path}: {e.strerror}") from None
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=2)
        self._db = db
        # Exclusive: two relays on one journal would insert the same rows under two tokens.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        # Before the log is switched on: the mark must be in the file itself, whatever comes.
        db.execute(f"PRAGMA application_id = {int.from_bytes(OURS)}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT_BYTES}")
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} {bundle.SCHEMA} {keys.SCHEMA} COMMIT;")

    def _refuse_foreign(self) -> None:
        """A wrong path must not cost anybody a file: ours says so in its header."""
        try:
            with self.path.open("rb") as file:
                head = file.read(HEADER_BYTES)
        except OSError:
            return  # not there yet, or `_connect` says why it cannot be used
        if head and head[APPLICATION] != OURS:
            raise ConfigError(f"{self.path} is no journal of gpuledger: name another --spool")
