"""What only few GPUs show: minutes in which nothing moves, that heat or power slow down, or in
which processes of listed users run.

The columns that tell of it are read for suspects alone. Counters of one sample a minute grow from
one minute to the next, so their growth is taken from the end of the minute before.
"""

from __future__ import annotations

from analytics.booking.activity import WITHIN
from analytics.booking.intervals import MINUTE_MS
from analytics.booking.thresholds import Thresholds, quoted
from analytics.booking.words import NUMBER, PLACE, WINDOW
from gpuledger.catalogue import GpuSample
from gpuledger.rollups import mean
from gpuledger.schema import Gauge
from gpuledger.states import LedgerSettings

# Bits of a word: nothing moves, slowed down; and from bit 8 on the number of listed processes.
QUIET, SLOWED, LISTED = 0, 1, 8
# Clock event reasons of NVML that the hardware has: slowdown, thermal (software and hardware),
# power brake.
_SLOW_REASONS = 0x8 | 0x20 | 0x40 | 0x80
_PIPES = (
    GpuSample.dram_active_ratio,
    GpuSample.fp16_active_ratio,
    GpuSample.fp32_active_ratio,
    GpuSample.fp64_active_ratio,
)
_TRAFFIC = (
    *("pcie_receive_bytes", "pcie_transmit_bytes"),
    *("nvlink_receive_bytes", "nvlink_transmit_bytes"),
)
_BRAKES = ("thermal_throttle_ms", "brake_throttle_ms")
_COUNTERS = (*_TRAFFIC, *_BRAKES)
# One row of the rollup is judged more mildly than its whole minute, which may have several.
_SLACK = 0.9


def _mean(gauge: Gauge) -> str:
    return mean(gauge.fields[0], GpuSample.table)


def _suspects(t: Thresholds) -> str:
    """GPUs and their writers that could have stalled or been slowed down within the window."""
    util = f"{_SLACK * 100 * t.least('stalled_util_ratio')} * s.weight_ms"
    watts = f"{t.most('stalled_power_ratio') / _SLACK} * s.power_limit_mw_wsum"
    braked = " OR ".join(f"max(s.{c}_max) > min(s.{c}_min)" for c in _BRAKES)
    return f"""
SELECT s.gpu_id AS gpu_id, s.source AS source FROM gpu_samples_1m AS s
WHERE {WITHIN}
GROUP BY gpu_id, source
HAVING countIf(s.utilization_pct_wsum >= {util} AND s.power_mw_wsum < {watts}) > 0
  OR ifNull({braked}, false) OR bitAnd(groupBitOr(s.throttle_reasons), {_SLOW_REASONS}) != 0
"""


def _told(t: Thresholds) -> str:
    """Minutes of suspects, with what each counter read first and last in them."""
    ends = ", ".join(f"max(s.{c}_max) AS {c}, min(s.{c}_min) AS first_{c}" for c in _COUNTERS)
    pipes = ", ".join(f"{_mean(p)} / 1e4" for p in _PIPES)
    return f"""
SELECT s.gpu_id AS gpu_id, s.source AS source, toUnixTimestamp64Milli(s.ts) AS minute,
  sum(s.interval_ms) AS told_ms, {_mean(GpuSample.utilization_ratio)} / 1e2 AS util,
  {_mean(GpuSample.sm_active_ratio)} / 1e4 AS sm,
  {_mean(GpuSample.tensor_active_ratio)} / 1e4 AS tensor, [{pipes}] AS pipes,
  {_mean(GpuSample.power_watts)} / nullIf({_mean(GpuSample.power_limit_watts)}, 0) AS power,
  groupBitOr(s.throttle_reasons) AS reasons, max(s.epoch) AS epoch, {ends}
FROM gpu_samples_1m AS s
WHERE {WITHIN} AND (s.gpu_id, s.source) IN ({_suspects(t)})
GROUP BY gpu_id, source, s.ts
"""


def _followed(t: Thresholds) -> str:
    """The same beside the end of the minute before, where the same counters told of it."""
    before = ", ".join(f"lagInFrame({c}) OVER earlier AS before_{c}" for c in _COUNTERS)
    return f"""
SELECT *, lagInFrame(minute) OVER earlier = minute - {MINUTE_MS}
    AND lagInFrame(epoch) OVER earlier = epoch AS follows,
  lagInFrame(ifNull(reasons, 0)) OVER earlier AS before_reasons, {before}
FROM ({_told(t)}) WINDOW earlier AS
  (PARTITION BY gpu_id, source ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
"""


