"""Derived numbers, each defined once: boards, rules, reports and routes quote these.

A measure is SQL over rows of `v_book_1h` (or `_1d`, `_1m`): the book with its owners and prices.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpuledger.states import (
    ACTIVE,
    OCCUPIED,
    UNAVAILABLE,
    UNKNOWN,
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
OWNED = "nullIf(sum(gpu_seconds), 0)"

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
    "energy of recoverable states; null without a price",
    # What is not recoverable costs nothing avoidable, whether or not its energy is known.
    f"sum(if({recoverable_factor()} = 0, 0, energy_joules) / 3.6e6 * energy_price"
    f" * {recoverable_factor()})",
)
PRICED = Measure(
    "priced_ratio",
    RATIO,
    "share of the GPU-hours that have a price: what worth and cash are about",
    f"sumIf(gpu_seconds, price IS NOT NULL) / {OWNED}",
)
ENERGY_KWH = Measure("energy_kwh", COUNT, "energy drawn", "sum(energy_joules) / 3.6e6")
OWNED_SECONDS = Measure("owned_seconds", SECOND, "GPU-seconds owned", "sum(gpu_seconds)")
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
    f" / nullIf(sumIf(gpu_seconds, state NOT IN {in_list(group_of(UNAVAILABLE))}), 0)",
)
ACTIVITY = Measure(
    "activity_ratio",
    RATIO,
    "share of known occupied time that did work",
    f"sumIf(gpu_seconds, state IN {in_list(ACTIVE)})"
    f" / nullIf(sumIf(gpu_seconds, state IN {in_list(group_of(OCCUPIED))}"
    f" AND state NOT IN {in_list(UNKNOWN)}), 0)",
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
RECOVERABLE_HOURS = Measure(
    "recoverable_gpu_hours",
    COUNT,
    "GPU-hours that could be won back (underused counts half)",
    f"sum(gpu_seconds * {recoverable_factor()}) / 3600",
)
RECOVERABLE_VALUE = Measure(
    "recoverable_value",
    CURRENCY,
    "worth of the GPU-hours that could be won back; null without a price",
    f"sum(gpu_seconds / 3600 * price * {recoverable_factor()})",
)
GRADE = Measure("grade", COUNT, "lowest evidence grade among the rows", "max(grade)")

MEASURES: tuple[Measure, ...] = (
    GPU_HOURS,
    CAPACITY_VALUE,
    CASH_AVOIDABLE,
    PRICED,
    ENERGY_KWH,
    OWNED_SECONDS,
    AVAILABILITY,
    ALLOCATION,
    ACTIVITY,
    UTILIZATION,
    UNKNOWN_SHARE,
    RECOVERABLE_HOURS,
    RECOVERABLE_VALUE,
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

# Over rows of `v_notifications`, and of `v_alert_states` that fired and resolved.
PAGES = Measure(
    "pages",
    COUNT,
    "messages about a new alert that were handed over",
    "countIf(state = 'firing' AND outcome = 'accepted')",
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


def owned(cells: str, time: str, given: str = "true") -> str:
    """SELECT of cells with place and owner; `given` limits the allocations that are looked at."""
    return f"""
SELECT c.cluster AS cluster, c.{time} AS {time}, c.gpu_id AS gpu_id, a.node AS node, a.slot AS slot,
  a.pool AS pool, a.model AS model, l.job_id AS job,
  if(c.alloc_id = 0, '', j.user) AS user,
  multiIf(c.alloc_id = 0, '', j.job_id = '', 'unmapped', j.team) AS team,
  j.name AS job_name, c.state AS state, c.cause AS cause, c.flags AS flags, c.grade AS grade,
  c.gpu_ms AS gpu_ms, c.energy_mj AS energy_mj
FROM {cells} AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
LEFT JOIN (SELECT * FROM allocations FINAL WHERE {given}) AS l
  ON l.gpu_id = c.gpu_id AND l.alloc_id = c.alloc_id
