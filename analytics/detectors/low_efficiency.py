"""Users and teams whose GPUs have been little used for a week.

Over whole days that have ended: the mean SM activity (else utilization) of all GPU time that was
given to them, weighted by time, with idle time as what it is. Job Defense Shield's rule: at most a
quarter, over 50 GPU-hours, and enough of the pool that it matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any

from analytics import evidence, ranks
from analytics.book import Span
from analytics.detector import Detector
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import CAPACITY_VALUE
from gpuledger.states import UNKNOWN, in_list
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
    for who in ("user", "team"):
        rows = store.select(
            _sql(who),
            since=since,
            until=until,
            hours=settings.least_gpu_hours,
            share=settings.pool_ratio,
            use=settings.use_ratio,
        )
        for row in rows:
            subject = f"{who}/{row['name']}"
            if not span.only or subject in span.only:
                yield _finding(
                    who, subject, {**row, "since": since, "until": until}, settings, span
                )


def _finding(
    who: str, subject: str, row: Mapping[str, Any], settings: LowEfficiencySettings, span: Span
) -> Finding:
    lost = row["held_seconds"] * (1 - min(1.0, row["used"] / settings.target_ratio))
    part = lost / row["held_seconds"]
    hours = row["held_seconds"] / 3600
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
            f"{row['name']} used {row['used']:.0%} of {hours:,.0f} GPU-hours in {settings.days}"
            f" days, {row['share']:.0%} of what {row['pool']} gave out"
        ),
        evidence=(
            "SELECT day, job, job_name, state, grade, sum(gpu_seconds) / 3600 AS gpu_hours"
            f" FROM v_book_1d WHERE {who} = {evidence.quoted(row['name'])} AND job != ''"
            f" AND {evidence.during('day', row['since'], row['until'])}"
            " GROUP BY day, job, job_name, state, grade ORDER BY gpu_hours DESC, day, job, state"
        ),
    )


def _sql(who: str) -> str:
    """Owners with much time of which most was low, and what their GPUs did in it."""
    return f"""
SELECT o.name AS name, any(o.pool) AS pool, any(o.team) AS team, any(o.share) AS share,
  any(o.grade) AS grade, any(o.currency) AS currency, any(o.worth) AS worth,
  any(o.held_seconds) AS held_seconds, any(o.idle_seconds) AS idle_seconds,
  any(o.low_seconds) AS low_seconds, sum(u.used * u.held) / sum(u.held) AS used
FROM ({_owners_sql(who)}) AS o INNER JOIN ({_use_sql(who)}) AS u ON u.name = o.name
GROUP BY name HAVING used <= {{use:Float64}} ORDER BY name"""


def _owners_sql(who: str) -> str:
    """Whoever works most of the time cannot be low on average: nobody reads their samples."""
    return f"""
SELECT b.owner AS name, argMax(b.pool, b.pool_seconds) AS pool, any(b.payer) AS team,
  max(b.share) AS share, max(b.lowest) AS grade, max(b.paid_in) AS currency, sum(b.worth) AS worth,
  sum(b.pool_seconds) AS held_seconds, sum(b.idle) AS idle_seconds, sum(b.low) AS low_seconds
FROM (
  SELECT {who} AS owner, pool, any(team) AS payer, max(grade) AS lowest, max(currency) AS paid_in,
    {CAPACITY_VALUE.sql} AS worth, sum(gpu_seconds) AS pool_seconds,
    sumIf(gpu_seconds, state IN {in_list(LOST)}) AS idle,
    sumIf(gpu_seconds, state IN {in_list(LOW)}) AS low,
    pool_seconds / sum(pool_seconds) OVER (PARTITION BY pool) AS share
  FROM (SELECT * FROM v_book_1d
    WHERE {_within("day")} AND job != '' AND state NOT IN {in_list(UNKNOWN)})
  GROUP BY owner, pool) AS b
WHERE b.owner != ''
GROUP BY name
HAVING held_seconds >= {{hours:Float64}} * 3600 AND share >= {{share:Float64}}
  AND low_seconds * 2 >= held_seconds"""


def _held_sql(who: str) -> str:
    """What the jobs of these owners held."""
    jobs = f"""
SELECT DISTINCT job, {who} AS name FROM accounts_1d
WHERE {_within("day")} AND job != '' AND {who} IN (SELECT name FROM ({_owners_sql(who)}))"""
    return f"""
SELECT a.gpu_id AS gpu_id, a.alloc_id AS alloc_id, w.name AS name
FROM (SELECT DISTINCT gpu_id, alloc_id, job_id FROM allocations
  WHERE job_id IN (SELECT job FROM ({jobs}))) AS a
INNER JOIN ({jobs}) AS w ON w.job = a.job_id"""


def _use_sql(who: str) -> str:
    """Hour by hour and GPU by GPU: how long an owner held it, and its use in that hour."""
    held = _held_sql(who)
    return f"""
SELECT c.name AS name, c.held AS held, s.used AS used
FROM (
  SELECT h.name AS name, l.gpu_id AS gpu_id, l.hour AS hour, sum(l.gpu_ms) AS held
  FROM (SELECT * FROM ledger_1h WHERE {_within("hour")} AND state NOT IN {in_list(UNKNOWN)}
    AND gpu_id IN (SELECT gpu_id FROM ({held}))) AS l
  INNER JOIN ({held}) AS h ON h.gpu_id = l.gpu_id AND h.alloc_id = l.alloc_id
  GROUP BY name, gpu_id, hour) AS c
INNER JOIN (
  SELECT s.gpu_id AS gpu_id, s.ts AS hour, {ranks.SM} AS used
  FROM gpu_samples_1h AS s WHERE {_within("s.ts")} GROUP BY gpu_id, hour HAVING used IS NOT NULL
) AS s ON s.gpu_id = c.gpu_id AND s.hour = c.hour"""


def _within(time: str) -> str:
    return f"{time} >= {{since:DateTime64(3, 'UTC')}} AND {time} < {{until:DateTime64(3, 'UTC')}}"


detector = Detector("Users and teams with little use of many GPUs", LowEfficiencySettings, find)
