"""SQL that several boards need: the board's filters, and measures without NaN."""

from __future__ import annotations

from gpuledger.catalogue import Change
from gpuledger.measures import Measure
from gpuledger.units import RATIO
from gpuledger.views import hours_between

PLACE = ("cluster", "pool")
OWNER = ("cluster", "pool", "team")
# More marks than that hide what they mark.
MARKS = 200
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


def book_by(time: str, names: tuple[str, ...] = OWNER) -> str:
    """The same with a column `time`: hours, or days where a point is a day or more."""
    return (
        f"FROM (SELECT *, hour AS {time} FROM v_book_1h\n"
        "  WHERE $__timeFilter(hour) AND $__interval_s < 86400\n"
        f"  UNION ALL SELECT *, day AS {time} FROM v_book_1d\n"
        "  WHERE $__timeFilter(day) AND $__interval_s >= 86400)\n"
        f"WHERE {chosen(names)}"
    )


def changes() -> str:
    """What was changed on the fleet, newest first: `time`, `text` and `tags`."""
    return f"""SELECT ts AS time, kind AS tags, concat(kind, ' of ', arrayStringConcat(
  arrayFilter(x -> x != '', [if(node = '', cluster, node),
    if(slot = {NO_SLOT}, '', concat('GPU ', toString(slot))), subject]), ' '),
  ': ', if(before = '', 'none', before), ' → ', if(after = '', 'none', after)) AS text
FROM v_changes WHERE $__timeFilter(ts) AND {chosen(("cluster",))}
ORDER BY time DESC, text LIMIT {MARKS}"""


_ENDS = ("$__fromTime", "$__toTime + INTERVAL 1 HOUR")
