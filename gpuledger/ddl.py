"""Catalogue and measures to ClickHouse: tables, rollups and views as they should be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpuledger import rollups
from gpuledger.catalogue import TABLES
from gpuledger.rollups import LEVELS, Level
from gpuledger.schema import Cells, Events, Field, Samples, Table, Versions
from gpuledger.views import VIEWS

# Tokens kept by each table: an hour of batches of 270 nodes that insert every 10 s by themselves;
# larger fleets meet in a relay or service, whose blocks are few.
DEDUPLICATION_WINDOW = 100_000
# What begins the comment of a generated view, fill or distributed table; the rest tells which.
STAMP = "gpuledger "
# Old rows leave by whole parts, and a changed age is written down without rewriting any.
TTL_SETTINGS = {"ttl_only_drop_parts": 1, "materialize_ttl_recalculate_only": 1}


@dataclass(frozen=True)
class Keeping:
    """How long each class of rows is kept, and where it goes with age.

    `days` is class (raw, minutes, hours, ledger) to days, 0 = for ever; None = nothing is said:
    a TTL silently deletes replayed and imported history, so that it must be asked for.
    """

    days: Mapping[str, int] | None = None
    policy: str = ""
    volume: str = ""
    cold_days: int = 0

    def deletes(self, kind: str, time: str) -> str:
        """The part of the TTL that deletes; empty = never."""
        days = (self.days or {}).get(kind, 0)
        return f"{_age(time, days)}" if days else ""

    def moves(self, kind: str, time: str) -> str:
        """The part of the TTL that moves to the cold volume; empty = never."""
        kept = (self.days or {}).get(kind, 0)
        if not self.volume or (kept and kept <= self.cold_days):
            return ""
        return f"{_age(time, self.cold_days)} TO VOLUME '{self.volume}'"

    def clause(self, kind: str, time: str) -> str:
        """The TTL clause of a table, with its line end; empty = none."""
        parts = [part for part in (self.deletes(kind, time), self.moves(kind, time)) if part]
        return f"TTL {', '.join(parts)}\n" if parts else ""

    def settings(self, kind: str, time: str) -> dict[str, int | str]:
        """Settings of a table whose rows have an age."""
        out: dict[str, int | str] = dict(TTL_SETTINGS) if self.clause(kind, time) else {}
        return {**out, "storage_policy": f"'{self.policy}'"} if self.policy else out


FOR_EVER = Keeping()


def _age(time: str, days: int) -> str:
    return f"toDateTime({time}) + INTERVAL {days} DAY"


@dataclass(frozen=True)
class Target:
    """One thing that must exist: a table with its columns, or a view.

    `ages` is the class of its rows and the column that tells their age; `of` the table that a
    rollup or a fill is made of.
    """

    name: str
    kind: str
    body: str
    columns: Mapping[str, str]
    ages: tuple[str, str] = ("", "")
    of: str = ""

    @property
    def replaceable(self) -> bool:
        """Views and distributed tables hold no data: they are replaced, not altered."""
        return self.kind in {"view", "distributed"}

    @property
    def stamp(self) -> str:
        """What its comment must be; a table has none."""
        if self.kind == "table":
            return ""
        text = "\n".join((self.body, *(f"{n} {t}" for n, t in self.columns.items())))
        return STAMP + hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def create(self) -> str:
        """The statement that makes it."""
        return f"{self.body}\nCOMMENT '{self.stamp}'" if self.stamp else self.body


def targets(
    keeping: Keeping = FOR_EVER,
    tables: Sequence[Table] = tuple(TABLES.values()),
    views: Mapping[str, str] = VIEWS,
) -> list[Target]:
    """Everything that a database needs, in an order in which it can be created."""
    out = [_table(t, keeping) for t in tables]
    for t in tables:
        if isinstance(t.layout, Samples):
            for level in LEVELS[: t.layout.rollup]:
                out += rollup(t, level, keeping)
        out.append(_view(f"v_{t.name}", _select(t)))
    return out + [_view(name, sql.strip()) for name, sql in views.items()]


def create_table(table: Table, keeping: Keeping = FOR_EVER) -> str:
    """CREATE TABLE IF NOT EXISTS of a declared table."""
    columns = ",\n".join(f"  {definition(f)}" for f in table.fields)
    return f"CREATE TABLE IF NOT EXISTS {table.name} (\n{columns}\n)\n{_engine(table, keeping)}"


def stored_names(table: Table) -> list[str]:
    """Physical column names, in insert order."""
    return [f.stored for f in table.fields]


def definition(field: Field) -> str:
    """A column as CREATE TABLE and ADD COLUMN say it."""
    codec = f" CODEC({field.codec.value})" if field.codec else ""
    note = field.column.help.replace("\\", "\\\\").replace("'", "\\'")
    return f"`{field.stored}` {field.type} COMMENT '{note}'{codec}"


def _table(table: Table, keeping: Keeping) -> Target:
    columns = {f.stored: f.type for f in table.fields}
    return Target(table.name, "table", create_table(table, keeping), columns, _ages(table))


def _ages(table: Table) -> tuple[str, str]:
    """Class of the table's rows, and the column that tells their age; facts have none."""
    match table.layout:
        case Samples(retention=kept) | Events(retention=kept):
            return kept, "ts"
        case Cells(at=at):
            return "ledger", at
        case _:
            return "", ""


