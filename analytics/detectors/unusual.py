"""Runs of recurring jobs that are worse than their own history: more GPU-hours, or less at work.

How runs are compared: `analytics.learn.recurring`. A run that is better than usual is no finding,
and low power alone is none: a cap or a better kernel lowers it too.

What idleness and low use cost is booked by their own detectors. Lost here is only time that was
productive and beyond what a whole run usually takes: nobody else counts it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from analytics import evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.learn import recurring
from analytics.learn.recurring import HOURS, RecurringSettings, Unusual
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.states import ACTIVE as AT_WORK
from gpuledger.states import UNKNOWN, in_list
from gpuledger.store import Store

ACTIVE, POWER = "active_ratio", "power_watts"
CAUSES = {HOURS: "gpu_hours", ACTIVE: "activity"}
# A median of few runs is itself uncertain: as many doubts as this many runs would raise.
DOUBTS = 4


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per run that is worse than usual, since its start; the farthest first."""
    assert isinstance(settings, RecurringSettings)
    if span.since >= span.until:
        return
    told = recurring.unusual(store, settings, span)
    runs = [list(g) for _, g in groupby(sorted(told, key=attrgetter("job")), attrgetter("job"))]
    worse = {run[0].job: run for run in runs if any(map(_is_worse, run))}
    if not worse:
        return
    rows = store.select(_SQL, jobs=list(worse), until=span.until)
    whole = Span(min(r["since"] for r in rows), span.until)
    worth = evidence.worth(store, sorted(worse), whole)
    for row in sorted(rows, key=lambda r: (-max(abs(u.z) for u in worse[r["job"]]), r["job"])):
        measures = sorted(worse[row["job"]], key=lambda u: (-abs(u.z), u.measure))
        if _at_stake(row, measures) >= settings.least_gpu_hours:
            seconds = _beyond(row, measures)
            lost = {"gpu_seconds": seconds, **evidence.priced(worth.get(row["job"]), seconds)}
            yield _finding({**row, **lost}, measures, span)


def _is_worse(told: Unusual) -> bool:
    return (told.measure == HOURS and told.z > 0) or (told.measure == ACTIVE and told.z < 0)


def _at_stake(row: Mapping[str, Any], measures: Sequence[Unusual]) -> float:
    """GPU-hours by which the run is worse: those beyond the usual, or those not at work."""
    hours = row["held_seconds"] / 3600
    worse = filter(_is_worse, measures)
    return max(
        float(hours - math.exp(u.usual) if u.measure == HOURS else hours * (u.usual - u.value))
        for u in worse
    )


def _beyond(row: Mapping[str, Any], measures: Sequence[Unusual]) -> float:
    """GPU-seconds at work beyond what a whole run usually takes; 0 where it took no longer."""
    usual = next((math.exp(u.usual) * 3600 for u in measures if u.measure == HOURS), math.inf)
    return float(max(0.0, row["productive_seconds"] - usual))


def _finding(row: Mapping[str, Any], measures: Sequence[Unusual], span: Span) -> Finding:
    first = next(u for u in measures if _is_worse(u))
    confidence = evidence.CONFIDENCE[row["grade"]] * first.runs / (first.runs + DOUBTS)
    return evidence.finding(
        "unusual",
        row,
        span,
        owner=evidence.OWNER,
        cause=CAUSES[first.measure],
        action=_action(row["job_name"], first),
        confidence_ratio=round(confidence, 2),
        summary=f"{row['job_name']} of {row['user'] or row['job']}: {_words(row, measures)}",
        evidence=_rows(row, first),
    )


def _action(name: str, first: Unusual) -> str:
    """What to look at: whatever is not as it was in the earlier runs."""
    runs = f"its {first.runs} earlier ones"
    if first.measure == ACTIVE:
        return (
            f"This run of {name} keeps its GPUs at work {first.value:.0%} of the time, {runs}"
            f" {first.usual:.0%}: compare its input, its settings and its nodes with theirs."
        )
    return (
        f"This run of {name} used {math.exp(first.value - first.usual):.1f}x the GPU-hours of"
        f" {runs}: if it was not meant to do more, compare its data, its settings and its nodes"
        " with theirs."
    )


def _words(row: Mapping[str, Any], measures: Sequence[Unusual]) -> str:
    """What is worse, the farthest first, then what else is odd about it."""
    said = {
        HOURS: lambda u: (
            f"{math.exp(u.value):,.1f} GPU-hours{' so far' if row['open'] else ''},"
            f" usually {math.exp(u.usual):,.1f}"
        ),
        ACTIVE: lambda u: f"at work {u.value:.0%} of the time, usually {u.usual:.0%}",
        POWER: lambda u: f"{u.value:.0f} W a GPU, usually {u.usual:.0f} W",
    }
    told = [u for u in measures if _is_worse(u)]
    told += [u for u in measures if u.measure == POWER and u.z < 0]
    return f"{'; '.join(said[u.measure](u) for u in told)} ({told[0].runs} earlier runs)"


def _rows(row: Mapping[str, Any], first: Unusual) -> str:
    """The query that shows the run among those of its user with names like it."""
    stem = recurring.stem_sql("job_name")
    return (
        "SELECT job, job_name, min(day) AS first, sum(gpu_seconds) / 3600 AS gpu_hours,"
        f" sumIf(gpu_seconds, state IN {in_list(AT_WORK)})"
        f" / nullIf(sumIf(gpu_seconds, state NOT IN {in_list(UNKNOWN)}), 0) AS active_ratio,"
        " sum(energy_joules) / sum(gpu_seconds) AS power_watts FROM v_book_1d"
        f" WHERE cluster = {evidence.quoted(row['cluster'])}"
        f" AND user = {evidence.quoted(row['user'])} AND {stem} = {evidence.quoted(first.stem)}"
        f" AND day < {evidence.instant(row['until'])}"
        " GROUP BY job, job_name ORDER BY first DESC, job"
    )


_SQL = f"""
SELECT j.job_id AS job, j.cluster AS cluster, j.name AS job_name, j.user AS user, j.team AS team,
  b.pool AS pool, toUInt32(j.nodes) * j.gpus_per_node AS gpus, j.started AS since,
  least(j.ended, {{until:DateTime64(3, 'UTC')}}) AS until,
  toUInt8(j.ended > {{until:DateTime64(3, 'UTC')}}) AS open, b.grade AS grade,
  b.held_seconds AS held_seconds, b.productive_seconds AS productive_seconds
FROM (SELECT * FROM jobs FINAL WHERE has({{jobs:Array(String)}}, job_id)) AS j
INNER JOIN (
  SELECT job, any(pool) AS pool, sum(gpu_ms) / 1000 AS held_seconds,
    sumIf(gpu_ms, state = 'productive') / 1000 AS productive_seconds,
    ifNull(nullIf(toString(maxIf(a.grade, state NOT IN {in_list(UNKNOWN)})), ''), 'D') AS grade
  FROM accounts_1h AS a
  WHERE has({{jobs:Array(String)}}, job) AND hour < {{until:DateTime64(3, 'UTC')}} AND hour >= (
    SELECT toStartOfHour(min(started)) FROM jobs FINAL WHERE has({{jobs:Array(String)}}, job_id))
  GROUP BY job) AS b ON b.job = j.job_id
"""

detector = Detector(
    "Runs of recurring jobs that are worse than their own history", RecurringSettings, find
)
