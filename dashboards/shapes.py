"""What a panel's kind needs of the answer to its question: columns, types and order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboards.panel import Panel

Columns = Mapping[str, str]
SERIES_KINDS = ("area", "lines", "timeline", "heat")
PASSED_ON = re.compile(r"\$\{__data\.fields\.(\w+)")
NUMBER = re.compile(r"^(U?Int\d+|Float\d+|Decimal\(.*)$")


def plain(kind: str) -> str:
    """A type without what wraps it: `LowCardinality(Nullable(String))` is `String`."""
    while found := re.match(r"^(?:Nullable|LowCardinality)\((.*)\)$", kind):
        kind = found[1]
    return kind


def is_number(kind: str) -> bool:
    """Whether Grafana can draw it."""
    return NUMBER.match(plain(kind)) is not None


def is_text(kind: str) -> bool:
    """Whether it can name something: a text, or an enumeration's name."""
    return plain(kind).startswith(("String", "FixedString", "Enum"))


def is_time(kind: str) -> bool:
    """Whether it is a moment."""
    return plain(kind).startswith("DateTime")


def columns_defects(panel: Panel, columns: Columns) -> Iterator[str]:
    """What is wrong with the columns of a panel's answer."""
    named = {c.name for c in panel.columns} | {n for n in (panel.by, panel.value) if n}
    for column in panel.columns:
        named |= set(PASSED_ON.findall(column.link))
    for name in sorted(named - set(columns)):
        yield f"the answer has no column '{name}' (it has {', '.join(columns)})"
    if panel.kind in SERIES_KINDS:
        yield from _series_defects(panel, columns)
    elif panel.kind == "bars":
        yield from _bars_defects(columns)


def _series_defects(panel: Panel, columns: Columns) -> Iterator[str]:
    (first, kind), *rest = columns.items()
    if first != "time" or not is_time(kind):
        yield f"a {panel.kind} panel needs a column `time` first, and not {first} ({kind})"
    if plain(kind) != kind:
        yield f"`time` must not be {kind}"
    texts = [name for name, kind in rest if is_text(kind)]
    numbers = [name for name, kind in rest if is_number(kind)]
    strange = [f"{name} ({kind})" for name, kind in rest if name not in {*texts, *numbers}]
    if strange:
        yield f"Grafana cannot draw {', '.join(strange)}"
    if panel.kind == "timeline":
        if [name for name, _ in rest] != [panel.by, panel.value]:
            yield f"a timeline needs time, {panel.by} and {panel.value}, and nothing else"
    elif not numbers:
        yield f"a {panel.kind} panel needs a number beside the time"
    elif texts and len(numbers) > 1:
        yield f"{', '.join(texts)} names series: there must be one number, not {len(numbers)}"


def _bars_defects(columns: Columns) -> Iterator[str]:
    (first, kind), *rest = columns.items()
    if not is_text(kind):
        yield f"bars are named by the first column, which is {first} ({kind}) and no text"
    if not any(is_number(kind) for _, kind in rest):
        yield "bars need a number"


def rows_defects(panel: Panel, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with the rows of a panel's answer."""
    if panel.kind == "stat" and len(rows) > 1:
        yield f"a stat panel shows one row, and there are {len(rows)}"
    if panel.kind in SERIES_KINDS and rows and "time" in rows[0]:
        times = [row["time"] for row in rows]
        if times != sorted(times):
            yield "rows must come in the order of `time`"


def variable_defects(columns: Columns) -> Iterator[str]:
    """What is wrong with the answer of a variable's query: value, or value and label."""
    if len(columns) > 2:
        yield f"a variable's query answers a value (and a label), not {', '.join(columns)}"
    # The plugin took texts that look like numbers for numbers before 4.20; numbers it still does.
    for name, kind in columns.items():
        if not is_text(kind):
            yield f"{name} is {kind}: cast it to String"


def marks_defects(columns: Columns) -> Iterator[str]:
    """What is wrong with the answer of an annotation's query."""
    for name in ("time", "text"):
        if name not in columns:
            yield f"marks need a column `{name}` (there are {', '.join(columns)})"
