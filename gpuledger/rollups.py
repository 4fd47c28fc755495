"""Rollups by the minute, the hour and the day: each is made of the one before as rows come in.

A row of a rollup is about one key, its labels, one bucket and one set of known gauges: `known` has
a bit for each gauge of the table, in the order of their declaration, so that one sum of weights
serves all of them. Where several writers told of one bucket, the views take each column from the
first of them, in the declared order, that has a value there; they never add writers up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpuledger.errors import ConfigError
from gpuledger.schema import Field, Kind, Samples, Table, Writers

KNOWN = "known"
MOST_GAUGES = 64


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

# A row that covers no time (columns that came late, a supplement) still speaks where nothing else
# does, as if it covered a millisecond.
WEIGHT = "greatest(s.interval_ms, 1)"
TOTAL = "SimpleAggregateFunction(sum, UInt64)"


@dataclass(frozen=True)
class Rolled:
    """One column of a rollup: how it folds, from which column of a row, and from its own kind.

    `shape` is what its codec does before it packs.
    """

    name: str
    type: str
    of_row: str
    fold: str
    shape: str = "T64, "

    def expression(self, level: Level) -> str:
        """What it is over rows `s` of the level before."""
        return self.fold.format(f"s.{self.name}") if level.source else self.of_row


def writers(table: Table) -> Writers | None:
    """Who may write the same rows of that table; None where there is only one."""
    return table.layout.writers if isinstance(table.layout, Samples) else None


def keys(table: Table) -> tuple[str, ...]:
    """What a row of a rollup is about, its bucket and what is known left out.

    Labels are part of it, the writer's name among them: a text costs less in the key than as an
    aggregate, and rows of a card that was replaced stay apart.
    """
    return ("cluster", *table.layout.key, *labels(table), "epoch")


def labels(table: Table) -> tuple[str, ...]:
    """The labels beside the table's own key."""
    told = (f.stored for f in table.fields if f.column.kind is Kind.LABEL)
    return tuple(name for name in told if name not in {"cluster", *table.layout.key})


def gauges(table: Table) -> tuple[Field, ...]:
    """The gauges of a table in the order of their bits in `known`; ConfigError for too many.

    The order must not change once there are rows: new gauges come after all others.
    """
    found = tuple(f for f in table.fields if _is_gauge(f))
    if len(found) > MOST_GAUGES:
        raise ConfigError(f"{table.name} has more than {MOST_GAUGES} gauges")
    return found


def _is_gauge(field: Field) -> bool:
    return field.column.kind is Kind.GAUGE and not field.peak_of


def _rolled(table: Table) -> Iterator[Rolled]:
    """The columns of the rollup behind its keys."""
    if told := gauges(table):
        bits = " + ".join(_bit(f, place) for place, f in enumerate(told))
        yield Rolled(KNOWN, "UInt64", bits, "{}")
        yield Rolled("weight_ms", TOTAL, f"sum({WEIGHT})", "sum({})")
    yield Rolled("interval_ms", TOTAL, "sum(s.interval_ms)", "sum({})")
    for field in table.fields:
        if is_measured(field, table):
            yield from _folded(field)


def _bit(field: Field, place: int) -> str:
    bit = f"isNotNull(s.{field.stored})"
    return f"{bit} * {1 << place}" if place else f"toUInt64({bit})"


def _folded(field: Field) -> Iterator[Rolled]:
    """The rollup of one physical column, by its kind."""
    name, own = field.stored, f"s.{field.stored}"
    if _is_gauge(field):
        # No null map: `known` says where the sum is one.
        yield Rolled(f"{name}_wsum", TOTAL, f"sum(assumeNotNull({own}) * {WEIGHT})", "sum({})")
        return
    if field.peak_of:
        yield _same(name, "max", field.type, peak(field, "s."))
        return
    match field.column.kind:
        case Kind.COUNTER:
            for function in ("min", "max"):
                yield _same(f"{name}_{function}", function, field.type, own, "Delta, T64, ")
        case Kind.ADDITIVE:
            some = "SimpleAggregateFunction(sum, Nullable(UInt64))"
            yield Rolled(name, some, f"sum({own})", "sum({})")
        case Kind.BITS:
            yield _same(name, "groupBitOr", field.type, own)
        case _:
            yield _same(name, "any", field.type, own, "")


