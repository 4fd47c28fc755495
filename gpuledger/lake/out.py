"""Out of a store into a lake: changed dates are written, date by date, the others left alone."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from gpuledger.lake import manifest
from gpuledger.lake.files import Files
from gpuledger.lake.layout import ALWAYS, CURRENT, LakeTable, Stretch, stretches
from gpuledger.lake.manifest import File, Manifest, Part, TableEntry

# A file is whole in memory while it is written: at 20 to 60 bytes a row some 100 MB at most.
FILE_ROWS = 2_000_000
# The list of contents is written this often; a run that is killed repeats at most that much.
SAVE_S = 10.0
BETWEEN = (
    "{time} >= fromUnixTimestamp64Milli({{since:Int64}}, 'UTC')"
    " AND {time} < fromUnixTimestamp64Milli({{until:Int64}}, 'UTC')"
)


class Source(Protocol):
    """What an export asks: a store, or the service beside it."""

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows as mappings."""
        ...

    def parquet(self, sql: str, **parameters: Any) -> bytes:
        """The answer as a Parquet file."""
        ...


@dataclass
class Done:
    """What one table came to: what was written, and dates that were not."""

    rows: int = 0
    bytes: int = 0
    files: int = 0
    unchanged: int = 0
    kept: int = 0

    def add(self, part: Part) -> None:
        """Count a date that was written."""
        self.rows += part.rows
        self.bytes += sum(f.bytes for f in part.files)
        self.files += len(part.files)


@dataclass(frozen=True)
class Slice:
    """Rows of [since, until), seconds since 1970."""

    since: int
    until: int
    rows: int


def fingerprint_sql(table: LakeTable, columns: Iterable[str] = ()) -> str:
    """Rows and their hash by slice; parameters since and until, milliseconds."""
    names = ", ".join(f"`{c}`" for c in columns or table.columns)
    # A hash of the columns themselves would be NULL as soon as one of them is.
    total = f"count() AS n, sum(cityHash64(tuple({names}))) AS total"
    if not table.time:
        return f"SELECT 0 AS slice, {total} FROM {table.source} HAVING n > 0"
    slice_of = f"toInt64(intDiv(toUnixTimestamp({table.time}), {table.slice_s})) AS slice"
    where = BETWEEN.format(time=table.time)
    grouped = "GROUP BY slice ORDER BY slice"
    return f"SELECT {slice_of}, {total} FROM {table.source} WHERE {where} {grouped}"


def bounds(source: Source, table: LakeTable) -> tuple[datetime, datetime] | None:
    """The first and last time that a table has (facts: of all time); None where it is empty."""
    if not table.time:
        return ALWAYS.since, ALWAYS.until
    at = table.time
    rows = source.select(f"SELECT min({at}) AS a, max({at}) AS b, count() AS n FROM {table.name}")
    return (rows[0]["a"], rows[0]["b"]) if rows[0]["n"] else None


def fingerprint(rows: list[dict[str, Any]], columns: Iterable[str]) -> str:
    """One short text for the rows of a date in those columns."""
    total = sum(r["total"] for r in rows) % (1 << 64)
    named = hashlib.sha256("\n".join(columns).encode()).hexdigest()[:8]
    return f"{sum(r['n'] for r in rows)}-{total:016x}-{named}"


def packed(rows: list[dict[str, Any]], slice_s: int, limit: int) -> Iterator[Slice]:
    """Neighbouring slices, joined while they have no more than `limit` rows."""
    held: Slice | None = None
    for row in rows:
        since = row["slice"] * slice_s
        if held and held.rows + row["n"] <= limit:
            held = Slice(held.since, since + slice_s, held.rows + row["n"])
            continue
        if held:
            yield held
        held = Slice(since, since + slice_s, row["n"])
    if held:
        yield held


