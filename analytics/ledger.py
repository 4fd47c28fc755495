"""The book: every owned GPU-second of a window booked to one state, staged, checked, swapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analytics import accounts
from analytics.cells import allocations_sql, cells_sql, reach_ms, within
from gpuledger import partitions
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import BookedHour, Cell, CellHour
from gpuledger.ddl import stored_names
from gpuledger.errors import BookNotClosed
from gpuledger.schema import Table
from gpuledger.states import LedgerSettings
from gpuledger.store import Store

HOUR = timedelta(hours=1)
# A query that books a day of a small fleet stays well below a second; partitions of one
# INSERT are limited to 100 by ClickHouse.
WINDOW_HOURS = 24
# Hours that are compared with what they were booked from at once: each looks at every fact of all.
COMPARED_HOURS = 168
# The promise: states add up to owned GPU-seconds within 0.01 %, here for every GPU and hour.
TOLERANCE = 1e-4


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
        staging = partitions.stage(self._store, Cell.table)
        self._store.select(
            f"INSERT INTO {staging} ({_names(Cell.table)}) {cells_sql(self._settings)}",
            **self._parameters(window),
        )
        self._check(window, staging)
        partitions.swap(self._store, Cell.table, [str(_seconds(h)) for h in window.hours()])
        self._roll_up(window)
        self._sign(window, prints, booked_at)

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
        return list(_windows(changed, until))

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
            _fingerprint_sql(self._settings),
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
        """Write the hours of every day touched again, from its minutes."""
        staging = partitions.stage(self._store, CellHour.table)
        days = sorted({h.date() for h in window.hours()})
        self._store.select(
            f"INSERT INTO {staging} ({_names(CellHour.table)}) {_HOURS_SQL}",
            since=datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC),
            until=datetime(days[-1].year, days[-1].month, days[-1].day, tzinfo=UTC)
            + timedelta(days=1),
        )
        partitions.swap(self._store, CellHour.table, [d.strftime("%Y%m%d") for d in days])
        accounts.write(self._store, days)

    def _sign(self, window: Window, prints: Mapping[datetime, int], booked_at: datetime) -> None:
        """Remember from what each hour was booked."""
        hours = window.hours()
        owned = self._owned_seconds(hours, window.until)
        self._store.insert_rows(
            [
                BookedHour(
                    hour=h,
                    fingerprint=prints.get(h, 0),
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


def _names(table: Table) -> str:
    """Columns in the order of our questions, whatever that of an older table is."""
    return ", ".join(stored_names(table))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _seconds(at: datetime) -> int:
    return to_milliseconds(at) // 1000


def _windows(hours: Sequence[datetime], until: datetime) -> Iterator[Window]:
    """Neighbouring hours together, at most a day's worth."""
    start = 0
    for i, hour in enumerate(hours):
        follows = i + 1 < len(hours) and hours[i + 1] == hour + HOUR
        if not follows or i + 1 - start == WINDOW_HOURS:
            yield Window(hours[start], min(hour + HOUR, until))
            start = i + 1


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
GROUP BY gpu_id, h HAVING abs(owned - booked) > {TOLERANCE} * greatest(owned, booked)
ORDER BY hour, gpu_id LIMIT 1
"""


def _fingerprint_sql(settings: LedgerSettings) -> str:
    """Hash of everything an hour is booked from. Parameters: hours, until, lo, hi (milliseconds).

    Without the priority of a waiting job, which changes with its age: the order of the queue stays
    as it was when the hour was booked.
    """
    reach = reach_ms(settings)
    clip = f"greatest(f, h - {reach}), least(t, h + {3_600_000 + reach})"
    near = f"f < h + {3_600_000 + reach} AND t > h - {reach}"
    return f"""
WITH inputs AS (
  SELECT cityHash64('allocation', a.gpu_id, a.alloc_id, a.share_milli, j.name, j.user, j.team)
    AS id, a.f AS f, a.t AS t
  FROM ({allocations_sql(settings)}) AS a
  LEFT JOIN (SELECT job_id, name, user, team FROM jobs FINAL) AS j ON j.job_id = a.job_id
  UNION ALL
  SELECT cityHash64('asset', gpu_id, node, slot, model, pool), f, t FROM ({within("assets")})
  UNION ALL
  SELECT cityHash64('node', cluster, node, state, gpus, cpu_milli), f, t
  FROM ({within("node_states")})
  UNION ALL
  SELECT cityHash64('wait', job_id, nodes, gpus_per_node, if(state = 'pending', reason, '')),
    toUnixTimestamp64Milli(eligible) AS f, toUnixTimestamp64Milli(least(started, ended)) AS t
  FROM jobs FINAL WHERE f < {{hi:Int64}} AND t > {{lo:Int64}}
),
telemetry AS (
  SELECT toUnixTimestamp64Milli(ts) AS at, sum(interval_ms) AS cover_ms,
    sum(active_ms) AS active_ms, sum(lost_ms) AS lost_ms
  FROM gpu_samples_1m WHERE ts >= fromUnixTimestamp64Milli({{lo:Int64}}, 'UTC')
    AND ts < fromUnixTimestamp64Milli({{hi:Int64}}, 'UTC') GROUP BY at
)
SELECT h, groupBitXor(part) AS fingerprint FROM (
  SELECT h, groupBitXor(cityHash64(id, {clip})) AS part
  FROM inputs ARRAY JOIN {{hours:Array(Int64)}} AS h
  WHERE {near} GROUP BY h
  UNION ALL
  SELECT arrayJoin(range(intDiv(at - {reach}, 3600000), intDiv(at + {reach}, 3600000) + 1))
      * 3600000 AS h,
    cityHash64(sum(cover_ms), ifNull(sum(active_ms), 0), ifNull(sum(lost_ms), 0)) AS part
  FROM telemetry GROUP BY h HAVING has({{hours:Array(Int64)}}, h)
  UNION ALL
  SELECT arrayJoin({{hours:Array(Int64)}}) AS h, cityHash64(least({{until:Int64}}, h + 3600000))
) GROUP BY h
"""
