"""Demand and usable capacity, hour by hour, as the book and the queue tell them.

In GPUs: `demand` is what jobs held or waited for (the mean of the hour), `asked` what jobs that
were handed in asked for, `usable` what was owned and in service. Hours that were not booked are
missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analytics.learn.methods import Values
from gpuledger.states import OCCUPIED, UNAVAILABLE, group_of, in_list
from gpuledger.store import Store
from gpuledger.waits import CAPACITY_REASONS

HOUR = timedelta(hours=1)
DAY_H = 24
MEASURES = ("demand", "asked", "usable")


@dataclass(frozen=True)
class Series:
    """One measure of one pool by the hour, from a midnight on; NaN = not booked."""

    cluster: str
    pool: str
    measure: str
    begin: datetime
    hourly: Values

    @property
    def daily(self) -> Values:
        """Means of days that are known for half of their hours at least; sums where asked for."""
        days = self.hourly.reshape(-1, DAY_H)
        known = np.isfinite(days)
        mean = np.where(known, days, 0.0).sum(axis=1) / np.maximum(1, known.sum(axis=1))
        told = mean * (DAY_H if self.measure == "asked" else 1)
        return np.where(known.sum(axis=1) * 2 >= DAY_H, told, np.nan)


def series(store: Store, since: datetime, until: datetime) -> list[Series]:
    """Every pool's measures in [since, until), both midnights, and those of whole clusters."""
    rows = store.select(_SQL, since=since, until=until)
    first: dict[str, datetime] = {}
    pools: dict[str, set[str]] = {}
    for row in rows:
        first[row["cluster"]] = min(row["hour"], first.get(row["cluster"], until))
        pools.setdefault(row["cluster"], set()).add(row["pool"])
    told = {(r["cluster"], r["pool"], r["hour"]): r for r in rows}
    booked = {(r["cluster"], r["hour"]) for r in rows if r["usable"] is not None}
    found = []
    for cluster, known in sorted(pools.items()):
        begin = first[cluster].replace(hour=0, minute=0, second=0, microsecond=0)
        hours = [begin + i * HOUR for i in range((until - begin) // HOUR)]
        gaps = np.array([(cluster, hour) not in booked for hour in hours])
        parts = {
            (pool, measure): np.array(
                [(told.get((cluster, pool, h)) or {}).get(measure) or 0.0 for h in hours]
            )
            for pool in known
            for measure in MEASURES
        }
        whole = {("", m): sum(parts[p, m] for p in known) for m in MEASURES}
        # A pool that is all there is would only say the same again.
        shown = {**(parts if len(known - {""}) > 1 else {}), **whole}
        found += [
            Series(cluster, pool, measure, begin, np.where(gaps, np.nan, values))
            for (pool, measure), values in sorted(shown.items())
        ]
    return found


_TIME = "DateTime64(3, 'UTC')"
_SINCE, _UNTIL = f"{{since:{_TIME}}}", f"{{until:{_TIME}}}"
_OUT = ("off_ledger", *group_of(UNAVAILABLE))
_REASONS = ", ".join(f"'{reason}'" for reason in sorted(CAPACITY_REASONS))
# Where a waiting job will run is not known: its partition's jobs tell in which pool they ran.
_SQL = f"""
WITH
  asked AS (
    SELECT job_id, cluster, pool AS queue, nodes * gpus_per_node * share_milli / 1000 AS gpus,
      submitted, eligible, least(started, ended, {_UNTIL}) AS waited_to,
      started < toDateTime64('2106-01-01', 3, 'UTC') OR reason IN ({_REASONS}) AS counts
    FROM jobs FINAL
    WHERE gpus_per_node > 0 AND submitted < {_UNTIL} AND ended > {_SINCE}),
  held AS (
    SELECT l.job_id AS job_id, any(a.pool) AS pool
    FROM (SELECT job_id, gpu_id FROM allocations FINAL WHERE valid_to > {_SINCE}) AS l
    INNER JOIN (SELECT gpu_id, pool FROM assets FINAL) AS a ON a.gpu_id = l.gpu_id
    GROUP BY job_id),
  queues AS (
    SELECT cluster, queue, argMax(pool, (jobs, pool)) AS pool FROM (
      SELECT j.cluster AS cluster, j.queue AS queue, h.pool AS pool, count() AS jobs
      FROM asked AS j INNER JOIN held AS h ON h.job_id = j.job_id GROUP BY cluster, queue, pool)
    GROUP BY cluster, queue),
  placed AS (
    SELECT j.cluster AS cluster, j.gpus AS gpus, j.submitted AS submitted,
      j.eligible AS eligible, j.waited_to AS waited_to, j.counts AS counts,
      if(h.job_id != '', h.pool, q.pool) AS pool
    FROM asked AS j LEFT JOIN held AS h ON h.job_id = j.job_id
    LEFT JOIN queues AS q ON q.cluster = j.cluster AND q.queue = j.queue),
  waiting AS (
    SELECT cluster, pool, gpus, greatest(eligible, {_SINCE}) AS since, waited_to,
      arrayJoin(range(toUInt32(greatest(0, dateDiff('hour', since, waited_to) + 1)))) AS n,
      toStartOfHour(since) + toIntervalHour(n) AS hour
    FROM placed WHERE counts AND eligible < waited_to),
  parts AS (
    SELECT cluster, pool, hour, sumIf(gpu_ms, state IN {in_list(group_of(OCCUPIED))}) / 3.6e6
      AS demand, 0. AS asked,
      toNullable(sumIf(gpu_ms, state NOT IN {in_list(_OUT)}) / 3.6e6) AS usable
    FROM accounts_1h WHERE hour >= {_SINCE} AND hour < {_UNTIL} GROUP BY cluster, pool, hour
    UNION ALL
    SELECT cluster, pool, hour, sum(gpus * greatest(0, dateDiff('millisecond',
      greatest(since, hour), least(waited_to, hour + INTERVAL 1 HOUR)))) / 3.6e6, 0., NULL
    FROM waiting GROUP BY cluster, pool, hour
    UNION ALL
    SELECT cluster, pool, toStartOfHour(submitted) AS hour, 0., sum(gpus), NULL
    FROM placed WHERE submitted >= {_SINCE} GROUP BY cluster, pool, hour)
SELECT cluster, pool, hour, sum(demand) AS demand, sum(asked) AS asked, sum(usable) AS usable
FROM parts WHERE cluster IN (SELECT cluster FROM accounts_1h) AND hour < {_UNTIL}
GROUP BY cluster, pool, hour ORDER BY cluster, pool, hour
"""
