"""SQL that several boards need: the board's filters, and measures without NaN."""

from __future__ import annotations

from gpuledger.measures import Measure
from gpuledger.units import RATIO

PLACE = ("cluster", "pool")
OWNER = ("cluster", "pool", "team")


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


def book(time: str, names: tuple[str, ...] = OWNER) -> str:
    """FROM and WHERE over the hours of the book, under the board's filters."""
    return f"FROM v_book_1h\nWHERE $__timeFilter({time}) AND {chosen(names)}"
