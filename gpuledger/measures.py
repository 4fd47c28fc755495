"""Derived numbers, each defined once: boards, rules, reports and routes quote these.

A measure is SQL over rows of `v_book_1h` (or `_1d`, `_1m`): the book with its owners and prices.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuledger.owners import UNMAPPED
from gpuledger.states import (
    ACTIVE,
    EXCLUDED,
    OCCUPIED,
    PEER_FAULT,
    UNAVAILABLE,
    UNKNOWN,
    UNOCCUPIED,
    group_of,
    in_list,
    recoverable_factor,
)
from gpuledger.units import COUNT, CURRENCY, RATIO, SECOND, Unit


@dataclass(frozen=True)
class Measure:
    """A number over rows of the book: name, unit, meaning and SQL."""

    name: str
    unit: Unit
    help: str
    sql: str


# A ratio over nothing is absent.
IN_SERVICE = f"state NOT IN {in_list(group_of(EXCLUDED))}"
OWNED = f"nullIf(sumIf(gpu_seconds, {IN_SERVICE}), 0)"
# What broken hardware held up is outside the figures of users and teams (docs/ledger.md).
THEIRS = f"cause != '{PEER_FAULT}'"
# Time that they answer for: given to them and seen, too.
ANSWERED = (
    f"state IN {in_list(tuple(s for s in group_of(OCCUPIED) if s not in UNKNOWN))} AND {THEIRS}"
)
KNOWN_OCCUPIED = (
    f"nullIf(sumIf(gpu_seconds, state IN {in_list(group_of(OCCUPIED))}"
    f" AND state NOT IN {in_list(UNKNOWN)}), 0)"
)
IDLE = ("alloc_idle", "stalled")
# Where nobody told a PUE, only the energy of the GPUs themselves counts.
SITE_KWH = "energy_joules / 3.6e6 * ifNull(pue, 1)"
# A cloud's bill has the energy in it.
AVOIDABLE = (
    f"if(avoidable_rate IS NULL, {SITE_KWH} * energy_price, gpu_seconds / 3600 * avoidable_rate)"
)

GPU_HOURS = Measure("gpu_hours", COUNT, "GPU-hours booked", "sum(gpu_seconds) / 3600")
CAPACITY_VALUE = Measure(
    "capacity_value",
    CURRENCY,
    "worth of those GPU-hours; null without a price",
    "sum(gpu_seconds / 3600 * price)",
)
CASH_AVOIDABLE = Measure(
    "cash_avoidable",
    CURRENCY,
    "cash for recoverable states: the bill without commitments, else energy; null without a price",
    # What is not recoverable costs nothing avoidable, whether or not its energy is known.
    f"sum(if({recoverable_factor()} = 0, 0 * ifNull(avoidable_rate, energy_price), {AVOIDABLE})"
    f" * {recoverable_factor()})",
)
PRICED = Measure(
    "priced_ratio",
    RATIO,
    "share of the GPU-hours that have a price: what worth and cash are about",
    f"sumIf(gpu_seconds, {IN_SERVICE} AND price IS NOT NULL) / {OWNED}",
)
ENERGY_KWH = Measure("energy_kwh", COUNT, "energy drawn", "sum(energy_joules) / 3.6e6")
SITE_ENERGY_KWH = Measure(
    "site_energy_kwh",
    COUNT,
    "energy drawn, with what the site needs for it (PUE) where that is told",
    f"sum({SITE_KWH})",
)
KWH_PER_PRODUCTIVE = Measure(
    "kwh_per_productive_gpu_hour",
    COUNT,
    "all energy drawn for each productive GPU-hour",
    "sum(energy_joules) / 3.6e6 / nullIf(sumIf(gpu_seconds, state = 'productive') / 3600, 0)",
)
ENERGY_COST = Measure(
    "energy_cost",
    CURRENCY,
    "price of that energy; null without a price, and where a bill has it in it",
    f"sum(if(cash_rate IS NULL, {SITE_KWH} * energy_price, NULL))",
)
CASH_BILLED = Measure(
    "cash_billed",
    CURRENCY,
    "what cloud bills charge for those GPU-hours, commitments amortised; null without a bill",
    "sum(gpu_seconds / 3600 * cash_rate)",
)
CARBON_KG = Measure(
    "carbon_kg",
    COUNT,
    "CO2 of that energy in kilograms; null without a carbon factor",
    f"sum({SITE_KWH} * carbon_per_kwh)",
)
UNMAPPED_SHARE = Measure(
    "unmapped_ratio",
    RATIO,
    "share of occupied GPU-hours of which nobody knows the team that pays",
    f"sumIf(gpu_seconds, team = '{UNMAPPED}')"
    f" / nullIf(sumIf(gpu_seconds, state IN {in_list(group_of(OCCUPIED))}), 0)",
)
UNMAPPED_HOURS = Measure(
    "unmapped_gpu_hours",
    COUNT,
    "GPU-hours of jobs of which nobody knows the team that pays",
    f"sumIf(gpu_seconds, team = '{UNMAPPED}') / 3600",
)
OWNED_SECONDS = Measure(
    "owned_seconds",
    SECOND,
    "GPU-seconds owned and in service",
    f"sumIf(gpu_seconds, {IN_SERVICE})",
)
AVAILABILITY = Measure(
    "availability_ratio",
    RATIO,
    "share of owned time on healthy hardware",
    f"1 - sumIf(gpu_seconds, state IN {in_list(group_of(UNAVAILABLE))}) / {OWNED}",
)
ALLOCATION = Measure(
    "allocation_ratio",
    RATIO,
    "share of available time that was occupied",
    f"sumIf(gpu_seconds, state IN {in_list(group_of(OCCUPIED))})"
    f" / nullIf(sumIf(gpu_seconds, {IN_SERVICE}"
    f" AND state NOT IN {in_list(group_of(UNAVAILABLE))}), 0)",
)
ACTIVITY = Measure(
    "activity_ratio",
    RATIO,
    "share of known occupied time that did work",
    f"sumIf(gpu_seconds, state IN {in_list(ACTIVE)}) / {KNOWN_OCCUPIED}",
)
UTILIZATION = Measure(
    "utilization_ratio",
    RATIO,
    "productive share of owned GPU-seconds",
    f"sumIf(gpu_seconds, state = 'productive') / {OWNED}",
)
UNKNOWN_SHARE = Measure(
    "unknown_ratio",
    RATIO,
    "share of owned time of which the book knows too little",
    f"sumIf(gpu_seconds, state IN {in_list(UNKNOWN)}) / {OWNED}",
)
LOOSE_HOURS = Measure(
    "loose_gpu_hours",
    COUNT,
    "GPU-hours idle, stalled, stranded or wanted, and half of those underused, needed or not",
    f"sum(gpu_seconds * {recoverable_factor()}) / 3600",
)
LOOSE_VALUE = Measure(
    "loose_value",
    CURRENCY,
    "worth of those GPU-hours; null without a price",
    f"sum(gpu_seconds / 3600 * price * {recoverable_factor()})",
)
RECOVERABLE_HOURS = Measure(
    "recoverable_gpu_hours",
    COUNT,
    "the part of them that waiting jobs could have used",
    "sum(recoverable_seconds) / 3600",
)
RECOVERABLE_VALUE = Measure(
    "recoverable_value",
    CURRENCY,
    "worth of that part; null without a price",
    "sum(recoverable_seconds / 3600 * price)",
)
SLACK_HOURS = Measure(
    "slack_gpu_hours",
    COUNT,
    "the rest of them: nobody waited for it",
    f"sum(gpu_seconds * {recoverable_factor()} - recoverable_seconds) / 3600",
)
IDLE_HOURS = Measure(
    "idle_gpu_hours",
    COUNT,
    "GPU-hours that were given to jobs and did nothing: idle or stalled",
    f"sumIf(gpu_seconds, state IN {in_list(IDLE)}) / 3600",
)
IDLE_SHARE = Measure(
    "idle_ratio",
    RATIO,
    "share of known occupied time that was idle or stalled",
    f"sumIf(gpu_seconds, state IN {in_list(IDLE)}) / {KNOWN_OCCUPIED}",
)
UNDERUSED_HOURS = Measure(
    "underused_gpu_hours",
    COUNT,
    "GPU-hours of which most was unused",
    "sumIf(gpu_seconds, state = 'underused') / 3600",
)
STRANDED_HOURS = Measure(
    "stranded_gpu_hours",
    COUNT,
    "GPU-hours free, but in pieces or places that nothing could use",
    "sumIf(gpu_seconds, state = 'stranded') / 3600",
)
OCCUPIED_HOURS = Measure(
    "occupied_gpu_hours",
    COUNT,
    "GPU-hours that jobs or processes had",
    f"sumIf(gpu_seconds, state IN {in_list(group_of(OCCUPIED))}) / 3600",
)
FAULT_HOURS = Measure(
    "fault_gpu_hours",
    COUNT,
    "GPU-hours on which broken hardware did no work",
    "sumIf(gpu_seconds, state = 'fault') / 3600",
)
MAINTENANCE_HOURS = Measure(
    "maintenance_gpu_hours",
    COUNT,
    "GPU-hours drained or reserved for upkeep",
    "sumIf(gpu_seconds, state = 'maintenance') / 3600",
)
LOST_HOURS = Measure(
    "lost_gpu_hours",
    COUNT,
    "GPU-hours owned and not to be had: broken, or in maintenance",
    f"sumIf(gpu_seconds, state IN {in_list(group_of(UNAVAILABLE))}) / 3600",
)
LOST_VALUE = Measure(
    "lost_value",
    CURRENCY,
    "worth of those GPU-hours; null without a price",
    f"sum(gpu_seconds / 3600 * price * (state IN {in_list(group_of(UNAVAILABLE))}))",
)
THROTTLED_HOURS = Measure(
    "throttled_gpu_hours",
    COUNT,
    "GPU-hours at work, but slowed down by heat or power",
    "sumIf(gpu_seconds, state = 'throttled') / 3600",
)
IDLE_KWH = Measure(
    "idle_kwh",
    COUNT,
    "energy that GPUs drew doing nothing: idle, stalled, or held by nobody",
    f"sum(energy_joules * (state IN {in_list((*IDLE, *group_of(UNOCCUPIED)))})) / 3.6e6",
)
GRADE = Measure("grade", COUNT, "lowest evidence grade among the rows", "max(grade)")

MEASURES: tuple[Measure, ...] = (
    GPU_HOURS,
    CAPACITY_VALUE,
    CASH_AVOIDABLE,
    PRICED,
    ENERGY_KWH,
    SITE_ENERGY_KWH,
    KWH_PER_PRODUCTIVE,
    ENERGY_COST,
    CASH_BILLED,
    CARBON_KG,
    UNMAPPED_SHARE,
    UNMAPPED_HOURS,
    OWNED_SECONDS,
    AVAILABILITY,
    ALLOCATION,
    ACTIVITY,
    UTILIZATION,
    UNKNOWN_SHARE,
    LOOSE_HOURS,
    LOOSE_VALUE,
    RECOVERABLE_HOURS,
    RECOVERABLE_VALUE,
    SLACK_HOURS,
    IDLE_HOURS,
    IDLE_SHARE,
    UNDERUSED_HOURS,
    STRANDED_HOURS,
    OCCUPIED_HOURS,
    FAULT_HOURS,
    MAINTENANCE_HOURS,
    LOST_HOURS,
    LOST_VALUE,
    THROTTLED_HOURS,
    IDLE_KWH,
    GRADE,
)

# Over rows of `v_queue_waits`.
JOBS_STARTED = Measure("jobs_started", COUNT, "jobs that started", "count()")
WAIT_MEDIAN = Measure(
    "wait_p50_seconds",
    SECOND,
    "median time from eligible to started",
    "quantileExactOrNull(0.5)(wait_seconds)",
)
WAIT_P90 = Measure(
    "wait_p90_seconds",
    SECOND,
    "time from eligible to started that 90 % of the jobs stayed under",
    "quantileExactOrNull(0.9)(wait_seconds)",
)

WAIT_P99 = Measure(
    "wait_p99_seconds",
    SECOND,
    "time from eligible to started that 99 % of the jobs stayed under",
    "quantileExactOrNull(0.99)(wait_seconds)",
)

# Over rows of `v_notifications`, and of `v_alert_states` that fired and resolved.
PAGES = Measure(
    "pages",
    COUNT,
    "messages about new alerts that were handed over, each once whoever got it",
    "uniqExactIf(if(message = 0, cityHash64(rule, subject, ts), message),"
    " state = 'firing' AND outcome = 'accepted')",
)
RESOLVE_MEDIAN = Measure(
    "resolve_p50_seconds",
    SECOND,
    "median time from firing to resolved",
    "quantileExactOrNull(0.5)(dateDiff('second', fired, resolved))",
)

# Dimension of `--by` to column of the book's views.
DIMENSIONS = ("state", "team", "user", "job", "node", "pool", "cluster")


def select(*measures: Measure) -> str:
    """`expression AS name, …` for a SELECT over the book."""
    return ", ".join(f"{m.sql} AS {m.name}" for m in measures)


REQUEST_SIZES = (1, 2, 4, 8)

# Of a request, by its `gpus`.
SIZE_CLASS = (
    "multiIf(gpus <= 1, '1 GPU', gpus <= 4, '2-4 GPUs', gpus <= 8, '5-8 GPUs', 'over 8 GPUs')"
)
