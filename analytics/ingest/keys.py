"""The keys of what was accepted, kept for a week in little room.

A spool numbers its entries once for all tables, so nearly all keys of a node are a run of numbers:
`<identity>/<spool uuid>/<table>/<sequence>` is kept as runs per spool, 24 bytes each, and not as a
row each (a thousand requests a second would make six hundred million a week). Any other key is
kept as its digest.
"""

from __future__ import annotations

import re
import sqlite3
import struct
from bisect import bisect_right
from hashlib import blake2b

KEPT_DAYS = 7
MOST_RUNS = 1_000  # of one spool: a sender that counts oddly costs no more than this
PRUNED_AT_ONCE = 5_000
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NUMBERED = re.compile(rf"(.*{UUID})/(\w+)/([0-9]{{1,18}})", re.DOTALL)
RUN = struct.Struct("<qqq")
SCHEMA = """
CREATE TABLE IF NOT EXISTS spools (
    stem TEXT PRIMARY KEY, day INTEGER NOT NULL, runs BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spools_by_day ON spools (day);
CREATE TABLE IF NOT EXISTS keys (
    digest BLOB PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_by_day ON keys (day);
"""

Run = tuple[int, int, int]  # first, last, day when it last grew


class Keys:
    """Which keys are known; changes are written by `write`, in the caller's transaction."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Run]] = {}
        self._changed: dict[str, int] = {}

    def add(self, db: sqlite3.Connection, table: str, key: str, day: int) -> bool:
        """Whether the key is new; it is known from now on, if the transaction goes well."""
        numbered = NUMBERED.fullmatch(key)
        if numbered and numbered[2] == table:
            return self._add_number(db, numbered[1], int(numbered[3]), day)
        digest = blake2b(f"{table}\n{key}".encode(), digest_size=16).digest()
        done = db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (digest, day))
        return done.rowcount > 0

    def write(self, db: sqlite3.Connection) -> None:
        """Write what changed since the last time."""
        db.executemany(
            "REPLACE INTO spools VALUES (?, ?, ?)",
            [(s, day, _packed(self._runs[s])) for s, day in self._changed.items()],
        )
        self._changed.clear()

    def roll_back(self) -> None:
        """Forget what is not written, and what was written in a transaction that failed."""
        self._runs.clear()
        self._changed.clear()

    def prune(self, db: sqlite3.Connection, day: int) -> None:
        """Let a part of what is older than a week go."""
        for table, name in (("keys", "digest"), ("spools", "stem")):
            old = f"SELECT {name} FROM {table} WHERE day < ? LIMIT {PRUNED_AT_ONCE}"
            gone = db.execute(
                f"DELETE FROM {table} WHERE {name} IN ({old}) RETURNING {name}",
                (day - KEPT_DAYS,),
            ).fetchall()
            if table == "spools":
                for (stem,) in gone:
                    self._runs.pop(stem, None)

    def _add_number(self, db: sqlite3.Connection, stem: str, number: int, day: int) -> bool:
        runs = self._runs.get(stem)
        if runs is None:
            found = db.execute("SELECT runs FROM spools WHERE stem = ?", (stem,)).fetchone()
            runs = self._runs[stem] = list(RUN.iter_unpack(found[0])) if found else []
        if not _extended(runs, number, day):
            return False
        self._changed[stem] = day
        if len(runs) > MOST_RUNS:
            runs.remove(min(runs, key=lambda run: (run[2], run[0])))
        return True


def _extended(runs: list[Run], number: int, day: int) -> bool:
    """Put the number into the sorted runs; False where one of them has it."""
    place = bisect_right(runs, (number, 1 << 62, 0))
    before = runs[place - 1] if place else None
    after = runs[place] if place < len(runs) else None
    if before and number <= before[1]:
        return False
    first, last, begin, end = number, number, place, place
    if before and before[1] == number - 1:
        first, begin = before[0], place - 1
    if after and after[0] == number + 1:
        last, end = after[1], place + 1
    runs[begin:end] = [(first, last, day)]
    return True


def _packed(runs: list[Run]) -> bytes:
    return b"".join(RUN.pack(*run) for run in runs)
