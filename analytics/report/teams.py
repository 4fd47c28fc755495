"""The report of one team, for its lead: its part of the book, its wastes and what to do.

Unlike the report for management it names the team's users: the lead can only ask people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from analytics.life.netting import net
from analytics.report import remarks, weeks
from analytics.report.words import STRANGER, plain
from gpuledger.errors import Unknown, nearest
from gpuledger.measures import (
    CAPACITY_VALUE,
    GPU_HOURS,
    GRADE,
    LOOSE_HOURS,
    LOOSE_VALUE,
    THEIRS,
    UTILIZATION,
    select,
)
from gpuledger.service import Reader
from gpuledger.states import BY_NAME, STATES, in_list, recoverable_factor

TOP_WASTES, TOP_ADVICE = 10, 5
# The order in which threads add floats changes the last digits; the report must not change.
DIGITS = 6
NOBODY = ("", "unmapped")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class TeamState:
    """GPU-hours of the team in one state; `value` is null without a price."""

    state: str
    help: str
    colour: str
    gpu_hours: float
    share: float
    value: float | None


@dataclass(frozen=True)
class TeamWaste:
    """GPU-hours that could be won back from jobs of one name and user."""

    job_name: str
    user: str
    first_job: str
    jobs: int
    state: str
    help: str
    cause: str
    action: str
    gpu_hours: float
    value: float | None
    grade: str


@dataclass(frozen=True)
class TeamAdvice:
    """A recommendation to the team, and the commands by which its lead answers it."""

    recommendation_id: str
    title: str
    because: str
    command: str
    user: str
    gain_gpu_hours: float | None
    horizon_seconds: float
    accept: str
    dismiss: str


@dataclass(frozen=True)
class TeamReport:
    """One team's part of a period; ratios are 0 to 1, None is 'not known'."""

    team: str
    week: str
    since: datetime
    until: datetime
    timezone: str
    gpu_hours: float
    gpu_hours_before: float | None
    utilization_ratio: float | None
    utilization_ratio_before: float | None
    loose_gpu_hours: float
    currency: str
    capacity_value: float | None
    loose_value: float | None
    jobs: int
    grade: str
    states: tuple[TeamState, ...]
    wastes: tuple[TeamWaste, ...]
    advice: tuple[TeamAdvice, ...]
    more_advice: int
    note: str


def named(reader: Reader, since: datetime, until: datetime) -> list[str]:
    """Teams that held GPUs in the period, by name. StoreError."""
    rows = reader.select(_TEAMS, since=since, until=until, nobody=list(NOBODY))
    return [row["team"] for row in rows]


def collect(
    reader: Reader, team: str, since: datetime, until: datetime, zone: tzinfo
) -> TeamReport:
    """The team's report on the hours that begin in [since, until), UTC.

    ConfigError for a team that held no GPU then. StoreError.
    """
    period = {"since": since, "until": until}
    (now,) = _ask(reader, _WHOLE, team=team, **period)
    if not now["jobs"]:
        known = named(reader, since, until)
        hint = nearest(team, known) or f"; teams that did: {', '.join(known) or 'none'}"
        raise Unknown(f"no team '{team}' held a GPU in this period{hint}")
    week = weeks.label(since, until, zone)
    first, last = weeks.earlier(since, until, zone)
    (before,) = _ask(reader, _WHOLE, team=team, since=first, until=last)
    money = now["money"] if now["currencies"] == 1 else ""
    advice = net(reader.select(_ADVICE, team=team, until=until))
    return TeamReport(
        team=team,
        week=week,
        since=since,
        until=until,
        timezone=str(zone),
        gpu_hours=now["gpu_hours"],
        gpu_hours_before=before["gpu_hours"] if before["jobs"] else None,
        utilization_ratio=now["utilization_ratio"],
        utilization_ratio_before=before["utilization_ratio"] if before["jobs"] else None,
        loose_gpu_hours=now["loose_gpu_hours"],
        currency=money,
        capacity_value=now["capacity_value"] if money else None,
        loose_value=now["loose_value"] if money else None,
        jobs=now["jobs"],
        grade=now["grade"],
        states=_states(_ask(reader, _STATES, team=team, **period), money),
        wastes=tuple(
            _waste(row, money)
            for row in _ask(reader, _WASTES, team=team, most=TOP_WASTES, **period)
        ),
        advice=tuple(_advice(row) for row in advice[:TOP_ADVICE]),
        more_advice=max(0, len(advice) - TOP_ADVICE),
        note="".join(n.text for n in remarks.of_week(reader, week) if n.team == team),
    )


