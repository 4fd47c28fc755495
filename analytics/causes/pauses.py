"""The SQL of dips and pauses: how activity moves within minutes, and what is written meanwhile.

Raw rows (10 s as the agent ships them) where they are still kept; where none are, the same over the
minutes, which see only what lasts that long. Parameters as in `analytics.causes.questions`.
"""

from __future__ import annotations

from dataclasses import dataclass

from analytics.causes.joined import CARDS, NODES, NODES_TAKEN, at

# A bucket is a dip while activity is below this share of what the GPU does when it works.
DIP_BELOW = 0.35
# Fewer buckets show no rhythm.
LEAST = 5

_STARTS = "arraySum((a, b) -> a AND NOT b, {0}, arrayPushFront(arrayPopBack({0}), 0))"
_HOURS = "nullIf(dateDiff('second', min(bucket), max(bucket)), 0) / 3600"


@dataclass(frozen=True)
class Grain:
    """One resolution: seconds of a bucket, suffix of tables, and how their rows tell of it."""

    step_s: int
    suffix: str
    sm: str
    bucket: str
    counter: str
    inside: str


# A raw row covers the time before its `ts`; a row of minutes the minute from `ts` on.
FINE = Grain(
    step_s=10,
    suffix="",
    sm="ifNull(s.sm_active_bp / 1e4, s.utilization_pct / 1e2)",
    bucket="toStartOfInterval(s.ts - INTERVAL 1 MILLISECOND, INTERVAL 10 SECOND)",
    counter="s.{}",
    inside=f"s.ts > {at('l.f')} AND s.ts <= {at('l.t')}",
)
COARSE = Grain(
    step_s=60,
    suffix="_1m",
    sm="if(s.sm_active_bp_wsum > 0, s.sm_active_bp_wsum / 1e4, s.utilization_pct_wsum / 1e2)"
    " / nullIf(s.weight_ms, 0)",
    bucket="s.ts",
    counter="s.{}_max",
    inside=f"s.ts >= {at('l.f')} AND s.ts + INTERVAL 1 MINUTE <= {at('l.t')}",
)


def dips_sql(grain: Grain) -> str:
    """One row per episode: how its GPUs' activity moves, each GPU judged by itself.

    `dip_ratio` is the share of buckets that are dips, `dips_per_h` how many dips begin in an hour.
    """
    return f"""
SELECT n, avg(dip) AS dip_ratio, avg(starts / hours) AS dips_per_h
FROM (
  SELECT n, gpu_id, arrayMap(x -> x.2, arraySort(groupArray((bucket, assumeNotNull(sm))))) AS told,
    arrayReduce('quantile(0.9)', told) AS top,
    arrayMap(v -> toUInt8(v < {DIP_BELOW} * top), told) AS low, arrayAvg(low) AS dip,
    {_STARTS.format("low")} AS starts, {_HOURS} AS hours
  FROM (
    SELECT l.n AS n, s.gpu_id AS gpu_id, {grain.bucket} AS bucket, avg({grain.sm}) AS sm
    FROM gpu_samples{grain.suffix} AS s INNER JOIN ({CARDS}) AS l ON l.gpu_id = s.gpu_id
    WHERE {NODES_TAKEN} AND {grain.inside} GROUP BY n, gpu_id, bucket HAVING sm IS NOT NULL)
  GROUP BY n, gpu_id HAVING length(told) >= {LEAST} AND top > 0)
GROUP BY n"""


def _written(grain: Grain, table: str, key: str, where: str = "true") -> str:
    """SELECT of bytes written by bucket and node: differences of one key's neighbouring rows.

    Rows that lie further apart than a bucket do not tell in which it was.
    """
    told = grain.counter.format("write_bytes")
    return f"""
SELECT cluster, node, bucket, sum(d.written) AS written FROM (
  SELECT s.cluster AS cluster, s.node AS node, {grain.bucket} AS bucket,
    {told} - lagInFrame({told}) OVER earlier AS written,
    dateDiff('second', lagInFrame(s.ts) OVER earlier, s.ts) AS apart
  FROM {table}{grain.suffix} AS s
  WHERE {NODES_TAKEN} AND {where} AND {told} > 0
  WINDOW earlier AS (PARTITION BY s.cluster, s.node, {key}, s.epoch ORDER BY s.ts
    ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) AS d
WHERE d.written >= 0 AND d.apart <= {1.5 * grain.step_s} GROUP BY cluster, node, bucket"""


def writes_sql(grain: Grain) -> str:
    """One row per episode that wrote something: what is written while the whole job pauses.

    `pause_ratio` is the share of buckets in which the job's mean activity is a dip, `pauses_per_h`
    how many begin in an hour, `pause_write` what its nodes write then (bytes per second).
    `write_match` is how well writing goes with pausing: minus the correlation of bytes and
    activity.
    """
    netfs = _written(
        grain, "netfs_samples", "s.kind, s.mount, s.operation", "s.operation != 'application'"
    )
    block = _written(grain, "block_samples", "s.device")
    return f"""
SELECT n, pause_ratio, starts / hours AS pauses_per_h,
  within / nullIf(arraySum(paused) * hours * 3600 / length(paused), 0) AS pause_write,
  if(isNaN(match), NULL, -match) AS write_match
FROM (
  SELECT n, hours, arrayMap(x -> x.2, rows) AS sms, arrayMap(x -> toFloat64(x.3), rows) AS bytes,
    arrayReduce('quantile(0.9)', sms) AS top,
    arrayMap(v -> toUInt8(v < {DIP_BELOW} * top), sms) AS paused,
    arrayAvg(paused) AS pause_ratio, {_STARTS.format("paused")} AS starts,
    arraySum((b, p) -> b * p, bytes, paused) AS within,
    arrayReduce('corrStable', sms, bytes) AS match
  FROM (
    SELECT n, arraySort(groupArray((bucket, assumeNotNull(sm), assumeNotNull(written)))) AS rows,
      {_HOURS} AS hours, sum(written) AS total
    FROM (
      SELECT g.n AS n, g.bucket AS bucket, any(g.sm) AS sm, sum(ifNull(w.written, 0)) AS written
      FROM (
        SELECT l.n AS n, {grain.bucket} AS bucket, avg({grain.sm}) AS sm
        FROM gpu_samples{grain.suffix} AS s INNER JOIN ({CARDS}) AS l ON l.gpu_id = s.gpu_id
        WHERE {NODES_TAKEN} AND {grain.inside} GROUP BY n, bucket HAVING sm IS NOT NULL) AS g
      LEFT JOIN (
        SELECT l.n AS n, b.bucket AS bucket, sum(b.written) AS written
        FROM ({netfs} UNION ALL {block}) AS b
        INNER JOIN ({NODES}) AS l ON l.cluster = b.cluster AND l.node = b.node
        GROUP BY n, bucket) AS w ON w.n = g.n AND w.bucket = g.bucket
      GROUP BY n, bucket)
    GROUP BY n HAVING length(rows) >= {LEAST} AND total > 0))"""
