"""Users and teams whose GPUs have been little used for a week.

Over whole days that have ended: the mean SM activity (else utilization) of all GPU time that was
given to them, weighted by time, with idle time as what it is. Job Defense Shield's rule: at most a
quarter, over 50 GPU-hours, and enough of the pool that it matters. Left out is what they do not
answer for: faults, and what a fault on another node held up. So are services, which the detector
`serving` judges by their peaks, and jobs with an approved exemption.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import evidence, ranks
from analytics.book import Span
from analytics.detector import Detector
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import ANSWERED, CAPACITY_VALUE
from gpuledger.states import OCCUPIED, UNKNOWN, group_of, in_list
from gpuledger.store import Store

DAY = timedelta(days=1)
LOW = ("alloc_idle", "stalled", "underused")
LOST = ("alloc_idle", "stalled")


class LowEfficiencySettings(Settings):
    """Section `[low_efficiency]`."""

    days: Annotated[int, "whole days that are looked at"] = 7
    use_ratio: Annotated[float, "mean use up to which it is low"] = 0.25
    target_ratio: Annotated[float, "mean use that GPU-hours lost are counted against"] = 0.50
    least_gpu_hours: Annotated[float, "GPU-hours in all, at least"] = 50.0
    pool_ratio: Annotated[float, "share of the pool's given GPU-hours, at least"] = 0.02


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per user and per team, for the days before the last midnight of the span."""
    assert isinstance(settings, LowEfficiencySettings)
    until = span.until.replace(hour=0, minute=0, second=0, microsecond=0)
    since = until - settings.days * DAY
    if span.since >= span.until:
        return
    within = {"since": since, "until": until}
    for who in ("user", "team"):
        for row in _low(store, who, settings, within):
            subject = f"{who}/{row['name']}"
            if not span.only or subject in span.only:
                yield _finding(who, subject, {**row, **within}, settings, span)


def _low(
    store: Store, who: str, settings: LowEfficiencySettings, within: Mapping[str, datetime]
) -> Iterator[dict[str, Any]]:
    """Owners with much time of which most was low, and what their GPUs did in it.

    Asked one after the other: whoever works most of the time cannot be low on average, so that
    nobody reads their samples.
    """
    owners = store.select(
        _owners_sql(who), hours=settings.least_gpu_hours, share=settings.pool_ratio, **within
    )
    if not owners:
        return
    told = store.select(_use_sql(who), names=[o["name"] for o in owners], **within)
    used = {u["name"]: u["used"] for u in told}
    for owner in owners:
        if used.get(owner["name"], math.inf) <= settings.use_ratio:
            yield {**owner, "used": used[owner["name"]]}


def _finding(
    who: str, subject: str, row: Mapping[str, Any], settings: LowEfficiencySettings, span: Span
) -> Finding:
    lost = row["held_seconds"] * (1 - min(1.0, row["used"] / settings.target_ratio))
    part = lost / row["held_seconds"]
    hours = row["held_seconds"] / 3600
    spared = _spared_sql(evidence.instant(row["since"]), evidence.instant(row["until"]))
    return evidence.finding(
        "low_efficiency",
        row,
        span,
        subject=subject,
        user=row["name"] if who == "user" else "",
        team=row["name"] if who == "team" else row["team"],
        gpus=round(row["held_seconds"] / (row["until"] - row["since"]).total_seconds()),
        open=1,
        gpu_seconds=lost,
        capacity_value=None if row["worth"] is None else row["worth"] * part,
        cash_avoidable=None,
        cause="idle" if row["idle_seconds"] * 2 > row["low_seconds"] else "underused",
        owner="team lead" if who == "team" else evidence.OWNER,
        action=(
            "Look at the largest jobs in the list of findings: ask for fewer or smaller GPUs,"
            " or speed up what feeds them."
        ),
        summary=(
            f"The GPUs of {who} {row['name']} were used to {row['used']:.0%} on average in"
            f" {settings.days} days: {hours:,.0f} GPU-hours, {row['share']:.0%} of all that"
            f" {row['pool']} gave out; at {settings.target_ratio:.0%} the same work would have"
            f" taken {lost / 3600:,.0f} fewer"
        ),
        evidence=(
            "SELECT day, job, job_name, state, grade, sum(gpu_seconds) / 3600 AS gpu_hours"
            f" FROM v_book_1d WHERE {who} = {evidence.quoted(row['name'])} AND job != ''"
            f" AND {evidence.during('day', row['since'], row['until'])} AND {ANSWERED}"
            f" AND job NOT IN ({spared})"
            " GROUP BY day, job, job_name, state, grade ORDER BY gpu_hours DESC, day, job, state"
        ),
    )