@dataclass
class Exporter:
    """Writes tables of a store to a lake; `readable`: as people see them, in base units."""

    source: Source
    files: Files
    readable: bool = False
    file_rows: int = FILE_ROWS
    clock: Callable[[], float] = time.monotonic
    _manifest: Manifest = field(default_factory=Manifest, init=False)
    _saved_at: float = field(default=0.0, init=False)

    def run(
        self, tables: Iterable[LakeTable], since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[str, Done]]:
        """Each table's name and what it came to. ConfigError where another lake lies there."""
        self._manifest = manifest.begun(self.files, "readable" if self.readable else "tables")
        try:
            for table in tables:
                yield table.name, self._table(table, since, until)
        finally:
            self._save()

    def _table(self, table: LakeTable, since: datetime | None, until: datetime | None) -> Done:
        done = Done()
        entry = self._manifest.tables.get(table.name, TableEntry())
        entry.columns = table.columns
        sizes = self.files.sizes(f"table={table.name}")
        for stretch in self._stretches(table, since, until):
            self._stretch(table, stretch, entry, sizes, done)
            if self.clock() > self._saved_at + SAVE_S:
                self._save()
        return done

    def _stretches(
        self, table: LakeTable, since: datetime | None, until: datetime | None
    ) -> Iterator[Stretch]:
        there = bounds(self.source, table)
        if there is None:
            return iter(())
        if not table.time:
            return iter((ALWAYS,))
        first, end = there[0], there[1] + timedelta(milliseconds=1)
        return stretches(table, max(since or first, first), min(until or end, end))

    def _stretch(
        self,
        table: LakeTable,
        stretch: Stretch,
        entry: TableEntry,
        sizes: Mapping[str, int],
        done: Done,
    ) -> None:
        """Write one date, unless the lake has these very rows, or more than the store still has."""
        before = entry.parts.get(stretch.folder, Part(""))
        rows = self.source.select(
            fingerprint_sql(table), **milliseconds(table, stretch.since_s, stretch.until_s)
        )
        found = fingerprint(rows, table.columns)
        whole = all(sizes.get(f.path) == f.bytes for f in before.files)
        if not rows or (table.grows and whole and sum(r["n"] for r in rows) < before.count):
            done.kept += bool(before.files)
            return
        if whole and before.fingerprint == found:
            done.unchanged += 1
            return
        part = Part(found, [self._file(table, stretch, s) for s in self._slices(table, rows)])
        entry.parts[stretch.folder] = part
        self._manifest.tables[table.name] = entry
        done.add(part)
        if stale := {f.path for f in before.files} - {f.path for f in part.files}:
            self._save()
            for path in stale:
                self.files.delete(path)

    def _slices(self, table: LakeTable, rows: list[dict[str, Any]]) -> Iterator[Slice]:
        if not table.time:
            return (Slice(0, ALWAYS.until_s, r["n"]) for r in rows)
        return packed(rows, table.slice_s, self.file_rows)

    def _file(self, table: LakeTable, stretch: Stretch, piece: Slice) -> File:
        from pyarrow import BufferReader, parquet  # noqa: PLC0415 - see gpuledger.lake.files

        since, until = piece.since, piece.until
        body = self.source.parquet(self._sql(table), **milliseconds(table, since, until))
        rows = parquet.ParquetFile(BufferReader(body)).metadata.num_rows
        began = datetime.fromtimestamp(since, UTC)
        name = f"{began:%Y%m%dT%H%M}" if table.time else CURRENT
        folder = f"table={table.name}/{stretch.folder}/" if table.time else f"table={table.name}/"
        path = f"{folder}{name}.parquet"
        self.files.put(path, body)
        checksum = hashlib.sha256(body).hexdigest()
        return File(path, rows, len(body), checksum, since, until)

    def _sql(self, table: LakeTable) -> str:
        where = f"WHERE {BETWEEN.format(time=table.time)}" if table.time else ""
        if self.readable:
            order = f"ORDER BY {table.time}" if table.time else ""
            return f"SELECT * FROM v_{table.name} {where} {order}"
        names = ", ".join(f"`{c}`" for c in table.columns)
        return f"SELECT {names} FROM {table.source} {where} ORDER BY {', '.join(table.order)}"

    def _save(self) -> None:
        self.files.put(manifest.NAME, manifest.encode(self._manifest))
        self._saved_at = self.clock()


def milliseconds(table: LakeTable, since_s: int, until_s: int) -> dict[str, int]:
    """The parameters of BETWEEN; facts have none."""
    return {"since": since_s * 1000, "until": until_s * 1000} if table.time else {}
