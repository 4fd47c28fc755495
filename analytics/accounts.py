"""The accounts: the book added up by owner and place, so that years are asked in a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from gpuledger import partitions
from gpuledger.catalogue import AccountDay, AccountHour, FreeBlock
from gpuledger.ddl import stored_names
from gpuledger.schema import Cells, Table
from gpuledger.store import Store
from gpuledger.views import FREE, owned

DAY = timedelta(days=1)


def write(store: Store, days: Sequence[date]) -> None:
    """Write neighbouring days again from the book's hours and minutes."""
    write_hours(store, _midnight(days[0]), _midnight(days[-1]) + DAY)


def write_hours(store: Store, since: datetime, until: datetime) -> None:
    """Write whole hours again, and their days; the other hours of these days stay."""
    replace(store, AccountHour.table, _HOURS_SQL, since, until)
    replace(store, FreeBlock.table, _BLOCKS_SQL, since, until)
    days = days_of(since, until)
    replace(store, AccountDay.table, _DAYS_SQL, _midnight(days[0]), _midnight(days[-1]) + DAY)


def catch_up(store: Store) -> None:
    """Write the days that were booked before there were accounts."""
    for row in store.select(_LACKING_SQL):
        write(store, [row["day"]])


def days_of(since: datetime, until: datetime) -> list[date]:
    """The days that a span touches, in order."""
    count = -(-(until - _midnight(since.date())) // DAY)
    return [since.date() + i * DAY for i in range(count)]


def replace(store: Store, table: Table, sql: str, since: datetime, until: datetime) -> None:
    """Replace the rows of whole hours in a table with a partition per day by those of `sql`.

    `sql` has parameters since and until (DateTime64). What the days have beside is copied, which
    costs next to nothing beside adding it up again.
    """
    days = days_of(since, until)
    names, at = ", ".join(stored_names(table)), _time_of(table)
    staging = partitions.stage(store, table)
    store.select(
        f"INSERT INTO {staging} ({names}) SELECT {names} FROM ({sql}) UNION ALL"
        f" SELECT {names} FROM {table.name} WHERE {at} >= {{first:DateTime64(3, 'UTC')}}"
        f" AND {at} < {{last:DateTime64(3, 'UTC')}} AND NOT ({_within(at)})",
        since=since,
        until=until,
        first=_midnight(days[0]),
        last=_midnight(days[-1]) + DAY,
    )
    partitions.swap(store, table, [d.strftime("%Y%m%d") for d in days])


def _time_of(table: Table) -> str:
    assert isinstance(table.layout, Cells)
    return table.layout.at


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _summed(table: Table, source: str) -> str:
    """SELECT of a source's rows added up to those of a table of accounts."""
    sums = ("gpu_ms", "energy_mj", "recoverable_ms")
    keys = ", ".join(name for name in stored_names(table) if name not in sums)
    added = ", ".join(f"sum(s.{name}) AS {name}" for name in sums)
    return f"SELECT {keys}, {added} FROM ({source}) AS s GROUP BY {keys}"


def _within(time: str) -> str:
    return f"{time} >= {{since:DateTime64(3, 'UTC')}} AND {time} < {{until:DateTime64(3, 'UTC')}}"


_HELD = "valid_from < {until:DateTime64(3, 'UTC')} AND valid_to > {since:DateTime64(3, 'UTC')}"
_HOURS_SQL = _summed(
    AccountHour.table,
    owned(f"(SELECT * FROM ledger_1h WHERE {_within('hour')})", "hour", _HELD, _within("hour")),
)
_DAYS_SQL = _summed(
    AccountDay.table,
    f"SELECT *, toStartOfDay(hour) AS day FROM accounts_1h WHERE {_within('hour')}",
)
# Every booked minute has a row, also where nothing was free: a share needs its whole.
_BLOCKS_SQL = f"""
SELECT cluster, pool, minute, max(free) AS free_gpus FROM (
  SELECT c.cluster AS cluster, a.pool AS pool, c.minute AS minute, a.node AS node,
    floor(sumIf(c.gpu_ms, {FREE}) / 60000) AS free
  FROM (SELECT * FROM ledger_1m WHERE {_within("minute")}) AS c
  LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
  GROUP BY cluster, pool, minute, node)
GROUP BY cluster, pool, minute
"""
_LACKING_SQL = """
SELECT DISTINCT toDate(hour) AS day FROM booked_hours
WHERE toDate(hour) NOT IN (SELECT toDate(day) FROM accounts_1d) ORDER BY day
"""
