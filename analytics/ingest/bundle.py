"""Parcels, what senders hand over, and bundles of them, what the journal keeps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import lz4.frame

BUNDLE_BYTES = 8 << 20
SCHEMA = """
CREATE TABLE IF NOT EXISTS bundles (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, block INTEGER, rows INTEGER NOT NULL,
    plain INTEGER NOT NULL, packed INTEGER NOT NULL, created REAL NOT NULL, digest TEXT NOT NULL,
    parcels BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS bundles_waiting ON bundles (tbl, id) WHERE block IS NULL;
CREATE INDEX IF NOT EXISTS bundles_by_block ON bundles (block) WHERE block IS NOT NULL;
"""
INSERT = (
    "INSERT INTO bundles (tbl, block, rows, plain, packed, created, digest, parcels, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows of one table as Native blocks of columns as stored, under the key of their sender."""

    table: str
    key: str
    rows: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """Parcels of one table in one row of the file; `parcels` has their keys, rows and sizes."""

    table: str
    rows: int
    plain: int
    digest: str
    parcels: bytes
    body: bytes

    @classmethod
    def of(cls, table: str, parcels: Sequence[Parcel]) -> Bundle:
        """Parcels put together and compressed; the digest is that of their keys."""
        told = json.dumps([[p.key, p.rows, len(p.body)] for p in parcels]).encode()
        plain = b"".join(p.body for p in parcels)
        digest = sha256("\n".join(p.key for p in parcels).encode()).hexdigest()
        rows = sum(p.rows for p in parcels)
        packed, said = lz4.frame.compress(plain), lz4.frame.compress(told)
        return cls(table, rows, len(plain), digest, said, packed)

    def write(self, db: sqlite3.Connection, created: float, block: int | None = None) -> int:
        """Put it into the file; its number there."""
        sizes = self.rows, self.plain, len(self.body)
        done = db.execute(
            INSERT, (self.table, block, *sizes, created, self.digest, self.parcels, self.body)
        )
        return done.lastrowid or 0


def pack(table: str, parcels: Sequence[Parcel]) -> Iterator[Bundle]:
    """Parcels put together, up to a size at which they are still read in one go."""
    begin, size = 0, 0
    for place, parcel in enumerate(parcels):
        size += len(parcel.body)
        if size >= BUNDLE_BYTES or place == len(parcels) - 1:
            yield Bundle.of(table, parcels[begin : place + 1])
            begin, size = place + 1, 0


def unpack(table: str, told: bytes, packed: bytes) -> list[Parcel]:
    """The parcels of a bundle again."""
    body, at, out = lz4.frame.decompress(packed), 0, []
    for key, rows, size in json.loads(lz4.frame.decompress(told)):
        out.append(Parcel(table, key, rows, body[at : at + size]))
        at += size
    return out
