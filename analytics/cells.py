"""The SQL that books a window: from rollups and intervals to cells, inside ClickHouse.

Every cell is a part of one GPU's minute, cut at each boundary of asset, allocation, node state
and free state. Facts that rest on several minutes (idle, low, starting …) are computed per lane,
that is per GPU and allocation, and a condition that comes true holds for every minute it rests on.
"""

from __future__ import annotations

from gpuledger.catalogue import GpuSample
from gpuledger.rollups import chosen, mean
from gpuledger.schema import Gauge
from gpuledger.states import STATES, LedgerSettings, in_list

MINUTE_MS = 60_000
FOREVER_MS = 4_291_747_200_000


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


def state_sql() -> str:
    """The declared states as one multiIf: the first predicate that holds wins."""
    branches = ", ".join(f"{s.predicate}, '{s.name}'" for s in STATES[:-1])
    return f"multiIf({branches}, '{STATES[-1].name}')"


def cells_sql(settings: LedgerSettings) -> str:
    """SELECT of ledger_1m's columns. Parameters: since, until, lo, hi (Int64, milliseconds)."""
    return f"""
WITH
places AS ({_PLACES}),
given AS ({_given(settings)}),
declared AS ({_DECLARED}),
wanted AS ({_WANTED}),
cuts AS ({_CUTS}),
segments AS ({_SEGMENTS}),
lanes AS ({_LANES}),
told AS ({TOLD}),
minutes AS ({_minutes(settings)}),
ends AS ({_ends(settings)}),
idles AS ({_idles(settings)}),
lows AS ({_lows(settings)}),
facts AS ({_facts(settings)})
SELECT c.cluster AS cluster, any(c.node) AS node, c.gpu_id AS gpu_id,
  fromUnixTimestamp64Milli(c.minute, 'UTC') AS minute, c.alloc_id AS alloc_id, c.state AS state,
  '' AS flags, '' AS cause, c.grade AS grade,
  avgOrNull(c.intensity) AS intensity_bp, sum(c.part_ms) AS gpu_ms,
  round(sumOrNull(c.part_uj) / 1000) AS energy_mj
FROM (
  SELECT l.cluster AS cluster, l.node AS node, l.gpu_id AS gpu_id, l.minute AS minute,
    l.alloc_id AS alloc_id,
    f.grade AS grade, l.part_ms AS part_ms, f.power_mw * l.part_ms AS part_uj,
    l.unheld AND f.occupied AS occupied, {state_sql()} AS state,
    if(state = 'productive', round(10000 * coalesce(f.sm, f.util)), NULL) AS intensity
  FROM lanes AS l
  LEFT JOIN facts AS f ON f.gpu_id = l.gpu_id AND f.alloc_id = l.alloc_id AND f.minute = l.minute
  WHERE l.f >= {{since:Int64}} AND l.f < {{until:Int64}}) AS c
GROUP BY cluster, gpu_id, minute, alloc_id, state, grade
"""


def within(table: str) -> str:
    """Rows that hold at some time in [lo, hi), from `f` until `t` (Int64, milliseconds).

    ClickHouse filters by what is no key after FINAL: a row that a later version shortened is out.
    """
    return f"""
SELECT *, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t
FROM {table} FINAL WHERE f < {{hi:Int64}} AND t > {{lo:Int64}}
"""


_PLACES = f"""
SELECT a.gpu_id AS gpu_id, a.cluster AS cluster, a.node AS node,
  greatest(a.f, {{lo:Int64}}) AS f, least(a.t, {{hi:Int64}}) AS t
FROM ({within("assets")}) AS a
"""

# When each source last said that all is well: an open allocation it no longer names has ended.
# Who tells of allocations: the reader behind each source, and the node where every node tells of
# its own. What one node's agent no longer names has ended only if that agent read well. A prolog's
# word has no reader here: the scheduler's end outranks it.
_OF_NODES = {
    "process": "nvml",
    "kubernetes": "pod_resources",
    "dcgm-exporter": "dcgm-exporter",
}
_TELLERS = f"{[*_OF_NODES]}, {[*_OF_NODES.values()]}"
_SNAPSHOTS = f"""
SELECT cluster, source, if(source IN {in_list(tuple(_OF_NODES.values()))}, node, '') AS teller,
  max(ts) AS seen
FROM source_runs
WHERE failures = 0 AND runs > 0
  AND ts > fromUnixTimestamp64Milli({{until:Int64}} - 86400000, 'UTC')
GROUP BY cluster, source, teller
"""
# An allocation ends with its job, also where whoever told of it (a dead node's agent, an epilog
# that never ran) cannot say so any more.
_ENDED_JOBS = f"""
SELECT j.job_id AS job_id, toUnixTimestamp64Milli(j.ended) AS at FROM jobs AS j FINAL
WHERE toUnixTimestamp64Milli(j.ended) < {FOREVER_MS} AND j.job_id IN (
  SELECT job_id FROM allocations WHERE toUnixTimestamp64Milli(valid_to) >= {FOREVER_MS})
"""


def allocations_sql(settings: LedgerSettings) -> str:
    """Allocations in [lo, hi) and until when each holds, judged by the snapshots before `until`."""
    gone = f"a.seen_at + INTERVAL {settings.unnamed_s} SECOND < s.seen"
    named = f"if({gone}, toUnixTimestamp64Milli(a.seen_at), {FOREVER_MS})"
    worked = f"if(j.job_id = '', {FOREVER_MS}, j.at)"
    return f"""
SELECT * FROM (
  SELECT a.gpu_id AS gpu_id, a.alloc_id AS alloc_id, a.job_id AS job_id, a.cluster AS cluster,
    a.node AS node, a.share_milli AS share_milli, a.f AS f,
    if(a.t >= {FOREVER_MS}, least({named}, {worked}), a.t) AS t
  FROM ({within("allocations")}) AS a
  LEFT JOIN ({_SNAPSHOTS}) AS s
    ON s.cluster = a.cluster
    AND s.source = transform(toString(a.source), {_TELLERS}, toString(a.source))
    AND s.teller = if(a.source IN {in_list(tuple(_OF_NODES))}, a.node, '')
  LEFT JOIN ({_ENDED_JOBS}) AS j ON j.job_id = a.job_id
) WHERE t > {{lo:Int64}} AND t > f
"""


