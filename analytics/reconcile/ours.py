"""Our side of a comparison: what was told, owned and booked within a window, in whole hours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from analytics.booking.occupancy import allocations_sql
from analytics.reconcile.explain import Ours
from gpuledger.batch import to_milliseconds
from gpuledger.errors import ConfigError
from gpuledger.service import Reader
from gpuledger.states import OCCUPIED, UNAVAILABLE, LedgerSettings, group_of, in_list

HOUR = timedelta(hours=1)


class Window:
    """Whole hours of the book of one cluster."""

    def __init__(self, reader: Reader, cluster: str, since: datetime, until: datetime) -> None:
        self.reader = reader
        self.cluster = cluster
        self.since = since
        self.until = until

    def select(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a question with the parameters since, until, lo, hi (ms) and cluster."""
        since, until = to_milliseconds(self.since), to_milliseconds(self.until)
        return self.reader.select(
            sql, since=since, until=until, lo=since, hi=until, cluster=self.cluster
        )

    def clipped(self, since: datetime, until: datetime) -> float:
        """Seconds of a span within the window."""
        covered = min(until, self.until) - max(since, self.since)
        return max(0.0, covered.total_seconds())


def window(reader: Reader, cluster: str, since: datetime | None, until: datetime | None) -> Window:
    """The hours asked for that are booked; by default the last seven days. ConfigError."""
    booked = reader.select(
        "SELECT min(hour) AS first, max(booked_until) AS last FROM booked_hours FINAL"
        " HAVING count() > 0"
    )
    if not booked:
        raise ConfigError("nothing was booked yet: there is no book to compare")
    first, last = booked[0]["first"], _hour(booked[0]["last"])
    if until is not None and until > last:
        raise ConfigError(
            f"the book is closed up to {last:%Y-%m-%d %H:%M} UTC, not {until:%Y-%m-%d %H:%M}"
        )
    end = _hour(until or last)
    start = max(first, _hour(since) if since else end - 168 * HOUR)
    if start >= end:
        raise ConfigError("the window has no whole hour that is booked")
    return Window(reader, cluster_of(reader, cluster), start, end)


def cluster_of(reader: Reader, cluster: str) -> str:
    """The cluster asked for, or the only one there is. ConfigError."""
    rows = reader.select("SELECT DISTINCT cluster FROM v_assets ORDER BY cluster")
    known = [r["cluster"] for r in rows]
    if cluster in known:
        return cluster
    if not cluster and len(known) == 1:
        return str(known[0])
    names = ", ".join(known) or "none"
    raise ConfigError(f"--cluster {cluster or '(none)'}: say which one; there are {names}")


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def by_job(window: Window) -> Mapping[str, Ours]:
    """What we know of each job that held or was booked a GPU in the window."""
    booked = {r["job_id"]: r for r in window.select(_BOOKED_SQL)}
    found: dict[str, Ours] = {}
    for row in window.select(_TOLD_SQL):
        own = booked.pop(row["job_id"], {"occupied": 0.0, "unavailable": 0.0})
        found[row["job_id"]] = _ours(row, own)
    for job, own in booked.items():
        found[job] = Ours(
            occupied=own["occupied"], unavailable=own["unavailable"], jobs=1, known=True
        )
    return found


def _ours(row: Mapping[str, Any], booked: Mapping[str, Any]) -> Ours:
    return Ours(
        told=row["told"],
        weighted=row["weighted"],
        listed=row["listed"],
        occupied=booked["occupied"],
        unavailable=booked["unavailable"],
        gpus=row["gpus"],
        jobs=1,
        shared=bool(row["shared"]),
        known=True,
    )


def known_jobs(window: Window, jobs: list[str]) -> set[str]:
    """Which of these ids are in `jobs`."""
    rows = window.reader.select(
        "SELECT job_id FROM jobs FINAL WHERE job_id IN {jobs:Array(String)}", jobs=jobs
    )
    return {r["job_id"] for r in rows}


