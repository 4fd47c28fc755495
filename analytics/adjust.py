"""What became known after an hour closed: signed pairs in `ledger_adjust`, never a changed cell.

A pair is about one GPU's hour: rows that reverse what the book says, and rows that book what is
so. The book as closed and its adjustments add up to the book as restated.
"""

from __future__ import annotations

from datetime import datetime

from gpuledger import partitions
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Adjustment
from gpuledger.ddl import stored_names
from gpuledger.states import ACTIVE, in_list
from gpuledger.store import Store
from gpuledger.views import owned

LOST_WORK = "lost_work"
_AMOUNTS = ("gpu_ms", "energy_mj", "recoverable_ms")
_MADE = ("reverses", "reason", "pair", "adjusted_at")
_KEYS = tuple(n for n in stored_names(Adjustment.table) if n not in {*_AMOUNTS, *_MADE})


def restate(store: Store, staged: str, since: datetime, until: datetime, now: datetime) -> None:
    """Bring the adjustments of whole hours up to staged cells; nothing where nothing differs."""
    names = ", ".join(stored_names(Adjustment.table))
    store.select(
        f"INSERT INTO {Adjustment.table.name} ({names}) SELECT {names} FROM ({_restated(staged)})",
        since=since,
        until=until,
        now=now,
    )


def lost_work(store: Store, job: str, since: datetime, until: datetime, now: datetime) -> None:
    """A job failed at `until`, and what it did since its last checkpoint was for nothing.

    Its time at work in the whole minutes between gets the cause `lost_work`. Telling it again
    changes nothing; an hour that is booked again loses it until it is told again.
    """
    names = ", ".join(stored_names(Adjustment.table))
    store.select(
        f"INSERT INTO {Adjustment.table.name} ({names}) SELECT {names} FROM ({_LOST})",
        job=job,
        since=since,
        until=until,
        now=now,
    )