def _grown(counters: tuple[str, ...]) -> str:
    """SQL: how much each counter grew in its minute, those left out of which too little is known.

    Without the minute before, one reading says nothing: a growth of 0 may be none at all.
    """
    listed = ", ".join(
        f"if(follows, toInt64({c}) - toInt64(before_{c}), nullIf(toInt64({c}) - first_{c}, 0))"
        for c in counters
    )
    return f"arrayMap(x -> assumeNotNull(x), arrayFilter(x -> isNotNull(x), [{listed}]))"


def _showing(t: Thresholds) -> str:
    """Number of the minute and its bits. Where no traffic is known, memory and SM must tell."""
    power, pipe = t.inline("stalled_power_ratio"), t.inline("stalled_pipe_ratio")
    traffic, sm = t.inline("stalled_traffic"), t.inline("stalled_sm_ratio")
    return f"""
SELECT f.gpu_id AS gpu_id, {NUMBER.format(minute="f.minute")} AS number,
  {_grown(_TRAFFIC)} AS moved, {_grown(_BRAKES)} AS braked,
  ifNull(util >= {t.inline("stalled_util_ratio")} AND power < {power}, false)
    AND ifNull(sm < {sm} OR tensor = 0, true)
    AND NOT arrayExists(x -> ifNull(x >= {pipe}, false), pipes)
    AND if(empty(moved), isNotNull(sm) AND isNotNull(pipes[1]),
      arraySum(moved) * 1000 < {traffic} * told_ms) AS quiet,
  if(empty(braked), follows AND bitAnd(ifNull(reasons, 0), {_SLOW_REASONS}) != 0
      AND bitAnd(before_reasons, {_SLOW_REASONS}) != 0,
    arraySum(braked) >= {t.inline("throttled_ratio")} * least(told_ms, {MINUTE_MS})) AS slowed,
  quiet * {1 << QUIET} + slowed * {1 << SLOWED} AS shown
FROM ({_followed(t)}) AS f LEFT JOIN pools AS p ON p.gpu_id = f.gpu_id
"""


def _listed(users: list[str]) -> str:
    """Number of the minute, and how many processes of listed users ran in it."""
    names = ", ".join(f"'{quoted(u)}'" for u in users)
    first = NUMBER.format(minute="greatest(toUnixTimestamp64Milli(ts) - interval_ms, {lo:Int64})")
    last = NUMBER.format(minute="toUnixTimestamp64Milli(ts) - 1")
    return f"""
SELECT gpu_id, number, least(uniqExact(pid), 255) * {1 << LISTED} AS shown
FROM process_samples ARRAY JOIN range({first}, {last} + 1) AS number
WHERE user IN ({names}) AND ts > fromUnixTimestamp64Milli({{lo:Int64}}, 'UTC')
  AND ts <= fromUnixTimestamp64Milli({{hi:Int64}}, 'UTC')
GROUP BY gpu_id, number
"""


def seldom_sql(settings: LedgerSettings, t: Thresholds) -> str:
    """By GPU: a word for every minute of the window. `pools` knows the pool of each GPU."""
    rows = f"SELECT gpu_id, number, toUInt64(shown) AS shown FROM ({_showing(t)}) WHERE shown > 0"
    if settings.system_users:
        rows += f" UNION ALL SELECT gpu_id, number, shown FROM ({_listed(settings.system_users)})"
    return f"""
SELECT gpu_id, arraySort(arrayConcat(told, arrayMap(i -> bitShiftLeft(i, {PLACE}),
  arrayExcept(range({WINDOW}), arrayMap(x -> bitShiftRight(x, {PLACE}), told))))) AS s
FROM (
  SELECT gpu_id, groupArray(bitShiftLeft(number, {PLACE}) + shown) AS told
  FROM (SELECT gpu_id, number, groupBitOr(shown) AS shown FROM ({rows}) GROUP BY gpu_id, number)
  GROUP BY gpu_id)
"""
