"""Signs that a GPU is sick: what agents and drivers said of it in a span, one row per GPU and sign.

Sources of thresholds: NVIDIA's notes on remapping and ECC (drain on pending, replace on failed),
GCM's rule for retired pages (more than 10), GPUd's and HyperPod's rules for NVLink and PCIe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from gpuledger.catalogue import GpuHealth, GpuSample
from gpuledger.config import Settings
from gpuledger.rollups import gauges
from gpuledger.schema import Counter, Gauge

SPAN = "{0} >= {{since:DateTime64(3, 'UTC')}} AND {0} < {{until:DateTime64(3, 'UTC')}}"


class SignSettings(Settings):
    """Section `[sick_gpu]`."""

    retired_pages: Annotated[int, "retired pages above which a card is sick"] = 10
    corrected_errors: Annotated[int, "corrected memory errors in the span that are a trend"] = 1000
    nvlink_errors: Annotated[int, "NVLink errors in the span that are too many"] = 10
    pcie_replays: Annotated[int, "PCIe replays in the span that are too many"] = 100
    # Idle cards slow their link down to save power: only minutes of load count.
    pcie_busy_ratio: Annotated[float, "use of the GPU from which its link must be at its best"] = (
        0.5
    )
    pcie_after_min: Annotated[int, "minutes under load with a slow link"] = 10
    events_h: Annotated[int, "hours that a finding stays open after an event"] = 24


@dataclass(frozen=True)
class Sign:
    """What a sign means: in words, its cause in one word, and what a person does."""

    name: str
    text: str
    action: str
    confidence: float = 0.95


# The gravest first: it names the cause of the finding.
SIGNS = (
    Sign(
        "device_lost",
        "fell off the bus or was lost",
        "reset or reboot the node; replace the card if it is lost again",
    ),
    Sign("remap_failed", "failed to remap a memory row", "drain the node and replace the card"),
    Sign(
        "ecc",
        "had uncorrectable memory errors",
        "drain the node and reset the GPU; replace the card if they come again",
    ),
    Sign(
        "xid",
        "reported hardware errors",
        "drain the node, do what the driver asks for, run the field diagnostics",
    ),
    Sign(
        "recovery",
        "is asked by its driver to be recovered",
        "drain the node and do what the driver asks for",
    ),
    Sign(
        "nvlink_down",
        "has inactive NVLinks",
        "drain the node and reset its GPUs; check the baseboard if links stay down",
    ),
    Sign(
        "remap_pending",
        "has a memory row that waits for a reset",
        "reset the GPU at the end of its job",
    ),
    Sign(
        "retired_pages", "has retired many memory pages", "plan the replacement of the card", 0.85
    ),
    Sign(
        "pcie_slow",
        "runs its PCIe link below its best under load",
        "reseat the card or its riser, then compare the link's width",
        0.85,
    ),
    Sign(
        "nvlink_errors",
        "has NVLink errors",
        "watch it; drain the node and run the link diagnostics if they go on",
        0.85,
    ),
    Sign("pcie_replays", "repeats transfers over PCIe", "reseat the card or its riser", 0.7),
    Sign(
        "ecc_trend",
        "corrects more and more memory errors",
        "plan a memory diagnostic at the next maintenance",
        0.7,
    ),
)
BY_NAME = {sign.name: sign for sign in SIGNS}


def _mean(gauge: Gauge) -> str:
    """A gauge of one row `s` of the health rollup, as stored; 0 where it has no value."""
    field = gauge.fields[0]
    has = f"bitTest(s.known, {gauges(GpuHealth.table).index(field)})"
    return f"if({has}, s.{field.stored}_wsum / s.weight_ms, 0)"


def _grown(*counters: Counter) -> str:
    """By how much counters grew within one row `s`, all together."""
    names = [c.fields[0].stored for c in counters]
    return " + ".join(f"ifNull(max(s.{n}_max) - min(s.{n}_min), 0)" for n in names)


def _conditions(settings: SignSettings) -> dict[str, str]:
    links, up = _mean(GpuHealth.nvlinks), _mean(GpuHealth.nvlinks_up)
    return {
        "remap_failed": f"{_mean(GpuHealth.remap_failed)} > 0",
        "recovery": f"{_mean(GpuHealth.recovery_action)} > 0",
        "nvlink_down": f"{_has(GpuHealth.nvlinks_up)} AND {up} < {links}",
        "remap_pending": f"{_mean(GpuHealth.remap_pending)} > 0",
        "retired_pages": f"{_mean(GpuHealth.retired_pages)} > {settings.retired_pages}",
    }


def _has(gauge: Gauge) -> str:
    return f"bitTest(s.known, {gauges(GpuHealth.table).index(gauge.fields[0])})"


def _growths(settings: SignSettings) -> dict[str, tuple[str, int]]:
    links = (
        GpuHealth.nvlink_replays,
        GpuHealth.nvlink_recoveries,
        GpuHealth.nvlink_crc_errors,
        GpuHealth.nvlink_symbol_errors,
    )
    return {
        "ecc": (_grown(GpuHealth.ecc_uncorrected_errors), 1),
        "nvlink_errors": (_grown(*links), settings.nvlink_errors),
        "pcie_replays": (_grown(GpuHealth.pcie_replays), settings.pcie_replays),
        "ecc_trend": (_grown(GpuHealth.ecc_corrected_errors), settings.corrected_errors),
    }


def health_sql(settings: SignSettings) -> str:
    """SELECT of gpu_id, sign, first, last, amount from the minutes of health. Reads them once."""
    conditions, growths = _conditions(settings), _growths(settings)
    states = [
        f"('{name}', minIf(s.ts, {sql}), maxIf(s.ts, {sql}), toUInt64(countIf({sql})))"
        for name, sql in conditions.items()
    ]
    counts = [
        f"('{name}', min(s.ts), max(s.ts), toUInt64(if({sql} >= {least}, {sql}, 0)))"
        for name, (sql, least) in growths.items()
    ]
    return f"""
