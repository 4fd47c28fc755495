"""Sick GPUs and the jobs that suffer from them: intervals of faults, from events and health.

Kinds, classes and recoveries of events are those of `collector.xid` and `collector.nvml_events`.
A fault ends when the driver asks for nothing more, when the device is back, or `sick_h` hours
after it was told.
"""

from __future__ import annotations

from analytics.booking.intervals import MINUTE_MS
from analytics.booking.nodes import NODE_STATES
from gpuledger.catalogue import GpuHealth
from gpuledger.rollups import gauges
from gpuledger.schema import Gauge
from gpuledger.states import FAULTS, LedgerSettings

# A reading of health holds until the next one, at most for so long.
_HEALTH_HOLDS_MS = 10 * MINUTE_MS
_ECC = (48, 95, 140, 171, 172)
_REMAP = (64,)
_NVLINK = (74, 136, *range(144, 151), 155)
_RECOVERY_CHANGED = 154
_NOTHING = "('', 'none', 'restart application')"


def code(fault: str) -> int:
    """Number of a fault, the gravest first; 0 = none."""
    return FAULTS.index(fault) + 1


_ASKS = f"(kind = 'recovery' OR kind = 'xid' AND code = {_RECOVERY_CHANGED})"
_BEGUN = f"""multiIf(
  kind = 'lost' OR kind = 'reset', {code("device_lost")},
  kind = 'recovered' OR {_ASKS} AND recovery = 'none', 0,
  {_ASKS} AND recovery NOT IN {_NOTHING}, {code("xid")},
  cause != 'hardware' OR recovery IN {_NOTHING}, -1,
  kind = 'ecc' OR kind = 'xid' AND code IN {_ECC}, {code("ecc")},
  kind = 'retirement' OR kind = 'xid' AND code IN {_REMAP}, {code("remap")},
  kind = 'xid' AND code IN {_NVLINK}, {code("nvlink")},
  kind = 'xid', {code("xid")}, -1)"""


def _known(gauge: Gauge) -> str:
    return f"bitTest(s.known, {gauges(GpuHealth.table).index(gauge.fields[0])})"


_LINKS = f"{_known(GpuHealth.nvlinks)} AND {_known(GpuHealth.nvlinks_up)}"
_STATE = f"""multiIf(
  s.remap_failed_wsum > 0, {code("remap")}, s.remap_pending_wsum > 0, {code("ecc")},
  {_LINKS} AND s.nvlinks_up_wsum < s.nvlinks_wsum, {code("nvlink")},
  s.recovery_action_wsum > 0, {code("xid")}, 0)"""


def sick_sql(settings: LedgerSettings) -> str:
    """Intervals in which a GPU was sick: gpu_id, from `f` until `t` (milliseconds), fault (code).

    Parameters: lo, hi. Only GPUs with some bad news are looked at more closely.
    """
    most = settings.sick_h * 3_600_000
    events = f"""
SELECT gpu_id, toUnixTimestamp64Milli(ts) AS at, {_BEGUN} AS begun FROM gpu_events
WHERE gpu_id != 0 AND ts >= fromUnixTimestamp64Milli({{lo:Int64}} - {most}, 'UTC')
  AND ts < fromUnixTimestamp64Milli({{hi:Int64}}, 'UTC') AND begun >= 0"""
    health = """
FROM gpu_health_samples_1m AS s
WHERE s.ts >= fromUnixTimestamp64Milli({lo:Int64} - {back}, 'UTC')
  AND s.ts < fromUnixTimestamp64Milli({hi:Int64}, 'UTC')"""
    since_events = health.replace("{back}", str(most))
    lately = health.replace("{back}", str(_HEALTH_HOLDS_MS))
    asked = f"""
SELECT s.gpu_id AS gpu_id, toUnixTimestamp64Milli(s.ts) AS at, 0 AS begun {since_events}
  AND {_known(GpuHealth.recovery_action)} AND s.recovery_action_wsum = 0
  AND s.gpu_id IN (SELECT gpu_id FROM ({events}) WHERE begun > 0)"""
    return f"""
SELECT gpu_id, min(at) AS f, t, begun AS fault FROM (
  SELECT gpu_id, at, begun, least(at + {most}, min(if(begun = 0, at, {{hi:Int64}} + {most}))
    OVER (PARTITION BY gpu_id ORDER BY at, begun DESC
      ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) AS t
  FROM ({events} UNION ALL {asked}))
WHERE begun > 0 AND t > at AND t > {{lo:Int64}} GROUP BY gpu_id, t, fault
UNION ALL
SELECT gpu_id, at AS f, least(until, at + {_HEALTH_HOLDS_MS}) AS t, begun AS fault FROM (
  SELECT gpu_id, at, begun, leadInFrame(at, 1, {{hi:Int64}}) OVER (PARTITION BY gpu_id ORDER BY at
    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS until
  FROM (SELECT s.gpu_id AS gpu_id, toUnixTimestamp64Milli(s.ts) AS at,
      ifNull(min(nullIf({_STATE}, 0)), 0) AS begun {lately} AND s.gpu_id IN (
        SELECT s.gpu_id {lately} AND {_STATE} > 0) GROUP BY gpu_id, at))
WHERE begun > 0 AND t > {{lo:Int64}}
"""


# By GPU, the gravest first: (from, until, fault), in numbers of minutes.
SICKS = f"""
SELECT gpu_id, arraySort(x -> (x.3, x.1), groupUniqArray((
  intDiv(greatest(f - {{lo:Int64}}, 0), {MINUTE_MS}), intDiv(t - {{lo:Int64}}, {MINUTE_MS}),
  toUInt8(fault)))) AS sicks
FROM sick WHERE gpu_id != 0 GROUP BY gpu_id
"""


def shadows_sql(settings: LedgerSettings) -> str:
    """By job: when a fault of one of its nodes could hold it up (from, until; minute numbers).

    A GPU that was sick before the job began, and that it was not given, holds up nothing.
    """
    after = settings.peer_fault_s * 1000
    return f"""
SELECT job_id, groupUniqArray((intDiv(greatest(f - {{lo:Int64}}, 0), {MINUTE_MS}),
  intDiv(t + {after} - {{lo:Int64}}, {MINUTE_MS}))) AS shadows
FROM (
  SELECT j.job_id AS job_id, d.f AS f, d.t AS t
  FROM (SELECT job_id, cluster, node, min(f) AS f, max(t) AS t, min(start) AS start,
      groupUniqArray(gpu_id) AS gpus
    FROM stretches WHERE job_id != '' GROUP BY job_id, cluster, node) AS j
  JOIN (
    SELECT cluster, node, f, t, 0 AS gpu_id FROM ({NODE_STATES}) WHERE state = 'down'
    UNION ALL
    SELECT a.cluster, a.node, s.f, s.t, s.gpu_id FROM sick AS s
    JOIN (SELECT gpu_id, cluster, node FROM assets FINAL) AS a ON a.gpu_id = s.gpu_id
  ) AS d ON d.cluster = j.cluster AND d.node = j.node
  WHERE d.f < j.t AND d.t > j.f
    AND (d.gpu_id = 0 OR has(j.gpus, d.gpu_id) OR d.f >= j.start - {after}))
GROUP BY job_id
"""
