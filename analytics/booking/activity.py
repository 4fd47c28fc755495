"""What telemetry says of each lane's minutes, and the conditions that rest on several of them.

Facts (idle, low, starting …) are computed per lane, that is per GPU and allocation, and a condition
that comes true holds for every minute it rests on.
"""

from __future__ import annotations

from analytics.booking.occupancy import MINUTE_MS
from gpuledger.catalogue import GpuSample
from gpuledger.rollups import chosen, mean
from gpuledger.schema import Gauge
from gpuledger.states import LedgerSettings


def _mean(gauge: Gauge) -> str:
    """SQL of its mean over rows `s` of a rollup, as stored."""
    return mean(gauge.fields[0], GpuSample.table)


def reach_ms(settings: LedgerSettings) -> int:
    """How far facts look outside the window they are computed for, in milliseconds."""
    # Low use rests on minutes that are not idle, and those on the minutes around them in turn.
    minutes = (
        settings.low_after_min + settings.idle_after_min,
        settings.startup_s // 60 + 1,
        settings.teardown_s // 60,
        settings.process_after_min,
    )
    return max(minutes) * MINUTE_MS


# What one writer told of a GPU's minute. Rows that came twice tell of more than a minute: what they
# add up counts in proportion. Lost is a device for at least half of the time told.
_TELLS = {
    "told_ms": "nullIf(sum(s.interval_ms), 0)",
    "cover_ms": "nullIf(least(sum(s.interval_ms), 60000), 0)",
    "active_ms": "sum(s.active_ms) * least(sum(s.interval_ms), 60000)"
    " / nullIf(sum(s.interval_ms), 0)",
    "lost": "sum(s.lost_ms) > 0 AND sum(s.lost_ms) * 2 >= sum(s.interval_ms)",
    "processes": "max(s.processes_max)",
    "sm": f"{_mean(GpuSample.sm_active_ratio)} / 1e4",
    "util": f"{_mean(GpuSample.utilization_ratio)} / 1e2",
    "power_mw": _mean(GpuSample.power_watts),
    "limit_mw": _mean(GpuSample.power_limit_watts),
}
_MINUTES = """
FROM gpu_samples_1m AS s
WHERE s.ts >= fromUnixTimestamp64Milli({lo:Int64}, 'UTC')
  AND s.ts < fromUnixTimestamp64Milli({hi:Int64}, 'UTC')
"""
_SHARED = f"SELECT s.gpu_id {_MINUTES} GROUP BY s.gpu_id HAVING min(s.source) != max(s.source)"
# Choosing between writers costs three times as much as having one, so only GPUs with several pay.
TOLD = f"""
SELECT gpu_id, toUnixTimestamp64Milli(ts) AS minute, told_ms, cover_ms, active_ms,
  ifNull(lost, false) AS lost, processes, sm, util, power_mw, limit_mw
FROM (
  SELECT s.gpu_id AS gpu_id, s.ts AS ts, {", ".join(f"{sql} AS {n}" for n, sql in _TELLS.items())}
  {_MINUTES} AND s.gpu_id NOT IN ({_SHARED}) GROUP BY s.gpu_id, s.ts
  UNION ALL
  {chosen(GpuSample.table, f"{_MINUTES} AND s.gpu_id IN ({_SHARED})", ("gpu_id", "ts"), _TELLS)})
"""


