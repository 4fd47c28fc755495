"""The busiest that each GPU of a job has been: means over 5 minutes, their running maxima.

Maxima may see a minute twice; minutes are counted once, from where a row says it was looked up to.
So a call that is repeated, or that looks back for rows that came late, changes nothing it should
not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from analytics.learn.settings import LearnSettings
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import GpuSample, JobStat
from gpuledger.ddl import stored_names
from gpuledger.rollups import mean
from gpuledger.schema import Gauge
from gpuledger.store import Store

BUCKET = timedelta(minutes=5)
# What is joined at once: 10,000 GPUs have 3.6 million minutes in it.
PIECE = timedelta(hours=6)


def learn(
    store: Store, now: datetime, settings: LearnSettings, since: datetime | None = None
) -> None:
    """Bring the maxima up to `now`; from `since` on where history came in (default: what is new).

    Only whole five minutes count, so that a piece more or less makes no difference.
    """
    until = floor_time(now)
    for start, end in _pieces(since or _begin(store, until, settings), until):
        store.select(
            _SQL,
            lo=start,
            hi=end,
            covered=settings.bucket_minutes * 60_000,
            version=to_milliseconds(now),
        )


def floor_time(at: datetime) -> datetime:
    """The last whole five minutes not after `at`."""
    step = int(BUCKET.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // step * step, UTC)


def _begin(store: Store, until: datetime, settings: LearnSettings) -> datetime:
    """Where the last call ended, less what may have come late; else where telemetry begins."""
    oldest = until - timedelta(days=settings.history_d)
    done = store.value("SELECT max(upto) FROM job_stats HAVING count() > 0")
    if done:
        return max(oldest, floor_time(done - timedelta(hours=settings.late_h)))
    first = store.value(
        "SELECT min(ts) FROM gpu_samples_1m WHERE ts >= {since:DateTime64(3, 'UTC')}"
        " HAVING count() > 0",
        since=oldest,
    )
    return floor_time(first) if first else until


def _pieces(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(until, floor_time(since + PIECE))
        yield since, end
        since = end


def _mean(gauge: Gauge) -> str:
    """SQL of its mean over rows `s` of a rollup, as stored."""
    return mean(gauge.fields[0], GpuSample.table)


_NAMES = ", ".join(stored_names(JobStat.table))
_TIME = "DateTime64(3, 'UTC')"
_WITHIN = f"s.ts >= {{lo:{_TIME}}} AND s.ts < {{hi:{_TIME}}}"
_MINUTES = f"""
SELECT l.job_id AS job_id, s.gpu_id AS gpu_id, s.ts AS minute,
  toStartOfFiveMinutes(s.ts) AS five, least(sum(s.interval_ms), 60000) AS cover,
  sum(s.active_ms) > 0 AS active, {_mean(GpuSample.sm_active_ratio)} AS sm,
  {_mean(GpuSample.tensor_active_ratio)} AS tensor, {_mean(GpuSample.power_watts)}
    / nullIf({_mean(GpuSample.power_limit_watts)}, 0) * 10000 AS power
FROM gpu_samples_1m AS s
INNER JOIN (SELECT gpu_id, job_id, valid_from, valid_to FROM allocations FINAL
  WHERE valid_from < {{hi:{_TIME}}} AND valid_to > {{lo:{_TIME}}}) AS l ON l.gpu_id = s.gpu_id
WHERE {_WITHIN} AND s.ts >= l.valid_from AND s.ts + INTERVAL 1 MINUTE <= l.valid_to
GROUP BY job_id, gpu_id, minute
"""
# A row without any activity is not written: nothing was busy that a hang could be compared with.
_SQL = f"""
INSERT INTO job_stats ({_NAMES})
WITH minutes AS ({_MINUTES}),
  fives AS (
    SELECT job_id, gpu_id, five, sum(cover) AS covered, min(if(active, minute, NULL)) AS first,
      avg(sm) AS sm, avg(tensor) AS tensor, avg(power) AS power,
      groupArrayIf(minute, active) AS at_work
    FROM minutes GROUP BY job_id, gpu_id, five),
  now AS (
    SELECT job_id, gpu_id, min(first) AS first_active,
      argMaxIf(five, (round(ifNull(sm, power)), -toInt64(toUnixTimestamp(five))),
        covered >= {{covered:UInt32}}) AS busiest,
      round(maxIf(ifNull(sm, power), covered >= {{covered:UInt32}})) AS top,
      round(maxIf(sm, covered >= {{covered:UInt32}})) AS sm_bp,
      round(maxIf(tensor, covered >= {{covered:UInt32}})) AS tensor_bp,
      round(maxIf(power, covered >= {{covered:UInt32}})) AS power_bp,
      arrayFlatten(groupArray(at_work)) AS at_work
    FROM fives GROUP BY job_id, gpu_id HAVING isNotNull(first_active))
SELECT n.job_id AS job_id, n.gpu_id AS gpu_id,
  if(k.job_id = '', assumeNotNull(n.first_active), least(k.first_active, n.first_active))
    AS first_active,
  if(k.job_id = '' OR n.top > ifNull(k.sm_active_bp, k.power_bp), n.busiest, k.busiest) AS busiest,
  greatest(ifNull(n.sm_bp, k.sm_active_bp), ifNull(k.sm_active_bp, n.sm_bp)) AS sm_active_bp,
  greatest(ifNull(n.tensor_bp, k.tensor_active_bp), ifNull(k.tensor_active_bp, n.tensor_bp))
    AS tensor_active_bp,
  greatest(ifNull(n.power_bp, k.power_bp), ifNull(k.power_bp, n.power_bp)) AS power_bp,
  k.active_minutes + arrayCount(m -> m >= k.upto, n.at_work) AS active_minutes,
  greatest(k.upto, {{hi:{_TIME}}}) AS upto, {{version:UInt64}} AS version
FROM now AS n LEFT JOIN (SELECT * FROM job_stats FINAL) AS k
  ON k.job_id = n.job_id AND k.gpu_id = n.gpu_id
"""