def _same(name: str, function: str, kind: str, own: str, shape: str = "T64, ") -> Rolled:
    """A column that folds rows and buckets by the same function."""
    aggregate = f"SimpleAggregateFunction({function}, {kind})"
    return Rolled(name, aggregate, f"{function}({own})", f"{function}({{}})", shape)


def is_measured(field: Field, table: Table) -> bool:
    """Whether a column is no part of the key, nor of time and epoch."""
    return field.stored not in {"ts", "interval_ms", *keys(table)}


def columns(table: Table, level: Level) -> Iterator[tuple[str, str, str]]:
    """Name, type and expression of each column."""
    types = {f.stored: f.type for f in table.fields}
    yield "ts", "DateTime64(3, 'UTC')", level.bucket
    for name in keys(table):
        yield name, types[name], f"s.{name}"
    for column in _rolled(table):
        yield column.name, column.type, column.expression(level)


def definition(table: Table, level: Level) -> str:
    """Columns, engine and keys of the rollup's table, settings and TTL left out."""
    shapes = {"ts": "DoubleDelta, ", **{c.name: c.shape for c in _rolled(table)}}
    listed = columns(table, level)
    # Each block is written three times, in little pieces: ZSTD saves a tenth and costs a tenth.
    body = ",\n".join(f"  `{n}` {t} CODEC({shapes.get(n, '')}LZ4)" for n, t, _ in listed)
    primary = f"{level.head}{', '.join(table.layout.key)}"
    known = [KNOWN] if gauges(table) else []
    rest = ", ".join(["ts", *labels(table), *known, "cluster", "epoch"])
    return (
        f"(\n{body}\n)\nENGINE = AggregatingMergeTree PARTITION BY {level.partition}\n"
        f"PRIMARY KEY ({primary}) ORDER BY ({primary}, {rest})\n"
    )


def query(table: Table, level: Level) -> str:
    """What the materialized view does with each block of the level before.

    Grouped by expressions and not in a subquery: planning is most of what a small block costs.
    """
    picked = ", ".join(f"{expression} AS `{name}`" for name, _, expression in columns(table, level))
    known = [KNOWN] if gauges(table) else []
    groups = ", ".join([level.bucket, *(f"s.{k}" for k in keys(table)), *known])
    return f"SELECT {picked}\nFROM {level.made_of(table)} AS s GROUP BY {groups}"


def visible(table: Table, level: Level) -> str:
    """The rollup in base units, one row per key and bucket."""
    shown = {name: sql for f in table.fields for name, sql in _visible(f, table)}
    groups = ("ts", "cluster", *table.layout.key)
    cover = f"least(sum(s.interval_ms), {level.seconds * 1000}) / 1000"
    told = writers(table)
    if not told:
        listed = ", ".join(f"{sql} AS {name}" for name, sql in shown.items())
        head = f"SELECT {', '.join(groups)}, {cover} AS covered_seconds"
        body = f"FROM {level.table(table)} AS s GROUP BY {', '.join(groups)}"
        return f"{', '.join(filter(None, (head, listed)))}\n{body}"
    covering = {"covered_seconds": f"nullIf({cover}, 0)"}
    rows = f"FROM {level.table(table)} AS s"
    return chosen(table, rows, groups, {**covering, **shown}, {"covered_seconds": "0"})


def chosen(
    table: Table,
    rows: str,
    groups: tuple[str, ...],
    shown: dict[str, str],
    absent: dict[str, str] | None = None,
) -> str:
    """SELECT of `shown` (name: SQL over rows `s` of one writer, NULL = has none) by `groups`.

    Each is that of the first writer that has one; where none has, it is NULL or as `absent` says.
    """
    told = writers(table)
    assert told
    own = ", ".join(f"{sql} AS `own_{name}`" for name, sql in shown.items())
    by = ", ".join(f"s.{g} AS {g}" for g in groups)
    first = {name: f"argMin(w.own_{name}, w.place)" for name in shown}
    first |= {name: f"ifNull({first[name]}, {sql})" for name, sql in (absent or {}).items()}
    listed = ", ".join(f"{sql} AS {name}" for name, sql in first.items())
    names = ", ".join(groups)
    return (
        f"SELECT {', '.join(f'w.{g} AS {g}' for g in groups)}, {listed}\nFROM (\n"
        f"SELECT {by}, {place(told)} AS place, {own}\n{rows} GROUP BY {names}, place\n"
        f") AS w GROUP BY {names}"
    )


