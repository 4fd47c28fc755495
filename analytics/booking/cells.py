"""The cells of a window: stretches of each GPU joined with what telemetry says, minute by minute,
each in one state.

Every cell is a part of one GPU's minute, cut at each boundary of asset, allocation, node state
and free state.
"""

from __future__ import annotations

from analytics.booking import occupancy
from analytics.booking.conditions import BITS, FAULT, GRADE, GRADES, INTENSITY, POWER
from analytics.booking.facts import FACTS
from analytics.booking.intervals import MINUTE_MS
from gpuledger.states import (
    FAULTS,
    FLAGS,
    FREE,
    MIG_SHAPE,
    OCCUPIED,
    PEER_FAULT,
    STATES,
    group_of,
    in_list,
)


def state_sql() -> str:
    """The declared states as one multiIf: the first predicate that holds wins."""
    branches = ", ".join(f"{s.predicate}, '{s.name}'" for s in STATES[:-1])
    return f"multiIf({branches}, '{STATES[-1].name}')"


_HELD_UP = "state IN ('alloc_idle', 'stalled') AND peer_at_fault"
# When each flag is set; of free time placement says the rest.
_FLAGS = {
    "degraded": f"allocated AND (sick OR lost) AND state IN {in_list(group_of(OCCUPIED))}",
    "leaked": "state = 'unattributed' AND job_just_ended",
    "mem_held": "state = 'alloc_idle' AND memory_held",
    "peer_fault": _HELD_UP,
    "powered_down": "state = 'free_surplus' AND powered_down",
    "serving_warm": "state = 'alloc_idle' AND serving",
}


def flags_sql() -> str:
    """The flags of a cell, joined by commas: one of all the lists there can be."""
    lists = [
        ",".join(flag for place, flag in enumerate(FLAGS) if number >> place & 1)
        for number in range(1 << len(FLAGS))
    ]
    number = " + ".join(f"({_FLAGS[flag]}) * {1 << place}" for place, flag in enumerate(FLAGS))
    return f"if(said_flags != '' AND state IN {in_list(FREE)}, said_flags, {lists}[1 + {number}])"


def cause_sql() -> str:
    """Why a cell is in its state, where more is known than the state says."""
    down, repair = FAULTS.index("node_down") + 1, FAULTS.index("repair") + 1
    fault = f"multiIf(lost, 1, sick, fault_code, node_down, {down}, {repair})"
    return f"""multiIf(
  state = 'fault', {list(FAULTS)}[{fault}],
  {_HELD_UP}, '{PEER_FAULT}',
  state = 'stranded' AND remainder, '{MIG_SHAPE}',
  state IN {in_list(FREE)}, said_cause, '')"""


def cells_sql() -> str:
    """SELECT of ledger_1m's columns, from staged occupancy and facts.

    Parameters: since, until, lo, hi (Int64, milliseconds). Parts of one minute that are alike stay
    apart: they are few, and to join them costs a third.
    """
    return f"""
WITH stretches AS ({occupancy.STRETCHES})
SELECT c.cluster AS cluster, c.node AS node, c.gpu_id AS gpu_id,
  fromUnixTimestamp64Milli(c.minute, 'UTC') AS minute, c.alloc_id AS alloc_id, c.state AS state,
  c.flags AS flags, c.cause AS cause, c.grade AS grade,
  if(c.state = 'productive', c.intensity_bp, NULL) AS intensity_bp,
  c.part_ms AS gpu_ms, round(c.part_uj / 1000) AS energy_mj
FROM (
  SELECT *, {flags_sql()} AS flags, {cause_sql()} AS cause
  FROM (SELECT *, {state_sql()} AS state FROM (
    SELECT *, {list(GRADES)}[1 + {GRADE.of("w")}] AS grade, {_bits()}, fault_code > 0 AS sick,
      if({POWER.of("w")} = {POWER.unknown}, NULL, {POWER.of("w")} * part_ms) AS part_uj,
      nullIf({INTENSITY.of("w")}, {INTENSITY.unknown}) AS intensity_bp
    FROM (SELECT *, {FAULT.of("w")} AS fault_code FROM ({_PIECES}))))) AS c
WHERE c.part_ms > 0
"""


# A process is nobody's only where nobody holds any part of the GPU.
_OF_PLACE = {"occupied": " AND unheld AND NOT remainder"}


def _bits() -> str:
    return ", ".join(
        f"bitTest(w, {place}){_OF_PLACE.get(name, '')} AS {name}" for place, name in enumerate(BITS)
    )


# The part of a stretch that lies in one minute, with the facts of its run.
_PIECES = f"""
SELECT cluster, node, gpu_id, alloc_id, allocated, unheld, node_down, node_drained,
  maintenance_reserved AS reserved_for_upkeep, scheduler_fresh, remainder, serving,
  place_state IN ('delivered', 'retired') AS out_of_service, place_state = 'repair' AS in_repair,
  place_state = 'powered_down' AS powered_down, free_state = 'held' AS kept,
  free_state = 'free_demand' AS demanded, free_state = 'stranded' OR remainder AS unfit,
  free_flags AS said_flags, free_cause AS said_cause,
  {{lo:Int64}} + toInt64(number) * {MINUTE_MS} AS minute, w,
  greatest(f, minute) AS begins, least(t, minute + {MINUTE_MS}) - begins AS length_ms,
  over > 0 AND begins - over < leaked_s * 1000 AS job_just_ended,
  intDiv(length_ms * upto, whole) - intDiv(length_ms * (upto - share), whole) AS part_ms
FROM (
  SELECT s.*, x.serving AS serving, x.leaked_s AS leaked_s,
    toUInt64(intDiv(s.f - {{lo:Int64}}, {MINUTE_MS})) AS first,
    toUInt64(intDiv(s.t - 1 - {{lo:Int64}}, {MINUTE_MS})) + 1 AS last,
    range(first, last) AS numbers, arraySlice(x.ws, first - x.first + 1, last - first) AS ws
  FROM stretches AS s
  JOIN {FACTS} AS x ON x.gpu_id = s.gpu_id AND x.alloc_id = s.alloc_id AND x.run = s.run
    AND x.hour = intDiv(s.f, {60 * MINUTE_MS})
  WHERE s.f >= {{since:Int64}} AND s.f < {{until:Int64}})
ARRAY JOIN numbers AS number, ws AS w
"""
