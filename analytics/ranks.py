"""What the GPUs of jobs told, by the minute or the hour: SQL that detectors compare ranks by."""

from __future__ import annotations

from gpuledger.catalogue import GpuSample
from gpuledger.rollups import mean
from gpuledger.schema import Gauge

WHOLE = 1000


def told(gauge: Gauge) -> str:
    """SQL of a gauge's mean over rows `s` of a rollup, as stored."""
    return mean(gauge.fields[0], GpuSample.table)


SM = f"coalesce({told(GpuSample.sm_active_ratio)} / 1e4, {told(GpuSample.utilization_ratio)} / 1e2)"


def of_jobs(jobs: str, level: str, columns: dict[str, str], least_gpus: int = 1) -> str:
    """SELECT of job, gpu_id, node, at and columns (SQL over `s`) for whole GPUs of these jobs.

    `level` is the suffix of the rollup. A bucket belongs to the job that held the GPU as it began.
    Parameters: since, until.
    """
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"""
SELECT h.job_id AS job, t.gpu_id AS gpu_id, t.node AS node, t.at AS at,
  {", ".join(f"t.{name} AS {name}" for name in columns)}
FROM (
  SELECT s.gpu_id AS gpu_id, any(s.node) AS node, s.ts AS at, {listed}
  FROM gpu_samples{level} AS s
  WHERE s.ts >= {{since:DateTime64(3, 'UTC')}} AND s.ts < {{until:DateTime64(3, 'UTC')}}
    AND {_in_time(_held(jobs, least_gpus), level)}
    AND s.gpu_id IN (SELECT gpu_id FROM ({_held(jobs, least_gpus)}))
  GROUP BY gpu_id, at) AS t
ASOF INNER JOIN ({_held(jobs, least_gpus)}) AS h
  ON h.gpu_id = t.gpu_id AND h.f <= t.at
WHERE t.at < h.t"""


def _in_time(held: str, level: str) -> str:
    """Condition on rows `s` by their key: nodes and, of minutes, the hours in which they are held.

    Hours and days have few rows, and no hour in their key.
    """
    if level != "_1m":
        return f"s.node IN (SELECT node FROM ({held}))"
    since = "toStartOfHour(greatest(f, {since:DateTime64(3, 'UTC')}))"
    until = "least(t, {until:DateTime64(3, 'UTC')})"
    return f"""(toStartOfHour(s.ts), s.node) IN (
      SELECT DISTINCT {since} + INTERVAL arrayJoin(range(toUInt32(
        greatest(0, dateDiff('hour', {since}, {until}) + 1)))) HOUR, node FROM ({held}))"""


def _held(jobs: str, least_gpus: int) -> str:
    """Whole GPUs of these jobs in the span, as they are known now, from `f` until `t`."""
    return f"""
SELECT *, uniqExact(gpu_id) OVER (PARTITION BY job_id) AS gpus FROM (
  SELECT a.gpu_id AS gpu_id, any(a.job_id) AS job_id, any(a.node) AS node,
    argMax(a.valid_from, a.version) AS f, argMax(a.valid_to, a.version) AS t,
    argMax(a.share_milli, a.version) AS share
  FROM allocations AS a
  WHERE a.job_id IN ({jobs}) AND a.valid_from < {{until:DateTime64(3, 'UTC')}}
    AND a.valid_to > {{since:DateTime64(3, 'UTC')}}
  GROUP BY a.gpu_id, a.alloc_id)
WHERE share = {WHOLE} QUALIFY gpus >= {least_gpus}"""
