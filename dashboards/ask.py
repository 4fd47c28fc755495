"""SQL that several boards need: the board's filters, and measures without NaN."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuledger.catalogue import AccountHour, Change
from gpuledger.errors import ConfigError, nearest
from gpuledger.measures import Measure
from gpuledger.rollups import LEVELS, single
from gpuledger.rollups import keys as key_columns
from gpuledger.schema import Kind, Rollup, Samples, Table
from gpuledger.units import RATIO
from gpuledger.views import hours_between

PLACE = ("cluster", "pool")
OWNER = ("cluster", "pool", "team")
# More marks than that hide what they mark.
MARKS = 200
# A point under that is drawn from minutes: 800 of them are six hours and a half.
MINUTES_BELOW_S = 30
# Telemetry: its rows, and the width of a point (s) from which minutes, hours and days are read.
ROWS = ("", 10)
STEPS_S = (11, 3_600, 86_400)
# Of a whole fleet, and of the book: hours of up to two months, days of more. Of a table that has
# no days the last month is read.
DAYS_FROM_S, DAY_S = 7_200, 86_400
MONTH_DAYS = 30
WHOLE_HOURS = "s.ts >= toStartOfHour($__fromTime) AND s.ts <= $__toTime"
# The last second that a DateTime holds.
LAST_S = 4_294_967_295
NO_SLOT = Change.slot.default
ACCOUNT_COLUMNS = ", ".join(f.visible for f in AccountHour.table.fields if f.visible != "hour")


def point(at: str) -> str:
    """The point of a chart in which a cell of book or fleet is: days where days are read."""
    days = f"$__interval_s >= {DAYS_FROM_S} AND $__interval_s < {DAY_S}"
    return f"if({days}, toStartOfDay({at}), $__timeInterval({at}))"


def chosen(names: tuple[str, ...]) -> str:
    """Condition that a row is among what is chosen above the board; All lets every row pass."""
    return " AND ".join(
        f"$__conditionalAll({name} IN (${{{name}:singlequote}}), ${name})" for name in names
    )


def picked(*measures: Measure) -> str:
    """`expression AS name, …`; a share of nothing is missing, not NaN."""
    return ", ".join(f"{_finite(m)} AS {m.name}" for m in measures)


def _finite(measure: Measure) -> str:
    return f"ifNotFinite({measure.sql}, NULL)" if measure.unit is RATIO else measure.sql


def book(names: tuple[str, ...] = OWNER) -> str:
    """FROM and WHERE over the book of the board's hours, under its filters."""
    return f"FROM ({hours_between(_FIRST, _LAST)})\nWHERE {chosen(names)}"


def worst_jobs(measure: Measure, most: int, names: tuple[str, ...] = OWNER) -> str:
    """Condition that a row is of one of the jobs with most of a measure of the book.

    A year has millions of jobs: which they are is found out by one number of each.
    """
    unpriced = hours_between(_FIRST, _LAST, ACCOUNT_COLUMNS, "accounts")
    return (
        f"cityHash64(job) IN (SELECT cityHash64(job) AS hash FROM ({unpriced})\n"
        f"  WHERE {chosen(names)} AND job != '' GROUP BY hash ORDER BY {measure.sql} DESC, hash"
        f" LIMIT {most})"
    )


def accounts(names: tuple[str, ...] = OWNER) -> str:
    """FROM and WHERE over the book with a time column `at`, without prices, which take most time.

    Hours, or days where a point is two hours or more (see `point`).
    """
    return f"FROM ({_union(_accounts(ACCOUNT_COLUMNS))})\nWHERE {chosen(names)}"


def drawn() -> str:
    """FROM over what each node drew: minutes where a point is under half a minute, else as above.

    Columns: at, `cell_seconds` (how wide a cell is), cluster, node, gpu_seconds and
    energy_joules. Filter with WHERE.
    """
    columns = "cluster, node, gpu_seconds, energy_joules"
    minutes = (
        f"SELECT {columns}, minute AS at, 60 AS cell_seconds FROM v_ledger_1m\n"
        f"  WHERE {_within('minute', 0, MINUTES_BELOW_S)}"
    )
    return f"FROM ({_union((minutes, *_accounts(columns, MINUTES_BELOW_S)))})"


def _accounts(columns: str, since: int = 0) -> Iterator[str]:
    for view, time, width, *edges in (
        ("v_accounts_1h", "hour", 3_600, since, DAYS_FROM_S),
        ("v_accounts_1d", "day", 86_400, DAYS_FROM_S, None),
    ):
        yield (
            f"SELECT {columns}, {time} AS at, {width} AS cell_seconds FROM {view}\n"
            f"  WHERE {_within(time, *edges)}"
        )


