"""Hours of productive work that leave most of the GPU unused, or its tensor cores.

The book calls them productive, and their time is no loss in it; a person may still want to know why
they are slow. They are looked for among whole GPUs with profiling counters, hour by hour.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from analytics.book import Span
from analytics.evidence import CHOSEN, parameters
from gpuledger.catalogue import GpuSample
from gpuledger.rollups import mean
from gpuledger.schema import Gauge
from gpuledger.store import Store

# Single precision keeps the FP32 pipe at work while no tensor core is.
NO_TENSOR, FP32_BUSY = 0.01, 0.15


def _mean(gauge: Gauge) -> str:
    return f"{mean(gauge.fields[0], GpuSample.table)} / 1e4"


_HOURS = f"""
SELECT l.gpu_id AS gpu_id, l.alloc_id AS alloc_id, l.node AS node, l.hour AS hour, l.ms AS ms,
  w.sm AS sm, w.tensor AS tensor, w.fp32 AS fp32
FROM (
  SELECT gpu_id, alloc_id, any(node) AS node, hour, sum(gpu_ms) AS ms FROM ledger_1h
  WHERE state = 'productive' AND alloc_id != 0
    AND hour >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
    AND hour < {{until:DateTime64(3, 'UTC')}}
  GROUP BY gpu_id, alloc_id, hour HAVING ms >= 1800000) AS l
INNER JOIN (
  SELECT s.gpu_id AS gpu_id, toStartOfHour(s.ts) AS hour, {_mean(GpuSample.sm_active_ratio)} AS sm,
    {_mean(GpuSample.tensor_active_ratio)} AS tensor, {_mean(GpuSample.fp32_active_ratio)} AS fp32
  FROM gpu_samples_1m AS s
  WHERE s.ts >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
    AND s.ts < {{until:DateTime64(3, 'UTC')}}
  GROUP BY gpu_id, hour
  HAVING sm < {{below:Float64}} OR (tensor < {NO_TENSOR} AND fp32 > {FP32_BUSY})) AS w
  ON w.gpu_id = l.gpu_id AND w.hour = l.hour"""

_EPISODES = f"""
SELECT h.job AS job, any(j.name) AS job_name, any(j.user) AS user, any(j.team) AS team,
  any(a.pool) AS pool,
  greatest(min(h.hour), {{since:DateTime64(3, 'UTC')}}, any(j.started)) AS since,
  least(max(h.hour) + INTERVAL 1 HOUR, {{until:DateTime64(3, 'UTC')}}, any(j.ended)) AS until,
  uniqExact(h.gpu_id) AS gpus, arraySort(groupUniqArray(h.gpu_id)) AS gpu_ids,
  arraySort(groupUniqArray(toString(h.node))) AS nodes, 'A' AS grade, sum(h.ms) AS worked_ms,
  toUInt8(any(j.ended) > {{until:DateTime64(3, 'UTC')}}
    AND max(h.hour) + INTERVAL 2 HOUR > {{until:DateTime64(3, 'UTC')}}) AS open
FROM (
  SELECT g.job_id AS job, t.* FROM ({_HOURS}) AS t
  INNER JOIN (SELECT DISTINCT gpu_id, alloc_id, job_id FROM allocations
    WHERE slice = '' AND share_milli = 1000 AND {CHOSEN % "job_id"}) AS g
    ON g.gpu_id = t.gpu_id AND g.alloc_id = t.alloc_id
  WHERE NOT has({{without:Array(String)}}, g.job_id)) AS h
LEFT JOIN (SELECT job_id, name, user, team, kind, started, ended FROM jobs FINAL) AS j
  ON j.job_id = h.job
LEFT JOIN (SELECT gpu_id, pool FROM assets FINAL) AS a ON a.gpu_id = h.gpu_id
WHERE j.kind != 'service' GROUP BY job HAVING uniqExact(h.hour) >= {{hours:UInt32}}
ORDER BY worked_ms DESC, job LIMIT {{most:UInt32}}"""


def episodes(
    store: Store, span: Span, *, below: float, hours: int, most: int, without: Collection[str]
) -> list[dict[str, Any]]:
    """Jobs with so many hours of such work, most first, as `analytics.evidence.episodes` has them.

    They lost nothing: `gpu_seconds` is 0, worth and cash are None.
    """
    rows = store.select(
        _EPISODES,
        **parameters(span),
        below=below,
        hours=hours,
        most=most,
        without=sorted(without),
    )
    nothing = {"gpu_seconds": 0, "capacity_value": None, "cash_avoidable": None, "currency": ""}
    return [{**row, **nothing} for row in rows]
