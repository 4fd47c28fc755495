"""What inference services did in the last weeks: their peaks, their quiet, the GPUs they hold.

Peaks are those of whole hours, each replica's own: added up they are never less than what was
needed at once. One row per service; a service is what `services` declares, else the model that is
served.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gpuledger.catalogue import GpuSample, ServingSample
from gpuledger.rollups import mean, scaled
from gpuledger.schema import Gauge, Table
from gpuledger.store import Store


def advice_rows(store: Store, until: datetime, history: timedelta) -> list[dict[str, Any]]:
    """One row per service with replicas now.

    `replicas` now, `gpus` and `jobs` of theirs, `instances`; `first` and `history_hours` known;
    `last_busy` and `quiet_hours` since the last request; `kv_peak` and `sm_peak` over all replicas
    in units of one replica, `kv_one` and `sm_one` of the fullest replica, `running_peak_ratio`
    requests at the peak in units of the most that one replica worked on; `waiting_peak`,
    `preemptions`, and the means `running`, `rate_one` (requests a second), `sm_mean` and
    `dram_mean` of a replica.
    """
    return store.select(_SERVICES_SQL, until=until, since=until - history)


def _mean(gauge: Gauge, table: Table) -> str:
    return scaled(mean(gauge.fields[0], table), gauge.fields[0])


_UNTIL, _SINCE = "{until:DateTime64(3, 'UTC')}", "{since:DateTime64(3, 'UTC')}"
# Jobs that serve: declared by the beginning of their names, or of that kind. A pod is named by its
# server; else the node must hold one serving job alone.
_SERVING_JOBS = f"""
SELECT j.job_id AS job, j.cluster AS cluster, j.user AS user, j.team AS team, a.node AS node,
  a.pool AS pool, a.gpu_id AS gpu_id, s.service AS declared, s.least_replicas AS least,
  splitByChar('@', splitByChar('/', j.job_id)[-1])[1] AS pod
FROM (SELECT * FROM jobs FINAL WHERE started < {_UNTIL} AND ended >= {_UNTIL}) AS j
INNER JOIN (
  SELECT l.job_id AS job_id, l.node AS node, l.gpu_id AS gpu_id, p.pool AS pool
  FROM (SELECT * FROM allocations FINAL
    WHERE valid_from < {_UNTIL} AND valid_to >= {_UNTIL}) AS l
  LEFT JOIN (SELECT gpu_id, pool FROM assets FINAL) AS p ON p.gpu_id = l.gpu_id) AS a
  ON a.job_id = j.job_id
LEFT JOIN (
  SELECT j.job_id AS job_id, argMax(toString(s.service), length(s.jobs)) AS service,
    argMax(s.least_replicas, length(s.jobs)) AS least_replicas
  FROM (SELECT job_id, cluster, name FROM jobs FINAL WHERE started < {_UNTIL} AND ended >= {_UNTIL})
    AS j
  INNER JOIN (SELECT * FROM services FINAL WHERE valid_from < {_UNTIL} AND valid_to >= {_UNTIL})
    AS s ON s.cluster = j.cluster
  WHERE startsWith(j.name, s.jobs) GROUP BY job_id) AS s ON s.job_id = j.job_id
WHERE s.service != '' OR j.kind = 'service'"""
_BY_JOB = f"""
SELECT job, cluster, node, any(user) AS user, any(team) AS team, any(pool) AS pool, any(pod) AS pod,
  groupUniqArray(gpu_id) AS gpu_ids, any(declared) AS declared, any(least) AS least
FROM ({_SERVING_JOBS}) GROUP BY job, cluster, node"""
_ON_NODE = f"""
SELECT cluster, node, count() AS serving,
  groupArray((job, pod, user, team, pool, gpu_ids, declared, least)) AS held
FROM ({_BY_JOB}) GROUP BY cluster, node"""
_KEY = "cluster, node, service, model, instance"
_HOURS = f"""
SELECT {_KEY}, s.ts AS hour, max(s.kv_cache_pct_max) / 100 AS kv,
  max(s.running_requests_max) AS running_most, max(s.waiting_requests_max) AS waiting,
  {_mean(ServingSample.running_requests, ServingSample.table)} AS running,
  max(s.requests_max) - min(s.requests_min) AS answered,
  max(s.requests_max) AS counted, max(s.preemptions_max) - min(s.preemptions_min) AS put_back,
  sum(s.interval_ms) / 1000 AS covered
FROM serving_samples_1h AS s WHERE s.ts >= {_SINCE} AND s.ts < {_UNTIL}
GROUP BY {_KEY}, hour"""
_REPLICAS = f"""
SELECT h.*, n.serving AS serving,
  arrayFirst(x -> (n.serving = 1) OR (x.2 != '' AND position(h.instance, x.2) > 0), n.held) AS own,
  if(own.7 != '', own.7, if(h.model != '', h.model, toString(h.service))) AS name
