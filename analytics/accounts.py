"""The accounts: the book added up by owner and place, so that years are asked in a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from gpuledger import partitions
from gpuledger.catalogue import AccountDay, AccountHour, FreeBlock
from gpuledger.ddl import stored_names
from gpuledger.measures import FREE, owned
from gpuledger.schema import Table
from gpuledger.store import Store

DAY = timedelta(days=1)


def write(store: Store, days: Sequence[date]) -> None:
    """Write neighbouring days again from the book's hours and minutes."""
    _replace(store, AccountHour.table, days, _HOURS_SQL)
    _replace(store, AccountDay.table, days, _DAYS_SQL)
    _replace(store, FreeBlock.table, days, _BLOCKS_SQL)


def catch_up(store: Store) -> None:
    """Write the days that were booked before there were accounts."""
    for row in store.select(_LACKING_SQL):
        write(store, [row["day"]])


def _replace(store: Store, table: Table, days: Sequence[date], sql: str) -> None:
    staging = partitions.stage(store, table)
    store.select(
        f"INSERT INTO {staging} ({', '.join(stored_names(table))})"
        f" SELECT {', '.join(stored_names(table))} FROM ({sql})",
        since=_midnight(days[0]),
        until=_midnight(days[-1]) + DAY,
    )
    partitions.swap(store, table, [d.strftime("%Y%m%d") for d in days])


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _summed(table: Table, source: str) -> str:
    """SELECT of a source's rows added up to those of a table of accounts."""
    sums = {"gpu_ms", "energy_mj"}
    keys = ", ".join(name for name in stored_names(table) if name not in sums)
    return (
        f"SELECT {keys}, sum(s.gpu_ms) AS gpu_ms, sum(s.energy_mj) AS energy_mj"
        f" FROM ({source}) AS s GROUP BY {keys}"
    )


def _within(time: str) -> str:
    return f"{time} >= {{since:DateTime64(3, 'UTC')}} AND {time} < {{until:DateTime64(3, 'UTC')}}"


_HELD = "valid_from < {until:DateTime64(3, 'UTC')} AND valid_to > {since:DateTime64(3, 'UTC')}"
_HOURS_SQL = _summed(
    AccountHour.table,
    owned(f"(SELECT * FROM ledger_1h WHERE {_within('hour')})", "hour", _HELD),
)
_DAYS_SQL = _summed(
    AccountDay.table,
    f"SELECT *, toStartOfDay(hour) AS day FROM accounts_1h WHERE {_within('hour')}",
)
# Every booked minute has a row, also where nothing was free: a share needs its whole.
_BLOCKS_SQL = f"""
SELECT cluster, pool, minute, max(free) AS free_gpus FROM (
  SELECT c.cluster AS cluster, a.pool AS pool, c.minute AS minute, a.node AS node,
    floor(sumIf(c.gpu_ms, c.{FREE}) / 60000) AS free
  FROM (SELECT * FROM ledger_1m WHERE {_within("minute")}) AS c
  LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
  GROUP BY cluster, pool, minute, node)
GROUP BY cluster, pool, minute
"""
_LACKING_SQL = """
SELECT DISTINCT toDate(hour) AS day FROM booked_hours
WHERE toDate(hour) NOT IN (SELECT toDate(day) FROM accounts_1d) ORDER BY day
"""
