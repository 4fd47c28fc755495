"""Who holds which part of a GPU when: intervals cut at every boundary into lanes of each minute."""

from __future__ import annotations

from gpuledger.states import LedgerSettings, in_list

MINUTE_MS = 60_000
FOREVER_MS = 4_291_747_200_000


def within(table: str) -> str:
    """Rows that hold at some time in [lo, hi), from `f` until `t` (Int64, milliseconds).

    ClickHouse filters by what is no key after FINAL: a row that a later version shortened is out.
    """
    return f"""
SELECT *, toUnixTimestamp64Milli(valid_from) AS f, toUnixTimestamp64Milli(valid_to) AS t
FROM {table} FINAL WHERE f < {{hi:Int64}} AND t > {{lo:Int64}}
"""


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


def given_sql(settings: LedgerSettings) -> str:
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

DECLARED = f"""
SELECT cluster, node, groupArray((f, t, state)) AS states FROM ({NODE_STATES})
GROUP BY cluster, node
"""

WANTED = """
SELECT gpu_id, groupArray((toUnixTimestamp64Milli(valid_from),
  toUnixTimestamp64Milli(valid_to))) AS wanted
FROM free_states
WHERE toUnixTimestamp64Milli(valid_from) >= {since:Int64}
  AND toUnixTimestamp64Milli(valid_from) < {until:Int64}
GROUP BY gpu_id
"""

CUTS = """
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

SEGMENTS = """
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
LANES = """
SELECT gpu_id, cluster, node, f, t, minute, node_state = 'down' AS node_down,
  node_state = 'drained' AS node_drained, lane.1 AS start, lane.3 AS alloc_id,
  alloc_id != 0 AS allocated, held = 0 AS unheld, demanded AND NOT allocated AS demanded,
  greatest(1000, held) AS whole,
  intDiv((t - f) * upto, whole) - intDiv((t - f) * (upto - lane.4), whole) AS part_ms
FROM segments ARRAY JOIN sharing AS lane, arrayCumSum(x -> x.4, sharing) AS upto
"""