FROM ({_HOURS}) AS h LEFT JOIN ({_ON_NODE}) AS n ON n.cluster = h.cluster AND n.node = h.node"""
# The last minute of a day in which a request ran, waited or was answered; before, the last hour.
_BUSY = f"""
SELECT {_KEY}, maxIf(ts + INTERVAL 1 MINUTE, busy) AS last_busy,
  max(ts) + INTERVAL 1 MINUTE AS last_seen
FROM (
  SELECT {_KEY}, ts, ifNull(running > 0 OR waiting > 0 OR counted > before, false) AS busy
  FROM (
    SELECT {_KEY}, ts, running, waiting, counted,
      lagInFrame(counted, 1, counted) OVER w AS before
    FROM (
      SELECT {_KEY}, s.ts AS ts, max(s.running_requests_max) AS running,
        max(s.waiting_requests_max) AS waiting, max(s.requests_max) AS counted
      FROM serving_samples_1m AS s WHERE s.ts >= {_UNTIL} - INTERVAL 1 DAY AND s.ts < {_UNTIL}
      GROUP BY {_KEY}, ts)
    WINDOW w AS (PARTITION BY {_KEY} ORDER BY ts
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)))
GROUP BY {_KEY}"""
_CARDS = f"""
SELECT s.gpu_id AS gpu_id, toStartOfHour(s.ts) AS hour,
  {_mean(GpuSample.sm_active_ratio, GpuSample.table)} AS sm,
  {_mean(GpuSample.dram_active_ratio, GpuSample.table)} AS dram
FROM gpu_samples_1h AS s WHERE s.ts >= {_SINCE} AND s.ts < {_UNTIL}
  AND s.gpu_id IN (SELECT gpu_id FROM ({_SERVING_JOBS})) GROUP BY gpu_id, hour"""
_WITH_CARDS = f"""
SELECT r.*, c.sm AS sm, c.dram AS dram FROM ({_REPLICAS}) AS r
LEFT JOIN (SELECT gpu_id, hour, sm, dram FROM ({_CARDS})) AS c
  ON c.gpu_id = arrayElement(r.own.6, 1) AND c.hour = r.hour"""
_BY_HOUR = f"""
SELECT cluster, name, hour, sum(kv) AS kv_sum, sum(sm) AS sm_sum, sum(running_most) AS running_sum,
  max(waiting) AS waiting_most
FROM ({_WITH_CARDS}) GROUP BY cluster, name, hour"""
_PEAKS = f"""
SELECT cluster, name, max(kv_sum) AS kv_peak, max(sm_sum) AS sm_peak,
  max(running_sum) AS running_peak, max(waiting_most) AS waiting_peak FROM ({_BY_HOUR})
GROUP BY cluster, name"""
_WORKED = (
    f"w.hour < {_UNTIL} - INTERVAL 25 HOUR AND ifNull(w.running_most > 0 OR w.waiting > 0"
    " OR w.answered > 0, false)"
)
_SERVICES_SQL = f"""
SELECT w.cluster AS cluster, w.name AS name, any(w.own.3) AS user, any(w.own.4) AS team,
  any(w.own.5) AS pool, '' AS currency,
  uniqExactIf((w.node, w.instance, w.model), b.last_seen >= {_UNTIL} - INTERVAL 30 MINUTE)
    AS replicas,
  length(arrayDistinct(arrayFlatten(groupArray(w.own.6)))) AS gpus,
  arraySort(arrayFilter(x -> x != '', groupUniqArray(w.own.1))) AS jobs,
  arraySort(groupUniqArray(toString(w.instance))) AS instances, max(w.own.8) AS least_replicas,
  min(w.hour) AS first, uniqExact(w.hour) AS history_hours,
  greatest(max(b.last_busy), min(w.hour), maxIf(w.hour + INTERVAL 1 HOUR, {_WORKED}))
    AS last_busy, dateDiff('minute', last_busy, {_UNTIL}) / 60 AS quiet_hours,
  any(p.kv_peak) AS kv_peak, any(p.sm_peak) AS sm_peak, max(w.kv) AS kv_one, max(w.sm) AS sm_one,
  any(p.running_peak) / nullIf(max(w.running_most), 0) AS running_peak_ratio,
  any(p.waiting_peak) > 0 AS waiting_peak, sum(w.put_back) AS preemptions,
  avg(w.running) AS running, sum(w.answered) / nullIf(sum(w.covered), 0) AS rate_one,
  avg(w.sm) AS sm_mean, avg(w.dram) AS dram_mean
FROM ({_WITH_CARDS}) AS w
INNER JOIN ({_BUSY}) AS b ON b.cluster = w.cluster AND b.node = w.node AND b.service = w.service
  AND b.model = w.model AND b.instance = w.instance
LEFT JOIN ({_PEAKS}) AS p ON p.cluster = w.cluster AND p.name = w.name
GROUP BY cluster, name HAVING replicas > 0 ORDER BY gpus DESC, cluster, name"""
