"""Network filesystems that answer far more slowly than they use to, and the jobs that starve of it.

Latency is the time that clients wait for answers, by operation. A filesystem is slow while 95 % of
its nodes and minutes stay above a multiple of its norm, which is the median of its hours of a week.
Slow alone is no loss: enough of the GPUs that use it must do less than just before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.causes.joined import at
from analytics.causes.worth import worth
from analytics.detector import Detector
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding, GpuSample
from gpuledger.config import Settings
from gpuledger.rollups import mean
from gpuledger.store import Store

NORM = timedelta(days=7)
# An hour that is slow for its last quarter alone is slower than its norm by half.
SLOW_HOUR = 1.5
BEFORE_MIN = 60


class StorageSlowSettings(Settings):
    """Section `[storage_slow]`."""

    # Alert 25 of the usual catalogues: p95 over 3 times the norm and 10 % of GPUs starved.
    times: Annotated[float, "multiple of its norm above which latency is slow"] = 3.0
    least_latency_s: Annotated[float, "latency that is never slow, seconds"] = 0.005
    starved_ratio: Annotated[float, "share of the GPUs using it that must starve"] = 0.10
    sm_ratio: Annotated[float, "SM activity (else utilization) below which a GPU can starve"] = 0.5
    drop_ratio: Annotated[float, "share of its activity before below which it starves"] = 0.8
    after_min: Annotated[int, "minutes of slowness that make an episode"] = 15
    gap_min: Annotated[int, "minutes of better answers that do not end it"] = 5
    norm_h: Annotated[int, "hours that a norm needs at least"] = 3


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per filesystem and episode of slowness that starves GPUs."""
    assert isinstance(settings, StorageSlowSettings)
    if span.since >= span.until:
        return
    for row in _slow(store, settings, span):
        hit = _starved(store, settings, row)
        if hit["held"] and hit["starved"] >= settings.starved_ratio * hit["held"]:
            yield _finding(store, row, hit, settings, span)


def _slow(store: Store, settings: StorageSlowSettings, span: Span) -> list[dict[str, Any]]:
    return store.select(
        _SLOW_SQL,
        since=span.since,
        until=span.until,
        week=span.until - NORM,
        times=settings.times,
        least=settings.least_latency_s,
        gap=settings.gap_min,
        after=settings.after_min,
        hours=settings.norm_h,
    )