def _states(rows: Rows, currency: str) -> tuple[TeamState, ...]:
    everything = sum(row["gpu_hours"] for row in rows)
    return tuple(_state(row, everything, currency) for row in rows)


def _state(row: dict[str, Any], everything: float, currency: str) -> TeamState:
    known = BY_NAME.get(row["state"])
    return TeamState(
        row["state"],
        known.help if known else row["state"].replace("_", " "),
        known.colour if known else STRANGER,
        row["gpu_hours"],
        round(row["gpu_hours"] / everything, 9) if everything else 0.0,
        row["capacity_value"] if currency else None,
    )


def _waste(row: dict[str, Any], currency: str) -> TeamWaste:
    known = BY_NAME.get(row["state"])
    return TeamWaste(
        plain(row["job_name"]),
        plain(row["user"]),
        plain(row["first_job"]),
        row["jobs"],
        row["state"],
        known.help if known else row["state"],
        plain(row["cause"]),
        plain(row["action"], 600),
        row["loose_gpu_hours"],
        row["loose_value"] if currency else None,
        row["grade"],
    )


def _advice(row: dict[str, Any]) -> TeamAdvice:
    name = f"{row['recommendation_id']:016x}"
    return TeamAdvice(
        name,
        plain(row["title"], 600),
        plain(row["because"], 600),
        plain(row["command"], 600),
        plain(row["user"]),
        row["gain_gpu_hours"],
        float(row["horizon_seconds"]),
        f"gpuledger recommend accept {name[:8]}",
        f'gpuledger recommend dismiss {name[:8]} --until 30d --reason "…"',
    )


def _ask(reader: Reader, sql: str, **parameters: Any) -> Rows:
    return [
        {k: round(v, DIGITS) if isinstance(v, float) else v for k, v in row.items()}
        for row in reader.select(sql, **parameters)
    ]


_WITHIN = "hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}"
_OF_TEAM = f"{_WITHIN} AND team = {{team:String}}"
_WASTED = in_list(tuple(s.name for s in STATES if s.recoverable))
# What broken hardware held up is not the team's.
_LOOSE = f"{_OF_TEAM} AND state IN {_WASTED} AND {THEIRS}"
_TEAMS = f"""
SELECT DISTINCT toString(team) AS team FROM v_book_1h
WHERE {_WITHIN} AND NOT has({{nobody:Array(String)}}, toString(team)) ORDER BY team
"""
_LOST = f"gpu_seconds / 3600 * {recoverable_factor()}"
_WHOLE = f"""
SELECT {select(GPU_HOURS, UTILIZATION, CAPACITY_VALUE, GRADE)}, uniqExact(job) AS jobs,
  uniqExactIf(currency, currency != '') AS currencies, max(toString(currency)) AS money,
  sumIf({_LOST}, {THEIRS}) AS loose_gpu_hours, sumIf({_LOST} * price, {THEIRS}) AS loose_value
FROM v_book_1h WHERE {_OF_TEAM}
"""
_STATES = f"""
SELECT toString(state) AS state, {select(GPU_HOURS, CAPACITY_VALUE)}
FROM v_book_1h WHERE {_OF_TEAM} GROUP BY state ORDER BY gpu_hours DESC, state
"""
_WASTES = f"""
SELECT job_name, toString(user) AS user, toString(state) AS state, toString(cause) AS cause,
  uniqExact(job) AS jobs, min(job) AS first_job,
  argMaxIf(f.todo, (gpu_seconds, f.todo), f.todo != '') AS action,
  {select(LOOSE_HOURS, LOOSE_VALUE, GRADE)}
FROM (SELECT * FROM v_book_1h WHERE {_LOOSE}) AS b
LEFT JOIN (
  SELECT subject, argMax(action, (gpu_seconds, finding_id)) AS todo FROM v_findings
  WHERE since < {{until:DateTime64(3, 'UTC')}} AND until >= {{since:DateTime64(3, 'UTC')}}
    AND subject != '' AND action != '' GROUP BY subject) AS f ON f.subject = b.job
GROUP BY job_name, user, state, cause
HAVING loose_gpu_hours > 0
ORDER BY loose_gpu_hours DESC, state, job_name, user, cause LIMIT {{most:UInt32}}
"""
_ADVICE = """
SELECT * FROM v_recommendations
WHERE status = 'proposed' AND team = {team:String} AND created <= {until:DateTime64(3, 'UTC')}
"""
