"""What outcomes rest on: time lost by jobs and pools, before and after, and who is like whom.

Like it is who lost about as much before (`CALIPER`), the nearest first, in the same pools where
jobs are compared, and had no such advice applied meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics import success
from analytics.life.applied import NODE, POOL, jobs_of, places_of
from analytics.outcomes.differences import Sides
from analytics.success import Days
from gpuledger.states import in_list
from gpuledger.store import Store

# Design: shares of lost time that differ by more belong to another way of working.
CALIPER = 0.15
MOST_POOLS = 5
MOST_GROUPS = 50
# Advice of these statuses was, or is being, carried out.
TREATED = ("accepted", "applied", "measured", "not_measurable")

Row = Mapping[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """A stretch of time before and one after."""

    before_since: datetime
    before_until: datetime
    after_since: datetime
    after_until: datetime

    def parameters(self) -> dict[str, datetime]:
        """For questions that read both."""
        return {
            "before": self.before_since,
            "accepted": self.before_until,
            "applied": self.after_since,
            "after": self.after_until,
        }


@dataclass(frozen=True)
class Idled:
    """How many hours a job was idle after acceptance, and with how many GPUs."""

    hours: float
    gpus: int


def jobs(store: Store, job: str, window: Window, lost: Sequence[str]) -> Sides:
    """Shares lost by the jobs of that job's name and user, and by those of other names."""
    rows = store.select(_JOBS.format(lost=in_list(tuple(lost))), job=job, **window.parameters())
    own: set[Key] = {(r["user"], r["name"]) for r in rows if r["own"]}
    return _sides(rows, lambda r: (r["user"], r["name"]), own, MOST_GROUPS)


def pools(store: Store, row: Row, window: Window, lost: Sequence[str]) -> Sides:
    """Shares lost in each hour by the pools that a recommendation is about, and by others."""
    own = _pools_of(store, row)
    rows = store.select(_POOLS.format(lost=in_list(tuple(lost))), **window.parameters())
    treated = {
        key
        for other in store.select(_OTHERS, id=row["recommendation_id"], since=window.before_since)
        for key in _pools_of(store, other)
    }
    free = [r for r in rows if _pool(r) in own or _pool(r) not in treated]
    return _sides(free, _pool, own, MOST_POOLS)


def idle(store: Store, row: Row, window: Window) -> tuple[Idled | None, Days]:
    """How long the job was idle after acceptance, and how long those that were like it.

    In both cases no longer than the horizon of the gain.
    """
    rows = store.select(
        _IDLE,
        finding=row["finding_id"],
        job=row["subject"],
        horizon=int(row["horizon_seconds"]),
        **window.parameters(),
    )
    own = next((Idled(r["value"], r["gpus"]) for r in rows if r["own"]), None)
    return own, success.days_of([r for r in rows if not r["own"]])


def _sides(rows: Sequence[Row], key: Callable[[Row], Key], own: set[Key], most: int) -> Sides:
    """The rows of both sides; like `own` are the groups that lost about as much before."""
    alike = _alike(rows, key, own, most)
    sides = [
        success.days_of([r for r in rows if r["late"] == late and key(r) in keys])
        for keys in (own, alike)
        for late in (0, 1)
    ]
    return Sides(*sides)


def _alike(rows: Iterable[Row], key: Callable[[Row], Key], own: set[Key], most: int) -> set[Key]:
    lost: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        if not row["late"]:
            total = lost[() if key(row) in own else key(row)]
            total[0] += row["value"] * row["weight"]
            total[1] += row["weight"]
    shares = {k: part / whole for k, (part, whole) in lost.items() if whole}
    mine = shares.pop((), None)
    if mine is None:
        return set()
    near = sorted((abs(share - mine), k) for k, share in shares.items())
    return {k for distance, k in near[:most] if distance <= CALIPER}


def _pools_of(store: Store, row: Row) -> set[Key]:
    """The pools it is about, those of its nodes, or those of its jobs."""
    told = {_split(name) for name in places_of(row, POOL)}
    if told:
        return told
    rows = store.select(_PLACES, nodes=places_of(row, NODE), jobs=jobs_of(row))
    return {_pool(r) for r in rows}


def _split(name: str) -> Key:
    cluster, _, pool = name.partition("/")
    return cluster, pool


def _pool(row: Row) -> Key:
    return row["cluster"], row["pool"]