def _spared_sql(since: str, until: str) -> str:
    """SELECT of the jobs that say nothing of their owners between two instants (SQL)."""
    return f"""
SELECT job_id FROM jobs FINAL WHERE kind = 'service' AND ended > {since}
UNION ALL
SELECT j.job_id FROM (SELECT job_id, cluster, name FROM jobs FINAL WHERE ended > {since}) AS j
INNER JOIN (SELECT cluster, jobs FROM services FINAL
  WHERE valid_from < {until} AND valid_to > {since}) AS s ON s.cluster = j.cluster
WHERE startsWith(j.name, s.jobs)
UNION ALL
SELECT subject FROM exemptions FINAL
WHERE approved_by != '' AND valid_from < {until} AND valid_to > {since}
  AND (kinds = '' OR has(splitByChar(',', kinds), 'low_efficiency'))"""


_SPARED_SQL = _spared_sql("{since:DateTime64(3, 'UTC')}", "{until:DateTime64(3, 'UTC')}")
# As a list: the servers of a cluster refuse NOT IN a question among columns.
_SPARED_LIST_SQL = f"SELECT groupUniqArray(toString(job_id)) FROM ({_SPARED_SQL})"


def _owners_sql(who: str) -> str:
    """Owners with much time of which most was low."""
    return f"""
SELECT b.owner AS name, argMax(b.pool, b.pool_seconds) AS pool, any(b.payer) AS team,
  max(b.share) AS share, max(b.lowest) AS grade, max(b.paid_in) AS currency, sum(b.worth) AS worth,
  sum(b.pool_seconds) AS held_seconds, sum(b.idle) AS idle_seconds, sum(b.low) AS low_seconds
FROM (
  SELECT {who} AS owner, pool, any(team) AS payer, maxIf(grade, own) AS lowest,
    max(currency) AS paid_in, {CAPACITY_VALUE.sql} AS worth, sum(gpu_seconds) AS pool_seconds,
    sumIf(gpu_seconds, state IN {in_list(LOST)}) AS idle,
    sumIf(gpu_seconds, state IN {in_list(LOW)}) AS low, sum(given) AS given_seconds,
    pool_seconds / sum(given_seconds) OVER (PARTITION BY pool) AS share
  FROM (
    SELECT * REPLACE (if(own, d.gpu_seconds, 0) AS gpu_seconds), d.gpu_seconds AS given
    FROM (SELECT *, {ANSWERED} AND NOT has(({_SPARED_LIST_SQL}), job) AS own FROM v_book_1d
      WHERE {_within("day")} AND job != '' AND state IN {in_list(group_of(OCCUPIED))}
        AND state NOT IN {in_list(UNKNOWN)}) AS d)
  GROUP BY owner, pool) AS b
WHERE b.owner != ''
GROUP BY name
HAVING held_seconds >= {{hours:Float64}} * 3600 AND share >= {{share:Float64}}
  AND low_seconds * 2 >= held_seconds
ORDER BY name"""


def _held_sql(who: str) -> str:
    """What the jobs of these owners held."""
    jobs = f"""
SELECT DISTINCT job, {who} AS name FROM accounts_1d
WHERE {_within("day")} AND job != '' AND NOT has(({_SPARED_LIST_SQL}), job)
  AND has({{names:Array(String)}}, {who})"""
    return f"""
SELECT a.gpu_id AS gpu_id, a.alloc_id AS alloc_id, w.name AS name
FROM (SELECT DISTINCT gpu_id, alloc_id, job_id FROM allocations
  WHERE job_id IN (SELECT job FROM ({jobs}))) AS a
INNER JOIN ({jobs}) AS w ON w.job = a.job_id"""


def _use_sql(who: str) -> str:
    """How much each owner used the GPUs, hour by hour and GPU by GPU by the time they were held.

    An hour of which a fault held up a part tells nothing about the rest of it.
    """
    held = _held_sql(who)
    return f"""
SELECT c.name AS name, sum(s.used * c.held) / sum(c.held) AS used
FROM (
  SELECT h.name AS name, l.gpu_id AS gpu_id, l.hour AS hour, sum(l.gpu_ms) AS held
  FROM (SELECT *, {ANSWERED} AS own FROM ledger_1h
    WHERE {_within("hour")} AND state NOT IN {in_list(UNKNOWN)}
      AND gpu_id IN (SELECT gpu_id FROM ({held}))) AS l
  INNER JOIN ({held}) AS h ON h.gpu_id = l.gpu_id AND h.alloc_id = l.alloc_id
  GROUP BY name, gpu_id, hour HAVING min(l.own)) AS c
INNER JOIN (
  SELECT s.gpu_id AS gpu_id, s.ts AS hour, {ranks.SM} AS used
  FROM gpu_samples_1h AS s WHERE {_within("s.ts")} GROUP BY gpu_id, hour HAVING used IS NOT NULL
) AS s ON s.gpu_id = c.gpu_id AND s.hour = c.hour
GROUP BY name"""


def _within(time: str) -> str:
    return f"{time} >= {{since:DateTime64(3, 'UTC')}} AND {time} < {{until:DateTime64(3, 'UTC')}}"


detector = Detector("Users and teams with little use of many GPUs", LowEfficiencySettings, find)
