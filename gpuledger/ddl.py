"""Catalogue and measures to ClickHouse: tables, minute rollups, views, and the additive plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gpuledger.catalogue import ROWS
from gpuledger.errors import ConfigError
from gpuledger.measures import VIEWS
from gpuledger.schema import Cells, Events, Field, Kind, Samples, Table, Versions

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
        if isinstance(t.layout, Samples) and t.layout.rollup:
            out.append(Target(f"{t.name}_1m", "table", _create_rollup(t, retention), _rollup(t)))
            out.append(Target(f"{t.name}_1m_mv", "materialized view", _rollup_mv(t), {}))
            out.append(_view(f"v_{t.name}_1m", _rollup_select(t)))
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
    return f"TTL toDateTime(ts) + INTERVAL {RETENTION_DAYS[kept]} DAY\n" if retention else ""


def _columns(table: Table) -> dict[str, str]:
    return {f.stored: f.type for f in table.fields}


def _rollup(table: Table) -> dict[str, str]:
    """Physical columns of the minute rollup and their types."""
    return {name: kind for name, kind, _ in _rollup_columns(table)}


def _rollup_columns(table: Table) -> Iterator[tuple[str, str, str]]:
    """Name, type and expression of each column of the minute rollup."""
    # A row covers (ts - interval, ts], so that a row ending at 10:01:00 belongs to 10:00.
    yield "ts", "DateTime64(3, 'UTC')", "toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND)"
    for name in ("cluster", *table.layout.key, "epoch"):
        yield name, _columns(table)[name], f"s.{name}"
    yield "interval_ms", "SimpleAggregateFunction(sum, UInt64)", "sum(s.interval_ms)"
    for field in table.fields:
        yield from _rolled(field, table)


def _rolled(field: Field, table: Table) -> Iterator[tuple[str, str, str]]:
    """The rollup of one physical column, by its kind."""
    name = field.stored
    if name in {"ts", "cluster", "epoch", "interval_ms", *table.layout.key}:
        return
    if field.visible.endswith("_max"):
        yield name, f"SimpleAggregateFunction(max, {field.type})", f"max(s.{name})"
        return
    match field.column.kind:
        case Kind.GAUGE:
            weighted = f"sum(toUInt64(s.{name}) * s.interval_ms)"
            yield f"{name}_wsum", "SimpleAggregateFunction(sum, Nullable(UInt64))", weighted
            covered = f"sumIf(s.interval_ms, s.{name} IS NOT NULL)"
            yield f"{name}_cover_ms", "SimpleAggregateFunction(sum, UInt64)", covered
        case Kind.COUNTER:
            for f in ("min", "max"):
                yield f"{name}_{f}", f"SimpleAggregateFunction({f}, {field.type})", f"{f}(s.{name})"
        case Kind.ADDITIVE:
            yield name, "SimpleAggregateFunction(sum, Nullable(UInt64))", f"sum(s.{name})"
        case Kind.BITS:
            yield (
                name,
                f"SimpleAggregateFunction(groupBitOr, {field.type})",
                f"groupBitOr(s.{name})",
            )
        case _:
            yield name, f"SimpleAggregateFunction(anyLast, {field.type})", f"anyLast(s.{name})"


def _create_rollup(table: Table, retention: bool) -> str:
    columns = ",\n".join(
        f"  `{n}` {t} CODEC({_rollup_codec(n)})" for n, t, _ in _rollup_columns(table)
    )
    keys = ", ".join(table.layout.key)
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name}_1m (\n{columns}\n)\n"
        f"ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(ts)\n"
        f"PRIMARY KEY (toStartOfHour(ts), {keys})"
        f" ORDER BY (toStartOfHour(ts), {keys}, ts, cluster, epoch)\n"
        f"{_ttl('minutes', retention)}"
        f"SETTINGS non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}"
    )


def _rollup_codec(name: str) -> str:
    return "DoubleDelta, ZSTD(1)" if name == "ts" else "ZSTD(1)"


def _mv_query(table: Table) -> str:
    columns = list(_rollup_columns(table))
    picked = ", ".join(f"{expression} AS `{name}`" for name, _, expression in columns[1:])
    keys = ", ".join(("bucket", "cluster", *table.layout.key, "epoch"))
    return f"SELECT {columns[0][2]} AS bucket, {picked}\nFROM {table.name} AS s GROUP BY {keys}"


def _rollup_mv(table: Table) -> str:
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {table.name}_1m_mv TO {table.name}_1m AS\n"
        f"SELECT bucket AS ts, * EXCEPT (bucket) FROM (\n{_mv_query(table)})"
    )


def _view(name: str, select: str) -> Target:
    return Target(name, "view", f"CREATE OR REPLACE VIEW {name} AS\n{select}", {})


def _select(table: Table) -> str:
    """The table in base units; for versioned facts, the version that holds."""
    columns = ", ".join(_visible(f) for f in table.fields)
    final = " FINAL" if isinstance(table.layout, Versions) else ""
    return f"SELECT {columns} FROM {table.name}{final}"


def _visible(field: Field) -> str:
    return f"{_scaled(field.stored, field)} AS {field.visible}"


def _scaled(expression: str, field: Field) -> str:
    top, bottom = field.factor.numerator, field.factor.denominator
    if top == bottom == 1:
        return expression
    return f"{expression} / {bottom}" if top == 1 else f"{expression} * {top} / {bottom}"


def _rollup_select(table: Table) -> str:
    """The minute rollup in base units, one row per key and minute."""
    keys = ", ".join(("ts", "cluster", *table.layout.key))
    shown = ", ".join(_rolled_visible(f) for f in table.fields if _is_measured(f, table))
    cover = "least(sum(s.interval_ms), 60000) / 1000 AS covered_seconds"
    return f"SELECT {keys}, {cover}, {shown}\nFROM {table.name}_1m AS s GROUP BY {keys}"


def _is_measured(field: Field, table: Table) -> bool:
    return field.stored not in {"ts", "cluster", "epoch", "interval_ms", *table.layout.key}


def _rolled_visible(field: Field) -> str:
    name = field.stored
    if field.visible.endswith("_max"):
        return f"{_scaled(f'max(s.{name})', field)} AS {field.visible}"
    match field.column.kind:
        case Kind.GAUGE:
            mean = f"sum(s.{name}_wsum) / nullIf(sum(s.{name}_cover_ms), 0)"
            return f"{_scaled(mean, field)} AS {field.visible}"
        case Kind.COUNTER:
            low, high = (_scaled(f"{f}(s.{name}_{f})", field) for f in ("min", "max"))
            return f"{low} AS {field.visible}_first, {high} AS {field.visible}_last"
        case Kind.ADDITIVE:
            return f"{_scaled(f'sum(s.{name})', field)} AS {field.visible}"
        case Kind.BITS:
            return f"groupBitOr(s.{name}) AS {field.visible}"
        case _:
            return f"anyLast(s.{name}) AS {field.visible}"


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
