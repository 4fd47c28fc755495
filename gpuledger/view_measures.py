"""Derived numbers beside the book's: what waits, what was found, and of what use free GPUs are.

Each is SQL over rows of one view, as in `gpuledger.measures`; `OF_VIEWS` says of which.
"""

from __future__ import annotations

from gpuledger.measures import (
    JOBS_STARTED,
    PAGES,
    RESOLVE_MEDIAN,
    WAIT_MEDIAN,
    WAIT_P90,
    WAIT_P99,
    Measure,
)
from gpuledger.units import COUNT, CURRENCY, RATIO

# Over rows of `v_queue_waits`, as the first of `gpuledger.measures`.
WAITED_HOURS = Measure(
    "waited_gpu_hours",
    COUNT,
    "GPU-hours that jobs which started had waited for",
    "sum(gpus * wait_seconds) / 3600",
)

# Over rows of `v_jobs` that wait for GPUs.
WAITING_JOBS = Measure("waiting_jobs", COUNT, "jobs that wait", "count()")
WAITING_GPUS = Measure(
    "waiting_gpus",
    COUNT,
    "GPUs that they wait for",
    "sum(toUInt64(nodes) * gpus_per_node * share_milli) / 1000",
)

# Over rows of `v_demand_1m`.
UNMET_HOURS = Measure(
    "unmet_gpu_hours",
    COUNT,
    "GPU-hours that jobs refused for capacity waited for",
    "sum(unmet_seconds) / 3600",
)
REFUSED_HOURS = Measure(
    "refused_gpu_hours",
    COUNT,
    "GPU-hours that jobs refused by a quota waited for",
    "sum(refused_seconds) / 3600",
)

# Over rows of `v_findings` of one kind: kinds overlap, a notebook may be idle too.
EPISODES = Measure("episodes", COUNT, "times it was found", "count()")
FOUND_HOURS = Measure(
    "found_gpu_hours", COUNT, "GPU-hours that they cost so far", "sum(gpu_seconds) / 3600"
)
FOUND_VALUE = Measure(
    "found_value",
    CURRENCY,
    "worth of those GPU-hours; null without a price",
    "sumOrNull(capacity_value)",
)

# Over rows of `v_fragmentation_1h` of whole pools (without a node) at one hour.
FREE_GPUS = Measure("pool_free_gpus", COUNT, "GPUs free on open nodes", "sum(free_gpus)")
FRAGMENTED_GPUS = Measure(
    "pool_fragmented_gpus",
    COUNT,
    "free GPUs that tasks like those of the last days cannot use",
    "sum(fragmented_gpus)",
)
FRAGMENT_SHARE = Measure(
    "fragmented_ratio",
    RATIO,
    "share of the free GPUs that are fragments",
    "sum(fragmented_gpus) / nullIf(sum(free_gpus), 0)",
)
LARGEST_JOB = Measure(
    "startable_gpus", COUNT, "GPUs of the largest job that could start", "max(largest_gpus)"
)
LARGEST_REPACKED = Measure(
    "startable_repacked_gpus",
    COUNT,
    "the same after a full repack, at most",
    "max(largest_repacked_gpus)",
)

# Over rows of `v_gpu_events`.
EVENTS = Measure("events", COUNT, "errors and events that were told, bursts in full", "sum(count)")
CARDS = Measure("cards", COUNT, "GPUs that told of them", "uniqExact(cluster, node, slot)")

# Over rows of `v_source_runs`.
READINGS = Measure("readings", COUNT, "readings that agents made", "sum(runs)")
FAILED_READINGS = Measure("failed_readings", COUNT, "readings that failed", "sum(failures)")
FAILED_SHARE = Measure(
    "failed_ratio",
    RATIO,
    "share of the readings that failed",
    "sum(failures) / nullIf(sum(runs), 0)",
)

# Over rows of `v_quarantine`.
ROWS_ASIDE = Measure(
    "rows_aside", COUNT, "rows kept aside because their times cannot be right", "sum(rows)"
)


def closure(within: str = "true") -> str:
    """SELECT of booked hours with what was owned in them and what their cells add up to.

    `within` is a condition on `hour` (SQL).
    """
    return (
        "SELECT b.hour AS hour, b.owned_seconds AS owned_seconds, a.seconds AS booked_seconds\n"
        f"FROM (SELECT hour, owned_seconds FROM v_booked_hours WHERE {within}) AS b\n"
        "INNER JOIN (SELECT hour, sum(gpu_seconds) AS seconds FROM v_accounts_1h"
        f" WHERE {within} GROUP BY hour) AS a ON a.hour = b.hour"
    )


# Over rows of `closure()`.
CLOSURE_ERROR = Measure(
    "closure_error_ratio",
    RATIO,
    "by how much the worst hour of the book is off from what was owned in it",
    "maxOrNull(abs(booked_seconds - owned_seconds) / nullIf(owned_seconds, 0))",
)


def paging(notices: str, hours: str, until: str) -> str:
    """SELECT of one row: `pages` and `owned_seconds` of a range; pages only if any could come.

    `notices` and `hours` are conditions on `ts` and `hour` (SQL), `until` the end of the range:
    where nothing was handed over before it, silence is no measurement, and `pages` is null.
    """
    ever = f"SELECT countIf(outcome = 'accepted') FROM v_notifications WHERE ts <= {until}"
    pages = f"SELECT {PAGES.sql} FROM v_notifications WHERE {notices}"
    return (
        f"SELECT if(({ever}) = 0, NULL, ({pages})) AS pages,"
        f" sum(owned_seconds) AS owned_seconds FROM v_booked_hours WHERE {hours}"
    )


# Over the row of `paging()`.
PAGE_RATE = Measure(
    "pages_per_1000_gpu_hours",
    COUNT,
    "pages per 1,000 GPU-hours owned; null where nobody was ever told of an alert",
    "any(pages) * 3600000 / nullIf(any(owned_seconds), 0)",
)

# Of which view, beside the book's, a measure is about.
OF_VIEWS: dict[str, tuple[Measure, ...]] = {
    "v_queue_waits": (JOBS_STARTED, WAIT_MEDIAN, WAIT_P90, WAIT_P99, WAITED_HOURS),
    "v_jobs": (WAITING_JOBS, WAITING_GPUS),
    "v_demand_1m": (UNMET_HOURS, REFUSED_HOURS),
    "v_findings": (EPISODES, FOUND_HOURS, FOUND_VALUE),
    "v_fragmentation_1h": (
        FREE_GPUS,
        FRAGMENTED_GPUS,
        FRAGMENT_SHARE,
        LARGEST_JOB,
        LARGEST_REPACKED,
    ),
    "v_gpu_events": (EVENTS, CARDS),
    "v_source_runs": (READINGS, FAILED_READINGS, FAILED_SHARE),
    "v_quarantine": (ROWS_ASIDE,),
    f"({closure()})": (CLOSURE_ERROR,),
    "v_notifications": (PAGES,),
    f"({paging('true', 'true', 'now()')})": (PAGE_RATE,),
    "v_alert_states": (RESOLVE_MEDIAN,),
}
