"""What holds of nodes when: what their scheduler says, upkeep, and whether its word is fresh."""

from __future__ import annotations

from analytics.booking.intervals import MINUTE_MS, within

# Who tells which GPU is whose: the one reader of Slurm's tables; on Kubernetes each node's own.
TELLERS = {
    "slurm": "slurm",
    "pod_resources": "kubernetes",
    "dcgm-exporter": "kubernetes",
}
_CLUSTER_WIDE = "slurm"
# A snapshot speaks for as long as two periods after it (design: states, `rogue`).
_FRESH_PERIODS = 2

_STATEMENTS = f"""
SELECT cluster, node, 'state' AS kind, f, t, toString(state) AS said,
  toString(scheduler) AS scheduler
FROM ({within("node_states")})
UNION ALL
SELECT cluster, node, 'owner', f, t, '', toString(scheduler) FROM ({within("node_owner")})
"""
# Of the statements that cover a time, the one that began last holds; where a node has an owner,
# only what that scheduler says. When it ends, an older one that goes on holds again; where none
# does, the state is empty.
_SPANS = """
SELECT cluster, node, span.1 AS f, span.2 AS t,
  arrayFilter(x -> x.1 <= span.1 AND x.2 >= span.2, facts) AS holding,
  arrayFilter(x -> x.3 = 'owner', holding)[-1].5 AS owner,
  arrayFilter(x -> x.3 = 'state' AND (owner = '' OR x.5 = owner), holding)[-1] AS statement,
  statement.4 AS state, if(owner = '', statement.5, owner) AS scheduler
FROM (
  SELECT cluster, node, arraySort(groupArray((f, t, kind, said, scheduler))) AS facts,
    arraySort(arrayDistinct(arrayFlatten(arrayMap(x -> [x.1, x.2], facts)))) AS bounds
  FROM ({facts}) GROUP BY cluster, node)
ARRAY JOIN arrayZip(arrayPopBack(bounds), arrayPopFront(bounds)) AS span
"""


def _spans(facts: str) -> str:
    return _SPANS.replace("{facts}", facts)


NODE_STATES = f"SELECT cluster, node, f, t, state, scheduler FROM ({_spans(_STATEMENTS)})"

_UPKEEP = f"""
SELECT cluster, arrayJoin(splitByChar(',', nodes)) AS node, 'upkeep', f, t, '', toString(scheduler)
FROM ({within("reservations")}) WHERE has(splitByChar(',', flags), 'MAINT')
"""

_PERIOD_MS = "intDiv(sum(r.interval_ms), greatest(assumeNotNull(sum(r.runs)), 1))"
# By the minute first: a reader of each node may tell of itself every ten seconds.
_RUNS = f"""
SELECT r.cluster AS cluster, transform(toString(r.source), {[*TELLERS]}, {[*TELLERS.values()]}, '')
    AS scheduler, if(r.source = '{_CLUSTER_WIDE}', '', r.node) AS teller,
  toUnixTimestamp64Milli(min(r.ts - toIntervalMillisecond(r.interval_ms))) AS b,
  toUnixTimestamp64Milli(max(r.ts)) + {_FRESH_PERIODS} * {_PERIOD_MS} AS e
FROM source_runs AS r
WHERE r.source IN {tuple(TELLERS)} AND r.failures = 0 AND r.runs > 0
  AND r.ts > fromUnixTimestamp64Milli({{lo:Int64}} - 3600000, 'UTC')
  AND r.ts <= fromUnixTimestamp64Milli({{hi:Int64}}, 'UTC')
GROUP BY cluster, scheduler, teller, intDiv(toUnixTimestamp64Milli(r.ts) - 1, {MINUTE_MS})
"""
# Runs that touch or overlap, joined.
_FRESH = f"""
SELECT cluster, scheduler, teller, min(b) AS f, max(e) AS t FROM (
  SELECT *, sum(b > before) OVER (PARTITION BY cluster, scheduler, teller ORDER BY b) AS stretch
  FROM (SELECT *, max(e) OVER (PARTITION BY cluster, scheduler, teller ORDER BY b
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM ({_RUNS})))
GROUP BY cluster, scheduler, teller, stretch
"""
_HEARD_OF = f"""
SELECT n.cluster, n.node, 'fresh', s.f, s.t, '', s.scheduler
FROM (SELECT DISTINCT cluster, node, scheduler, if(scheduler = '{_CLUSTER_WIDE}', '', node)
    AS teller FROM ({_STATEMENTS}) WHERE scheduler != '') AS n
JOIN ({_FRESH}) AS s
  ON s.cluster = n.cluster AND s.scheduler = n.scheduler AND s.teller = n.teller
WHERE s.f < {{hi:Int64}} AND s.t > {{lo:Int64}}
"""

# By node, in order and without overlap: (from, until, state, upkeep is reserved, word is fresh).
TIMES = f"""
SELECT cluster, node, groupArray((f, t, state,
  arrayExists(x -> x.3 = 'upkeep', holding),
  arrayExists(x -> x.3 = 'fresh' AND x.5 = scheduler, holding))) AS times
FROM ({_spans(f"{_STATEMENTS} UNION ALL {_UPKEEP} UNION ALL {_HEARD_OF}")})
GROUP BY cluster, node
"""
