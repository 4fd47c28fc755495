"""What the report asks of the database: one question each, all through measures and views."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from analytics.report.words import NO_PRICE, SEVERAL_CURRENCIES
from gpuledger.measures import (
    CAPACITY_VALUE,
    CASH_AVOIDABLE,
    GPU_HOURS,
    GRADE,
    JOBS_STARTED,
    LOOSE_HOURS,
    LOOSE_VALUE,
    REQUEST_SIZES,
    THEIRS,
    UNKNOWN_SHARE,
    UTILIZATION,
    WAIT_MEDIAN,
    WAIT_P90,
    select,
)
from gpuledger.service import Reader
from gpuledger.states import OCCUPIED, STATES, UNKNOWN, group_of, in_list
from gpuledger.view_measures import PAGE_RATE, paging
from gpuledger.views import startable_sql

Rows = list[dict[str, Any]]

WITHIN = "{column} >= {{since:DateTime64(3, 'UTC')}} AND {column} < {{until:DateTime64(3, 'UTC')}}"
HOURS = WITHIN.format(column="hour")
STARTED = WITHIN.format(column="started")
TOLD = WITHIN.format(column="ts")
WASTED = f"{HOURS} AND state IN {in_list(tuple(s.name for s in STATES if s.recoverable))}"
# What broken hardware held up is no team's.
LOST = f"SELECT * REPLACE (if({THEIRS}, team, '') AS team) FROM v_book_1h WHERE {WASTED}"
OWNED = "valid_from < {until:DateTime64(3, 'UTC')} AND valid_to > {since:DateTime64(3, 'UTC')}"
# What is known to be at work or not: the evidence that the utilization rests on.
KNOWN = tuple(name for name in group_of(OCCUPIED) if name not in UNKNOWN)
# The order in which threads add floats changes the last digits; the report must not change.
DIGITS = 6


@dataclass(frozen=True)
class Prices:
    """The one currency of the period's prices ('' = none, or several), and all hours in money."""

    currency: str
    currencies: tuple[str, ...]
    priced_ratio: float | None
    capacity_value: float | None
    cash_avoidable: float | None

    @property
    def not_shown(self) -> str:
        """Why the period has no amounts; empty where it has."""
        if self.currency:
            return ""
        return SEVERAL_CURRENCIES if self.currencies else NO_PRICE


@dataclass(frozen=True)
class Figures:
    """The numbers behind the success metrics of one period; None is 'not known'."""

    booked_hours: int
    owned_gpu_hours: float
    booked_gpu_hours: float
    utilization: float | None
    unknown: float | None
    grade: str
    startable: tuple[tuple[int, float], ...]
    jobs: int
    wait_p50_s: float | None
    wait_p90_s: float | None
    page_rate: float | None


