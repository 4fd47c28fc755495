"""The waterfall of the last 13 weeks, from hours or days of the accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from analytics.report import weeks
from analytics.report.value import Week
from gpuledger.service import Reader
from gpuledger.states import ACTIVE, EXCLUDED, OCCUPIED, UNAVAILABLE, group_of, in_list

WEEKS = 13
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)
DIGITS = 6


def history(reader: Reader, until: datetime, zone: tzinfo = UTC) -> tuple[Week, ...]:
    """Weeks up to `until`, the oldest first; those not booked without hours."""
    bounds = [_before(until, ago, zone) for ago in range(WEEKS + 1)]
    asked = {"since": bounds[-1], "until": until, "bounds": [int(b.timestamp()) for b in bounds]}
    found: dict[int, Mapping[str, Any]] = {
        row["ago"]: row for row in reader.select(_sql(bounds), **asked)
    }
    booked = {row["ago"]: row["hours"] for row in reader.select(_BOOKED, **asked)}
    return tuple(
        _week(bounds[ago + 1], bounds[ago], zone, found.get(ago, {}), booked.get(ago, 0))
        for ago in reversed(range(WEEKS))
    )


def _before(until: datetime, weeks: int, zone: tzinfo) -> datetime:
    """The same time of day in the zone, so many weeks before."""
    local = until.astimezone(zone).replace(tzinfo=None) - weeks * WEEK
    return local.replace(tzinfo=zone).astimezone(UTC)


def _name(since: datetime, until: datetime, zone: tzinfo) -> str:
    """`W47` of a calendar week; else the day on which seven days begin."""
    week = weeks.label(since, until, zone)
    return week[-3:] if week else f"{since.day} {since:%b}"


def _week(
    since: datetime, until: datetime, zone: tzinfo, row: Mapping[str, Any], hours: int
) -> Week:
    steps = (_told(row, name) for name in _STEPS)
    return Week(_name(since, until, zone), since, hours, round((until - since) / HOUR), *steps)


def _told(row: Mapping[str, Any], name: str) -> float | None:
    return round(row[name], DIGITS) if row else None


def _sql(bounds: Sequence[datetime]) -> str:
    """Days where they add up to the weeks, else hours."""
    days = all(bound.time() == time() for bound in bounds)
    table, at = ("accounts_1d", "day") if days else ("accounts_1h", "hour")
    steps = ", ".join(f"sumIf(gpu_ms, {which}) / 3.6e6 AS {name}" for name, which in _STEPS.items())
    return f"""
SELECT {_AGO.format(at=at)} AS ago, {steps}
FROM {table}
WHERE {at} >= {{since:DateTime64(3, 'UTC')}} AND {at} < {{until:DateTime64(3, 'UTC')}}
GROUP BY ago HAVING paid > 0 ORDER BY ago"""


_STEPS = {
    "paid": f"state NOT IN {in_list(group_of(EXCLUDED))}",
    "available": f"state NOT IN {in_list((*group_of(EXCLUDED), *group_of(UNAVAILABLE)))}",
    "allocated": f"state IN {in_list(group_of(OCCUPIED))}",
    "active": f"state IN {in_list(ACTIVE)}",
    "productive": "state = 'productive'",
}
# How many bounds lie after it: the newest week is 0 of them before its end.
_AGO = "arrayCount(b -> b > toUnixTimestamp({at}), {{bounds:Array(UInt32)}}) - 1"
_BOOKED = f"""
SELECT {_AGO.format(at="hour")} AS ago, count() AS hours FROM v_booked_hours
WHERE hour >= {{since:DateTime64(3, 'UTC')}} AND hour < {{until:DateTime64(3, 'UTC')}}
GROUP BY ago ORDER BY ago"""