LEFT JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = l.job_id
"""


def _priced(rows: str, time: str) -> str:
    """The book in base units, with the prices of its time: what every question reads."""
    return f"""
SELECT c.* EXCEPT (gpu_ms, energy_mj),
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  p.capacity_value / 1e6 AS price, p.energy_price / 1e6 AS energy_price, p.currency AS currency
FROM {rows} AS c
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = c.model AND p.valid_from <= c.{time}
"""


_BOOK_COLUMNS = (
    "cluster, node, pool, model, job, user, team, job_name, state, cause, flags, grade,"
    " gpu_seconds, energy_joules, price, energy_price, currency"
)


def book_between() -> str:
    """The book of a span as a subquery: whole days and hours, and its edges from the minutes.

    Parameters: since, until (DateTime64), both whole minutes.
    """
    since, until = "{since:DateTime64(3, 'UTC')}", "{until:DateTime64(3, 'UTC')}"
    first = f"toStartOfHour({since} + INTERVAL 59 MINUTE)"
    last = f"toStartOfHour({until})"
    return f"""(
{hours_between(first, last)}
UNION ALL
SELECT {_BOOK_COLUMNS} FROM v_book_1m
WHERE minute >= {since} AND minute < {until} AND (minute < {first} OR minute >= {last}))"""


def hours_between(first: str, last: str) -> str:
    """SELECT of the book from one whole hour to another (SQL): whole days from the days."""
    day, end = f"toStartOfDay({first} + INTERVAL 23 HOUR)", f"toStartOfDay({last})"
    return f"""SELECT {_BOOK_COLUMNS} FROM v_book_1d WHERE day >= {day} AND day < {end}
UNION ALL
SELECT {_BOOK_COLUMNS} FROM v_book_1h
WHERE hour >= {first} AND hour < {last} AND (hour < {day} OR hour >= {end})"""


QUEUE_WAIT_VIEW = """
SELECT job_id AS job, cluster, user, team, pool, nodes * gpus_per_node AS gpus,
  multiIf(gpus <= 1, '1 GPU', gpus <= 4, '2-4 GPUs', gpus <= 8, '5-8 GPUs', 'over 8 GPUs')
    AS size_class,
  submitted, eligible, started, ended, state,
  dateDiff('second', least(eligible, started), started) AS wait_seconds
FROM (SELECT * FROM jobs FINAL)
WHERE gpus_per_node > 0 AND started < toDateTime64('2106-01-01', 3, 'UTC')
"""

FREE = "state IN ('free_demand', 'free_surplus')"

FREE_NODE_VIEW = f"""
SELECT c.cluster AS cluster, c.minute AS minute, a.node AS node, a.pool AS pool,
  floor(sum(c.gpu_ms) / 60000) AS free_gpus
FROM ledger_1m AS c LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
WHERE c.{FREE} GROUP BY cluster, minute, node, pool HAVING free_gpus > 0
"""

VIEWS: dict[str, str] = {
    "v_book_1m": _priced(f"({owned('ledger_1m', 'minute')})", "minute"),
    "v_book_1h": _priced("accounts_1h", "hour"),
    "v_book_1d": _priced("accounts_1d", "day"),
    "v_queue_waits": QUEUE_WAIT_VIEW,
    "v_free_nodes": FREE_NODE_VIEW,
}

REQUEST_SIZES = (1, 2, 4, 8)


WINDOW = "minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}"


def startable_sql(window: str = WINDOW, place: str = "true") -> str:
    """Share of booked minutes in which a request of 1, 2, 4, 8 GPUs on one node could start.

    `window` is a condition on `minute` (default: parameters since and until, DateTime64), `place`
    one on cluster and pool. Columns: startable_1 … startable_8, minutes.
    """
    shares = ", ".join(f"countIf(largest >= {n}) / count() AS startable_{n}" for n in REQUEST_SIZES)
    return f"""
SELECT {shares}, count() AS minutes FROM (
  SELECT minute, max(free_gpus) AS largest FROM free_blocks
  WHERE ({window}) AND ({place}) GROUP BY minute)
"""