class Book:
    """The book between two instants (UTC); hours are those that begin within."""

    def __init__(
        self, reader: Reader, since: datetime, until: datetime, zone: tzinfo = UTC
    ) -> None:
        self._reader = reader
        self._period = {"since": since, "until": until, "zone": str(zone)}

    def figures(self) -> Figures:
        """Everything that is compared with the period before."""
        booked, share, waits = self._booked(), self._shares(), self._all_waits()
        return Figures(
            booked["hours"],
            booked["gpu_hours"],
            share.get("gpu_hours", 0.0),
            share.get("utilization_ratio"),
            share.get("unknown_ratio"),
            self._grade(),
            self._startable(),
            waits["jobs"],
            waits["p50"],
            waits["p90"],
            self._page_rate(),
        )

    def inventory(self) -> tuple[tuple[str, ...], int]:
        """Clusters and number of GPUs owned at any time of the period."""
        row = self._one(
            "SELECT arraySort(groupUniqArray(cluster)) AS clusters, uniqExact(gpu_id) AS gpus"
            f" FROM v_assets WHERE {OWNED}"
        )
        return tuple(row["clusters"]), row["gpus"]

    def prices(self) -> Prices:
        """Which currencies price the period, and how much of it."""
        row = self._one(
            "SELECT arraySort(groupUniqArrayIf(currency,"
            " price IS NOT NULL OR energy_price IS NOT NULL)) AS currencies,"
            " sumIf(gpu_seconds, price IS NOT NULL) / nullIf(sum(gpu_seconds), 0) AS priced,"
            f" {select(CAPACITY_VALUE, CASH_AVOIDABLE)} FROM v_book_1h WHERE {HOURS}"
        )
        currencies = tuple(row["currencies"])
        return Prices(
            currencies[0] if len(currencies) == 1 else "",
            currencies,
            row["priced"],
            row["capacity_value"],
            row["cash_avoidable"],
        )

    def states(self) -> Rows:
        """Hours, money and evidence by state."""
        measures = select(GPU_HOURS, LOOSE_HOURS, CAPACITY_VALUE, CASH_AVOIDABLE, GRADE)
        return self._ask(
            f"SELECT state, {measures} FROM v_book_1h WHERE {HOURS} GROUP BY state ORDER BY state"
        )

    def days(self) -> Rows:
        """Hours by day of the zone and state."""
        return self._ask(
            f"SELECT toString(toDate(hour, {{zone:String}})) AS day, state, {select(GPU_HOURS)}"
            f" FROM v_book_1h WHERE {HOURS} GROUP BY day, state ORDER BY day, state"
        )

    def pieces(self) -> Rows:
        """What could be won back, by state, team and cause."""
        return self._ask(
            f"SELECT state, team, cause, {select(LOOSE_HOURS, LOOSE_VALUE)}"
            f" FROM ({LOST}) GROUP BY state, team, cause"
            " ORDER BY loose_gpu_hours DESC, state, team, cause"
        )

    def wastes(self, limit: int) -> Rows:
        """The largest losses by team and job name; findings know when they really began."""
        measures = select(LOOSE_HOURS, LOOSE_VALUE, GRADE)
        return self._ask(
            f"""
SELECT team, job_name, state, cause, uniqExact(job) AS jobs, min(job) AS first_job,
  max(f.open) AS open,
  min(least(hour, coalesce(f.began, hour))) AS began,
  argMax(f.told, (f.lost, f.told)) AS action,
  argMax(f.named, (f.lost, f.told)) AS found, {measures}
FROM ({LOST}) AS b
LEFT JOIN (
  SELECT subject, toNullable(min(since)) AS began, max(open) AS open,
    argMax(action, (gpu_seconds, action)) AS told,
    argMax(toString(cause), (gpu_seconds, action)) AS named, max(gpu_seconds) AS lost
  FROM v_findings
  WHERE since < {{until:DateTime64(3, 'UTC')}} AND until >= {{since:DateTime64(3, 'UTC')}}
    AND subject != '' GROUP BY subject) AS f ON f.subject = b.job
GROUP BY team, job_name, state, cause
ORDER BY loose_gpu_hours DESC, state, team, job_name, cause LIMIT {limit}
"""
        )

    def waits(self) -> Rows:
        """Jobs that started, and how long they waited, by size class."""
        return self._ask(
            f"SELECT size_class, {_WAITS} FROM v_queue_waits WHERE {STARTED}"
            " GROUP BY size_class ORDER BY min(gpus), size_class"
        )

    def waiting(self) -> dict[str, Any]:
        """Jobs for GPUs that could have started by the end of the period and had not."""
        return self._one(
            "SELECT count() AS jobs, sum(nodes * gpus_per_node) AS gpus FROM v_jobs"
            " WHERE gpus_per_node > 0 AND eligible < {until:DateTime64(3, 'UTC')}"
            " AND started >= {until:DateTime64(3, 'UTC')} AND ended >= {until:DateTime64(3, 'UTC')}"
        )

    def unowned_hours(self) -> float:
        """GPU-hours of allocations whose team nobody named."""
        row = self._one(
            f"SELECT {select(GPU_HOURS)} FROM v_book_1h"
            f" WHERE {HOURS} AND job != '' AND team IN ('', 'unmapped')"
        )
        return float(row["gpu_hours"])

    def _booked(self) -> dict[str, Any]:
        return self._one(
            "SELECT count() AS hours, sum(owned_seconds) / 3600 AS gpu_hours"
            f" FROM v_booked_hours WHERE {HOURS}"
        )

    def _shares(self) -> dict[str, Any]:
        """Empty where nothing is booked, for a share of nothing is no number."""
        rows = self._ask(
            f"SELECT {select(GPU_HOURS, UTILIZATION, UNKNOWN_SHARE)} FROM v_book_1h"
            f" WHERE {HOURS} HAVING count() > 0"
        )
        return rows[0] if rows else {}

    def _grade(self) -> str:
        row = self._one(
            f"SELECT {select(GRADE)} FROM v_book_1h WHERE {HOURS} AND state IN {in_list(KNOWN)}"
        )
        return str(row["grade"])

    def _startable(self) -> tuple[tuple[int, float], ...]:
        """Request size and share of minutes, for the sizes that some node could ever hold."""
        rows = self._ask(f"SELECT * FROM ({startable_sql()}) WHERE minutes > 0")
        largest = self._largest_node() if rows else 0
        return tuple((n, rows[0][f"startable_{n}"]) for n in REQUEST_SIZES if n <= largest)

    def _largest_node(self) -> int:
        row = self._one(
            "SELECT max(gpus) AS gpus FROM (SELECT uniqExact(gpu_id) AS gpus FROM v_assets"
            f" WHERE {OWNED} GROUP BY cluster, node)"
        )
        return int(row["gpus"])

    def _all_waits(self) -> dict[str, Any]:
        return self._one(f"SELECT {_WAITS} FROM v_queue_waits WHERE {STARTED}")

    def _page_rate(self) -> float | None:
        """Pages per 1,000 GPU-hours; None if no alert ever went out."""
        paged = paging(TOLD, HOURS, "{until:DateTime64(3, 'UTC')}")
        rate: float | None = self._one(f"SELECT {select(PAGE_RATE)} FROM ({paged})")[PAGE_RATE.name]
        return rate

    def _one(self, sql: str) -> dict[str, Any]:
        return self._ask(sql)[0]

    def _ask(self, sql: str) -> Rows:
        return [steady(row) for row in self._reader.select(sql, **self._period)]


_WAITS = f"{JOBS_STARTED.sql} AS jobs, {WAIT_MEDIAN.sql} AS p50, {WAIT_P90.sql} AS p90"


def steady(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its floats rounded."""
    return {k: round(v, DIGITS) if isinstance(v, float) else v for k, v in row.items()}


def total(rows: Iterable[dict[str, Any]], key: str) -> float:
    """The sum of one key, missing values left out."""
    return float(sum(row[key] for row in rows if row[key] is not None))
