"""A SQLite file of ours that one process owns: marked, and safe on disk with each transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpuledger.errors import ConfigError, StoreError

# Where SQLite's header holds the mark of the application (sqlite.org/fileformat2).
HEADER_BYTES, APPLICATION = 100, slice(68, 72)


@dataclass(frozen=True)
class OwnedFile:
    """A file by its path, what people call it, and the four bytes that mark its kind."""

    path: Path
    kind: str
    mark: bytes

    def is_foreign(self) -> bool:
        """Whether there is a file already, without our mark."""
        try:
            with self.path.open("rb") as file:
                head = file.read(HEADER_BYTES)
        except OSError:
            return False  # not there yet, or `connect` says why it cannot be used
        return bool(head) and head[APPLICATION] != self.mark

    def connect(self, schema: str, *pragmas: str) -> sqlite3.Connection:
        """Open or create it (mode 0600) for this process alone, with the tables of `schema`.

        ConfigError where the path cannot be used; sqlite3.Error where the file cannot.
        """
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as e:
            raise ConfigError(f"cannot use {self.kind} {self.path}: {e.strerror}") from None
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=2)
        try:
            # Exclusive: of two owners, each would count and send what the other has.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            # Before the log is switched on: the mark must be in the file itself, whatever comes.
            db.execute(f"PRAGMA application_id = {int.from_bytes(self.mark)}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            for pragma in pragmas:
                db.execute(f"PRAGMA {pragma}")
            db.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
        except sqlite3.Error:
            db.close()
            raise
        return db

    @contextmanager
    def transaction(self, db: sqlite3.Connection) -> Iterator[None]:
        """All of it or nothing; SQLite's errors (disk full, read-only) become StoreError."""
        done = False
        try:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("COMMIT")
            done = True
        except sqlite3.Error as e:
            raise StoreError(f"{self.kind} {self.path}: {e}") from None
        finally:
            if not done:
                self._roll_back(db)

    def _roll_back(self, db: sqlite3.Connection) -> None:
        """End what failed; on a full or broken disk SQLite may have done so by itself."""
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error as e:
            raise StoreError(f"{self.kind} {self.path}: {e}") from None
