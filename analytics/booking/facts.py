"""What telemetry, events and history say of each minute of a GPU, by run and hour: kept beside the
book while a window is computed.

To plan one query that holds both facts and cells takes three times as long as to plan the two.
"""

from __future__ import annotations

from analytics.booking import activity, conditions, health, occupancy, seldom
from analytics.booking.thresholds import Thresholds
from gpuledger.states import LedgerSettings

FACTS = "booking_facts"
COLUMNS = {
    "gpu_id": "UInt64",
    "alloc_id": "UInt64",
    "run": "Int64",
    "hour": "Int64",
    "serving": "UInt8",
    "leaked_s": "Int64",
    "first": "UInt64",
    "ws": "Array(UInt64)",
}


def facts_sql(settings: LedgerSettings) -> str:
    """SELECT of `COLUMNS`, from the staged occupancy. Parameters: since, until, lo, hi."""
    thresholds = Thresholds(settings)
    parts = {
        "pools": "SELECT gpu_id, pool FROM assets FINAL",
        "runs": conditions.RUNS,
        "cards": activity.CARDS,
        "slices": activity.SLICES,
        "seldom": seldom.seldom_sql(settings, thresholds),
        "sick": health.sick_sql(settings),
        "sicks": health.SICKS,
        "shadows": health.shadows_sql(settings),
        "floors": "SELECT gpu_id, context_mw FROM power_floors FINAL",
        "known_jobs": conditions.JOBS,
        "stats": conditions.STATS,
    }
    named = ",\n".join(f"{name} AS ({sql})" for name, sql in parts.items())
    minutes = (
        f"WITH stretches AS ({occupancy.STRETCHES}),\n{named}\n{conditions.minutes_sql(thresholds)}"
    )
    return conditions.facts_sql(thresholds, minutes)
