"""Who holds which part of a GPU when: intervals cut at every boundary into stretches."""

from __future__ import annotations

from analytics.booking import nodes
from analytics.booking.intervals import FOREVER_MS, HOUR_MS, MINUTE_MS, within
from gpuledger.catalogue import Occupancy
from gpuledger.cluster import STAGING
from gpuledger.states import LedgerSettings, in_list

STAGED = f"{Occupancy.table.name}{STAGING}"
WHOLE = 1000  # a card, in thousandths

PLACES = f"""
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

# A slice counts by its multiprocessors, whatever share its scheduler gave.
_ENTITLED = """
SELECT uuid AS slice, max(toInt64(entitlement_milli)) AS milli FROM gpus FINAL
WHERE parent != '' GROUP BY slice
"""


def allocations_sql(settings: LedgerSettings) -> str:
    """Allocations in [lo, hi) and until when each holds, judged by the snapshots before `until`."""
    gone = f"a.seen_at + INTERVAL {settings.unnamed_s} SECOND < s.seen"
    named = f"if({gone}, toUnixTimestamp64Milli(a.seen_at), {FOREVER_MS})"
    worked = f"if(j.job_id = '', {FOREVER_MS}, j.at)"
    return f"""
SELECT * FROM (
  SELECT a.gpu_id AS gpu_id, a.alloc_id AS alloc_id, a.job_id AS job_id, a.cluster AS cluster,
    a.node AS node, a.slice AS slice,
    if(c.milli > 0, c.milli, toInt64(a.share_milli)) AS share_milli, a.f AS f,
    if(a.t >= {FOREVER_MS}, least({named}, {worked}), a.t) AS t
  FROM ({within("allocations")}) AS a
  LEFT JOIN ({_SNAPSHOTS}) AS s
    ON s.cluster = a.cluster
    AND s.source = transform(toString(a.source), {_TELLERS}, toString(a.source))
    AND s.teller = if(a.source IN {in_list(tuple(_OF_NODES))}, a.node, '')
  LEFT JOIN ({_ENDED_JOBS}) AS j ON j.job_id = a.job_id
  LEFT JOIN ({_ENTITLED}) AS c ON c.slice = a.slice
) WHERE t > {{lo:Int64}} AND t > f
"""


def given_sql(settings: LedgerSettings) -> str:
    """Allocations by GPU: (from, until, allocation, share in thousandths, slice, job)."""
    return f"""
SELECT gpu_id, arraySort(groupArray((f, t, alloc_id, share_milli, toString(slice),
  job_id))) AS allocs
FROM ({allocations_sql(settings)}) GROUP BY gpu_id
"""


# What the owner says of a place: of the statements that cover a time, the one that began last.
_STANDINGS = f"""
SELECT gpu_id, arraySort(groupArray((f, t, toString(state)))) AS standings
FROM ({within("asset_states")}) GROUP BY gpu_id
"""

_WANTED = """
SELECT gpu_id, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t,
  toString(state) AS state, toString(cause) AS cause, toString(flags) AS flags
FROM free_states
WHERE toUnixTimestamp64Milli(valid_from) >= {since:Int64}
  AND toUnixTimestamp64Milli(valid_from) < {until:Int64}
"""

# Which slices a card was cut into, hour by hour, as they told of themselves; the inventory keeps
# slices that are gone. One of unknown size leaves open what they reach.
SLICES = f"""
SELECT s.gpu_id AS gpu_id, s.uuid AS uuid, any(e.milli) AS milli,
  toUnixTimestamp64Milli(min(s.ts)) AS f, toUnixTimestamp64Milli(max(s.ts)) + {MINUTE_MS} AS t
FROM slice_samples_1m AS s LEFT JOIN ({_ENTITLED}) AS e ON e.slice = s.uuid
WHERE s.ts >= fromUnixTimestamp64Milli({{lo:Int64}}, 'UTC')
  AND s.ts < fromUnixTimestamp64Milli({{hi:Int64}}, 'UTC')
GROUP BY gpu_id, uuid, toStartOfHour(s.ts)
"""
_CUT = f"SELECT gpu_id, groupArray((f, t, milli)) AS slices FROM ({SLICES}) GROUP BY gpu_id"

_CUTS = """
SELECT p.gpu_id AS gpu_id, p.cluster AS cluster, p.node AS node, g.allocs AS allocs,
  d.times AS times, s.standings AS standings, c.slices AS slices,
  arraySort(arrayDistinct(arrayFilter(x -> x >= p.f AND x <= p.t, arrayConcat(
    [p.f, p.t, {since:Int64}, {until:Int64}],
    arrayMap(x -> x.1, g.allocs), arrayMap(x -> x.2, g.allocs),
    arrayMap(x -> x.1, d.times), arrayMap(x -> x.2, d.times),
    w.edges,
    arrayMap(x -> x.1, s.standings), arrayMap(x -> x.2, s.standings),
    arrayMap(x -> x.1, c.slices), arrayMap(x -> x.2, c.slices))))) AS bounds
FROM places AS p
LEFT JOIN given AS g ON g.gpu_id = p.gpu_id
LEFT JOIN node_times AS d ON d.cluster = p.cluster AND d.node = p.node
LEFT JOIN (SELECT gpu_id, groupArrayArray([f, t]) AS edges FROM wanted GROUP BY gpu_id) AS w
  ON w.gpu_id = p.gpu_id
