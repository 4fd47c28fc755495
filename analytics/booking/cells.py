"""The cells of a window: lanes of minutes joined with what telemetry says, each in one state.

Every cell is a part of one GPU's minute, cut at each boundary of asset, allocation, node state
and free state.
"""

from __future__ import annotations

from analytics.booking import activity, occupancy
from gpuledger.states import STATES, LedgerSettings


def state_sql() -> str:
    """The declared states as one multiIf: the first predicate that holds wins."""
    branches = ", ".join(f"{s.predicate}, '{s.name}'" for s in STATES[:-1])
    return f"multiIf({branches}, '{STATES[-1].name}')"


def cells_sql(settings: LedgerSettings) -> str:
    """SELECT of ledger_1m's columns. Parameters: since, until, lo, hi (Int64, milliseconds)."""
    return f"""
WITH
places AS ({occupancy.PLACES}),
given AS ({occupancy.given_sql(settings)}),
declared AS ({occupancy.DECLARED}),
wanted AS ({occupancy.WANTED}),
cuts AS ({occupancy.CUTS}),
segments AS ({occupancy.SEGMENTS}),
lanes AS ({occupancy.LANES}),
told AS ({activity.TOLD}),
minutes AS ({activity.minutes_sql(settings)}),
ends AS ({activity.ends_sql(settings)}),
idles AS ({activity.idles_sql(settings)}),
lows AS ({activity.lows_sql(settings)}),
facts AS ({activity.facts_sql(settings)})
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