def _given(settings: LedgerSettings) -> str:
    """Allocations by GPU, in order: (from, until, allocation, share in thousandths)."""
    return f"""
SELECT gpu_id, arraySort(groupArray((f, t, alloc_id, toInt64(share_milli)))) AS allocs
FROM ({allocations_sql(settings)}) GROUP BY gpu_id
"""


# What holds of a node from `f` until `t`: of the statements that cover a time, the one that began
# last. When it ends, an older one that goes on holds again; where none does, the state is empty.
NODE_STATES = f"""
SELECT cluster, node, span.1 AS f, span.2 AS t,
  (arrayFilter(x -> x.1 <= f AND x.2 >= t, said)[-1]).3 AS state
FROM (
  SELECT cluster, node, arraySort(groupArray((f, t, toString(state)))) AS said,
    arraySort(arrayDistinct(arrayFlatten(arrayMap(x -> [x.1, x.2], said)))) AS bounds
  FROM ({within("node_states")}) GROUP BY cluster, node)
ARRAY JOIN arrayZip(arrayPopBack(bounds), arrayPopFront(bounds)) AS span
"""

_DECLARED = f"""
SELECT cluster, node, groupArray((f, t, state)) AS states FROM ({NODE_STATES})
GROUP BY cluster, node
"""

_WANTED = """
SELECT gpu_id, groupArray((toUnixTimestamp64Milli(valid_from),
  toUnixTimestamp64Milli(valid_to))) AS wanted
FROM free_states
WHERE toUnixTimestamp64Milli(valid_from) >= {since:Int64}
  AND toUnixTimestamp64Milli(valid_from) < {until:Int64}
GROUP BY gpu_id
"""

_CUTS = """
SELECT p.gpu_id AS gpu_id, p.cluster AS cluster, p.node AS node,
  g.allocs AS allocs, d.states AS states, w.wanted AS wanted,
  arraySort(arrayDistinct(arrayFilter(x -> x >= p.f AND x <= p.t, arrayConcat(
    [p.f, p.t, {since:Int64}, {until:Int64}],
    arrayMap(x -> toInt64(x), range(toUInt64({lo:Int64}), toUInt64({hi:Int64}), 60000)),
    arrayMap(x -> x.1, g.allocs), arrayMap(x -> x.2, g.allocs),
    arrayMap(x -> x.1, d.states), arrayMap(x -> x.2, d.states),
    arrayMap(x -> x.1, w.wanted), arrayMap(x -> x.2, w.wanted))))) AS bounds
FROM places AS p
LEFT JOIN given AS g ON g.gpu_id = p.gpu_id
LEFT JOIN declared AS d ON d.cluster = p.cluster AND d.node = p.node
LEFT JOIN wanted AS w ON w.gpu_id = p.gpu_id
"""

_SEGMENTS = """
SELECT gpu_id, cluster, node, span.1 AS f, span.2 AS t, intDiv(f, 60000) * 60000 AS minute,
  arrayFilter(x -> x.1 <= f AND x.2 >= t, allocs) AS holding,
  arraySum(x -> x.4, holding) AS held,
  if(held < 1000, arrayPushBack(holding, (0, 0, 0, 1000 - held)), holding) AS sharing,
  arrayFirst(x -> x.1 <= f AND x.2 >= t, states).3 AS node_state,
  arrayExists(x -> x.1 <= f AND x.2 >= t, wanted) AS demanded
FROM cuts ARRAY JOIN arrayZip(arrayPopBack(bounds), arrayPopFront(bounds)) AS span
"""

# Shares above a whole GPU are scaled down; what is left of a shared GPU is a lane of its own.
# The parts of a segment are differences of one rising series, so they add up to it exactly.
_LANES = """
SELECT gpu_id, cluster, node, f, t, minute, node_state = 'down' AS node_down,
  node_state = 'drained' AS node_drained, lane.1 AS start, lane.3 AS alloc_id,
  alloc_id != 0 AS allocated, held = 0 AS unheld, demanded AND NOT allocated AS demanded,
  greatest(1000, held) AS whole,
  intDiv((t - f) * upto, whole) - intDiv((t - f) * (upto - lane.4), whole) AS part_ms
FROM segments ARRAY JOIN sharing AS lane, arrayCumSum(x -> x.4, sharing) AS upto
"""

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


def _minutes(settings: LedgerSettings) -> str:
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


def _ends(settings: LedgerSettings) -> str:
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


def _idles(settings: LedgerSettings) -> str:
    """Idleness holds for every minute it rests on; what is left can be low."""
    return f"""
SELECT *, ifNull(max(idle_here) OVER {_ahead(settings.idle_after_min - 1)}, false) AS idle,
  max(occupied_here) OVER {_ahead(settings.process_after_min)} AS occupied,
  covered AND evidence AND NOT idle AS busy,
  if(busy, sm, NULL) AS busy_sm, if(busy, util, NULL) AS busy_util,
  if(busy, power_mw / limit_mw, NULL) AS busy_power
FROM ends
"""


def _lows(settings: LedgerSettings) -> str:
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


def _facts(settings: LedgerSettings) -> str:
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
