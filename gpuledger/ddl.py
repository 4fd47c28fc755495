"""Catalogue and measures to ClickHouse: tables, rollups, views, and the additive plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpuledger import rollups
from gpuledger.catalogue import ROWS
from gpuledger.errors import ConfigError
from gpuledger.measures import VIEWS
from gpuledger.rollups import LEVELS, Level
from gpuledger.schema import Cells, Events, Field, Samples, Table, Versions

# Tokens kept by each table: an hour of batches of 270 nodes that insert every 10 s by themselves;
# larger fleets meet in a relay or service, whose blocks are few.
DEDUPLICATION_WINDOW = 100_000
# Days that each class of data is kept when `schema apply --retention` asks for it.
RETENTION_DAYS = {"raw": 14, "minutes": 396}


@dataclass(frozen=True)
class Target:
    """One thing that must exist: a table with its columns, or a view."""

    name: str
    kind: str
    create: str
    columns: dict[str, str]

    @property
    def replaceable(self) -> bool:
        """Views hold no data: they are replaced, not altered."""
        return self.kind == "view"


def targets(*, retention: bool = False) -> list[Target]:
    """Everything that a database needs, in an order in which it can be created."""
    tables = [row.table for row in ROWS]
    out = [Target(t.name, "table", create_table(t, retention), _columns(t)) for t in tables]
    for t in tables:
        if isinstance(t.layout, Samples):
            for level in LEVELS[: t.layout.rollup]:
                out += _rollup(t, level, retention=retention)
        out.append(_view(f"v_{t.name}", _select(t)))
    return out + [_view(name, sql.strip()) for name, sql in VIEWS.items()]


def create_table(table: Table, retention: bool = False) -> str:
    """CREATE TABLE IF NOT EXISTS of a declared table."""
    columns = ",\n".join(f"  {_definition(f)}" for f in table.fields)
    return f"CREATE TABLE IF NOT EXISTS {table.name} (\n{columns}\n)\n{_engine(table, retention)}"


def stored_names(table: Table) -> list[str]:
    """Physical column names, in insert order."""
    return [f.stored for f in table.fields]


def _definition(field: Field) -> str:
    codec = f" CODEC({field.codec.value})" if field.codec else ""
    note = field.column.help.replace("\\", "\\\\").replace("'", "\\'")
    return f"`{field.stored}` {field.type} COMMENT '{note}'{codec}"


def _engine(table: Table, retention: bool) -> str:
    keys = ", ".join(table.layout.key)
    settings = f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}"
    match table.layout:
        case Samples(retention=kept):
            # `ts` must stay out of the primary key: with it, the hour is never used for pruning.
            head = f"toStartOfHour(ts), {keys}"
            return (
                f"ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts)\nPRIMARY KEY ({head})"
                f" ORDER BY ({head}, ts)\n{_ttl(kept, retention)}{settings}"
            )
        case Events(retention=kept):
            return (
                f"ENGINE = MergeTree PARTITION BY toYYYYMM(ts)"
                f" ORDER BY ({keys}, ts)\n{_ttl(kept, retention)}{settings}"
            )
        case Versions():
            return f"ENGINE = ReplacingMergeTree(version) ORDER BY ({keys})\n{settings}"
        case Cells(at=at, partition=partition):
            part = partition.format(at=at)
            # No deduplication: a window booked twice from the same rows is the same, not less.
            return f"ENGINE = MergeTree PARTITION BY {part} ORDER BY ({keys})"


def _ttl(kept: str, retention: bool) -> str:
    """Off unless asked for: a TTL silently deletes replayed and imported history."""
    days = RETENTION_DAYS.get(kept) if retention else None
    return f"TTL toDateTime(ts) + INTERVAL {days} DAY\n" if days else ""


def _columns(table: Table) -> dict[str, str]:
    return {f.stored: f.type for f in table.fields}


def _rollup(table: Table, level: Level, *, retention: bool) -> list[Target]:
    """The rollup's table, what fills it, and how people see it."""
    name = level.table(table)
    kinds = {column: kind for column, kind, _ in rollups.columns(table, level)}
    create = (
        f"CREATE TABLE IF NOT EXISTS {name} {rollups.definition(table, level)}"
        f"{_ttl(level.retention, retention)}"
        f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}"
    )
    fill = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}_mv TO {name} AS\n"
    return [
        Target(name, "table", create, kinds),
        Target(f"{name}_mv", "materialized view", fill + rollups.query(table, level), {}),
        _view(f"v_{name}", rollups.visible(table, level)),
    ]


def _view(name: str, select: str) -> Target:
    return Target(name, "view", f"CREATE OR REPLACE VIEW {name} AS\n{select}", {})


def _select(table: Table) -> str:
    """The table in base units; for versioned facts, the version that holds."""
    columns = ", ".join(_visible(f) for f in table.fields)
    final = " FINAL" if isinstance(table.layout, Versions) else ""
    return f"SELECT {columns} FROM {table.name}{final}"


def _visible(field: Field) -> str:
    return f"{rollups.scaled(field.stored, field)} AS {field.visible}"


def plan(existing: Mapping[str, Mapping[str, str]], *, retention: bool = False) -> list[str]:
    """SQL that brings a database to the catalogue: it only adds.

    `existing` is table to {column: type} as system.columns says. ConfigError where a column has
    another type than declared: retyping is never done silently.
    """
    statements: list[str] = []
    for target in targets(retention=retention):
        if target.replaceable or target.name not in existing:
            statements.append(target.create)
        elif target.kind == "table":
            statements += _additions(target, existing[target.name])
        elif _mv_lags(target, existing):
            query = target.create.split(" AS\n", 1)[1]
            statements.append(f"ALTER TABLE {target.name} MODIFY QUERY\n{query}")
    return statements


def _additions(target: Target, existing: Mapping[str, str]) -> list[str]:
    out = []
    for name, kind in target.columns.items():
        if name not in existing:
            out.append(f"ALTER TABLE {target.name} ADD COLUMN IF NOT EXISTS `{name}` {kind}")
        elif _plain(existing[name]) != _plain(kind):
            raise ConfigError(
                f"{target.name}.{name} is {existing[name]} in the database but declared {kind}:"
                " retyping is refused, migrate by hand"
            )
    return out


def _plain(kind: str) -> str:
    return kind.replace(" ", "").replace('"', "'")


def _mv_lags(target: Target, existing: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the rollup has columns that its materialized view does not fill yet."""
    rollup = target.name.removesuffix("_mv")
    declared = next(t for t in targets() if t.name == rollup).columns
    return bool(set(declared) - set(existing[target.name]))