def _engine(table: Table, keeping: Keeping) -> str:
    keys = ", ".join(table.layout.key)
    ages = _ages(table)
    window = {"non_replicated_deduplication_window": DEDUPLICATION_WINDOW}
    match table.layout:
        case Samples():
            # `ts` must stay out of the primary key: with it, the hour is never used for pruning.
            head = f"toStartOfHour(ts), {keys}"
            engine = (
                f"ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)\nPRIMARY KEY ({head})"
                f" ORDER BY ({head}, ts)"
            )
        case Events():
            engine = f"ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY ({keys}, ts)"
        case Versions():
            return f"ENGINE = ReplacingMergeTree(version) ORDER BY ({keys})\n{_settings(window)}"
        case Cells(at=at, partition=partition):
            part = partition.format(at=at)
            engine = f"ENGINE = MergeTree PARTITION BY {part} ORDER BY ({keys})"
            # No deduplication: a window booked twice from the same rows is the same, not less.
            window = {}
    return f"{engine}\n{_tail(keeping, ages, window)}".rstrip("\n")


def _tail(keeping: Keeping, ages: tuple[str, str], settings: Mapping[str, int | str]) -> str:
    """TTL and settings of a table whose rows have an age."""
    return keeping.clause(*ages) + _settings({**settings, **keeping.settings(*ages)})


def _settings(settings: Mapping[str, int | str]) -> str:
    """The SETTINGS clause; empty where there are none."""
    listed = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return f"SETTINGS {listed}" if listed else ""


def rollup_views(table: Table) -> list[str]:
    """Names of the materialized views that fill the table's rollups."""
    layout = table.layout
    levels = LEVELS[: layout.rollup] if isinstance(layout, Samples) else ()
    return [f"{level.table(table)}_mv" for level in levels]


def rollup(table: Table, level: Level, keeping: Keeping = FOR_EVER) -> list[Target]:
    """The rollup's table, what fills it, and how people see it."""
    name, source = level.table(table), level.made_of(table)
    kinds = {column: kind for column, kind, _ in rollups.columns(table, level)}
    ages = (level.retention or "hours", "ts")
    window = {"non_replicated_deduplication_window": DEDUPLICATION_WINDOW}
    create = (
        f"CREATE TABLE IF NOT EXISTS {name} {rollups.definition(table, level)}"
        f"{_tail(keeping, ages, window)}"
    )
    fill = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}_mv TO {name} AS\n"
    body = fill + rollups.query(table, level)
    lost = rollups.writers(table) and level is LEVELS[0]
    return [
        Target(name, "table", create, kinds, ages, of=source),
        Target(f"{name}_mv", "materialized view", body, {}, of=source),
        _view(f"v_{name}", rollups.visible(table, level)),
        *([_view(f"v_{table.name}_losers", rollups.losers(table))] if lost else []),
    ]


def _view(name: str, select: str) -> Target:
    return Target(name, "view", f"CREATE OR REPLACE VIEW {name} AS\n{select}", {})


def _select(table: Table) -> str:
    """The table in base units; for versioned facts, the version that holds."""
    columns = ", ".join(_visible(f) for f in table.fields)
    final = " FINAL" if isinstance(table.layout, Versions) else ""
    return f"SELECT {columns} FROM {table.name}{final}"


def _visible(field: Field) -> str:
    own = rollups.peak(field) if field.peak_of else field.stored
    return f"{rollups.scaled(own, field)} AS {field.visible}"
