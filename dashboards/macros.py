"""What the ClickHouse plugin (v4) makes of a panel's SQL before it asks: macros and variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gpuledger.batch import to_milliseconds
from gpuledger.errors import ConfigError, nearest

CONDITIONAL = "$__conditionalAll("
MACRO = re.compile(r"\$__(?P<name>[a-zA-Z_]+)(?:\((?P<argument>[^()]*(?:\([^()]*\))?[^()]*)\))?")
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<format>\w+))?\}|\$(?P<bare>\w+)")


# Widths of a point in seconds, and up to which width each is taken (rangeutil.ts, Grafana 11).
ROUNDED = (
    *((1, 1.5), (2, 3.5), (5, 7.5), (10, 12.5), (15, 17.5), (20, 25), (30, 45)),
    *((60, 90), (120, 210), (300, 450), (600, 750), (900, 1_050), (1_200, 1_500), (1_800, 2_700)),
    *((3_600, 5_400), (7_200, 9_000), (10_800, 16_200), (21_600, 32_400), (43_200, 86_400)),
    *((86_400, 604_800), (604_800, 1_814_400), (2_592_000, 3_628_800)),
)
YEAR_S = 31_536_000


def point_width(since: datetime, until: datetime, points: int, least_s: int) -> int:
    """`$__interval_s` of a range that may have so many points, each at least `least_s` wide."""
    width = (until - since).total_seconds() / points
    rounded = next((taken for taken, up_to in ROUNDED if width < up_to), YEAR_S)
    return max(rounded, least_s)


@dataclass(frozen=True)
class Window:
    """The time range of a dashboard and the width of one point."""

    since: datetime
    until: datetime
    interval_s: int

    def seconds(self, at: datetime) -> str:
        """An instant as the plugin writes it, in whole seconds."""
        return f"toDateTime({to_milliseconds(at) // 1_000})"

    def milliseconds(self, at: datetime) -> str:
        """An instant as the plugin writes it, in milliseconds."""
        return f"fromUnixTimestamp64Milli({to_milliseconds(at)})"


def expand(
    sql: str,
    since: datetime,
    until: datetime,
    interval_s: int,
    variables: Mapping[str, Sequence[str]],
) -> str:
    """The SQL that reaches ClickHouse; a variable without values stands on 'All'.

    Same order as the plugin: conditionals, variables (both in the browser), then the macros of
    its backend (pkg/macros/macros.go, v4.20). ConfigError for a macro that it does not have.
    """
    window = Window(since, until, max(interval_s, 1))
    plain = _variables(_conditionals(sql, variables), variables)
    return MACRO.sub(lambda found: _macro(found, window), plain)


def _conditionals(sql: str, variables: Mapping[str, Sequence[str]]) -> str:
    """Every `$__conditionalAll(condition, $name)` as its condition, or `1=1` on 'All'."""
    # From the last to the first, so that a condition may hold another one.
    while (start := sql.rfind(CONDITIONAL)) >= 0:
        condition, name, end = _arguments(sql, start + len(CONDITIONAL))
        chosen = condition if variables.get(name.strip().lstrip("$")) else "1=1"
        sql = f"{sql[:start]}{chosen}{sql[end:]}"
    return sql


def _arguments(sql: str, start: int) -> tuple[str, str, int]:
    """Condition, variable and the place behind the closing bracket."""
    depth, comma = 1, start
    for at in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if depth == 0:
            return sql[start:comma], sql[comma + 1 : at], at + 1
        if sql[at] == "," and depth == 1:
            comma = at
    raise ConfigError(f"unbalanced brackets in {sql[start - len(CONDITIONAL) :]}")


def _variables(sql: str, variables: Mapping[str, Sequence[str]]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found["name"] or found["bare"]
        if name.startswith("__"):
            return found[0]
        if name not in variables:
            raise ConfigError(f"unknown variable ${name}{nearest(name, variables)}")
        quoted = found["format"] == "singlequote"
        return ",".join(_quoted(v) if quoted else v for v in variables[name])

    return VARIABLE.sub(value, sql)


def _quoted(value: str) -> str:
    """As Grafana's `singlequote` format writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _macro(found: re.Match[str], window: Window) -> str:
    name, argument = found["name"], found["argument"] or ""
    if name not in MACROS:
        raise ConfigError(f"the plugin has no macro $__{name}{nearest(name, MACROS)}")
    # A macro without arguments leaves the bracket behind it alone.
    tail = f"({argument})" if found["argument"] is not None and name in BARE else ""
    return MACROS[name](argument.strip(), window) + tail


def _between(column: str, window: Window) -> str:
    since, until = window.seconds(window.since), window.seconds(window.until)
    return f"{column} >= {since} AND {column} <= {until}"


def _between_ms(column: str, window: Window) -> str:
    since, until = window.milliseconds(window.since), window.milliseconds(window.until)
    return f"{column} >= {since} AND {column} <= {until}"


def _bucket(column: str, window: Window) -> str:
    return f"toStartOfInterval(toDateTime({column}), INTERVAL {window.interval_s} second)"


MACROS: dict[str, Callable[[str, Window], str]] = {
    "timeFilter": _between,
    "timeFilter_ms": _between_ms,
    "timeInterval": _bucket,
    "interval_s": lambda _, window: str(window.interval_s),
    "fromTime": lambda _, window: window.seconds(window.since),
    "toTime": lambda _, window: window.seconds(window.until),
    "fromTime_ms": lambda _, window: window.milliseconds(window.since),
    "toTime_ms": lambda _, window: window.milliseconds(window.until),
}
BARE = {"interval_s", "fromTime", "toTime", "fromTime_ms", "toTime_ms"}