LEFT JOIN standings AS s ON s.gpu_id = p.gpu_id
LEFT JOIN cut AS c ON c.gpu_id = p.gpu_id
"""

# What nobody holds of a GPU is a part of its own, and so is what no slice of it reaches.
_SEGMENTS = f"""
SELECT gpu_id, cluster, node, span.1 AS f, span.2 AS t,
  arrayFilter(x -> x.1 <= f AND x.2 >= t, allocs) AS holding,
  arraySum(x -> x.4, holding) AS held,
  arrayFilter(x -> x.1 <= f AND x.2 >= t, slices) AS cutting,
  if(arrayExists(x -> x.3 = 0, cutting) OR empty(cutting), 0, greatest(0,
    {WHOLE} - greatest(held, arraySum(x -> x.3, cutting)))) AS unreachable,
  arrayFilter(x -> x.4 > 0, arrayConcat(holding,
    [(0, 0, 0, {WHOLE} - held - unreachable, '', ''), (0, 0, 0, unreachable, '-', '')])) AS sharing,
  arrayMax(arrayMap(x -> x.2, arrayFilter(x -> x.2 <= f, allocs))) AS over,
  arrayFirst(x -> x.1 <= f AND x.2 >= t, times) AS node_time,
  arrayFilter(x -> x.1 <= f AND x.2 >= t, standings)[-1].3 AS standing
FROM cuts ARRAY JOIN arrayZip(arrayPopBack(bounds), arrayPopFront(bounds)) AS span
"""

# A run is an allocation, or the time between two. Placement says many things of a GPU's day: they
# are joined, since an array of them would be copied for each.
_PARTS = """
SELECT s.*, s.lane.1 AS start, s.lane.3 AS alloc_id, s.lane.5 = '-' AS remainder,
  s.lane.4 AS share, multiIf(alloc_id != 0, start, s.held = 0, s.over, s.f) AS run,
  if(w.t >= s.t AND alloc_id = 0 AND NOT remainder, (w.state, w.cause, w.flags), ('', '', ''))
    AS free
FROM (SELECT *, lane, upto
  FROM segments ARRAY JOIN sharing AS lane, arrayCumSum(x -> x.4, sharing) AS upto) AS s
ASOF LEFT JOIN wanted AS w ON w.gpu_id = s.gpu_id AND w.f <= s.f
"""


def rows_sql(settings: LedgerSettings) -> str:
    """SELECT of `occupancy`'s columns, from `lo` to `hi`. Parameters: since, until, lo, hi."""
    parts = {
        "places": PLACES,
        "given": given_sql(settings),
        "node_times": nodes.TIMES,
        "wanted": _WANTED,
        "standings": _STANDINGS,
        "cut": _CUT,
        "cuts": _CUTS,
        "segments": _SEGMENTS,
        "parts": _PARTS,
    }
    named = ",\n".join(f"{name} AS ({sql})" for name, sql in parts.items())
    return f"""
WITH {named}
SELECT cluster, node, gpu_id, {_time("greatest(f, hour)")} AS valid_from,
  {_time(f"least(t, hour + {HOUR_MS})")} AS valid_to, alloc_id, lane.6 AS job_id,
  if(remainder, '', lane.5) AS slice, remainder, held = 0 AS unheld, share AS share_milli,
  upto AS upto_milli, greatest({WHOLE}, held) AS whole_milli, {_time("start")} AS started,
  {_time("run")} AS run, {_time("over")} AS vacated,
  if(standing = 'service', '', standing) AS place_state, node_time.3 AS node_state,
  node_time.4 AS reserved, node_time.5 AS heard,
  free.1 AS free_state, free.2 AS free_cause, free.3 AS free_flags
FROM parts
ARRAY JOIN arrayMap(x -> toInt64(x),
  range(toUInt64(intDiv(f, {HOUR_MS}) * {HOUR_MS}), toUInt64(t), {HOUR_MS})) AS hour
"""


def _time(ms: str) -> str:
    return f"fromUnixTimestamp64Milli(toInt64({ms}), 'UTC')"


def _ms(column: str) -> str:
    return f"toUnixTimestamp64Milli({column})"


# One holder's part (or what nobody holds) of a GPU while nothing changes, within an hour, from `f`
# until `t` (milliseconds). allocated, unheld (nobody holds any part of the GPU), remainder (what
# MIG slices cannot reach), place_state ('' = in service); free_state, free_cause, free_flags of
# what nobody holds.
STRETCHES = f"""
SELECT cluster, node, gpu_id, {_ms("valid_from")} AS f, {_ms("valid_to")} AS t, alloc_id, job_id,
  slice, remainder, unheld, alloc_id != 0 AS allocated, toInt64(share_milli) AS share,
  toInt64(upto_milli) AS upto, toInt64(whole_milli) AS whole, {_ms("started")} AS start,
  {_ms("run")} AS run, {_ms("vacated")} AS over, place_state, node_state = 'down' AS node_down,
  node_state = 'drained' AS node_drained, reserved AS maintenance_reserved,
  heard AS scheduler_fresh, free_state, free_cause, free_flags
FROM {STAGED}
"""