def grouped(
    window: Window, jobs: Mapping[str, Ours], name: Callable[[Mapping[str, Any]], str]
) -> dict[str, Ours]:
    """The jobs added up by what `name` makes of their rows in `jobs`."""
    rows = window.reader.select(
        "SELECT job_id, cluster, name, user, team FROM jobs FINAL"
        " WHERE job_id IN {jobs:Array(String)}",
        jobs=sorted(jobs),
    )
    facts = {r["job_id"]: r for r in rows}
    found: dict[str, Ours] = {}
    for job, one in jobs.items():
        key = name(facts.get(job, {"job_id": job, "name": "", "user": "", "team": ""}))
        found[key] = added(found.get(key, Ours()), one)
    return found


def added(one: Ours, other: Ours) -> Ours:
    """Two jobs of one group."""
    return replace(
        one,
        told=one.told + other.told,
        weighted=one.weighted + other.weighted,
        listed=one.listed + other.listed,
        occupied=one.occupied + other.occupied,
        unavailable=one.unavailable + other.unavailable,
        jobs=one.jobs + other.jobs,
        shared=one.shared or other.shared,
        known=one.known or other.known,
    )


def occupied(window: Window) -> float:
    """GPU-seconds of the cluster that are booked as occupied, whoever holds them."""
    return float(window.select(_TOTAL_SQL)[0]["occupied"])


_WITHIN = (
    "hour >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')"
    " AND hour < fromUnixTimestamp64Milli({until:Int64}, 'UTC') AND cluster = {cluster:String}"
)
# What is neither occupied nor free: the scheduler holds it, the book takes it out.
_TOTAL_SQL = f"""
SELECT sumIf(gpu_ms, state IN {in_list(group_of(OCCUPIED))}) / 1000 AS occupied
FROM ledger_1h WHERE {_WITHIN}
"""
_BOOKED_SQL = f"""
SELECT l.job_id AS job_id,
  sumIf(c.gpu_ms, c.state IN {in_list(group_of(OCCUPIED))}) / 1000 AS occupied,
  sumIf(c.gpu_ms, c.state IN {in_list((*group_of(UNAVAILABLE), "off_ledger"))}) / 1000
    AS unavailable
FROM (SELECT gpu_id, alloc_id, state, gpu_ms FROM ledger_1h WHERE alloc_id != 0 AND {_WITHIN}) AS c
LEFT JOIN (SELECT gpu_id, alloc_id, job_id FROM allocations FINAL) AS l
  ON l.gpu_id = c.gpu_id AND l.alloc_id = c.alloc_id
GROUP BY job_id
"""
_CLIP = "greatest(0, least({t}, {{until:Int64}}) - greatest({f}, {{since:Int64}}))"
_TOLD_SQL = f"""
WITH given AS (SELECT * FROM ({allocations_sql(LedgerSettings())})
  WHERE cluster = {{cluster:String}} AND f < {{until:Int64}} AND t > {{since:Int64}})
SELECT g.job_id AS job_id, uniqExact(g.gpu_id) AS gpus,
  sum({_CLIP.format(f="g.f", t="g.t")}) / 1000 AS told,
  sum({_CLIP.format(f="g.f", t="g.t")} * least(1000, g.share_milli)) / 1e6 AS weighted,
  sum({_CLIP.format(f="greatest(g.f, a.f)", t="least(g.t, a.t)")}
    * least(1000, g.share_milli)) / 1e6 AS listed,
  max(s.most > 1) AS shared
FROM given AS g
LEFT JOIN (SELECT gpu_id, toUnixTimestamp64Milli(valid_from) AS f,
    toUnixTimestamp64Milli(valid_to) AS t FROM assets FINAL) AS a ON a.gpu_id = g.gpu_id
LEFT JOIN (SELECT gpu_id, maxIntersections(f, t) AS most FROM given GROUP BY gpu_id) AS s
  ON s.gpu_id = g.gpu_id
GROUP BY job_id
"""
