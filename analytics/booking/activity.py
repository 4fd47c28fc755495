"""What telemetry says of each minute of a GPU or MIG slice, whoever told it and however often."""

from __future__ import annotations

from analytics.booking.words import OF_CARDS, OF_SLICES, in_order, packed
from gpuledger.catalogue import GpuSample, SliceSample
from gpuledger.rollups import chosen, mean
from gpuledger.schema import Gauge, Table


def _mean(gauge: Gauge, table: Table = GpuSample.table) -> str:
    """SQL of its mean over rows `s` of a rollup, as stored."""
    return mean(gauge.fields[0], table)


# What one writer told of a GPU's minute. Rows that came twice tell of more than a minute: what they
# add up counts in proportion. Lost is a device for at least half of the time told.
_COVER = {
    "told_ms": "nullIf(sum(s.interval_ms), 0)",
    "cover_ms": "nullIf(least(sum(s.interval_ms), 60000), 0)",
    "active_ms": "sum(s.active_ms) * least(sum(s.interval_ms), 60000)"
    " / nullIf(sum(s.interval_ms), 0)",
}
_TELLS = {
    **_COVER,
    "lost": "sum(s.lost_ms) > 0 AND sum(s.lost_ms) * 2 >= sum(s.interval_ms)",
    "processes": "max(s.processes_max)",
    "sm": f"{_mean(GpuSample.sm_active_ratio)} / 1e4",
    "util": f"{_mean(GpuSample.utilization_ratio)} / 1e2",
    "power_mw": _mean(GpuSample.power_watts),
    "limit_mw": _mean(GpuSample.power_limit_watts),
    "used_mib": _mean(GpuSample.memory_used_bytes),
    "total_mib": _mean(GpuSample.memory_total_bytes),
}
_OF_SLICE = {
    **_COVER,
    # Kept as a mean only: a process that stayed for a part of the minute counts.
    "processes": f"ceil({_mean(SliceSample.processes, SliceSample.table)})",
    "sm": f"{_mean(SliceSample.sm_active_ratio, SliceSample.table)} / 1e4",
    "util": "NULL",
    "used_mib": _mean(SliceSample.memory_used_bytes, SliceSample.table),
    "total_mib": _mean(SliceSample.memory_total_bytes, SliceSample.table),
}
WITHIN = """s.ts >= fromUnixTimestamp64Milli({lo:Int64}, 'UTC')
  AND s.ts < fromUnixTimestamp64Milli({hi:Int64}, 'UTC')"""
_MINUTES = f"\nFROM gpu_samples_1m AS s WHERE {WITHIN}\n"
_SLICES = f"\nFROM slice_samples_1m AS s WHERE {WITHIN} AND s.gpu_id != 0\n"
_SHARED = f"SELECT s.gpu_id {_MINUTES} GROUP BY s.gpu_id HAVING min(s.source) != max(s.source)"
# Choosing between writers costs three times as much as having one, so only GPUs with several pay.
TOLD = f"""
SELECT gpu_id, toUnixTimestamp64Milli(ts) AS minute, {", ".join(n for n in _TELLS if n != "lost")},
  ifNull(lost, false) AS lost
FROM (
  SELECT s.gpu_id AS gpu_id, s.ts AS ts, {", ".join(f"{sql} AS {n}" for n, sql in _TELLS.items())}
  {_MINUTES} AND s.gpu_id NOT IN ({_SHARED}) GROUP BY s.gpu_id, s.ts
  UNION ALL
  {chosen(GpuSample.table, f"{_MINUTES} AND s.gpu_id IN ({_SHARED})", ("gpu_id", "ts"), _TELLS)})
"""
TOLD_OF_SLICES = f"""
SELECT gpu_id, toString(uuid) AS slice, toUnixTimestamp64Milli(ts) AS minute, {", ".join(_OF_SLICE)}
FROM ({chosen(SliceSample.table, _SLICES, ("gpu_id", "uuid", "ts"), _OF_SLICE)})
"""

# By GPU, and by GPU and slice: every minute of the window, packed (analytics.booking.words).
CARDS = in_order(f"SELECT gpu_id, {packed(OF_CARDS)} FROM ({TOLD})", "gpu_id", "abcd")
SLICES = in_order(
    f"SELECT gpu_id, slice, {packed(OF_SLICES)} FROM ({TOLD_OF_SLICES})", "gpu_id, slice", "abd"
)
