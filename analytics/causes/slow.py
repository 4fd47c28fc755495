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


_SINCE = "toStartOfHour({since:DateTime64(3, 'UTC')})"
_UNTIL = "{until:DateTime64(3, 'UTC')}"
_OF_CHOSEN = "gpu_id IN (SELECT gpu_id FROM allocations WHERE has({only:Array(String)}, job_id))"
_GAUGES = {
    "sm": GpuSample.sm_active_ratio,
    "tensor": GpuSample.tensor_active_ratio,
    "fp32": GpuSample.fp32_active_ratio,
}


def _samples_sql(chosen: str) -> str:
    """Sums of hours: the whole ones from their own rollup, which has the same; else of minutes."""
    sums = ", ".join(f"{g.fields[0].stored}_wsum" for g in _GAUGES.values())
    return f"""
SELECT gpu_id, ts AS hour, known, weight_ms, {sums} FROM gpu_samples_1h
WHERE ts >= {_SINCE} AND ts < toStartOfHour({_UNTIL}) AND {chosen}
UNION ALL
SELECT gpu_id, toStartOfHour(ts) AS hour, known, weight_ms, {sums} FROM gpu_samples_1m
WHERE ts >= toStartOfHour({_UNTIL}) AND ts < {_UNTIL} AND {chosen}"""


def _hours_sql(chosen: str) -> str:
    """Hours of productive work with little use, by GPU and allocation."""
    means = ", ".join(f"{_mean(gauge)} AS {name}" for name, gauge in _GAUGES.items())
    return f"""
SELECT l.gpu_id AS gpu_id, l.alloc_id AS alloc_id, l.node AS node, l.hour AS hour, l.ms AS ms,
  w.sm AS sm, w.tensor AS tensor, w.fp32 AS fp32
FROM (
  SELECT gpu_id, alloc_id, any(node) AS node, hour, sum(gpu_ms) AS ms FROM ledger_1h
  WHERE state = 'productive' AND alloc_id != 0 AND hour >= {_SINCE} AND hour < {_UNTIL}
    AND {chosen}
  GROUP BY gpu_id, alloc_id, hour HAVING ms >= 1800000) AS l
INNER JOIN (
  SELECT s.gpu_id AS gpu_id, s.hour AS hour, {means} FROM ({_samples_sql(chosen)}) AS s
  GROUP BY gpu_id, hour
  HAVING sm < {{below:Float64}} OR (tensor < {NO_TENSOR} AND fp32 > {FP32_BUSY})) AS w
  ON w.gpu_id = l.gpu_id AND w.hour = l.hour"""


def _episodes_sql(chosen: str) -> str:
    return f"""
SELECT h.job AS job, any(j.name) AS job_name, any(j.user) AS user, any(j.team) AS team,
  any(a.pool) AS pool,
  greatest(min(h.hour), {{since:DateTime64(3, 'UTC')}}, any(j.started)) AS since,
  least(max(h.hour) + INTERVAL 1 HOUR, {{until:DateTime64(3, 'UTC')}}, any(j.ended)) AS until,
  uniqExact(h.gpu_id) AS gpus, arraySort(groupUniqArray(h.gpu_id)) AS gpu_ids,
  arraySort(groupUniqArray(toString(h.node))) AS nodes, 'A' AS grade, sum(h.ms) AS worked_ms,
  toUInt8(any(j.ended) > {{until:DateTime64(3, 'UTC')}}
    AND max(h.hour) + INTERVAL 2 HOUR > {{until:DateTime64(3, 'UTC')}}) AS open
FROM (
  SELECT g.job_id AS job, t.* FROM ({_hours_sql(chosen)}) AS t
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
        _episodes_sql(_OF_CHOSEN if span.only else "true"),
        **parameters(span),
        below=below,
        hours=hours,
        most=most,
        without=sorted(without),
    )
    nothing = {"gpu_seconds": 0, "capacity_value": None, "cash_avoidable": None, "currency": ""}
    return [{**row, **nothing} for row in rows]
