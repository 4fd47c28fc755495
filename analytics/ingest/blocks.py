"""Blocks: what the store gets in one insert, written down before it is sent.

A block is a list of the journal's bundles and a token made of their keys. After a crash the same
block is sent again under the same token, so the store counts it once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import lz4.frame

from analytics.ingest.bundle import Bundle, Parcel, unpack
from analytics.ingest.journal import Journal

MOST_ROWS, MOST_BYTES = 100_000, 64 << 20
MOST_BUNDLES = 10_000
REFUSED_SHARE = 0.1  # of the capacity: enough to see what is wrong, never enough to fill a disk
COUNT_REFUSED = (
    "INSERT INTO lost VALUES (?, 'refused', ?)"
    " ON CONFLICT (tbl, why) DO UPDATE SET rows = rows + excluded.rows"
)


@dataclass(frozen=True)
class Block:
    """Bundles that go to the store together."""

    number: int
    table: str
    token: str
    rows: int
    bundles: tuple[int, ...]


class Blocks:
    """Takes bundles out of a journal, block by block."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._again: set[int] = set()

    def compose(self, table: str) -> Block | None:
        """The next block of the table, durable when this returns; None where nothing waits."""
        chosen = self._journal.ask(lambda db: _compose(db, table))
        if chosen is None:
            return None
        block, packed = chosen
        self._journal.composed(table, block.rows, packed)
        return block

    def left(self) -> list[Block]:
        """Blocks that were composed, but of which nobody knows whether the store has them."""
        return self._journal.ask(_left)

    def body(self, block: Block) -> bytes:
        """The block's rows: Native blocks, one after another."""
        bodies = "SELECT body FROM bundles WHERE block = ? ORDER BY id"
        found = self._journal.read(bodies, block.number)
        return b"".join(lz4.frame.decompress(body) for (body,) in found)

    def forget(self, block: Block) -> None:
        """The store has it."""
        self._journal.freed(self._journal.ask(lambda db: _delete(db, block)))

    def split(self, block: Block) -> list[Block]:
        """Two blocks in place of one that the store certainly did not take; none for one parcel."""
        return self._journal.ask(lambda db: _split(db, block))

    def refuse(self, block: Block, reason: str) -> None:
        """The store will never take it: keep it apart for people to look at."""
        most = int(self._journal.capacity_bytes * REFUSED_SHARE)

        def set_apart(db: sqlite3.Connection) -> int:
            for bundle in _bundles(db, block):
                db.executemany(
                    "INSERT INTO refused (tbl, key, rows, reason, created, body)"
                    " SELECT ?, ?, ?, ?, unixepoch(), ?",
                    [(p.table, p.key, p.rows, reason, p.body) for p in bundle],
                )
            _trim_refused(db, most)
            db.execute(COUNT_REFUSED, (block.table, block.rows))
            return _delete(db, block)

        self._journal.freed(self._journal.ask(set_apart))

    def retry_refused(self) -> None:
        """Let what was kept apart wait again: the store may take it since its schema changed."""

        def retry(db: sqlite3.Connection) -> set[int]:
            again = set()
            kept = db.execute(
                "DELETE FROM refused RETURNING tbl, key, rows, body, created"
            ).fetchall()
            for name, key, rows, body, created in kept:
                again.add(Bundle.of(name, [Parcel(name, key, rows, body)]).write(db, created))
                db.execute(
                    "UPDATE lost SET rows = rows - ? WHERE tbl = ? AND why = 'refused'",
                    (rows, name),
                )
            return again

        self._again = self._journal.ask(retry)
        if self._again:
            self._journal.look_around()

    def is_retried(self, block: Block) -> bool:
        """Whether all of it was kept apart by an earlier life."""
        return self._again.issuperset(block.bundles)

    def refused(self) -> dict[str, int]:
        """Rows by table that the store refused, of all time."""
        return dict(self._journal.read("SELECT tbl, rows FROM lost WHERE why = 'refused'"))


