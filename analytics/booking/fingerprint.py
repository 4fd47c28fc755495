"""What an hour is booked from, as one number: what differs was told since it was booked.

Not in it, on purpose: the priority of a waiting job (it changes with its age: the order of the
queue stays as it was), labels and taints of nodes, quotas, what was learned (floors, start-up
times, statistics of jobs) and prices. A change of those holds from then on.
"""

from __future__ import annotations

from analytics.booking.conditions import reach_ms
from analytics.booking.intervals import HOUR_MS, within
from analytics.booking.nodes import TELLERS
from analytics.booking.occupancy import SLICES, allocations_sql
from gpuledger.identity import hash64
from gpuledger.owners import job_owners
from gpuledger.states import LedgerSettings


def formula(settings: LedgerSettings) -> int:
    """How fingerprints are made: those of another release cannot be compared."""
    return hash64(fingerprint_sql(settings))


def _intervals(settings: LedgerSettings) -> str:
    """Facts that hold from `f` until `t`: they concern every hour that they touch or come near."""
    return f"""
SELECT cityHash64('allocation', a.gpu_id, a.alloc_id, a.share_milli, a.slice, j.name, j.user,
  j.team) AS id, a.f AS f, a.t AS t
FROM ({allocations_sql(settings)}) AS a
LEFT JOIN ({job_owners()}) AS j ON j.job_id = a.job_id
UNION ALL
SELECT cityHash64('asset', gpu_id, node, slot, model, pool), f, t FROM ({within("assets")})
UNION ALL
SELECT cityHash64('place', gpu_id, state), f, t FROM ({within("asset_states")})
UNION ALL
SELECT cityHash64('node', cluster, node, scheduler, state, pools, gpus, cpu_milli,
  ifNull(memory_mib, 0)), f, t FROM ({within("node_states")})
UNION ALL
SELECT cityHash64('owner', cluster, node, scheduler), f, t FROM ({within("node_owner")})
UNION ALL
SELECT cityHash64('reservation', cluster, reservation, nodes, users, teams, flags), f, t
FROM ({within("reservations")})
UNION ALL
SELECT cityHash64('service', cluster, service, jobs), f, t FROM ({within("services")})
UNION ALL
SELECT cityHash64('wait', job_id, nodes, gpus_per_node, share_milli, gpu_model, pool, gang,
    reservation, if(state = 'pending', reason, '')),
  toUnixTimestamp64Milli(eligible) AS f, toUnixTimestamp64Milli(least(started, ended)) AS t
FROM jobs FINAL WHERE f < {{hi:Int64}} AND t > {{lo:Int64}}
UNION ALL
SELECT DISTINCT cityHash64('event', gpu_id, kind, code, cause, recovery, ts),
  toUnixTimestamp64Milli(ts) AS f, f + {_event_ms(settings)} AS t
FROM gpu_events WHERE gpu_id != 0
  AND ts > fromUnixTimestamp64Milli({{lo:Int64}} - {_event_ms(settings)}, 'UTC')
  AND ts < fromUnixTimestamp64Milli({{hi:Int64}}, 'UTC')
"""


def _event_ms(settings: LedgerSettings) -> int:
    """How long an event can make a GPU sick."""
    return settings.sick_h * HOUR_MS


# What readers told of an hour beside the samples of GPUs: only of that hour, since it decides
# little of its neighbours.
_TOLD_HOURS = f"""
SELECT toUnixTimestamp64Milli(toDateTime64(ts, 3, 'UTC')) AS h,
  cityHash64('health', sum(interval_ms)) AS part
FROM gpu_health_samples_1h WHERE {{within}} GROUP BY h
UNION ALL
SELECT f - f % {HOUR_MS} AS h, groupBitXor(cityHash64('slice', gpu_id, uuid, milli, f, t)) AS part
FROM ({SLICES}) GROUP BY h
UNION ALL
SELECT toUnixTimestamp64Milli(toDateTime64(toStartOfHour(ts - INTERVAL 1 MILLISECOND), 3, 'UTC'))
    AS h, cityHash64('heard', sum(interval_ms)) AS part
FROM source_runs
WHERE source IN {tuple(TELLERS)} AND failures = 0 AND runs > 0 AND {{within}} GROUP BY h
""".replace(
    "{within}",
    "ts >= fromUnixTimestamp64Milli({lo:Int64}, 'UTC')"
    " AND ts <= fromUnixTimestamp64Milli({hi:Int64}, 'UTC')",
)


def fingerprint_sql(settings: LedgerSettings) -> str:
    """Columns h and fingerprint. Parameters: hours, until, lo, hi (milliseconds)."""
    reach = reach_ms(settings)
    clip = f"greatest(f, h - {reach}), least(t, h + {HOUR_MS + reach})"
    near = f"f < h + {HOUR_MS + reach} AND t > h - {reach}"
    return f"""
WITH inputs AS ({_intervals(settings)}),
telemetry AS (
  SELECT toUnixTimestamp64Milli(ts) AS at, sum(interval_ms) AS cover_ms,
    sum(active_ms) AS active_ms, sum(lost_ms) AS lost_ms
  FROM gpu_samples_1m WHERE ts >= fromUnixTimestamp64Milli({{lo:Int64}}, 'UTC')
    AND ts < fromUnixTimestamp64Milli({{hi:Int64}}, 'UTC') GROUP BY at
)
SELECT h, groupBitXor(part) AS fingerprint FROM (
  SELECT h, groupBitXor(cityHash64(id, {clip})) AS part
  FROM inputs ARRAY JOIN {{hours:Array(Int64)}} AS h
  WHERE {near} GROUP BY h
  UNION ALL
  SELECT arrayJoin(range(intDiv(at - {reach}, {HOUR_MS}), intDiv(at + {reach}, {HOUR_MS}) + 1))
      * {HOUR_MS} AS h,
    cityHash64(sum(cover_ms), ifNull(sum(active_ms), 0), ifNull(sum(lost_ms), 0)) AS part
  FROM telemetry GROUP BY h HAVING has({{hours:Array(Int64)}}, h)
  UNION ALL
  SELECT h, part FROM ({_TOLD_HOURS}) WHERE has({{hours:Array(Int64)}}, h)
  UNION ALL
  SELECT arrayJoin({{hours:Array(Int64)}}) AS h, cityHash64(least({{until:Int64}}, h + {HOUR_MS}))
) GROUP BY h
"""
