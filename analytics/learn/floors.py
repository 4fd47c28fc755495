"""Power floors: what each GPU draws without a process, and with one that does nothing.

A minute is quiet where no second had SM (else utilization) of 1 % or more, no SM time was measured
and no video engine ran. The floor is a low quantile of quiet minutes alone, so that a busy phase
cannot raise it; without enough of them the floor that was known before stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from analytics.learn.settings import LearnSettings
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import GpuSample, PowerFloor
from gpuledger.ddl import stored_names
from gpuledger.rollups import gauges
from gpuledger.schema import Gauge
from gpuledger.store import Store


def learn(store: Store, now: datetime, settings: LearnSettings) -> None:
    """Write all floors at the first call of a day; at others, from a day, those not known yet."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    known = store.value("SELECT max(learned) FROM power_floors HAVING count() > 0")
    days = 1.0 if known and known >= day else settings.floor_days
    store.select(
        _SQL,
        now=now,
        since=now - timedelta(days=days),
        day=day,
        enough=settings.floor_minutes,
        level=settings.floor_quantile,
        version=to_milliseconds(now),
    )


def _known(gauge: Gauge) -> str:
    """Whether a row `s` of a rollup has a value of that gauge."""
    place = gauges(GpuSample.table).index(gauge.fields[0])
    return f"bitTest(s.known, {place})"


# One row of the rollup is enough to judge: rows of a minute that are not merged yet only weigh
# less, and grouping them first costs ten times as much at 10,000 GPUs.
_QUIET = (
    "s.active_ms = 0 AND s.sm_active_bp_wsum = 0 AND s.encoder_pct_wsum = 0"
    f" AND s.decoder_pct_wsum = 0 AND {_known(GpuSample.power_watts)}"
    f" AND {_known(GpuSample.processes)}"
)
_NAMES = ", ".join(stored_names(PowerFloor.table))
_TIME = "DateTime64(3, 'UTC')"
# A place whose card was changed has the floor of the card that was seen last.
_SQL = f"""
INSERT INTO power_floors ({_NAMES})
WITH known AS (SELECT * FROM power_floors FINAL),
  fresh AS (
    SELECT gpu_id FROM known WHERE learned >= {{day:{_TIME}}} AND learned <= {{now:{_TIME}}}
      AND bare_mw IS NOT NULL AND context_mw IS NOT NULL),
  quiet AS (
    SELECT s.gpu_id AS gpu_id, s.uuid AS uuid, s.ts AS ts, s.interval_ms AS span_ms,
      intDiv(s.power_mw_wsum, s.weight_ms * 100) * 100 AS mw, s.processes_max = 0 AS bare,
      s.processes_wsum >= s.weight_ms AS context
    FROM gpu_samples_1m AS s
    WHERE s.ts >= {{since:{_TIME}}} AND s.ts < {{now:{_TIME}}} AND s.interval_ms > 0
      AND {_QUIET} AND s.gpu_id NOT IN (SELECT gpu_id FROM fresh)),
  cards AS (
    SELECT gpu_id, uuid, max(ts) AS seen,
      quantileExactWeightedIf({{level:Float64}})(mw, span_ms, bare) AS bare_now,
      quantileExactWeightedIf({{level:Float64}})(mw, span_ms, context) AS context_now,
      intDiv(sumIf(span_ms, bare), 60000) AS bare_count,
      intDiv(sumIf(span_ms, context), 60000) AS context_count
    FROM quiet GROUP BY gpu_id, uuid),
  last AS (
    SELECT gpu_id, argMax(bare_now, seen) AS bare_now, argMax(bare_count, seen) AS bare_count,
      argMax(context_now, seen) AS context_now, argMax(context_count, seen) AS context_count
    FROM cards GROUP BY gpu_id)
SELECT l.gpu_id AS gpu_id,
  if(l.bare_count >= {{enough:UInt32}}, toNullable(l.bare_now), k.bare_mw) AS bare_mw,
  if(l.bare_count >= {{enough:UInt32}}, l.bare_count, k.bare_minutes) AS bare_minutes,
  if(l.context_count >= {{enough:UInt32}}, toNullable(l.context_now), k.context_mw) AS context_mw,
  if(l.context_count >= {{enough:UInt32}}, l.context_count, k.context_minutes) AS context_minutes,
  {{now:{_TIME}}} AS learned, {{version:UInt64}} AS version
FROM last AS l LEFT JOIN known AS k ON k.gpu_id = l.gpu_id
WHERE l.gpu_id != 0 AND (l.bare_count >= {{enough:UInt32}} OR l.context_count >= {{enough:UInt32}})
"""