def _starved(store: Store, settings: StorageSlowSettings, row: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = store.select(
        _STARVED_SQL,
        cluster=row["cluster"],
        nodes=row["nodes"],
        before=to_milliseconds(row["since"]) - BEFORE_MIN * 60_000,
        f=to_milliseconds(row["since"]),
        t=to_milliseconds(row["until"]),
        below=settings.sm_ratio,
        drop=settings.drop_ratio,
    )
    return found


def _finding(
    store: Store,
    row: Mapping[str, Any],
    hit: Mapping[str, Any],
    settings: StorageSlowSettings,
    span: Span,
) -> Finding:
    name = row["device"] or row["mount"]
    jobs = evidence.counted(len(hit["jobs"]), "job")
    grade = "B" if hit["by_utilization"] else "A"
    return evidence.finding(
        "storage_slow",
        {**row, "grade": grade},
        span,
        subject=f"{row['cluster']}/{name}",
        owner="platform",
        cause=row["operation"],
        open=int((span.until - row["until"]) <= timedelta(minutes=settings.gap_min)),
        gpus=hit["starved"],
        gpu_seconds=hit["lost_seconds"],
        **worth(store, hit["jobs"], row["since"], hit["lost_seconds"]),
        action=(
            f"Look at {name} ({row['kind']}, {row['mount']}): load by client, failed disks or"
            " targets, network; move what reads most to local disks until it is well."
        ),
        summary=(
            f"{name} answers {row['operation']} in {row['latency'] * 1e3:.0f} ms (p95), usually"
            f" {row['norm'] * 1e3:.1f} ms, for {evidence.duration(row['until'] - row['since'])}:"
            f" {hit['starved']} of {hit['held']} GPUs starve in {jobs}"
            f" ({evidence.places(hit['jobs'])}), {hit['lost_seconds'] / 3600:,.1f} GPU-hours"
        ),
        evidence=(
            "SELECT ts, node, operation, operations_last, server_seconds_last"
            f" FROM v_netfs_samples_1m WHERE cluster = {evidence.quoted(row['cluster'])}"
            f" AND kind = {evidence.quoted(row['kind'])} AND mount ="
            f" {evidence.quoted(row['mount'])} AND operation ="
            f" {evidence.quoted(row['operation'])}"
            f" AND {evidence.during('ts', row['since'], row['until'])} ORDER BY ts, node"
        ),
    )


_KEY = "cluster, kind, mount, device, operation"
# Within a bucket from its first to its last reading; between buckets from last to last.
_HOURS = f"""
SELECT {_KEY}, ts, quantile(0.95)(wait) AS latency FROM (
  SELECT {_KEY}, node, ts, (max(server_ms_max) - min(server_ms_min)) / 1000
    / nullIf(max(operations_max) - min(operations_min), 0) AS wait
  FROM netfs_samples_1h
  WHERE ts >= toStartOfHour({{week:DateTime64(3, 'UTC')}}) AND ts < {{until:DateTime64(3, 'UTC')}}
  GROUP BY {_KEY}, node, ts, epoch HAVING wait IS NOT NULL)
GROUP BY {_KEY}, ts"""
_NORMS = f"""
SELECT {_KEY}, quantileExact(0.5)(latency) AS norm, max(latency) AS worst, max(ts) AS last_hour,
  arrayMax(groupArrayIf(latency, ts >= toStartOfHour({{since:DateTime64(3, 'UTC')}}))) AS lately
FROM ({_HOURS}) GROUP BY {_KEY}
HAVING count() >= {{hours:UInt32}} AND norm > 0 AND lately >= {SLOW_HOUR} * norm
  AND lately >= {{least:Float64}} / 2"""
_MINUTES = f"""
SELECT {_KEY}, ts, quantile(0.95)(wait) AS latency,
  groupUniqArray(toString(node)) AS nodes FROM (
  SELECT {_KEY}, node, ts, (served - lagInFrame(served) OVER before) / 1000
    / nullIf(done - lagInFrame(done) OVER before, 0) AS wait,
    dateDiff('minute', lagInFrame(ts) OVER before, ts) AS step
  FROM (
    SELECT {_KEY}, node, epoch, ts, max(server_ms_max) AS served, max(operations_max) AS done
    FROM netfs_samples_1m
    WHERE ts >= {{since:DateTime64(3, 'UTC')}} AND ts < {{until:DateTime64(3, 'UTC')}}
      AND (cluster, kind, mount, operation) IN
        (SELECT cluster, kind, mount, operation FROM ({_NORMS}))
    GROUP BY {_KEY}, node, epoch, ts)
  WINDOW before AS (PARTITION BY {_KEY}, node, epoch ORDER BY ts
    ROWS BETWEEN 1 PRECEDING AND CURRENT ROW))
WHERE wait IS NOT NULL AND step <= 5 GROUP BY {_KEY}, ts"""
# One operation per mount: the one that is slowest by its norm.
_SLOW_SQL = f"""
WITH slow AS (
  SELECT m.*, n.norm AS norm FROM ({_MINUTES}) AS m INNER JOIN ({_NORMS}) AS n USING ({_KEY})
  WHERE m.latency > {{times:Float64}} * n.norm AND m.latency >= {{least:Float64}}),
islands AS (
  SELECT *, sum(fresh) OVER (PARTITION BY {_KEY} ORDER BY ts) AS island FROM (
    SELECT *, dateDiff('minute', lagInFrame(ts, 1, toDateTime64(0, 3, 'UTC')) OVER (
        PARTITION BY {_KEY} ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), ts) - 1
      > {{gap:UInt32}} AS fresh FROM slow))
SELECT {_KEY}, min(ts) AS since, max(ts) + INTERVAL 1 MINUTE AS until, any(norm) AS norm,
  quantileExact(0.5)(latency) AS latency, arraySort(groupUniqArrayArray(nodes)) AS nodes
FROM islands GROUP BY {_KEY}, island
HAVING dateDiff('minute', since, until) >= {{after:UInt32}}
ORDER BY latency / norm DESC, {_KEY}, since LIMIT 1 BY cluster, kind, mount, toStartOfHour(since)"""


def _activity(inside: str) -> str:
    """Mean activity of a GPU's minutes of which `inside` holds; SM, else utilization."""
    known = [mean(g.fields[0], GpuSample.table) for g in _ACTIVITY]
    sm, utilization = (m.replace("sumIf(", f"sumIf(({inside}) * ") for m in known)
    return f"ifNull({sm} / 1e4, {utilization} / 1e2)"


_ACTIVITY = (GpuSample.sm_active_ratio, GpuSample.utilization_ratio)
_STARVED_SQL = f"""
SELECT countIf(starves) AS starved, count() AS held,
  arraySort(groupUniqArrayIf(job, starves)) AS jobs, countIf(starves AND NOT by_sm) > 0
    AS by_utilization,
  sumIf((1 - now / was) * seconds, starves) AS lost_seconds
FROM (
  SELECT a.job_id AS job, s.gpu_id AS gpu_id, {_activity(f"s.ts >= {at('{f:Int64}')}")} AS now,
    {_activity(f"s.ts < {at('{f:Int64}')}")} AS was,
    least(sumIf(s.interval_ms, s.ts >= {at("{f:Int64}")}), {{t:Int64}} - {{f:Int64}}) / 1000
      AS seconds,
    max(s.sm_active_bp_wsum) > 0 AS by_sm,
    ifNull(now < {{below:Float64}} AND was > 0.05 AND now < {{drop:Float64}} * was, false)
      AS starves
  FROM gpu_samples_1m AS s INNER JOIN (
    SELECT gpu_id, job_id, toUnixTimestamp64Milli(valid_from) AS f,
      toUnixTimestamp64Milli(valid_to) AS t
    FROM allocations FINAL WHERE cluster = {{cluster:String}} AND f < {{t:Int64}}
      AND t > {{f:Int64}} AND has({{nodes:Array(String)}}, node)) AS a ON a.gpu_id = s.gpu_id
  WHERE s.ts >= {at("{before:Int64}")} AND s.ts < {at("{t:Int64}")}
    AND s.node IN {{nodes:Array(String)}}
    AND toUnixTimestamp64Milli(s.ts) >= a.f AND toUnixTimestamp64Milli(s.ts) + 60000 <= a.t
  GROUP BY job, gpu_id)"""

detector = Detector(
    "Network filesystems that answer slowly and starve GPUs", StorageSlowSettings, find
)