def samples(table: Table, *names: str) -> str:
    """FROM over telemetry: at, cluster, the table's key, `names`, and how wide a cell is.

    `cell_seconds` is its width, `covered_seconds` how much of that somebody told of.

    Rows where a point is no wider than they are, else minutes, hours and days, as far as the table
    has them. Names are those that people see (`power_watts`); a counter gives `<name>_first` and
    `<name>_last`, its lowest and highest within the cell. Filter with WHERE, by `chosen` too.
    ConfigError for a name that the table has not.
    """
    assert isinstance(table.layout, Samples)
    keys = ("cluster", *table.layout.key)
    levels = (ROWS, *(("_" + x.suffix[1:], x.seconds) for x in LEVELS[: table.layout.rollup.value]))
    branches = []
    for place, (suffix, width) in enumerate(levels):
        below = STEPS_S[place] if place + 1 < len(levels) else None
        since = STEPS_S[place - 1] if place else 0
        shown = ", ".join(_sample(table, name, raw=not suffix) for name in names)
        covered = "covered_seconds" if suffix else "interval_seconds AS covered_seconds"
        branches.append(
            f"SELECT ts AS at, {', '.join(keys)}, {width} AS cell_seconds, {covered}, {shown}"
            f" FROM v_{table.name}{suffix}\n  WHERE {_within('ts', since, below)}"
        )
    return f"FROM ({_union(branches)})"


def fleet(table: Table, *names: str, hours: bool = False) -> str:
    """FROM over telemetry of many nodes, row by row as rollups store it: at, keys and `names`.

    A cell may have several rows (`gpuledger.rollups.single`): ask for maxima, quantiles and ratios
    of sums, never for sums. `covered_seconds` is what a row covers; a counter gives
    `<name>_first` and `<name>_last`, its lowest and highest within the row. `hours`: no minutes,
    and the hour in which the range begins is read whole. Filter with WHERE, by `chosen` too.
    ConfigError for a name that the table has not.
    """
    assert isinstance(table.layout, Samples)
    levels = LEVELS[: table.layout.rollup.value]
    since = (0, MINUTES_BELOW_S, DAYS_FROM_S)[: len(levels)]
    read = list(zip(levels, since, (*since[1:], None), strict=True))
    if hours:
        (_, (hour, _, below), *days) = read
        read = [(hour, 0, below), *days]
    within = [_within("s.ts", *edges) for _, *edges in read]
    if hours:
        within = [w.replace("$__timeFilter(s.ts)", WHOLE_HOURS) for w in within]
    if table.layout.rollup is not Rollup.DAYS:
        within = [f"{w} AND s.ts >= $__toTime - INTERVAL {MONTH_DAYS} DAY" for w in within]
    shown = ("covered_seconds", *(n for name in names for n in _ends(table, name)))
    listed = [f"s.{key} AS {key}" for key in key_columns(table)]
    listed += [f"{sql} AS {name}" for name, sql in single(table).items() if name in shown]
    return "FROM ({})".format(
        _union(
            f"SELECT s.ts AS at, {', '.join(listed)}\n  FROM {level.table(table)} AS s WHERE {when}"
            for (level, *_), when in zip(read, within, strict=True)
        )
    )


def _sample(table: Table, name: str, *, raw: bool) -> str:
    """One column of telemetry, by the name that people see."""
    ends = _ends(table, name)
    if not raw:
        return ", ".join(ends)
    if len(ends) > 1:
        return ", ".join(f"{name} AS {end}" for end in ends)
    # As rollups have it: whole numbers of 64 bits have no type in common with their mean.
    return f"toFloat64({name}) AS {name}" if _kind(table, name) is Kind.GAUGE else name


def _ends(table: Table, name: str) -> tuple[str, ...]:
    """What a column is called in rollups: a counter by its two ends."""
    counter = _kind(table, name) is Kind.COUNTER
    return (f"{name}_first", f"{name}_last") if counter else (name,)


def _kind(table: Table, name: str) -> Kind:
    fields = {f.visible: f for f in table.fields}
    if name not in fields:
        raise ConfigError(f"{table.name} has no {name}{nearest(name, fields)}")
    return fields[name].column.kind


def _within(at: str, since: int | None, below: int | None) -> str:
    """Condition on the time of cells that are read where a point is that wide (s), no others.

    It is about the time column, whatever it says: a condition of constants alone is not pushed
    below the GROUP BY of a view, which then reads everything.
    """
    said = [f"$__interval_s >= {since}"] if since else []
    said += [f"$__interval_s < {below}"] if below else []
    if not said:
        return f"$__timeFilter({at})"
    return f"$__timeFilter({at}) AND {at} < toDateTime(if({' AND '.join(said)}, {LAST_S}, 0))"


def _union(branches: Iterable[str]) -> str:
    return "\n  UNION ALL ".join(branches)


def changes() -> str:
    """What was changed on the fleet, newest first: `time`, `text` and `tags`.

    Without cards seen for the first time: a new fleet would be nothing but marks.
    """
    return f"""SELECT ts AS time, kind AS tags, concat(kind, ' of ', arrayStringConcat(
  arrayFilter(x -> x != '', [if(node = '', cluster, node),
    if(slot = {NO_SLOT}, '', concat('GPU ', toString(slot))), subject]), ' '),
  ': ', if(before = '', 'none', before), ' → ', if(after = '', 'none', after)) AS text
FROM v_changes WHERE $__timeFilter(ts) AND {chosen(("cluster",))}
  AND NOT (kind = 'card' AND before = '')
ORDER BY time DESC, text LIMIT {MARKS}"""


_ENDS = ("$__fromTime", "$__toTime + INTERVAL 1 HOUR")
_FIRST, _LAST = (f"toStartOfHour(toDateTime64({t}, 3, 'UTC'))" for t in _ENDS)
