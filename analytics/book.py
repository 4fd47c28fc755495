"""Questions to the book that CLI, API and start page share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gpuledger.errors import ConfigError, nearest
from gpuledger.measures import (
    CAPACITY_VALUE,
    CASH_AVOIDABLE,
    DIMENSIONS,
    GPU_HOURS,
    GRADE,
    book_between,
    select,
)
from gpuledger.service import Reader
from gpuledger.states import STATES

_SPAN = re.compile(r"^(\d+)([mhdw])$")
_SPAN_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Span:
    """A stretch of the book, in whole minutes."""

    since: datetime
    until: datetime


def last_booked(reader: Reader) -> datetime | None:
    """End of the last whole minute that was booked; None for an empty book."""
    found = reader.value("SELECT max(booked_until) FROM booked_hours FINAL HAVING count() > 0")
    return found if isinstance(found, datetime) else None


def span(reader: Reader, since: str) -> Span | None:
    """`7d`, `12h`, `90m`, `2w` before the last booked minute, or an RFC 3339 time; None = no book.

    Never begins before the book does. ConfigError where the text is neither.
    """
    until = last_booked(reader)
    if until is None:
        parse_since(since, datetime.now(UTC))
        return None
    first = reader.value("SELECT min(minute) FROM ledger_1m")
    return Span(max(parse_since(since, until), first), until)


def parse_since(text: str, until: datetime) -> datetime:
    """The instant that `--since` names, counted back from `until`."""
    found = _SPAN.match(text)
    try:
        if found:
            return until - timedelta(**{_SPAN_UNITS[found[2]]: int(found[1])})
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.astimezone(UTC).replace(second=0, microsecond=0)
    except (ValueError, OverflowError):
        raise ConfigError(f"--since {text}: write 7d, 12h, 90m or 2026-11-16T00:00Z") from None


def check_dimensions(by: Sequence[str]) -> tuple[str, ...]:
    """The dimensions asked for. ConfigError offers the nearest name."""
    for name in by:
        if name not in DIMENSIONS:
            raise ConfigError(f"--by: unknown dimension '{name}'{nearest(name, DIMENSIONS)}")
    return tuple(by)


def ledger(reader: Reader, span: Span | None, by: Sequence[str]) -> list[dict[str, Any]]:
    """The book of a span added up by dimensions, largest first.

    Each row has the dimensions, `gpu_hours`, `share` of the span, `capacity_value`,
    `cash_avoidable`, `currency`, `grade` (the lowest) and `grades` (share of each grade).
    """
    if span is None:
        return []
    keys = ", ".join(check_dimensions(by))
    rows = reader.select(
        f"SELECT {keys}, {select(GPU_HOURS, CAPACITY_VALUE, CASH_AVOIDABLE, GRADE)},"
        " max(currency) AS currency,"
        " sumMap(map(b.grade, b.gpu_seconds)) AS by_grade"
        f" FROM {book_between()} AS b GROUP BY {keys} ORDER BY gpu_hours DESC, {keys}",
        since=span.since,
        until=span.until,
    )
    total = sum(r["gpu_hours"] for r in rows)
    return [_row(r, by, total) for r in rows]


def _row(r: dict[str, Any], by: Sequence[str], total: float) -> dict[str, Any]:
    seconds = sum(r["by_grade"].values()) or 1.0
    return {
        **{k: r[k] for k in by},
        "gpu_hours": r["gpu_hours"],
        "share": r["gpu_hours"] / total if total else None,
        "capacity_value": r["capacity_value"],
        "cash_avoidable": r["cash_avoidable"],
        "currency": r["currency"] or None,
        "grade": r["grade"],
        "grades": {g: s / seconds for g, s in sorted(r["by_grade"].items())},
    }


def in_order_of_states(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by state in the order of the declared list, which is how people read the book."""
    place = {s.name: i for i, s in enumerate(STATES)}
    return sorted(rows, key=lambda r: place[r["state"]])


def findings(reader: Reader, *, open_only: bool = True, limit: int = 100) -> list[dict[str, Any]]:
    """Findings, costliest first."""
    where = "WHERE open = 1" if open_only else ""
    return reader.select(
        f"SELECT * EXCEPT (version) FROM v_findings {where}"
        " ORDER BY gpu_seconds DESC, finding_id LIMIT {limit:UInt32}",
        limit=limit,
    )


def recommendations(
    reader: Reader, *, status: str = "proposed", limit: int = 100
) -> list[dict[str, Any]]:
    """Recommendations of one status, largest gain first."""
    return reader.select(
        "SELECT * EXCEPT (version) FROM v_recommendations WHERE status = {status:String}"
        " ORDER BY gain_gpu_hours DESC, recommendation_id LIMIT {limit:UInt32}",
        status=status,
        limit=limit,
    )
