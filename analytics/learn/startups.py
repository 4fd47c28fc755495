"""Start-up times: how long batch jobs of a size take from their start to first activity.

A job has begun once half of its GPUs were active. Jobs that never became active, or only after
longer than any start-up takes, are not asked: idleness must not excuse idleness.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from analytics.learn.settings import LearnSettings
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import StartupTime
from gpuledger.ddl import stored_names
from gpuledger.store import Store


def learn(store: Store, now: datetime, settings: LearnSettings) -> None:
    """Write the p95 of each cluster and size class that has enough jobs."""
    store.select(
        _SQL,
        now=now,
        since=now - timedelta(days=settings.startup_days),
        most=settings.startup_most_s,
        enough=settings.startup_jobs,
        version=to_milliseconds(now),
    )


_NAMES = ", ".join(stored_names(StartupTime.table))
_TIME = "DateTime64(3, 'UTC')"
# Activity is known by the minute: it is taken to have begun at that minute's end.
_SQL = f"""
INSERT INTO startup_times ({_NAMES})
WITH begun AS (
    SELECT job_id, quantileExact(0.5)(first_active) + INTERVAL 1 MINUTE AS active
    FROM (SELECT * FROM job_stats FINAL) GROUP BY job_id),
  taken AS (
    SELECT w.cluster AS cluster, w.size_class AS size_class,
      dateDiff('millisecond', w.started, b.active) AS ms
    FROM (SELECT * FROM v_queue_waits
      WHERE started >= {{since:{_TIME}}} AND started < {{now:{_TIME}}}
        AND job IN (SELECT job_id FROM (SELECT * FROM jobs FINAL) WHERE kind = 'batch')) AS w
    INNER JOIN begun AS b ON b.job_id = w.job
    WHERE ms >= 0 AND ms <= {{most:Float64}} * 1000)
SELECT cluster, size_class, quantileExact(0.95)(ms) AS p95_ms, count() AS jobs,
  {{now:{_TIME}}} AS learned, {{version:UInt64}} AS version
FROM taken GROUP BY cluster, size_class HAVING jobs >= {{enough:UInt32}}
"""
