"""The spool: rows that are safe on this disk until the store has taken them.

One SQLite file. An entry is one or more encoded blocks of one table; its token
`<spool uuid>/<table>/<sequence>` names it for ever, so that sending it twice stores it once. The
same file holds what an agent must remember (counter offsets, open jobs), written in one
transaction with the rows that rest on it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from gpuledger.entry import Block, Entry, cut
from gpuledger.errors import ConfigError, StoreError
from gpuledger.memory import Memory
from gpuledger.owned import OwnedFile

Changes = Mapping[str, str | None]  # what to remember by key; None: to forget

CAPACITY_BYTES = 1 << 30
# A relay and the service know for as long which entries they have; an older one might count twice.
AGE_S = 7 * 86_400.0
NONE_LOST: Mapping[str, int] = MappingProxyType({})
REJECTED_SHARE = 0.1  # of the capacity: enough to see what is wrong, never enough to fill a disk
MARK = b"gpld"
IN_USE = "another agent uses it, give this one a --spool of its own"
__all__ = ["Block", "Changes", "Entry", "Spool"]
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, rows INTEGER NOT NULL,
    blocks TEXT NOT NULL, created REAL NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_table ON entries (tbl, sequence);
CREATE INDEX IF NOT EXISTS entries_by_age ON entries (created);
CREATE TABLE IF NOT EXISTS rejected (
    sequence INTEGER PRIMARY KEY, tbl TEXT NOT NULL, rows INTEGER NOT NULL,
    reason TEXT NOT NULL, created REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS lost (
    tbl TEXT NOT NULL, why TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (tbl, why));
CREATE TABLE IF NOT EXISTS memory (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Spool:
    """A durable queue in the file `path`; `open` before use. Safe for several threads."""

    def __init__(
        self,
        path: Path,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        age_s: float = AGE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.capacity_bytes = capacity_bytes
        self.age_s = age_s
        self.identity = ""
        self.damaged: Path | None = None
        self.epoch = 0
        self._clock = clock
        self._file = OwnedFile(path, "spool", MARK)
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._bytes = 0
        self._moved_s = 0.0
        self._memories: dict[str, Memory] = {}

    def open(self) -> Spool:
        """Open or create the file (mode 0600). ConfigError where the path cannot be used.

        A damaged spool is moved aside, `<path>.damaged`, said in `damaged`, and a new one begun;
        a file that is somebody else's is refused.
        """
        with self._lock:
            self._refuse_foreign()
            try:
                self._connect()
            except sqlite3.DatabaseError as e:
                self.close()
                if isinstance(e, sqlite3.OperationalError):
                    told = IN_USE if "locked" in str(e) else str(e)
                    raise ConfigError(f"cannot use spool {self.path}: {told}") from None
                self._move_aside()
                self._connect()
            return self

    def close(self) -> None:
        """Close the file; entries stay."""
        with self._lock:
            if self._db:
                self._db.close()
                self._db = None

    def put(
        self,
        parcels: Iterable[tuple[str, Sequence[Block]]],
        memory: Changes | None = None,
        lost: Mapping[str, int] = NONE_LOST,
    ) -> None:
        """Store table name and blocks of each parcel, and change the memory: all or nothing.

        `lost` are rows by table that had to go before they came here; they count as dropped.
        Over capacity the oldest entries go, and those that are too old, counted in `lost_rows`.
        StoreError on a full disk.
        """
        with self._transaction() as db:
            for table, blocks in parcels:
                self._insert(db, table, blocks, self._now())
            self._remember(db, memory or {})
            for table, rows in lost.items():
                self._count_lost(db, "dropped", table, rows)
            self._trim(db)

    def heads(self) -> list[int]:
        """Sequences of the newest and the oldest entry of each table, newest first.

        Whoever sends these in turn lets fresh rows through however long the backlog is, and no
        entry that fails can hold up another table's.
        """
        with self._transaction() as db:
            ends = db.execute("SELECT max(sequence), min(sequence) FROM entries GROUP BY tbl")
            return sorted({sequence for pair in ends for sequence in pair}, reverse=True)

    def entry(self, sequence: int) -> Entry | None:
        """The entry of that sequence; None if it was dropped meanwhile."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT tbl, blocks, created, body FROM entries WHERE sequence = ?", (sequence,)
            ).fetchone()
        if row is None:
            return None
        table, sizes, created, body = row
        token = f"{self.identity}/{table}/{sequence}"
        return Entry(sequence, table, token, created, cut(body, json.loads(sizes)))

    def done(self, sequences: Iterable[int]) -> None:
        """The store has them: forget the entries, in one transaction."""
        with self._transaction() as db:
            for sequence in sequences:
                self._delete(db, sequence)

    def reject(self, sequence: int, reason: str) -> None:
        """The store will never take it: keep it apart for people to look at, and count it."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO rejected SELECT sequence, tbl, rows, ?, created, body "
                "FROM entries WHERE sequence = ?",
                (reason, sequence),
            )
            self._lose(db, "rejected", sequence)
            self._trim_rejected(db)

    def split(self, entry: Entry) -> bool:
        """Replace an entry that was refused as too large by two halves; False if it has one block.

        Only for an entry that the store certainly did not take: the halves have new tokens.
        """
        middle = len(entry.blocks) // 2
        if not middle:
            return False
        parts = entry.blocks[:middle], entry.blocks[middle:]
        with self._transaction() as db:
            # One that was dropped meanwhile is counted already, and stays away.
            for part in parts if self._delete(db, entry.sequence) else ():
                self._insert(db, entry.table, part, entry.created)
        return True

    def move_clock(self, step_s: float) -> None:
        """The wall clock was moved: what waits stays as old as it was."""
        with self._transaction() as db:
            # In this life it holds even where a full disk does not take it.
            self._moved_s += step_s
            self._note_moves(db)

    def lost_rows(self, why: str) -> dict[str, int]:
        """Rows by table that were `dropped` (no room, too old) or `rejected`, of all time."""
        with self._transaction() as db:
            return dict(db.execute("SELECT tbl, rows FROM lost WHERE why = ?", (why,)))

    def waiting(self) -> tuple[int, int]:
        """Entries and bytes that wait."""
        with self._transaction() as db:
            return int(db.execute("SELECT count(*) FROM entries").fetchone()[0]), self._bytes

    def oldest_s(self) -> float:
        """Age of the oldest entry that waits; 0 where none does."""
        with self._transaction() as db:
            (created,) = db.execute("SELECT min(created) FROM entries").fetchone()
        return 0.0 if created is None else max(0.0, self._now() - float(created))

    def memory(self, prefix: str) -> Memory:
        """What is remembered under that prefix; the same object each time."""
        return self._memories.setdefault(prefix, Memory(prefix, self.recall))

    def recall(self, prefix: str) -> dict[str, str]:
        """Everything remembered under keys that begin with `prefix`, which is cut off."""
        with self._transaction() as db:
            found = db.execute(
                "SELECT CAST(substr(key, ?) AS BLOB), CAST(value AS BLOB) FROM memory "
                "WHERE substr(key, 1, ?) = ?",
                (len(prefix) + 1, len(prefix), prefix),
            )
            return {_text(key): _text(value) for key, value in found}

    def _connect(self) -> None:
        # Two agents on one spool would also correct counters against each other. Entries are read
        # once: half a MiB of cache is plenty.
        db = self._file.connect(SCHEMA, "cache_size = -512", "journal_size_limit = 4194304")
        self._db = db
        self._introduce(db)
        with self._transaction() as db:
            self._trim(db)

    def _introduce(self, db: sqlite3.Connection) -> None:
        """Read who this spool is; a new file is somebody new, with a higher epoch."""
        db.execute("INSERT OR IGNORE INTO meta VALUES ('uuid', ?)", (str(uuid.uuid4()),))
        db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (str(int(self._clock())),))
        meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
        self.identity, self.epoch = meta["uuid"], int(meta["epoch"])
        size, newest = db.execute(
            "SELECT ifnull(sum(length(body)), 0), max(created) FROM entries"
        ).fetchone()
        self._bytes, moved_s = int(size), float(meta.get("moved_s", 0))
        # Nothing is younger than now: a clock that fell back between two lives was moved, too.
        self._moved_s = 0.0 if newest is None else min(moved_s, self._clock() - newest)
        self._note_moves(db)

    def _note_moves(self, db: sqlite3.Connection) -> None:
        db.execute("REPLACE INTO meta VALUES ('moved_s', ?)", (str(self._moved_s),))

    def _now(self) -> float:
        """The time that entries are dated with: the wall clock's, without its steps."""
        return self._clock() - self._moved_s

    def _refuse_foreign(self) -> None:
        """A wrong `--spool` must not cost anybody a file: ours says so in name or header."""
        if self._file.is_foreign() and "spool" not in self.path.name:
            raise ConfigError(f"{self.path} is no spool of gpuledger: name another file")

    def _move_aside(self) -> None:
        self.damaged = self.path.with_name(f"{self.path.name}.damaged")
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(self.damaged)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction; SQLite's errors (disk full, read-only) become StoreError."""
        with self._lock:
            db, before = self._db, self._bytes
            if db is None:
                raise StoreError(f"spool {self.path} is closed")
            try:
                with self._file.transaction(db):
                    yield db
            except BaseException:
                self._bytes = before
                raise

    def _insert(
        self, db: sqlite3.Connection, table: str, blocks: Sequence[Block], created: float
    ) -> None:
        sizes = json.dumps([[b.rows, len(b.body)] for b in blocks])
        body = b"".join(b.body for b in blocks)
        db.execute(
            "INSERT INTO entries (tbl, rows, blocks, created, body) VALUES (?, ?, ?, ?, ?)",
            (table, sum(b.rows for b in blocks), sizes, created, body),
        )
        self._bytes += len(body)

    def _remember(self, db: sqlite3.Connection, changes: Changes) -> None:
        gone = [(_octets(key),) for key, value in changes.items() if value is None]
        kept = [(_octets(k), _octets(v)) for k, v in changes.items() if v is not None]
        db.executemany("DELETE FROM memory WHERE key = CAST(? AS TEXT)", gone)
        db.executemany("REPLACE INTO memory VALUES (CAST(? AS TEXT), CAST(? AS TEXT))", kept)

    def _delete(self, db: sqlite3.Connection, sequence: int) -> list[tuple[str, int]]:
        """Delete an entry; its table and rows, or nothing where it is gone already."""
        gone = db.execute(
            "DELETE FROM entries WHERE sequence = ? RETURNING tbl, rows, length(body)", (sequence,)
        ).fetchall()
        self._bytes -= sum(size for _, _, size in gone)
        return [(table, rows) for table, rows, _ in gone]

    def _trim(self, db: sqlite3.Connection) -> None:
        """Drop what is too old, and the oldest of what is too much."""
        too_old = "SELECT sequence FROM entries WHERE created < ?"
        for (sequence,) in db.execute(too_old, (self._now() - self.age_s,)).fetchall():
            self._lose(db, "dropped", sequence)
        while self._bytes > self.capacity_bytes:
            (sequence,) = db.execute("SELECT min(sequence) FROM entries").fetchone()
            if sequence is None:
                self._bytes = 0
                return
            self._lose(db, "dropped", sequence)

    def _lose(self, db: sqlite3.Connection, why: str, sequence: int) -> None:
        """Delete an entry and count its rows."""
        for table, rows in self._delete(db, sequence):
            self._count_lost(db, why, table, rows)

    def _trim_rejected(self, db: sqlite3.Connection) -> None:
        """Keep the newest rejected entries within their share of the capacity."""
        db.execute(
            "DELETE FROM rejected WHERE sequence IN (SELECT sequence FROM ("
            "SELECT sequence, sum(length(body)) OVER (ORDER BY sequence DESC) AS size "
            "FROM rejected) WHERE size > ?)",
            (self.capacity_bytes * REJECTED_SHARE,),
        )

    def _count_lost(self, db: sqlite3.Connection, why: str, table: str, rows: int) -> None:
        db.execute(
            "INSERT INTO lost VALUES (?, ?, ?) "
            "ON CONFLICT (tbl, why) DO UPDATE SET rows = rows + excluded.rows",
            (table, why, rows),
        )


def _octets(text: str) -> bytes:
    """The text as SQLite keeps it, though it be made of a file's name that is not UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def _text(octets: bytes) -> str:
    """The inverse of `_octets`."""
    return octets.decode("utf-8", "surrogatepass")
