"""What waiting jobs could have used of the loose time: recoverable; the rest is slack.

Loose is what the states say could be won back (`State.recoverable`: idle, stalled, stranded and
wanted GPUs count whole, underused ones half). In each minute and pool it is recoverable as far as
eligible jobs lacked GPUs there (`demand_1m`), and every cell of it in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gpuledger import partitions
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import RecoverableHour, RecoverableMinute
from gpuledger.ddl import stored_names
from gpuledger.schema import Table
from gpuledger.states import STATES, in_list, recoverable_factor
from gpuledger.store import Store

HOUR = timedelta(hours=1)


def write(store: Store, hours: Sequence[datetime]) -> None:
    """Write neighbouring hours again (at most 24) from the book's cells and from demand."""
    _replace(store, RecoverableMinute.table, hours, _MINUTES_SQL)
    _replace(store, RecoverableHour.table, hours, _HOURS_SQL)


def _replace(store: Store, table: Table, hours: Sequence[datetime], sql: str) -> None:
    staging = partitions.stage(store, table)
    names = ", ".join(stored_names(table))
    store.select(
        f"INSERT INTO {staging} ({names}) SELECT {names} FROM ({sql})",
        since=hours[0],
        until=hours[-1] + HOUR,
    )
    partitions.swap(store, table, [str(to_milliseconds(h) // 1000) for h in hours])


_WITHIN = "minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}"
_LOOSE = f"""
SELECT c.*, a.pool AS pool, c.gpu_ms * {recoverable_factor("c.state")} AS loose
FROM (SELECT * FROM ledger_1m WHERE {_WITHIN}
  AND state IN {in_list(tuple(s.name for s in STATES if s.recoverable))}) AS c
LEFT JOIN (SELECT gpu_id, pool FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
"""
_MINUTES_SQL = f"""
SELECT l.cluster AS cluster, l.pool AS pool, l.minute AS minute,
  toUInt64(round(l.loose)) AS loose_ms, toUInt64(d.unmet_ms) AS unmet_ms,
  toUInt32(floor(least(1, unmet_ms / l.loose) * 1e6)) AS met_millionths
FROM (SELECT cluster, pool, minute, sum(loose) AS loose FROM ({_LOOSE})
  GROUP BY cluster, pool, minute HAVING loose > 0) AS l
LEFT JOIN (SELECT * FROM demand_1m WHERE {_WITHIN}) AS d
  ON d.cluster = l.cluster AND d.pool = l.pool AND d.minute = l.minute
"""
_HOURS_SQL = f"""
SELECT l.cluster AS cluster, l.gpu_id AS gpu_id, toStartOfHour(l.minute) AS hour,
  l.alloc_id AS alloc_id, l.state AS state, l.flags AS flags, l.cause AS cause, l.grade AS grade,
  toUInt64(round(sum(l.loose * m.met_millionths / 1e6))) AS recoverable_ms
FROM ({_LOOSE}) AS l
JOIN (SELECT * FROM recoverable_1m WHERE {_WITHIN} AND met_millionths > 0) AS m
  ON m.cluster = l.cluster AND m.pool = l.pool AND m.minute = l.minute
GROUP BY cluster, gpu_id, hour, alloc_id, state, flags, cause, grade
"""
