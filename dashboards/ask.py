"""SQL that several boards need: the board's filters, and measures without NaN."""

from __future__ import annotations

from collections.abc import Iterable

from gpuledger.catalogue import Change
from gpuledger.errors import ConfigError, nearest
from gpuledger.measures import Measure
from gpuledger.rollups import LEVELS
from gpuledger.schema import Kind, Samples, Table
from gpuledger.units import RATIO
from gpuledger.views import BOOK_COLUMNS, hours_between

PLACE = ("cluster", "pool")
OWNER = ("cluster", "pool", "team")
# More marks than that hide what they mark.
MARKS = 200
# A point under that is drawn from minutes: 800 of them are six hours and a half.
MINUTES_BELOW_S = 30
# Telemetry: its rows, and the width of a point (s) from which minutes, hours and days are read.
ROWS = ("", 10)
STEPS_S = (11, 3_600, 86_400)
# The same for panels over every node of a fleet: hours as soon as minutes would be many.
FLEET_S = (11, MINUTES_BELOW_S, 86_400)
# The last second that a DateTime holds.
LAST_S = 4_294_967_295
NO_SLOT = Change.slot.default


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
    first, last = (f"toStartOfHour(toDateTime64({t}, 3, 'UTC'))" for t in _ENDS)
    return f"FROM ({hours_between(first, last)})\nWHERE {chosen(names)}"


def book_by(time: str, names: tuple[str, ...] = OWNER, *, minutes: bool = False) -> str:
    """The same with a column `time`: hours, or days where a point is a day or more.

    With `minutes`, those where a point is under half a minute; `cell_seconds` is how wide a
    cell is.
    """
    least = MINUTES_BELOW_S if minutes else 0
    cells = (
        *([("v_book_1m", "minute", 60, 0, least)] if minutes else []),
        ("v_book_1h", "hour", 3_600, least, 86_400),
        ("v_book_1d", "day", 86_400, 86_400, None),
    )
    branches = (
        f"SELECT {BOOK_COLUMNS}, {at} AS {time}, {width} AS cell_seconds FROM {view}\n"
        f"  WHERE {_within(at, since, below)}"
        for view, at, width, since, below in cells
    )
    return f"FROM ({_union(branches)})\nWHERE {chosen(names)}"


def samples(table: Table, *names: str, time: str = "at", steps: tuple[int, ...] = STEPS_S) -> str:
    """FROM over telemetry: `time`, cluster, the table's key, `names`, and how wide a cell is.

    `cell_seconds` is its width, `covered_seconds` how much of that somebody told of.

    Rows where a point is no wider than they are, else minutes, hours and days, as far as the table
    has them. Names are those that people see (`power_watts`); a counter gives `<name>_first` and
    `<name>_last`, its lowest and highest within the cell. Filter with WHERE, by `chosen` too.
    `steps`: from which width of a point (s) minutes, hours and days are read.
    ConfigError for a name that the table has not.
    """
    assert isinstance(table.layout, Samples)
    keys = ("cluster", *table.layout.key)
    levels = (ROWS, *(("_" + x.suffix[1:], x.seconds) for x in LEVELS[: table.layout.rollup.value]))
    branches = []
    for place, (suffix, width) in enumerate(levels):
        below = steps[place] if place + 1 < len(levels) else None
        since = steps[place - 1] if place else 0
        shown = ", ".join(_sample(table, name, raw=not suffix) for name in names)
        covered = "covered_seconds" if suffix else "interval_seconds AS covered_seconds"
        branches.append(
            f"SELECT ts AS {time}, {', '.join(keys)}, {width} AS cell_seconds, {covered}, {shown}"
            f" FROM v_{table.name}{suffix}\n  WHERE {_within('ts', since, below)}"
        )
    return f"FROM ({_union(branches)})"


def _sample(table: Table, name: str, *, raw: bool) -> str:
    """One column of telemetry, by the name that people see."""
    fields = {f.visible: f for f in table.fields}
    if name not in fields:
        raise ConfigError(f"{table.name} has no {name}{nearest(name, fields)}")
    kind = fields[name].column.kind
    if kind is Kind.GAUGE:
        # As rollups have it: whole numbers of 64 bits have no type in common with their mean.
        return f"toFloat64({name}) AS {name}" if raw else name
    if kind is not Kind.COUNTER:
        return name
    ends = (f"{name}_first", f"{name}_last")
    return ", ".join(f"{name} AS {end}" if raw else end for end in ends)


def _within(at: str, since: int, below: int | None) -> str:
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
