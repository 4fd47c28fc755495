"""What of the catalogue goes into a lake, and how it is cut into dates and files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from gpuledger import rollups
from gpuledger.catalogue import TABLES
from gpuledger.catalogue.verdict import DAILY
from gpuledger.errors import ConfigError, nearest
from gpuledger.lake.manifest import ColumnNote
from gpuledger.rollups import LEVELS, Level
from gpuledger.schema import Cells, Column, Field, Samples, Table, Versions

# Facts have no time of their own: what holds is one part of the lake.
CURRENT = "current"
MINUTE, HOUR, DAY = 60, 3_600, 86_400


@dataclass(frozen=True)
class LakeTable:
    """One physical table: its columns, its time, and what makes two of its rows the same fact.

    `time` is empty for facts. A file never cuts a slice of `slice_s` seconds; `by_month`: hours and
    days are few. `identity` is empty where only the whole row tells.
    """

    name: str
    table: Table
    columns: dict[str, ColumnNote]
    time: str
    order: tuple[str, ...]
    slice_s: int = MINUTE
    by_month: bool = False
    final: bool = False
    identity: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """What follows FROM: rows that the engine has not merged yet count as one."""
        return f"{self.name} FINAL" if self.final else self.name

    @property
    def grows(self) -> bool:
        """Whether rows of a date only ever come: that there are fewer is the work of retention."""
        return bool(self.time) and not isinstance(self.table.layout, Cells)

    @property
    def sample(self) -> bool:
        """Whether inserted rows are rolled up."""
        layout = self.table.layout
        return isinstance(layout, Samples) and bool(layout.rollup) and self.name == self.table.name


def lake_tables() -> dict[str, LakeTable]:
    """Every table that holds data, by name."""
    return {t.name: t for table in TABLES.values() for t in _tables(table)}


def chosen(patterns: str) -> list[LakeTable]:
    """The tables that `gpu_samples*,jobs` names; all for none. ConfigError offers the nearest."""
    known = lake_tables()
    names: dict[str, LakeTable] = {}
    for pattern in filter(None, (p.strip() for p in patterns.split(","))):
        found = {n: t for n, t in known.items() if fnmatchcase(n, pattern)}
        if not found:
            raise ConfigError(f"tables: there is no '{pattern}'{nearest(pattern, known)}")
        names |= found
    return list((names or known).values())


def _tables(table: Table) -> Iterator[LakeTable]:
    columns = {f.stored: _note(f) for f in table.fields}
    match table.layout:
        case Samples(key=key, rollup=rollup):
            order = ("toStartOfHour(ts)", *key, "ts")
            yield LakeTable(table.name, table, columns, "ts", order)
            for level in LEVELS[:rollup]:
                yield _rollup(table, level)
        case Cells(key=key, at=at, partition=partition):
            # Booked windows are replaced as a whole, so that a file must not cut one.
            window = DAY if partition == DAILY else HOUR
            slice_of = f"toStartOf{'Day' if window == DAY else 'Hour'}({at})"
            yield LakeTable(
                *(table.name, table, columns, at, key), slice_s=window, identity=(slice_of,)
            )
        case Versions(key=key):
            yield LakeTable(table.name, table, columns, "", key, final=True)
        case layout:
            yield LakeTable(table.name, table, columns, "ts", (*layout.key, "ts"), by_month=True)


def _rollup(table: Table, level: Level) -> LakeTable:
    notes = {f.stored: _note(f) for f in table.fields}
    columns = {n: _rolled_note(n, kind, notes) for n, kind, _ in rollups.columns(table, level)}
    identity = ("ts", *rollups.keys(table))
    return LakeTable(
        *(level.table(table), table, columns, "ts", (*table.layout.key, *identity)),
        slice_s=level.seconds,
        by_month=level.seconds > MINUTE,
        final=True,
        identity=identity,
    )


def _note(field: Field) -> ColumnNote:
    column: Column[object] = field.column
    return ColumnNote(field.type, column.unit.ucum, str(field.factor), column.help)


def _rolled_note(name: str, kind: str, notes: dict[str, ColumnNote]) -> ColumnNote:
    """A rolled-up column is told by the longest column that begins its name."""
    own = max((n for n in notes if name == n or name.startswith(f"{n}_")), key=len, default="")
    if not own:
        unit, step = ("s", "1/1000") if name.endswith("_ms") else ("1", "1")
        return ColumnNote(kind, unit, step, "of the rollup itself, see gpuledger.rollups")
    fold = name.removeprefix(own).strip("_")
    note = notes[own]
    if fold == "cover_ms":
        return ColumnNote(kind, "s", "1/1000", f"time in which there was a value: {note.help}")
    if fold == "wsum":
        return ColumnNote(kind, f"{note.unit}.ms", note.step, f"value times interval: {note.help}")
    return ColumnNote(kind, note.unit, note.step, f"{fold}: {note.help}" if fold else note.help)


@dataclass(frozen=True)
class Stretch:
    """A date of a table: its folder's name, and its time."""

    folder: str
    since: datetime
    until: datetime

    @property
    def since_s(self) -> int:
        """Seconds since 1970."""
        return int(self.since.timestamp())

    @property
    def until_s(self) -> int:
        """Seconds since 1970."""
        return int(self.until.timestamp())


def stretches(table: LakeTable, since: datetime, until: datetime) -> Iterator[Stretch]:
    """The dates that hold any of (since, until), whole ones, oldest first."""
    at = since.replace(hour=0, minute=0, second=0, microsecond=0)
    if table.by_month:
        at = at.replace(day=1)
    while at < until:
        following = at + timedelta(days=1)
        if table.by_month:
            following = (at + timedelta(days=32)).replace(day=1)
        folder = f"month={at:%Y-%m}" if table.by_month else f"date={at:%Y-%m-%d}"
        yield Stretch(folder, at, following)
        at = following


ALWAYS = Stretch(CURRENT, datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC))