def place(told: Writers, of: str = "s.") -> str:
    """A writer's place in the order: the lower, the earlier it is asked. `of` names its rows.

    Those that are not listed come after all that are, in an order that never changes.
    """
    listed = ", ".join(f"'{name}'" for name in told.order)
    source = f"{of}{told.column}"
    found = f"indexOf([{listed}], {source})"
    after = f"{len(told.order) + 1} + bitShiftRight(sipHash64({source}), 8)"
    return f"if({found} > 0, toUInt64({found}), {after})"


def mean(field: Field, table: Table) -> str:
    """A gauge's mean over rows `s` of a rollup, as stored; NULL where it has no value.

    Weighted by the time that rows cover; a row that covers none weighs a millisecond.
    """
    has = f"bitTest(s.{KNOWN}, {gauges(table).index(field)})"
    return f"sumIf(s.{field.stored}_wsum, {has}) / nullIf(sumIf(s.weight_ms, {has}), 0)"


def _visible(field: Field, table: Table) -> Iterator[tuple[str, str]]:
    """Names that people see, and their SQL in base units over rows `s`."""
    name = field.stored
    if name not in labels(table) and not is_measured(field, table):
        return
    if _is_gauge(field):
        yield field.visible, scaled(mean(field, table), field)
        return
    if field.peak_of:
        yield field.visible, scaled(f"max(s.{name})", field)
        return
    match field.column.kind:
        case Kind.COUNTER:
            yield f"{field.visible}_first", scaled(f"min(s.{name}_min)", field)
            yield f"{field.visible}_last", scaled(f"max(s.{name}_max)", field)
        case Kind.ADDITIVE:
            yield field.visible, scaled(f"sum(s.{name})", field)
        case Kind.BITS:
            yield field.visible, f"groupBitOr(s.{name})"
        case _:
            yield field.visible, f"any(s.{name})"


def single(table: Table) -> dict[str, str]:
    """Names that people see, and their SQL in base units over one row `s` of the rollup.

    A bucket of a key may have several rows (parts not merged yet, writers, sets of known gauges):
    each is right of itself, and only what may be asked of them one by one is right of all.
    """
    out = {"covered_seconds": "s.interval_ms / 1000"}
    for field in table.fields:
        name, kind = field.stored, field.column.kind
        if kind is Kind.COUNTER:
            out |= {
                f"{field.visible}_{end}": scaled(f"s.{name}_{of}", field)
                for end, of in (("first", "min"), ("last", "max"))
            }
        elif _is_gauge(field):
            has = f"bitTest(s.{KNOWN}, {gauges(table).index(field)})"
            mean = f"if({has}, s.{name}_wsum / nullIf(s.weight_ms, 0), NULL)"
            out[field.visible] = scaled(mean, field)
        elif is_measured(field, table):
            out[field.visible] = scaled(f"s.{name}", field)
    return out


def losers(table: Table) -> str:
    """Minutes in which another writer came first: one row per key, hour and writer that lost.

    `minutes` tells in how many the writer wrote beside an earlier one, `instead` which that was
    (the earliest, where it changed).
    """
    told = writers(table)
    assert told
    groups = ", ".join(("cluster", *table.layout.key))
    return (
        f"SELECT toStartOfHour(ts) AS hour, {groups}, lost.2 AS {told.column},\n"
        f"  argMin(first.2, first.1) AS instead, count() AS minutes\n"
        f"FROM (\nSELECT s.ts AS ts, {', '.join(f's.{g} AS {g}' for g in groups.split(', '))},\n"
        f"  arraySort(groupUniqArray(({place(told)}, toString(s.{told.column})))) AS told,"
        " told[1] AS first\n"
        f"FROM {LEVELS[0].table(table)} AS s GROUP BY ts, {groups} HAVING length(told) > 1\n)"
        f" ARRAY JOIN arrayPopFront(told) AS lost\nGROUP BY hour, {groups}, {told.column}"
    )


def peak(field: Field, of: str = "") -> str:
    """A kept max of a sample: stored only where it differs from the mean."""
    return f"ifNull({of}{field.stored}, {of}{field.peak_of})"


def scaled(expression: str, field: Field) -> str:
    """A stored value in base units."""
    top, bottom = field.factor.numerator, field.factor.denominator
    if top == bottom == 1:
        return expression
    return f"{expression} / {bottom}" if top == 1 else f"{expression} * {top} / {bottom}"