def forget(store: Store, since: datetime, until: datetime) -> None:
    """Drop the adjustments of hours that are booked again: the book itself knows better now."""
    found = store.select(
        f"SELECT DISTINCT hour FROM {Adjustment.table.name} WHERE {_WITHIN}",
        since=since,
        until=until,
    )
    if found:
        hours = [str(to_milliseconds(r["hour"]) // 1000) for r in found]
        partitions.drop(store, Adjustment.table, hours)


_WITHIN = "hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}"
_CELL = "cluster, gpu_id, hour, alloc_id, state, flags, cause, grade"
# Rows are added up by how an account sees them, GPU by GPU.
_LISTED = ", ".join(_KEYS)


def _hours(cells: str, within: str) -> str:
    """Cells of minutes as those of hours."""
    return (
        "(SELECT cluster, gpu_id, toDateTime64(toStartOfHour(minute), 3, 'UTC') AS hour, alloc_id,"
        f" state, flags, cause, grade, sum(gpu_ms) AS gpu_ms, sum(energy_mj) AS energy_mj"
        f" FROM {cells} WHERE {within} GROUP BY {_CELL})"
    )


def _valued(rows: str, sign: int) -> str:
    """The book's rows with owners: how much each key has, and with which sign it is compared."""
    return (
        f"SELECT {_LISTED}, {sign} AS sign, toInt64(gpu_ms) AS ms,"
        " toInt64(ifNull(energy_mj, 0)) AS mj, toInt64(recoverable_ms) AS rms"
        f" FROM ({rows})"
    )


def _as_closed() -> str:
    """What the book says, with the owners that the accounts had then."""
    rows = owned(f"(SELECT * FROM ledger_1h WHERE {_WITHIN})", "hour", within=_WITHIN)
    replaced = ", ".join(
        f"if(a.job = '', o.{n}, a.{n}) AS {n}" for n in ("job_name", "user", "team")
    )
    kept = ", ".join(
        f"o.{n} AS {n}"
        for n in (*_KEYS, *_AMOUNTS)
        if n not in {"job_name", "user", "team", "alloc_id"}
    )
    return f"""
SELECT {kept}, o.alloc_id AS alloc_id, {replaced}
FROM ({_with_alloc(rows)}) AS o
LEFT JOIN (SELECT hour, cluster, job, any(job_name) AS job_name, any(user) AS user,
    any(team) AS team FROM accounts_1h WHERE {_WITHIN} AND job != '' GROUP BY hour, cluster, job)
  AS a ON a.hour = o.hour AND a.cluster = o.cluster AND a.job = o.job
"""


def _with_alloc(rows: str) -> str:
    """`owned` without its columns that an adjustment lacks, and with the allocation."""
    return rows.replace(
        "SELECT c.cluster AS cluster,", "SELECT c.alloc_id AS alloc_id, c.cluster AS cluster,", 1
    )


def _restated(staged: str) -> str:
    within = _WITHIN.replace("hour ", "minute ")
    so = _with_alloc(owned(_hours(staged, within), "hour", within=_WITHIN))
    adjusted = (
        f"SELECT {_LISTED}, -1 AS sign, if(reverses = 1, -1, 1) * toInt64(gpu_ms) AS ms,"
        " if(reverses = 1, -1, 1) * toInt64(ifNull(energy_mj, 0)) AS mj,"
        " if(reverses = 1, -1, 1) * toInt64(recoverable_ms) AS rms"
        f" FROM {Adjustment.table.name} WHERE {_WITHIN} AND reason != '{LOST_WORK}'"
    )
    return f"""
SELECT {_LISTED}, side = -1 AS reverses, amount.1 AS gpu_ms, amount.2 AS energy_mj,
  amount.3 AS recoverable_ms, reason, {{now:DateTime64(3, 'UTC')}} AS adjusted_at,
  cityHash64(hour, gpu_id, adjusted_at) AS pair
FROM (
  SELECT *, multiIf(
      sum(so_ms - was_ms) OVER gpu_hour != 0, 'owned',
      max(abs(by_alloc)) OVER gpu_hour != 0, 'allocation',
      max(abs(by_state)) OVER gpu_hour != 0, 'evidence', 'owner') AS reason
  FROM (
    SELECT *,
      sum(so_ms - was_ms) OVER (PARTITION BY hour, gpu_id, alloc_id) AS by_alloc,
      sum(so_ms - was_ms) OVER (PARTITION BY {_CELL}) AS by_state
    FROM (
      SELECT {_LISTED}, sumIf(ms, sign = 1) AS so_ms, sumIf(ms, sign = -1) AS was_ms,
        sumIf(mj, sign = 1) AS so_mj, sumIf(mj, sign = -1) AS was_mj,
        sumIf(rms, sign = 1) AS so_rms, sumIf(rms, sign = -1) AS was_rms
      FROM ({_valued(so, 1)} UNION ALL {_valued(_as_closed(), -1)} UNION ALL {adjusted})
      GROUP BY {_LISTED} HAVING so_ms != was_ms OR so_mj != was_mj))
  WINDOW gpu_hour AS (PARTITION BY hour, gpu_id))
ARRAY JOIN [-1, 1] AS side, [(toUInt64(was_ms), toUInt64(was_mj), toUInt64(was_rms)),
  (toUInt64(so_ms), toUInt64(so_mj), toUInt64(so_rms))] AS amount
WHERE amount.1 > 0
"""


_MINUTES = (
    "minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}"
    " AND alloc_id IN (SELECT alloc_id FROM allocations WHERE job_id = {job:String})"
    f" AND state IN {in_list(ACTIVE)}"
)
_WHOLE_HOURS = (
    "hour >= toStartOfHour({since:DateTime64(3, 'UTC')}) AND hour < {until:DateTime64(3, 'UTC')}"
)
_LOST = f"""
SELECT o.* EXCEPT (cause), side = -1 AS reverses, if(side = -1, o.cause, '{LOST_WORK}') AS cause,
  '{LOST_WORK}' AS reason, {{now:DateTime64(3, 'UTC')}} AS adjusted_at,
  cityHash64(o.hour, o.gpu_id, '{LOST_WORK}', o.job) AS pair
FROM ({_with_alloc(owned(_hours("ledger_1m", _MINUTES), "hour", within=_WHOLE_HOURS))}) AS o
ARRAY JOIN [-1, 1] AS side
WHERE (o.hour, o.gpu_id, o.job) NOT IN (SELECT hour, gpu_id, job
  FROM {Adjustment.table.name} WHERE reason = '{LOST_WORK}' AND job = {{job:String}})
"""
