"""What a job's telemetry looks like, in numbers: one row per job, made inside the database.

Each is a mean over the job's GPU-minutes of the last day unless it says otherwise, as share (0-1)
where it is one. A card without profiling counters has no value for those: NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from gpuledger.catalogue import GpuSample
from gpuledger.rollups import mean, scaled
from gpuledger.schema import Gauge
from gpuledger.store import Store

# Raised when a feature is added, dropped or computed otherwise: models of another version are
# refused.
VERSION = 1
WINDOW = timedelta(hours=24)
# Activity of a minute from which on it counts as work, and the SM share that is much of it.
ACTIVE_RATIO, HIGH_RATIO = 0.02, 0.5


@dataclass(frozen=True)
class Features:
    """Jobs, their features (a row each) and how many GPU-minutes they rest on."""

    jobs: tuple[str, ...]
    values: npt.NDArray[np.float64]
    minutes: npt.NDArray[np.int64]
    kinds: tuple[str, ...]


def of_jobs(store: Store, jobs: Sequence[str], until: datetime) -> Features:
    """Features of these jobs from the day before `until`; without telemetry, a job has none."""
    rows = store.select(_SQL, only=list(jobs), since=until - WINDOW, until=until) if jobs else []
    values = [[_number(row[name]) for name in _COLUMNS] for row in rows]
    return Features(
        tuple(row["job_id"] for row in rows),
        np.array(values, dtype=np.float64).reshape(len(rows), len(NAMES)),
        np.array([row["minutes"] for row in rows], dtype=np.int64),
        tuple(row["kind"] for row in rows),
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _mean(gauge: Gauge) -> str:
    return scaled(mean(gauge.fields[0], GpuSample.table), gauge.fields[0])


_TOLD: dict[str, Gauge] = {
    "sm": GpuSample.sm_active_ratio,
    "occupancy": GpuSample.sm_occupancy_ratio,
    "tensor": GpuSample.tensor_active_ratio,
    "dram": GpuSample.dram_active_ratio,
    "fp64": GpuSample.fp64_active_ratio,
    "fp32": GpuSample.fp32_active_ratio,
    "util": GpuSample.utilization_ratio,
    "memory_util": GpuSample.memory_utilization_ratio,
    "decoder": GpuSample.decoder_ratio,
    "used": GpuSample.memory_used_bytes,
    "total": GpuSample.memory_total_bytes,
    "watts": GpuSample.power_watts,
    "limit": GpuSample.power_limit_watts,
}
# Name to SQL over minutes `m` of the job's GPUs; `active` is the share of a minute's seconds.
_SQL_OF: dict[str, str] = {
    "active": "avg(active)",
    "at_work": f"avg(active >= {ACTIVE_RATIO})",
    "flat_out": "avg(active >= 0.95)",
    "switches": "avg(switched)",
    "active_at_work": f"avgIf(active, active >= {ACTIVE_RATIO})",
    "util": "avg(util)",
    "util_spread": "quantileExact(0.9)(util) - quantileExact(0.1)(util)",
    "memory_util": f"avgIf(memory_util, active >= {ACTIVE_RATIO})",
    "sm": "avg(sm)",
    "sm_at_work": f"avgIf(sm, active >= {ACTIVE_RATIO})",
    "sm_spread": "quantileExact(0.9)(sm) - quantileExact(0.1)(sm)",
    "sm_high": f"avg(sm >= {HIGH_RATIO})",
    "occupancy": f"avgIf(occupancy, active >= {ACTIVE_RATIO})",
    "tensor_per_sm": "sum(tensor) / nullIf(sum(sm), 0)",
    "dram_per_sm": "sum(dram) / nullIf(sum(sm), 0)",
    "fp64_per_sm": "sum(fp64) / nullIf(sum(sm), 0)",
    "fp32_per_sm": "sum(fp32) / nullIf(sum(sm), 0)",
    "decoder": "avg(decoder)",
    "memory": "avg(used / total)",
    "memory_spread": "quantileExact(0.9)(used / total) - quantileExact(0.1)(used / total)",
    "power": "avg(watts / limit)",
    "power_spread": "quantileExact(0.9)(watts / limit) - quantileExact(0.1)(watts / limit)",
    "gpus": "log2(uniqExact(gpu_id))",
}
NAMES = (*_SQL_OF, "interactive", "service")
# Told apart from the columns that they are made of.
_COLUMNS = (*(f"f_{name}" for name in _SQL_OF), "interactive", "service")
_TIME = "DateTime64(3, 'UTC')"
_SQL = f"""
WITH held AS (
    SELECT gpu_id, job_id, greatest(valid_from, {{since:{_TIME}}}) AS since, valid_to
    FROM allocations FINAL
    WHERE has({{only:Array(String)}}, job_id) AND valid_from < {{until:{_TIME}}}
      AND valid_to > {{since:{_TIME}}}),
  minutes AS (
    SELECT l.job_id AS job_id, s.gpu_id AS gpu_id, s.ts AS minute,
      sum(s.active_ms) / nullIf(sum(s.interval_ms), 0) AS active,
      {", ".join(f"{_mean(gauge)} AS {name}" for name, gauge in _TOLD.items())}
    FROM gpu_samples_1m AS s INNER JOIN held AS l ON l.gpu_id = s.gpu_id
    WHERE s.ts >= {{since:{_TIME}}} AND s.ts < {{until:{_TIME}}}
      AND s.gpu_id IN (SELECT gpu_id FROM held)
      AND s.ts >= l.since AND s.ts + INTERVAL 1 MINUTE <= l.valid_to
    GROUP BY job_id, gpu_id, minute HAVING isNotNull(active)),
  told AS (
    SELECT *, active >= {ACTIVE_RATIO} AS works, works != lagInFrame(works, 1, works)
      OVER (PARTITION BY job_id, gpu_id ORDER BY minute
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS switched
    FROM minutes)
SELECT m.*, j.kind AS kind, toFloat64(j.kind = 'interactive') AS interactive,
  toFloat64(j.kind = 'service') AS service
FROM (SELECT job_id, count() AS minutes,
    {", ".join(f"{sql} AS f_{n}" for n, sql in _SQL_OF.items())}
  FROM told GROUP BY job_id) AS m
LEFT JOIN (SELECT job_id, kind FROM jobs FINAL) AS j ON j.job_id = m.job_id
ORDER BY job_id
"""
