"""Questions to the book that CLI, API and start page share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.life import decide, netting
from gpuledger.batch import EPOCH
from gpuledger.errors import ConfigError, Unknown, nearest
from gpuledger.measures import (
    CAPACITY_VALUE,
    CASH_AVOIDABLE,
    DIMENSIONS,
    GPU_HOURS,
    GRADE,
    IN_SERVICE,
    PRICED,
    RECOVERABLE_HOURS,
    SLACK_HOURS,
    select,
)
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.states import STATES
from gpuledger.views import book_between

_SPAN = re.compile(r"^(\d+)([mhdw])$")
_SPAN_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Span:
    """A stretch of the book, in whole minutes; `only` limits it to some subjects (empty = all)."""

    since: datetime
    until: datetime
    only: tuple[str, ...] = ()


def last_booked(reader: Reader) -> datetime | None:
    """End of the last whole minute that was booked; None for an empty book."""
    found = reader.value("SELECT max(booked_until) FROM booked_hours FINAL HAVING count() > 0")
    return found if isinstance(found, datetime) else None


def booked_from(reader: Reader) -> datetime | None:
    """Beginning of the first hour that was booked; None for an empty book."""
    found = reader.value("SELECT min(hour) FROM booked_hours HAVING count() > 0")
    return found if isinstance(found, datetime) else None


def moment(reader: Reader, at: str) -> datetime | None:
    """The moment that `at` names, of those that the book has; None for an empty book.

    `now` is the end of the last booked minute, `2h` two hours before that. ConfigError.
    """
    first, last = booked_from(reader), last_booked(reader)
    if first is None or last is None:
        return None
    if at == "now":
        return last
    try:
        found = parse_since(at, last)
    except ConfigError:
        raise ConfigError(f"at {at}: write now, 2h (ago), or 2026-11-16T00:00Z") from None
    if not first <= found <= last:
        raise ConfigError(
            f"at {at}: the book is from {first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}"
        )
    return found


def span(reader: Reader, since: str, until: str = "") -> Span | None:
    """`7d`, `12h`, `90m`, `2w` before the last booked minute, or an RFC 3339 time; None = no book.

    Never begins before the book does, and ends (`until`, written alike) where it does at the
    latest. ConfigError where a text is neither.
    """
    last = last_booked(reader)
    if last is None:
        parse_since(since, datetime.now(UTC))
        return None
    began, ended = parse_since(since, last), min(last, parse_since(until or "0m", last))
    if began >= last:
        raise ConfigError(f"since {since}: nothing is booked after {last:%Y-%m-%d %H:%M} UTC")
    if began >= ended:
        raise ConfigError(f"since {since} is not before until {until}")
    return Span(max(began, reader.value("SELECT min(minute) FROM ledger_1m")), ended)


def parse_since(text: str, until: datetime) -> datetime:
    """The instant that `since` names, counted back from `until`; never before all time."""
    found = _SPAN.match(text)
    try:
        if found:
            return max(until - timedelta(**{_SPAN_UNITS[found[2]]: int(found[1])}), EPOCH)
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        return min(max(at.replace(second=0, microsecond=0), EPOCH), FOREVER)
    except (ValueError, OverflowError):
        raise ConfigError(f"since {text}: write 7d, 12h, 90m or 2026-11-16T00:00Z") from None


def dimensions(by: str) -> tuple[str, ...]:
    """The dimensions of `team,state`, each once. ConfigError offers the nearest, or all."""
    names = tuple(dict.fromkeys(name.strip() for name in by.split(",")))
    for name in names:
        if name not in DIMENSIONS:
            hint = nearest(name, DIMENSIONS) or f"; there are {', '.join(DIMENSIONS)}"
            raise ConfigError(f"by {by}: unknown dimension '{name}'{hint}")
    return names


def ledger(
    reader: Reader, span: Span | None, by: Sequence[str], *, restated: bool = False
) -> list[dict[str, Any]]:
    """The book of a span added up: by state in the declared order, otherwise largest first.

    As it was closed, or `restated` with what became known since. Each row has the dimensions,
    `gpu_hours`, `share` of the span (of what is in service), `capacity_value`,
    `cash_avoidable`, `currency`, `priced_ratio`, `recoverable_gpu_hours` and `slack_gpu_hours`
    (loose time that waiting jobs could have used, and the rest of it), `grade` (the lowest) and
    `grades` (share of each grade).
    """
    if span is None:
        return []
    rows = reader.select(
        f"{ledger_sql(by, restated=restated)} ORDER BY gpu_hours DESC, {', '.join(by)}",
        since=span.since,
        until=span.until,
    )
    found = [ledger_row(r, by) for r in rows]
    return sorted(found, key=lambda r: _PLACE[r["state"]]) if tuple(by) == ("state",) else found


def ledger_sql(by: Sequence[str], *, restated: bool = False, where: Iterable[str] = ()) -> str:
    """The book by dimensions, of rows `b` that every `where` keeps. Parameters: since, until."""
    keys, kept = ", ".join(by), " AND ".join(where)
    return (
        f"SELECT {keys}, {select(*_FIGURES)},"
        " max(currency) AS currency,"
        f" sumIf(gpu_seconds, {IN_SERVICE}) / 3600 AS in_service,"
        " sum(in_service) OVER () AS all_in_service,"
        " sumMap(map(b.grade, b.gpu_seconds)) AS by_grade"
        f" FROM {book_between(restated=restated)} AS b"
        f"{f' WHERE {kept}' if kept else ''} GROUP BY {keys} HAVING gpu_hours != 0"
    )


def ledger_row(r: Mapping[str, Any], by: Sequence[str]) -> dict[str, Any]:
    """A row of `ledger_sql` for programs, as `ledger` tells it."""
    seconds = sum(r["by_grade"].values()) or 1.0
    total = r["all_in_service"]
    return _tidy(
        {
            **{k: r[k] for k in by},
            "gpu_hours": r["gpu_hours"],
            "share": r["in_service"] / total if total and r["in_service"] else None,
            "capacity_value": r["capacity_value"],
            "cash_avoidable": r["cash_avoidable"],
            "currency": r["currency"],
            "priced_ratio": r["priced_ratio"],
            "recoverable_gpu_hours": r["recoverable_gpu_hours"],
            "slack_gpu_hours": r["slack_gpu_hours"],
            "grade": r["grade"],
            "grades": {g: round(s / seconds, DIGITS) for g, s in sorted(r["by_grade"].items())},
        }
    )


def findings(reader: Reader, *, open_only: bool = True, limit: int = 100) -> list[dict[str, Any]]:
    """Findings, costliest first."""
    rows = reader.select(
        f"{FINDINGS} {'WHERE open = 1' if open_only else ''}"
        " ORDER BY gpu_seconds DESC, finding_id LIMIT {limit:UInt32}",
        limit=limit,
    )
    return [_tidy(r) for r in rows]


def finding(reader: Reader, beginning: str) -> dict[str, Any]:
    """The one finding whose id begins so. Unknown; ConfigError where several do."""
    rows = reader.select(
        f"SELECT * FROM ({FINDINGS}) WHERE startsWith(finding_id, {{id:String}}) LIMIT 2",
        id=beginning.strip().lower(),
    )
    if len(rows) > 1:
        raise ConfigError(f"several findings begin with '{beginning}': write more of its id")
    if not rows:
        raise Unknown(f"no finding begins with '{beginning}'")
    return _tidy(rows[0])


def recommendations(
    reader: Reader, *, status: str = "proposed", limit: int = 100
) -> list[dict[str, Any]]:
    """Recommendations of one status, largest gain first.

    Each has `net_gain_gpu_hours`: what it adds to those with larger gains, so that these add up.
    """
    rows = reader.select(f"{RECOMMENDATIONS} WHERE status = {{status:String}}", status=status)
    return [_tidy(r) for r in netting.net(rows)[:limit]]


def standing(reader: Reader) -> dict[str, int]:
    """How many recommendations have each status."""
    rows = reader.select(
        "SELECT toString(status) AS status, count() AS n FROM v_recommendations GROUP BY status"
    )
    return {r["status"]: r["n"] for r in rows}


def recommendation(reader: Reader, beginning: str) -> dict[str, Any]:
    """The one recommendation whose id begins so; else ConfigError, with the nearest id.

    With its finding, the steps of its life and its outcome, as far as it has them.
    """
    rows = reader.select(
        f"SELECT * FROM ({RECOMMENDATIONS}) WHERE recommendation_id = {{id:String}}",
        id=f"{decide.find(reader, beginning)['recommendation_id']:016x}",
    )
    found = reader.select(
        f"SELECT * FROM ({FINDINGS}) WHERE finding_id = {{id:String}}", id=rows[0]["finding_id"]
    )
    (row,) = (
        r
        for r in recommendations(reader, status=rows[0]["status"], limit=ALL)
        if r["recommendation_id"] == rows[0]["recommendation_id"]
    )
    steps = reader.select(_STEPS, id=int(row["recommendation_id"], 16))
    outcome = reader.select(
        f"SELECT * FROM ({OUTCOMES}) WHERE recommendation_id = {{id:String}}",
        id=row["recommendation_id"],
    )
    return {
        **row,
        "finding": _tidy(found[0]) if found else None,
        "life": [_tidy(step) for step in steps],
        "outcome": _tidy(outcome[0]) if outcome else None,
    }


def outcomes(reader: Reader, *, limit: int = 100) -> list[dict[str, Any]]:
    """What became of advice that was carried out, the latest first."""
    rows = reader.select(
        f"{OUTCOMES} ORDER BY measured DESC, recommendation_id LIMIT {{limit:UInt32}}", limit=limit
    )
    return [_tidy(r) for r in rows]


def _tidy(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for programs: absent is null, and no digits that threads added in another order."""
    return {k: _plain(v) for k, v in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    return None if value == "" else value


def _readable(table: str, *ids: str, flags: Sequence[str] = ()) -> str:
    """A view's rows with ids as 16 hex digits: JSON's numbers do not hold 64 bits."""
    replaced = [f"leftPad(lower(hex({i})), 16, '0') AS {i}" for i in ids]
    replaced += [f"CAST({f}, 'Bool') AS {f}" for f in flags]
    return f"SELECT * EXCEPT (version) REPLACE ({', '.join(replaced)}) FROM {table}"


DIGITS = 9
ALL = 1 << 31
_FIGURES = (
    *(GPU_HOURS, CAPACITY_VALUE, CASH_AVOIDABLE, PRICED),
    *(RECOVERABLE_HOURS, SLACK_HOURS, GRADE),
)
_PLACE = {s.name: i for i, s in enumerate(STATES)}
FINDINGS = _readable("v_findings", "finding_id", flags=["open"])
RECOMMENDATIONS = _readable("v_recommendations", "recommendation_id", "finding_id")
_STEPS = """
SELECT status, by, reason, at, if(until >= toDateTime64('2106-01-01', 3, 'UTC'), NULL, until)
  AS until
FROM v_recommendation_events WHERE recommendation_id = {id:UInt64} ORDER BY turn
"""
OUTCOMES = _readable("v_outcomes", "recommendation_id")
