"""ISO weeks in the time zone of the readers: Monday 00:00 there, whatever the clocks did since.

A week with a switch to or from daylight saving has 167 or 169 hours.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gpuledger.errors import ConfigError

WEEK, DAY = timedelta(days=7), timedelta(days=1)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MOMENT = re.compile(r"([A-Za-z]+) (\d{1,2}):(\d{2})", re.ASCII)


def zone_of(name: str) -> tzinfo:
    """The IANA time zone of that name. ConfigError where there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"[report] timezone: there is no '{name}': write a name such as Europe/Berlin"
        ) from None


def bounds(label: str, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
    """Monday 00:00 in the zone and the next one, as UTC, of an ISO week such as `2026-W47`.

    ConfigError where no such week exists.
    """
    match = re.fullmatch(r"(\d{4})-W(\d{2})", label, re.ASCII)
    try:
        if not match:
            raise ValueError(label)
        monday = datetime.fromisocalendar(int(match[1]), int(match[2]), 1)
        return _utc(monday, zone), _utc(monday + WEEK, zone)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--week {label}: write an ISO week that exists, such as 2026-W47"
        ) from None


def label(since: datetime, until: datetime, zone: tzinfo = UTC) -> str:
    """The week that the two instants bound in the zone, such as `2026-W47`; else empty."""
    year, week, _ = since.astimezone(zone).isocalendar()
    name = f"{year:04d}-W{week:02d}"
    return name if bounds(name, zone) == (since, until) else ""


def of(moment: datetime, zone: tzinfo = UTC) -> str:
    """The week that an instant lies in, in the zone."""
    year, week, _ = moment.astimezone(zone).isocalendar()
    return f"{year:04d}-W{week:02d}"


def before(name: str, zone: tzinfo = UTC, weeks: int = 1) -> str:
    """The week that many weeks earlier."""
    monday = bounds(name, zone)[0].astimezone(zone).replace(tzinfo=None)
    return of((monday - weeks * WEEK).replace(tzinfo=zone), zone)


def earlier(since: datetime, until: datetime, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
    """The week before a week, an hour longer or shorter where clocks switched; else as long."""
    name = label(since, until, zone)
    return bounds(before(name, zone), zone) if name else (since - (until - since), since)


def days(since: datetime, until: datetime, zone: str) -> str:
    """The period as people of the zone say it: its days, or its instants where it has none."""
    first, end = (at.astimezone(zone_of(zone)) for at in (since, until))
    if first.time() == end.time() == time():
        last = end - DAY
        return f"{first.day} {first:%b %Y} to {last.day} {last:%b %Y}, {zone}"
    return f"{first.day} {first:%b %Y, %H:%M} to {end.day} {end:%b %Y, %H:%M}, {zone}"


def moment_of(text: str) -> tuple[int, time]:
    """Day (0 = Monday) and time of `Monday 08:00`. ConfigError where it is none."""
    match = _MOMENT.fullmatch(text.strip())
    days = [n for n, day in enumerate(DAYS) if match and day.lower() == match[1].lower()]
    if not match or not days or int(match[2]) > 23 or int(match[3]) > 59:
        raise ConfigError(f"[report] send_at: '{text}': write a day and a time, e.g. Monday 08:00")
    return days[0], time(int(match[2]), int(match[3]))


def due(now: datetime, send_at: str, zone: tzinfo = UTC) -> str:
    """The newest week that is over and whose report should be out by now.

    A report is due at the first `send_at` after its week; a time that a switch of the clocks skips
    counts as soon as they are on.
    """
    last = before(of(now, zone), zone)
    return last if now >= due_at(last, send_at, zone) else before(last, zone)


def due_at(name: str, send_at: str, zone: tzinfo = UTC) -> datetime:
    """When the report of that week is due, UTC."""
    day, at = moment_of(send_at)
    monday = bounds(name, zone)[1].astimezone(zone).date()
    return _utc(datetime.combine(monday + day * DAY, at), zone)


def _utc(local: datetime, zone: tzinfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)
