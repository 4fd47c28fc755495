"""Numbers and times as Grafana prints them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gpuledger.units import Unit

MISSING = "–"
# Up to which value each unit of time is taken, and how many seconds it has (valueFormats, "s").
TIMES = (
    *((60, 1, "s"), (3_600, 60, "mins"), (86_400, 3_600, "hours"), (604_800, 86_400, "days")),
    *((31_536_000, 604_800, "weeks"), (math.inf, 31_536_000, "years")),
)
SHORT = ("", " K", " Mil", " Bil", " Tri", " Quadr")
SI = ("", "k", "M", "G", "T", "P", "E")
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def printed(value: Any, unit: Unit) -> str:
    """One value of a column: numbers in its unit, moments in UTC, texts as they are."""
    if value is None:
        return MISSING
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value):
        return MISSING
    return UNITS[unit.grafana](value)


def decimals(value: float) -> int:
    """Digits behind the point that Grafana takes: three that matter, none for whole numbers."""
    if value == 0 or float(value).is_integer():
        return 0
    return max(0, 2 - math.floor(math.log10(abs(value))))


def fixed(value: float) -> str:
    """A number with the digits that matter, and a true minus."""
    return f"{value:.{decimals(value)}f}".replace("-", "−")


def _scaled(base: int, names: tuple[str, ...], tail: str) -> Callable[[float], str]:
    def said(value: float) -> str:
        place = 0
        while abs(value) >= base and place < len(names) - 1:
            value, place = value / base, place + 1
        return f"{fixed(value)}{tail.format(names[place])}"

    return said


def _time(value: float) -> str:
    if 0 < abs(value) < 1:
        small = ((1e-6, 1e-9, "ns"), (1e-3, 1e-6, "µs"), (1, 1e-3, "ms"))
        _, size, name = next(s for s in small if abs(value) < s[0])
        return f"{fixed(round(value / size, 9))} {name}"
    _, seconds, name = next(t for t in TIMES if abs(value) < t[0])
    return f"{fixed(value / seconds)} {name}"


UNITS: dict[str, Callable[[float], str]] = {
    "short": _scaled(1000, SHORT, "{}"),
    "none": fixed,
    "percentunit": lambda value: f"{fixed(round(100 * value, 9))}%",
    "s": _time,
    "watt": _scaled(1000, SI, " {}W"),
    "joule": _scaled(1000, SI, " {}J"),
    "bytes": _scaled(1024, BINARY, " {}B"),
    "Bps": _scaled(1000, SI, " {}B/s"),
    "hertz": _scaled(1000, SI, " {}Hz"),
    "celsius": lambda value: f"{fixed(value)} °C",
}