SELECT gpu_id, told.1 AS sign, min(told.2) AS first, max(told.3) + INTERVAL 1 MINUTE AS last,
  sum(told.4) AS amount, '' AS detail
FROM (SELECT s.gpu_id AS gpu_id, [{", ".join((*states, *counts))}] AS signs
  FROM gpu_health_samples_1m AS s WHERE {SPAN.format("s.ts")} AND s.gpu_id != 0
  GROUP BY gpu_id, s.epoch)
ARRAY JOIN signs AS told WHERE told.4 > 0 GROUP BY gpu_id, sign"""


def events_sql() -> str:
    """SELECT of gpu_id, sign, first, last, amount and detail from what was told as it happened."""
    sign = (
        "multiIf(kind = 'lost', 'device_lost', kind = 'ecc', 'ecc', kind = 'retirement',"
        " 'remap_pending', kind = 'xid', 'xid', '')"
    )
    return f"""
SELECT gpu_id, {sign} AS sign, min(ts) AS first, max(ts) AS last, sum(count) AS amount,
  arrayStringConcat(arraySort(groupUniqArrayIf(toString(code), kind = 'xid')), ', ') AS detail
FROM gpu_events
WHERE {SPAN.format("ts")} AND gpu_id != 0 AND (kind = 'lost' OR cause = 'hardware')
GROUP BY gpu_id, sign HAVING sign != ''"""


def links_sql(settings: SignSettings) -> str:
    """SELECT of GPUs whose PCIe link is slow while they work: columns as `health_sql`."""
    # A whole step below: part of the minute may have been idle.
    width = f"{_mean(GpuHealth.pcie_width)} <= {_mean(GpuHealth.pcie_width_max)} - 1"
    speed = f"{_mean(GpuHealth.pcie_generation)} <= {_mean(GpuHealth.pcie_generation_max)} - 1"
    known = f"{_has(GpuHealth.pcie_width)} AND {_has(GpuHealth.pcie_width_max)}"
    use = GpuSample.utilization_ratio.fields[0]
    has = f"bitTest(u.known, {gauges(GpuSample.table).index(use)})"
    least = float(settings.pcie_busy_ratio / use.factor)
    busy = f"{has} AND u.{use.stored}_wsum >= {least} * u.weight_ms"
    slow = (
        f"gpu_health_samples_1m AS s WHERE {SPAN.format('s.ts')} AND s.gpu_id != 0"
        f" AND {known} AND ({width} OR {speed})"
    )
    return f"""
SELECT gpu_id, 'pcie_slow' AS sign, min(at) AS first, max(at) + INTERVAL 1 MINUTE AS last,
  toUInt64(count()) AS amount, any(link) AS detail
FROM (SELECT s.gpu_id AS gpu_id, s.ts AS at, concat('width ',
      toString(round({_mean(GpuHealth.pcie_width)})), ' of ',
      toString(round({_mean(GpuHealth.pcie_width_max)}))) AS link
  FROM {slow}) AS d
INNER JOIN (SELECT u.gpu_id AS gpu_id, u.ts AS at FROM gpu_samples_1m AS u
  WHERE {SPAN.format("u.ts")} AND {busy} AND (toStartOfHour(u.ts), u.node) IN (
    SELECT toStartOfHour(s.ts), s.node FROM {slow})) AS b USING (gpu_id, at)
GROUP BY gpu_id HAVING amount >= {settings.pcie_after_min}"""


def sql(settings: SignSettings) -> str:
    """SELECT of every sign of every GPU. Parameters: since, until."""
    parts: Sequence[str] = (health_sql(settings), events_sql(), links_sql(settings))
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY gpu_id, first, sign"
