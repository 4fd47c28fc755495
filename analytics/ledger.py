"""The book: every owned GPU-second of a window booked to one state, staged, checked, swapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics import accounts, adjust, recoverable
from analytics.booking.cells import cells_sql
from analytics.booking.conditions import reach_ms
from analytics.booking.facts import COLUMNS, FACTS, facts_sql
from analytics.booking.fingerprint import fingerprint_sql, formula
from analytics.booking.occupancy import rows_sql
from gpuledger import partitions
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import BookedHour, Cell, CellHour, Occupancy
from gpuledger.ddl import stored_names
from gpuledger.errors import BookNotClosed
from gpuledger.schema import Table
from gpuledger.states import CLOSES_WITHIN, LedgerSettings
from gpuledger.store import Store

HOUR = timedelta(hours=1)
# A query that books a day of a small fleet stays well below a second; partitions of one
# INSERT are limited to 100 by ClickHouse.
WINDOW_HOURS = 24
# What a window of a large fleet may have at most: 4 GiB are not enough for a day of 10,000 GPUs.
WINDOW_GPU_HOURS = 100_000
# Hours that are compared with what they were booked from at once: each looks at every fact of all.
COMPARED_HOURS = 168


@dataclass(frozen=True)
class Window:
    """Whole hours to book, the last one perhaps not over yet."""

    since: datetime
    until: datetime

    def hours(self) -> list[datetime]:
        """Starts of the hours in it."""
        count = -(-(self.until - self.since) // HOUR)
        return [self.since + i * HOUR for i in range(count)]


class Ledger:
    """Books windows of a store."""

    def __init__(self, store: Store, settings: LedgerSettings | None = None) -> None:
        self._store = store
        self._settings = settings or LedgerSettings()

    def book(self, window: Window, booked_at: datetime) -> None:
        """Book a window again from what is known now; the old book stays if it does not close.

        Raises BookNotClosed where the states of some GPU's hour miss its owned time.
        """
        # Before the cells: what arrives meanwhile must look new to the next tick.
        prints = self._fingerprints(window.hours(), window.until)
        self._compute(window)
        hours = [str(_seconds(h)) for h in window.hours()]
        partitions.swap(self._store, Occupancy.table, hours)
        partitions.swap(self._store, Cell.table, hours)
        adjust.forget(self._store, window.since, window.until)
        self._roll_up(window)
        self._sign(window, prints, booked_at)

    def restate(self, now: datetime, days: float) -> int:
        """Adjust hours that closed within so many days, where more is known of them by now.

        Their cells stay; returns how many hours were looked at again. Harmless twice.
        """
        first = _hour(now - timedelta(days=days))
        closed = _hour(now - timedelta(hours=self._settings.provisional_h))
        booked = {r["hour"]: r for r in self._store.select(_SIGNED_SQL, first=first, closed=closed)}
        changed: dict[datetime, int] = {}
        for start in range(0, len(booked), WINDOW_HOURS):
            hours = list(booked)[start : start + WINDOW_HOURS]
            known = self._fingerprints(hours, hours[-1] + HOUR)
            changed |= {h: known[h] for h in hours if known[h] not in _accepted(booked[h])}
        made = formula(self._settings)
        # What was signed by an older release cannot be compared: only signed anew.
        comparable = [h for h in changed if booked[h]["formula"] == made]
        for window in _windows(comparable, closed, self._window_hours()):
            self._adjust(window, now)
        self._store.insert_rows(
            [_signed(booked[h], restated=p, formula=made) for h, p in changed.items()]
        )
        return len(changed)

    def _adjust(self, window: Window, now: datetime) -> None:
        staging = self._compute(window)
        adjust.restate(self._store, staging, window.since, window.until, now)
        for table in (Occupancy.table, Cell.table):
            partitions.discard(self._store, table)

    def _compute(self, window: Window) -> str:
        """Stage who holds what, and the cells; the name of where these are, once they close."""
        self._stage(Occupancy.table, rows_sql(self._settings), window)
        with partitions.beside(self._store, FACTS, COLUMNS):
            self._fill(FACTS, COLUMNS, facts_sql(self._settings), window)
            staging = self._stage(Cell.table, cells_sql(), window)
        self._check(window, staging)
        return staging

    def _stage(self, table: Table, sql: str, window: Window) -> str:
        """Compute the window's rows of a table beside it; the name of where they are."""
        staging = partitions.stage(self._store, table)
        self._fill(staging, stored_names(table), sql, window)
        return staging

    def _fill(self, table: str, columns: Iterable[str], sql: str, window: Window) -> None:
        # In the order of our questions, whatever that of an older table is.
        names = ", ".join(columns)
        self._store.select(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM ({sql})",
            **self._parameters(window),
        )

    def dirty(self, now: datetime, reopened: datetime | None = None) -> list[Window]:
        """Windows whose inputs differ from what they were booked from, oldest first.

        Closed hours (older than the provisional time) never come back, unless they are reopened
        from some time on; hours that were never booked to their end always do.
        """
        until = now.replace(second=0, microsecond=0)
        hours = list(self._open_hours(until, reopened))
        changed = [
            hour
            for first in range(0, len(hours), COMPARED_HOURS)
            for hour in self._changed(hours[first : first + COMPARED_HOURS], until)
        ]
        return list(_windows(changed, until, self._window_hours()))

    def _window_hours(self) -> int:
        gpus: int = self._store.value("SELECT count() FROM assets FINAL")
        return min(WINDOW_HOURS, max(1, WINDOW_GPU_HOURS // max(1, gpus)))

    def _changed(self, hours: Sequence[datetime], until: datetime) -> Iterator[datetime]:
        signed = self._signatures(hours)
        known = self._fingerprints(hours, until)
        yield from (h for h in hours if signed.get(h) != known.get(h, 0))

    def _open_hours(self, until: datetime, reopened: datetime | None) -> Iterator[datetime]:
        """Hours that may still be booked: recent ones, and all that never were to their end."""
        first = self._store.value("SELECT min(valid_from) FROM assets HAVING count() > 0")
        if first is None:
            return
        closed = _hour(until - timedelta(hours=self._settings.provisional_h))
        closed = min(closed, _hour(reopened)) if reopened else closed
        booked = {r["hour"] for r in self._store.select(_WHOLE_HOURS_SQL)}
        hour = _hour(first)
        while hour < until:
            if hour >= closed or hour not in booked:
                yield hour
            hour += HOUR

    def _signatures(self, hours: Sequence[datetime]) -> dict[datetime, int]:
        if not hours:
            return {}
        rows = self._store.select(
            "SELECT hour, fingerprint FROM booked_hours FINAL"
            " WHERE hour >= {first:DateTime64(3, 'UTC')} AND hour <= {last:DateTime64(3, 'UTC')}",
            first=hours[0],
            last=hours[-1],
        )
        return {r["hour"]: r["fingerprint"] for r in rows}

    def _fingerprints(self, hours: Sequence[datetime], until: datetime) -> dict[datetime, int]:
        if not hours:
            return {}
        reach = reach_ms(self._settings)
        rows = self._store.select(
            fingerprint_sql(self._settings),
            hours=[to_milliseconds(h) for h in hours],
            until=to_milliseconds(until),
            lo=to_milliseconds(hours[0]) - reach,
            hi=to_milliseconds(hours[-1] + HOUR) + reach,
        )
        return {from_milliseconds(r["h"]): r["fingerprint"] for r in rows}

    def _parameters(self, window: Window) -> dict[str, int]:
        since, until = to_milliseconds(window.since), to_milliseconds(window.until)
        reach = reach_ms(self._settings)
        return {"since": since, "until": until, "lo": since - reach, "hi": until + reach}

    def _check(self, window: Window, staging: str) -> None:
        """Compare the staged book with what `assets` says is owned, GPU by GPU, hour by hour."""
        wrong = self._store.select(
            _closing_sql(staging),
            since=to_milliseconds(window.since),
            until=to_milliseconds(window.until),
        )
        if wrong:
            w = wrong[0]
            raise BookNotClosed(
                f"the book of {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} does"
                f" not close: GPU {w['gpu_id']}, hour {w['hour']:%Y-%m-%d %H:%M}:"
                f" booked {w['booked'] / 1000:.3f} s of {w['owned'] / 1000:.3f} s"
            )

    def _roll_up(self, window: Window) -> None:
        """Write what is added up from the window's minutes."""
        hours = window.hours()
        since, until = hours[0], hours[-1] + HOUR
        recoverable.write(self._store, hours)
        accounts.replace(self._store, CellHour.table, _HOURS_SQL, since, until)
        accounts.write_hours(self._store, since, until)

    def _sign(self, window: Window, prints: Mapping[datetime, int], booked_at: datetime) -> None:
        """Remember from what each hour was booked."""
        hours = window.hours()
        owned = self._owned_seconds(hours, window.until)
        self._store.insert_rows(
            [
                BookedHour(
                    hour=h,
                    fingerprint=prints.get(h, 0),
                    formula=formula(self._settings),
                    booked_until=min(h + HOUR, window.until),
                    owned_seconds=owned.get(h, 0.0),
                    booked_at=booked_at,
                    version=to_milliseconds(booked_at),
                )
                for h in hours
            ]
        )

    def _owned_seconds(self, hours: Sequence[datetime], until: datetime) -> dict[datetime, float]:
        rows = self._store.select(
            _OWNED_SQL,
            hours=[to_milliseconds(h) for h in hours],
            until=to_milliseconds(until),
        )
        return {from_milliseconds(r["h"]): r["owned_ms"] / 1000 for r in rows}


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _seconds(at: datetime) -> int:
    return to_milliseconds(at) // 1000


def _windows(hours: Sequence[datetime], until: datetime, most: int) -> Iterator[Window]:
    """Neighbouring hours together, at most so many."""
    start = 0
    for i, hour in enumerate(hours):
        follows = i + 1 < len(hours) and hours[i + 1] == hour + HOUR
        if not follows or i + 1 - start == most:
            yield Window(hours[start], min(hour + HOUR, until))
            start = i + 1


def _accepted(signed: Mapping[str, Any]) -> tuple[int, ...]:
    """Fingerprints that bring nothing new: what it was booked from, or last restated to."""
    return (signed["restated"],) if signed["restated"] else (signed["fingerprint"],)


def _signed(row: Mapping[str, Any], *, restated: int, formula: int) -> BookedHour:
    """The signature of a closed hour, which says to what its adjustments were brought up."""
    told = {**row, "restated": restated, "formula": formula, "version": row["version"] + 1}
    return BookedHour(**told)


_SIGNED_SQL = """
SELECT * FROM v_booked_hours WHERE hour >= {first:DateTime64(3, 'UTC')}
  AND hour < {closed:DateTime64(3, 'UTC')} AND booked_until >= hour + INTERVAL 1 HOUR
ORDER BY hour
"""

_WHOLE_HOURS_SQL = """
SELECT hour FROM booked_hours FINAL WHERE booked_until >= hour + INTERVAL 1 HOUR
"""

_OWNED_SQL = """
SELECT h, sum(greatest(0, least(toUnixTimestamp64Milli(valid_to), h + 3600000, {until:Int64})
  - greatest(toUnixTimestamp64Milli(valid_from), h))) AS owned_ms
FROM (SELECT valid_from, valid_to FROM assets FINAL) ARRAY JOIN {hours:Array(Int64)} AS h
GROUP BY h
"""

_HOURS_SQL = """
SELECT c.cluster AS cluster, any(c.node) AS node, c.gpu_id AS gpu_id,
  toStartOfHour(c.minute) AS hour, c.alloc_id AS alloc_id, c.state AS state, c.flags AS flags,
  c.cause AS cause, c.grade AS grade,
  sum(c.gpu_ms) AS gpu_ms, sum(c.energy_mj) AS energy_mj
FROM ledger_1m AS c
WHERE minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}
GROUP BY cluster, gpu_id, hour, alloc_id, state, flags, cause, grade
"""


def _closing_sql(staging: str) -> str:
    """GPUs and hours whose booked time misses the owned time."""
    return f"""
SELECT gpu_id, fromUnixTimestamp64Milli(h, 'UTC') AS hour,
  sum(owned) AS owned, sum(booked) AS booked
FROM (
  SELECT gpu_id, h, toInt64(greatest(0, least(toUnixTimestamp64Milli(valid_to), h + 3600000,
    {{until:Int64}}) - greatest(toUnixTimestamp64Milli(valid_from), h))) AS owned, 0 AS booked
  FROM (SELECT * FROM assets FINAL)
  ARRAY JOIN arrayMap(x -> toInt64(x),
    range(toUInt64({{since:Int64}}), toUInt64({{until:Int64}}), 3600000)) AS h
  UNION ALL
  SELECT gpu_id, toUnixTimestamp64Milli(toDateTime64(toStartOfHour(minute), 3, 'UTC')) AS h,
    0 AS owned, toInt64(sum(gpu_ms)) AS booked
  FROM {staging} GROUP BY gpu_id, h)
GROUP BY gpu_id, h HAVING abs(owned - booked) > {CLOSES_WITHIN} * greatest(owned, booked)
ORDER BY hour, gpu_id LIMIT 1
"""