def _compose(db: sqlite3.Connection, table: str) -> tuple[Block, int] | None:
    """The block and what it has on disk."""
    rows, plain, packed = 0, 0, 0
    chosen: list[tuple[int, str]] = []
    for number, count, size, on_disk, digest in db.execute(
        "SELECT id, rows, plain, packed, digest FROM bundles"
        " WHERE tbl = ? AND block IS NULL ORDER BY id LIMIT ?",
        (table, MOST_BUNDLES),
    ):
        if chosen and (rows + count > MOST_ROWS or plain + size > MOST_BYTES):
            break
        chosen.append((number, digest))
        rows, plain, packed = rows + count, plain + size, packed + on_disk
    return (_write(db, table, rows, chosen), packed) if chosen else None


def _write(
    db: sqlite3.Connection, table: str, rows: int, chosen: Sequence[tuple[int, str]]
) -> Block:
    token = sha256("".join(digest for _, digest in chosen).encode()).hexdigest()
    (number,) = db.execute(
        "INSERT INTO blocks (tbl, token) VALUES (?, ?) RETURNING id", (table, token)
    ).fetchone()
    numbers = tuple(n for n, _ in chosen)
    db.executemany("UPDATE bundles SET block = ? WHERE id = ?", [(number, n) for n in numbers])
    return Block(number, table, token, rows, numbers)


def _left(db: sqlite3.Connection) -> list[Block]:
    found = []
    for number, table, token in db.execute("SELECT id, tbl, token FROM blocks ORDER BY id"):
        of_it = "SELECT id, rows FROM bundles WHERE block = ? ORDER BY id"
        bundles = db.execute(of_it, (number,)).fetchall()
        rows = sum(rows for _, rows in bundles)
        found.append(Block(number, table, token, rows, tuple(n for n, _ in bundles)))
    return found


def _delete(db: sqlite3.Connection, block: Block) -> int:
    gone = db.execute("DELETE FROM bundles WHERE block = ? RETURNING packed", (block.number,))
    freed: int = sum(packed for (packed,) in gone.fetchall())
    db.execute("DELETE FROM blocks WHERE id = ?", (block.number,))
    return freed


def _split(db: sqlite3.Connection, block: Block) -> list[Block]:
    """By bundles; one bundle is cut into two first."""
    if len(block.bundles) == 1 and not _cut(db, block):
        return []
    found = db.execute(
        "SELECT id, digest, rows FROM bundles WHERE block = ? ORDER BY id", (block.number,)
    ).fetchall()
    db.execute("DELETE FROM blocks WHERE id = ?", (block.number,))
    middle = len(found) // 2
    return [
        _write(db, block.table, sum(r for _, _, r in part), [(n, d) for n, d, _ in part])
        for part in (found[:middle], found[middle:])
    ]


def _cut(db: sqlite3.Connection, block: Block) -> bool:
    """Put two bundles of half the parcels in place of the only one; False where it has one."""
    (parcels,) = _bundles(db, block)
    middle = len(parcels) // 2
    if not middle:
        return False
    (created,) = db.execute(
        "DELETE FROM bundles WHERE block = ? RETURNING created", (block.number,)
    ).fetchone()
    for part in (parcels[:middle], parcels[middle:]):
        Bundle.of(block.table, part).write(db, created, block.number)
    return True


def _bundles(db: sqlite3.Connection, block: Block) -> list[list[Parcel]]:
    """The parcels of each bundle."""
    sql = "SELECT parcels, body FROM bundles WHERE block = ? ORDER BY id"
    return [unpack(block.table, *row) for row in db.execute(sql, (block.number,))]


def _trim_refused(db: sqlite3.Connection, most_bytes: int) -> None:
    """Keep the newest within their share."""
    db.execute(
        "DELETE FROM refused WHERE id IN (SELECT id FROM ("
        "SELECT id, sum(length(body)) OVER (ORDER BY id DESC) AS size FROM refused)"
        " WHERE size > ?)",
        (most_bytes,),
    )
