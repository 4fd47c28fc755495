"""From a lake back into a store: what is missing is added, what is there is never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from gpuledger.errors import ConfigError, StoreError
from gpuledger.lake import manifest
from gpuledger.lake.files import Files
from gpuledger.lake.layout import LakeTable
from gpuledger.lake.manifest import File, Manifest, Part, TableEntry, check_known
from gpuledger.lake.out import fingerprint, fingerprint_sql, milliseconds
from gpuledger.rollups import LEVELS
from gpuledger.store import Store

# Beside each table while its files come in.
ARRIVED, MISSING = "_arrived", "_missing"


@dataclass
class Taken:
    """What one table came to, in rows: added, there before, too old for its retention.

    Of those that were there, `differing` have other values in the store, which stay.
    """

    added: int = 0
    there: int = 0
    differing: int = 0
    expired: int = 0


@dataclass(frozen=True)
class Importer:
    """Brings tables of a lake into a store.

    A table is filled without its materialized views, from a table beside it of which whole
    partitions are attached: rollups come from the lake as they were, and are not made a second
    time. Where the lake has samples without rollups, they are inserted, and rolled up.
    """

    store: Store
    files: Files

    def run(self, tables: Iterable[LakeTable]) -> Iterator[tuple[str, Taken]]:
        """Each table's name and what it came to. ConfigError where the lake is not for us."""
        if self.store.cluster:
            # Partitions are attached on the shard that their rows belong to.
            raise ConfigError("an export is brought back into one node, not into a cluster")
        contents = self.contents()
        wanted = [t for t in tables if t.name in contents.tables]
        for table in wanted:
            check_known(table.name, contents.tables[table.name], table.columns, self.files.place)
        for table in wanted:
            minutes = contents.tables.get(f"{table.name}{LEVELS[0].suffix}", TableEntry())
            made = set(minutes.parts) if table.sample else None
            yield table.name, self._table(table, contents.tables[table.name], made)

    def contents(self) -> Manifest:
        """What the lake holds. ConfigError where it is no lake of tables, or a newer one."""
        body = self.files.get(manifest.NAME)
        if body is None:
            raise ConfigError(f"{self.files.place} is no gpuledger export: no {manifest.NAME}")
        found = manifest.decode(body, self.files.place)
        if found.kind != "tables":
            raise ConfigError(
                f"{self.files.place} was exported with --readable, for people: a store takes back"
                " only an export without it"
            )
        return found

    def _table(self, table: LakeTable, entry: TableEntry, made: set[str] | None) -> Taken:
        """One table; `made`: dates whose rollups are in the lake, None where it has no rollups."""
        taken = Taken()
        lacking = {k: p for k, p in entry.parts.items() if not self._is_there(table, entry, p)}
        taken.there = sum(p.rows for k, p in entry.parts.items() if k not in lacking)
        if not lacking:
            return taken
        with _beside(self.store, table.name) if table.time else nullcontext():
            for date, part in lacking.items():
                past_views = table.time and (made is None or date in made)
                for file in part.files:
                    body = self._checked(file)
                    if past_views:
                        self._attach(table, entry, file, body, taken)
                        continue
                    # The same file twice counts once: its checksum is the token.
                    names = list(entry.columns)
                    self.store.insert_parquet(table.name, names, body, token=file.sha256)
                    taken.added += file.rows
        return taken

    def _is_there(self, table: LakeTable, entry: TableEntry, part: Part) -> bool:
        """Whether the store has the very rows of a date."""
        since, until = min(f.since for f in part.files), max(f.until for f in part.files)
        sql, span = fingerprint_sql(table, entry.columns), milliseconds(table, since, until)
        return fingerprint(self.store.select(sql, **span), entry.columns) == part.fingerprint

    def _checked(self, file: File) -> bytes:
        body = self.files.get(file.path)
        if body is None or hashlib.sha256(body).hexdigest() != file.sha256:
            how = "is missing" if body is None else "is not what was exported"
            raise StoreError(f"{self.files.place}/{file.path} {how}: export that date again")
        return body

    def _attach(
        self, table: LakeTable, entry: TableEntry, file: File, body: bytes, taken: Taken
    ) -> None:
        """Add the rows of a file that the table lacks, past its materialized views."""
        arrived, missing = f"{table.name}{ARRIVED}", f"{table.name}{MISSING}"
        for name in (arrived, missing):
            self.store.command(f"TRUNCATE TABLE {name}")
        self.store.insert_parquet(arrived, list(entry.columns), body)
        came = self._count(arrived)
        told = _told(table.identity or table.columns, whole=not table.identity)
        where = f"{table.time} >= {_at(file.since)} AND {table.time} < {_at(file.until)}"
        self.store.command(
            f"INSERT INTO {missing} SELECT * FROM {arrived} WHERE {told} NOT IN"
            f" (SELECT {told} FROM {table.name} WHERE {where})"
        )
        added = self._count(missing)
        if table.identity:
            taken.differing += self._differing(table, arrived, where) - added
        partitions = self.store.select(
            "SELECT DISTINCT partition_id AS id FROM system.parts WHERE active"
            f" AND database = currentDatabase() AND table = '{missing}'"
        )
        if partitions:
            changes = (f"ATTACH PARTITION ID '{p['id']}' FROM {missing}" for p in partitions)
            self.store.command(f"ALTER TABLE {table.name} {', '.join(changes)}")
        taken.added += added
        taken.there += came - added
        # An engine told to forget old rows does so already when they come in.
        taken.expired += file.rows - came

    def _differing(self, table: LakeTable, arrived: str, where: str) -> int:
        """Rows that came which the table did not have just so."""
        told = _told(table.columns, whole=True)
        there = f"SELECT {told} FROM {table.source} WHERE {where}"
        return int(self.store.value(f"SELECT count() FROM {arrived} WHERE {told} NOT IN ({there})"))

    def _count(self, table: str) -> int:
        return int(self.store.value(f"SELECT count() FROM {table}"))


@contextmanager
def _beside(store: Store, table: str) -> Iterator[None]:
    """Two empty tables like this one; what an earlier import left of them is thrown away."""
    names = (f"{table}{ARRIVED}", f"{table}{MISSING}")
    for name in names:
        store.command(f"DROP TABLE IF EXISTS {name} SYNC")
        store.command(f"CREATE TABLE {name} AS {table}")
    try:
        yield
    finally:
        for name in names:
            store.command(f"DROP TABLE IF EXISTS {name} SYNC")


def _told(columns: Iterable[str], *, whole: bool) -> str:
    """What two rows that are the same fact have in common."""
    told = f"({', '.join(columns)})"
    return f"cityHash64(tuple{told})" if whole else f"tuple{told}"


def _at(second: int) -> str:
    return f"fromUnixTimestamp64Milli({second * 1000}, 'UTC')"
