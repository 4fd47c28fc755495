"""Rollups by the minute, the hour and the day: each is made of the one before as rows come in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpuledger.schema import Field, Kind, Table


@dataclass(frozen=True)
class Level:
    """One rollup: its suffix, what it is made of, and how long a bucket is.

    `bucket` gives the bucket of a row `s` of the level before.
    """

    suffix: str
    source: str
    bucket: str
    seconds: int
    partition: str
    head: str
    retention: str

    def table(self, table: Table) -> str:
        """Name of the rollup of that table."""
        return f"{table.name}{self.suffix}"

    def made_of(self, table: Table) -> str:
        """Name of the table that it is made of."""
        return f"{table.name}{self.source}"


# A row covers (ts - interval, ts], so that one ending at 10:01:00 belongs to 10:00. The hour leads
# the key of minutes (a question of one hour reads only that), while hours and days are few.
LEVELS = (
    Level(
        *("_1m", "", "toStartOfMinute(s.ts - INTERVAL 1 MILLISECOND)", 60),
        partition="toYYYYMM(ts)",
        head="toStartOfHour(ts), ",
        retention="minutes",
    ),
    Level(
        *("_1h", "_1m", "toStartOfHour(s.ts)", 3_600),
        partition="toYear(ts)",
        head="",
        retention="",
    ),
    Level(
        *("_1d", "_1h", "toStartOfDay(s.ts)", 86_400),
        partition="toYear(ts)",
        head="",
        retention="",
    ),
)


@dataclass(frozen=True)
class Rolled:
    """One column of a rollup: how it folds, from which column of a row, and from its own kind."""

    name: str
    type: str
    of_row: str
    fold: str

    def expression(self, level: Level) -> str:
        """What it is over rows `s` of the level before."""
        return self.fold.format(f"s.{self.name}") if level.source else self.of_row


def keys(table: Table) -> tuple[str, ...]:
    """What a row of a rollup is about, its bucket left out."""
    return ("cluster", *table.layout.key, "epoch")


def columns(table: Table, level: Level) -> Iterator[tuple[str, str, str]]:
    """Name, type and expression of each column."""
    types = {f.stored: f.type for f in table.fields}
    yield "ts", "DateTime64(3, 'UTC')", level.bucket
    for name in keys(table):
        yield name, types[name], f"s.{name}"
    for column in _rolled(table):
        yield column.name, column.type, column.expression(level)


def _rolled(table: Table) -> Iterator[Rolled]:
    total = "SimpleAggregateFunction(sum, UInt64)"
    yield Rolled("interval_ms", total, "sum(s.interval_ms)", "sum({})")
    for field in table.fields:
        if is_measured(field, table):
            yield from _folded(field)


def _folded(field: Field) -> Iterator[Rolled]:
    """The rollup of one physical column, by its kind."""
    name, own = field.stored, f"s.{field.stored}"
    some = "SimpleAggregateFunction(sum, Nullable(UInt64))"
    if field.visible.endswith("_max"):
        yield _same(name, "max", field.type, own)
        return
    match field.column.kind:
        case Kind.GAUGE:
            yield Rolled(f"{name}_wsum", some, f"sum(toUInt64({own}) * s.interval_ms)", "sum({})")
            covered = f"sumIf(s.interval_ms, {own} IS NOT NULL)"
            total = "SimpleAggregateFunction(sum, UInt64)"
            yield Rolled(f"{name}_cover_ms", total, covered, "sum({})")
        case Kind.COUNTER:
            yield _same(f"{name}_min", "min", field.type, own)
            yield _same(f"{name}_max", "max", field.type, own)
        case Kind.ADDITIVE:
            yield Rolled(name, some, f"sum({own})", "sum({})")
        case Kind.BITS:
            yield _same(name, "groupBitOr", field.type, own)
        case _:
            yield _same(name, "anyLast", field.type, own)


def _same(name: str, function: str, kind: str, own: str) -> Rolled:
    """A column that folds rows and buckets by the same function."""
    aggregate = f"SimpleAggregateFunction({function}, {kind})"
    return Rolled(name, aggregate, f"{function}({own})", f"{function}({{}})")


def is_measured(field: Field, table: Table) -> bool:
    """Whether a column is no part of the key, nor of time and epoch."""
    return field.stored not in {"ts", "interval_ms", *keys(table)}


def definition(table: Table, level: Level) -> str:
    """Columns, engine and keys of the rollup's table, settings and TTL left out."""
    body = ",\n".join(f"  `{n}` {t} CODEC({_codec(n)})" for n, t, _ in columns(table, level))
    primary = f"{level.head}{', '.join(table.layout.key)}"
    order = f"{primary}, ts, cluster, epoch"
    return (
        f"(\n{body}\n)\nENGINE = AggregatingMergeTree PARTITION BY {level.partition}\n"
        f"PRIMARY KEY ({primary}) ORDER BY ({order})\n"
    )


def _codec(name: str) -> str:
    return "DoubleDelta, ZSTD(1)" if name == "ts" else "ZSTD(1)"


def query(table: Table, level: Level) -> str:
    """What the materialized view does with each block of the level before."""
    (_, _, bucket), *rest = columns(table, level)
    picked = ", ".join(f"{expression} AS `{name}`" for name, _, expression in rest)
    groups = ", ".join(("bucket", *keys(table)))
    inner = (
        f"SELECT {bucket} AS bucket, {picked}\nFROM {level.made_of(table)} AS s GROUP BY {groups}"
    )
    return f"SELECT bucket AS ts, * EXCEPT (bucket) FROM (\n{inner})"


def visible(table: Table, level: Level) -> str:
    """The rollup in base units, one row per key and bucket."""
    groups = ", ".join(("ts", "cluster", *table.layout.key))
    shown = ", ".join(_visible(f) for f in table.fields if is_measured(f, table))
    cover = f"least(sum(s.interval_ms), {level.seconds * 1000}) / 1000 AS covered_seconds"
    parts = ", ".join(part for part in (groups, cover, shown) if part)
    return f"SELECT {parts}\nFROM {level.table(table)} AS s GROUP BY {groups}"


def _visible(field: Field) -> str:
    name = field.stored
    if field.visible.endswith("_max"):
        return f"{scaled(f'max(s.{name})', field)} AS {field.visible}"
    match field.column.kind:
        case Kind.GAUGE:
            mean = f"sum(s.{name}_wsum) / nullIf(sum(s.{name}_cover_ms), 0)"
            return f"{scaled(mean, field)} AS {field.visible}"
        case Kind.COUNTER:
            low, high = (scaled(f"{f}(s.{name}_{f})", field) for f in ("min", "max"))
            return f"{low} AS {field.visible}_first, {high} AS {field.visible}_last"
        case Kind.ADDITIVE:
            return f"{scaled(f'sum(s.{name})', field)} AS {field.visible}"
        case Kind.BITS:
            return f"groupBitOr(s.{name}) AS {field.visible}"
        case _:
            return f"anyLast(s.{name}) AS {field.visible}"


def scaled(expression: str, field: Field) -> str:
    """A stored value in base units."""
    top, bottom = field.factor.numerator, field.factor.denominator
    if top == bottom == 1:
        return expression
    return f"{expression} / {bottom}" if top == 1 else f"{expression} * {top} / {bottom}"
