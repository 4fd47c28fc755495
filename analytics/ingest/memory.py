"""What assembling must know after a restart: kept in the journal's file, beside the rows.

Changed only inside transactions of the journal, together with the rows that the changes made.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.ingest.targets import Key, Series, Target

SCHEMA = """
CREATE TABLE IF NOT EXISTS scraped_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS scraped_targets (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS scraped_series (
    target INTEGER, number INTEGER, labels TEXT NOT NULL, PRIMARY KEY (target, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scraped_readings (
    id INTEGER PRIMARY KEY, target INTEGER NOT NULL, at_ms INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS scraped_marks (
    target INTEGER, at_ms INTEGER, mask BLOB NOT NULL, PRIMARY KEY (target, at_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scraped_things (
    name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, body BLOB NOT NULL);
"""
EPOCH, NEXT = "epoch", "next"
NAN = float("nan")


@dataclass(slots=True)
class Portion:
    """Readings of one request for one target and moment; a value of None: the series has ended.

    `mask` has a bit for the number of each series, `known` those that came before.
    """

    target: Target
    at_ms: int
    mask: int = 0
    known: int = 0
    series: list[Series] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    id: int = 0

    def packed(self) -> bytes:
        """Numbers of series, then their values."""
        count = len(self.series)
        numbers = (s.number for s in self.series)
        values = (NAN if v is None else v for v in self.values)
        return struct.pack(f"<{count}I{count}d", *numbers, *values)


@dataclass(slots=True)
class Emission:
    """What becomes rows together, and what must be known of it."""

    marks: list[tuple[int, int, int]] = field(default_factory=list)
    spent: list[int] = field(default_factory=list)
    things: Mapping[str, tuple[int, bytes]] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)


def create(db: sqlite3.Connection, epoch: int) -> int:
    """Make the tables; the epoch of counters that hold since the file began."""
    for statement in SCHEMA.split(";"):
        db.execute(statement)
    db.execute("INSERT OR IGNORE INTO scraped_meta VALUES (?, ?)", (EPOCH, epoch))
    return _meta(db, EPOCH)


def _meta(db: sqlite3.Connection, name: str) -> int:
    found = db.execute("SELECT value FROM scraped_meta WHERE name = ?", (name,)).fetchone()
    return int(found[0]) if found else 0


def keep_readings(db: sqlite3.Connection, portions: Sequence[Portion]) -> None:
    """Readings, and the series and targets among them that are new."""
    fresh = [s for p in portions for s in p.series if not s.saved]
    targets = {p.target.id: p.target for p in portions if not p.target.saved}
    keep_targets(db, targets.values())
    db.executemany(
        "INSERT OR REPLACE INTO scraped_series VALUES (?, ?, ?)",
        [(s.target.id, s.number, json.dumps(s.all_labels)) for s in fresh],
    )
    db.executemany(
        "INSERT INTO scraped_readings VALUES (?, ?, ?, ?)",
        [(p.id, p.target.id, p.at_ms, p.packed()) for p in portions],
    )


def keep_targets(db: sqlite3.Connection, targets: Iterable[Target]) -> None:
    """Targets as they are now."""
    db.executemany(
        "INSERT OR REPLACE INTO scraped_targets VALUES (?, ?)",
        [(t.id, json.dumps([t.key, t.node, t.period_ms])) for t in targets],
    )


def keep_emission(db: sqlite3.Connection, emission: Emission) -> None:
    """Marks of what is in rows, without the readings that they were made of."""
    db.executemany(
        "INSERT OR REPLACE INTO scraped_marks VALUES (?, ?, ?)",
        [(target, at_ms, _bytes(mask)) for target, at_ms, mask in emission.marks],
    )
    db.executemany("DELETE FROM scraped_readings WHERE id = ?", [(i,) for i in emission.spent])
    db.executemany(
        "INSERT OR REPLACE INTO scraped_things VALUES (?, ?, ?)",
        [(name, at_ms, body) for name, (at_ms, body) in emission.things.items()],
    )
    keep_targets(db, emission.targets)


def forget(
    db: sqlite3.Connection,
    marks_before: Iterable[tuple[int, int]],
    series: Iterable[tuple[int, int]],
    targets: Iterable[int],
    things_before_ms: int,
) -> None:
    """Forget marks of a target before a moment, series, targets, and things not seen since."""
    db.executemany("DELETE FROM scraped_marks WHERE target = ? AND at_ms < ?", marks_before)
    db.executemany("DELETE FROM scraped_series WHERE target = ? AND number = ?", series)
    gone = [(target,) for target in targets]
    for table, column in (("targets", "id"), ("series", "target"), ("marks", "target")):
        db.executemany(f"DELETE FROM scraped_{table} WHERE {column} = ?", gone)
    db.execute("DELETE FROM scraped_things WHERE at_ms < ?", (things_before_ms,))


def next_id(db: sqlite3.Connection) -> int:
    """A number that no readings ever had in this file; each call makes room for 2^32 more.

    Emissions are named after it, and the store must never see a name twice.
    """
    life = _meta(db, NEXT) + 1
    db.execute("INSERT OR REPLACE INTO scraped_meta VALUES (?, ?)", (NEXT, life))
    return life << 32


def targets(db: sqlite3.Connection) -> Iterator[tuple[int, Key, str, int]]:
    """Number, key, node and period of every target."""
    for target, text in db.execute("SELECT id, body FROM scraped_targets"):
        key, node, period_ms = json.loads(text)
        yield int(target), Key(*key), node, period_ms


def series(db: sqlite3.Connection) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Target, number and labels of every series."""
    for target, number, text in db.execute("SELECT target, number, labels FROM scraped_series"):
        yield target, number, json.loads(text)


def marks(db: sqlite3.Connection) -> Iterator[tuple[int, int, int]]:
    """Target, moment and mask of what is in rows."""
    for target, at_ms, mask in db.execute("SELECT target, at_ms, mask FROM scraped_marks"):
        yield target, at_ms, int.from_bytes(mask, "little")


def readings(
    db: sqlite3.Connection,
) -> Iterator[tuple[int, int, int, list[tuple[int, float | None]]]]:
    """Id, target, moment, and number and value of every reading that is in no row yet."""
    for found, target, at_ms, body in db.execute("SELECT * FROM scraped_readings ORDER BY id"):
        count = len(body) // 12
        told = struct.unpack(f"<{count}I{count}d", body)
        values = [None if math.isnan(v) else v for v in told[count:]]
        yield found, target, at_ms, list(zip(told[:count], values, strict=True))


def things(db: sqlite3.Connection) -> dict[str, tuple[int, bytes]]:
    """What is known of each thing by name, and when it had its newest row."""
    found = db.execute("SELECT name, at_ms, body FROM scraped_things")
    return {name: (at_ms, body) for name, at_ms, body in found}


def _bytes(mask: int) -> bytes:
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")