def minutes_sql(settings: LedgerSettings) -> str:
    """One row per lane and minute: what telemetry says, and what it can be trusted for.

    Activity in a minute inside which the lane begins may be that of the job before.
    """
    return f"""
SELECT l.gpu_id AS gpu_id, l.alloc_id AS alloc_id, l.start AS start, l.minute AS minute,
  l.unheld AS unheld,
  w.sm AS sm, w.util AS util, w.power_mw AS power_mw, w.limit_mw AS limit_mw,
  w.processes AS processes, w.active_ms AS active_ms, ifNull(w.cover_ms, 0) AS cover,
  cover >= {settings.min_cover_ratio} * {MINUTE_MS} AS covered,
  if(minute < start, 0, ifNull(w.active_ms, 0)) AS own_active_ms,
  w.active_ms IS NOT NULL AS evidence, ifNull(w.active_ms, 0) > 0 AS active,
  ifNull(w.lost, false) AS lost,
  multiIf(sm IS NOT NULL, 'A', util IS NULL, 'D',
    power_mw IS NOT NULL AND limit_mw IS NOT NULL, 'B', 'C') AS grade
FROM (SELECT gpu_id, alloc_id, start, minute, max(unheld) AS unheld FROM lanes
  GROUP BY gpu_id, alloc_id, start, minute) AS l
LEFT JOIN told AS w ON w.gpu_id = l.gpu_id AND w.minute = l.minute
"""


def ends_sql(settings: LedgerSettings) -> str:
    """Conditions that look back from each minute of a lane."""
    idle = settings.idle_after_min
    return f"""
SELECT *,
  covered AND minute < start + {settings.startup_s * 1000}
    AND sum(own_active_ms) OVER {_back(settings.startup_s // 60)} = 0 AS starting,
  ifNull(processes = 0, false)
    AND ifNull(max(processes) OVER {_back(settings.teardown_s // 60)} > 0, false) AS ending,
  sum(covered AND evidence) OVER {_back(idle - 1)} = {idle}
    AND sum(active_ms) OVER {_back(idle - 1)}
      <= {settings.idle_active_ratio} * sum(cover) OVER {_back(idle - 1)} AS idle_here,
  sum(unheld AND ifNull(processes, 0) > 0) OVER {_back(settings.process_after_min)}
    = {settings.process_after_min + 1} AS occupied_here
FROM minutes
"""


def idles_sql(settings: LedgerSettings) -> str:
    """Idleness holds for every minute it rests on; what is left can be low."""
    return f"""
SELECT *, ifNull(max(idle_here) OVER {_ahead(settings.idle_after_min - 1)}, false) AS idle,
  max(occupied_here) OVER {_ahead(settings.process_after_min)} AS occupied,
  covered AND evidence AND NOT idle AS busy,
  if(busy, sm, NULL) AS busy_sm, if(busy, util, NULL) AS busy_util,
  if(busy, power_mw / limit_mw, NULL) AS busy_power
FROM ends
"""


def lows_sql(settings: LedgerSettings) -> str:
    """Low use, judged by the best evidence (grade A, B or C) that all its minutes share."""
    size, low = settings.low_after_min, settings.low_ratio
    return f"""
SELECT *, sum(busy) OVER recent = {size} AND multiIf(
    count(busy_sm) OVER recent = {size}, avg(busy_sm) OVER recent < {low},
    count(busy_util) OVER recent < {size}, false,
    count(busy_power) OVER recent < {size}, avg(busy_util) OVER recent < {low},
    avg(busy_util) OVER recent < {low}
      AND avg(busy_power) OVER recent < {settings.low_power_ratio}) AS low_here
FROM idles WINDOW recent AS {_back(size - 1)}
"""


def facts_sql(settings: LedgerSettings) -> str:
    """What the predicates of the states ask for, per lane and minute."""
    return f"""
SELECT gpu_id, alloc_id, minute, sm, util, power_mw, covered, evidence, active, lost, grade,
  starting, ending, idle, occupied,
  ifNull(max(low_here) OVER {_ahead(settings.low_after_min - 1)}, false) AS low
FROM lows
"""


def _back(minutes: int) -> str:
    return f"({_LANE} RANGE BETWEEN {minutes * MINUTE_MS} PRECEDING AND CURRENT ROW)"


def _ahead(minutes: int) -> str:
    return f"({_LANE} RANGE BETWEEN CURRENT ROW AND {minutes * MINUTE_MS} FOLLOWING)"


_LANE = "PARTITION BY gpu_id, alloc_id ORDER BY minute"