_BEFORE, _ACCEPTED = "{{before:DateTime64(3, 'UTC')}}", "{{accepted:DateTime64(3, 'UTC')}}"
_APPLIED, _AFTER = "{{applied:DateTime64(3, 'UTC')}}", "{{after:DateTime64(3, 'UTC')}}"
_LATE = f"""hour >= {_APPLIED} AS late
  FROM accounts_1h
  WHERE (hour >= {_BEFORE} AND hour < {_ACCEPTED} OR hour >= {_APPLIED} AND hour < {_AFTER})"""
# A job is seen on the day of its last hour; what it did before it was advised on stays apart.
_JOBS = f"""
WITH (SELECT (any(toString(user)), any(name)) FROM jobs FINAL WHERE job_id = {{{{job:String}}}})
  AS asked
SELECT max(hour) AS at, user, name, (user, name) = asked AS own, late,
  sum(lost) / sum(ms) AS value, sum(ms) / 1000 AS weight
FROM (SELECT hour, job, toString(user) AS user, toString(job_name) AS name,
  concat(toString(cluster), '/', toString(pool)) AS place, gpu_ms AS ms,
  if(state IN {{lost}}, gpu_ms, 0) AS lost, {_LATE} AND job != '')
WHERE place IN (SELECT concat(toString(cluster), '/', toString(pool)) FROM accounts_1h
    WHERE toString(user) = asked.1 AND toString(job_name) = asked.2
      AND hour >= {_BEFORE} AND hour < {_AFTER})
  AND (own OR (user, name) NOT IN (SELECT toString(j.user), j.name
    FROM (SELECT subject FROM v_recommendations
      WHERE kind = 'rightsize' AND status IN {in_list(TREATED)}) AS r
    INNER JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = r.subject))
GROUP BY job, user, name, late HAVING sum(ms) > 0 ORDER BY at, job
"""
_POOLS = f"""
SELECT hour AS at, toString(cluster) AS cluster, toString(pool) AS pool, late,
  sum(lost) / sum(ms) AS value, sum(ms) / 1000 AS weight
FROM (SELECT hour, cluster, pool, gpu_ms AS ms,
  if(state IN {{lost}} AND NOT has(splitByChar(',', toString(flags)), 'powered_down'), gpu_ms, 0)
    AS lost, {_LATE} AND state != 'off_ledger')
GROUP BY at, cluster, pool, late HAVING sum(ms) > 0 ORDER BY at, cluster, pool
"""
_OTHERS = f"""
SELECT subject, resources FROM v_recommendations
WHERE status IN {in_list(TREATED)} AND recommendation_id != {{id:UInt64}}
  AND recommendation_id IN (SELECT recommendation_id FROM recommendation_events
    WHERE status = 'applied' AND at >= {{since:DateTime64(3, 'UTC')}})
"""
_PLACES = """
SELECT DISTINCT toString(cluster) AS cluster, toString(pool) AS pool FROM assets FINAL
WHERE concat(toString(cluster), '/', toString(node)) IN {nodes:Array(String)}
  OR (empty({nodes:Array(String)}) AND gpu_id IN (SELECT gpu_id FROM allocations
    WHERE job_id IN {jobs:Array(String)}))
ORDER BY cluster, pool
"""
_T = "{{{0}:DateTime64(3, 'UTC')}}"
# Idle as long as the job had been when its owner accepted; what is still open counts so far.
_IDLE = f"""
WITH (SELECT (any(since), any(toString(pool))) FROM v_findings
    WHERE finding_id = {{finding:UInt64}}) AS asked,
  greatest(0, dateDiff('second', asked.1, {_T.format("accepted")})) AS age
SELECT max(since) AS at, subject = {{job:String}} AS own, toInt64(max(gpus)) AS gpus,
  sum(least({{horizon:Int64}}, greatest(0, dateDiff('second', since, until) - age))) / 3600
    AS value, 1 AS weight
FROM v_findings
WHERE kind = 'idle' AND toString(pool) = asked.2 AND asked.1 > toDateTime64(1, 3, 'UTC')
  AND since >= {_T.format("before")} AND since < {_T.format("after")}
  AND (subject = {{job:String}} AND finding_id = {{finding:UInt64}}
    OR subject != {{job:String}} AND dateDiff('second', since, until) >= age
      AND subject NOT IN (SELECT subject FROM v_recommendations
        WHERE kind = 'reclaim' AND status IN {in_list(TREATED)}))
GROUP BY subject, finding_id ORDER BY at, subject
"""
