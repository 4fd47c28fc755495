"""Jobs that hold GPUs and use none of them for long enough.

Only minutes in which every GPU of the job is idle count: a job that works on one of its GPUs works.
Minutes that nobody saw neither extend an episode nor end it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any

from analytics.book import Span
from analytics.detector import Detector
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.identity import hash64
from gpuledger.measures import CAPACITY_VALUE, CASH_AVOIDABLE
from gpuledger.store import Store

MINUTE = timedelta(minutes=1)
# Grade A rests on profiling counters, D on nothing but the scheduler (design: evidence grade).
CONFIDENCE = {"A": 0.95, "B": 0.85, "C": 0.6, "D": 0.3}


class IdleSettings(Settings):
    """Section `[idle]`."""

    # Run:ai's dashboard calls a job idle after 5 minutes at 0 %; ours needs 5 covered minutes.
    after_min: Annotated[int, "minutes of idleness that make an episode"] = 5
    # A burst shorter than this does not end an episode: notebooks are touched now and then.
    gap_min: Annotated[int, "minutes of work that do not end an episode"] = 2


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job and episode of whole idleness in the span."""
    assert isinstance(settings, IdleSettings)
    rows = store.select(
        _EPISODES_SQL,
        since=span.since,
        until=span.until,
        gap=settings.gap_min,
        after=settings.after_min,
    )
    for row in rows:
        yield _finding(row, settings, span)


def _finding(row: Mapping[str, Any], settings: IdleSettings, span: Span) -> Finding:
    seen_after = (span.until - row["until"]) // MINUTE - row["unknown_after"]
    is_open = row["running"] and seen_after <= settings.gap_min
    hours = row["gpu_seconds"] / 3600
    return Finding(
        finding_id=hash64(f"idle/{row['job']}/{to_milliseconds(row['since'])}"),
        kind="idle",
        subject=row["job"],
        user=row["user"],
        team=row["team"],
        pool=row["pool"],
        since=row["since"],
        until=row["until"],
        open=int(is_open),
        gpus=row["gpus"],
        gpu_seconds=row["gpu_seconds"],
        capacity_value=row["capacity_value"],
        cash_avoidable=row["cash_avoidable"],
        currency=row["currency"],
        grade=row["grade"],
        confidence_ratio=CONFIDENCE[row["grade"]],
        summary=(
            f"{row['job_name'] or row['job']} holds {row['gpus']}"
            f" {'GPU' if row['gpus'] == 1 else 'GPUs'} on {row['nodes']} and has not used"
            f" {'it' if row['gpus'] == 1 else 'them'} for {_duration(row['until'] - row['since'])}:"
            f" {hours:,.1f} GPU-hours"
        ),
        evidence=(
            f"SELECT minute, gpu_id, state, grade, gpu_seconds FROM v_book_1m WHERE job = "
            f"{_quoted(row['job'])} AND minute >= '{row['since']:%Y-%m-%d %H:%M:%S}'"
            f" AND minute < '{row['until']:%Y-%m-%d %H:%M:%S}' ORDER BY minute, gpu_id"
        ),
        version=to_milliseconds(span.until),
    )


def _duration(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


WITHIN = "minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}"
# A job's minutes, each idle as a whole, unknown as a whole, or with some work in it.
_MINUTES_SQL = f"""
SELECT b.job AS job, b.minute AS at, any(b.user) AS user, any(b.team) AS team, any(b.pool) AS pool,
  any(b.job_name) AS job_name, any(b.currency) AS currency,
  uniqExactIf(b.gpu_id, b.state = 'alloc_idle') AS gpus,
  groupUniqArrayIf(b.node, b.state = 'alloc_idle') AS nodes,
  maxIf(b.grade, b.state = 'alloc_idle') AS grade,
  sumIf(b.gpu_seconds, b.state = 'alloc_idle') AS idle_seconds,
  countIf(b.state NOT IN ('alloc_idle', 'alloc_unknown')) = 0 AS workless,
  workless AND idle_seconds > 0 AS idle, workless AND idle_seconds = 0 AS unknown,
  {CAPACITY_VALUE.sql} AS capacity_value, {CASH_AVOIDABLE.sql} AS cash_avoidable
FROM (SELECT * FROM v_book_1m WHERE job IN (SELECT DISTINCT job FROM v_book_1m
    WHERE state = 'alloc_idle' AND {WITHIN}) AND {WITHIN}) AS b
GROUP BY job, at
"""

# Islands of idle minutes: one belongs to the last unless too many minutes of work lie between.
_EPISODES_SQL = f"""
WITH minutes AS ({_MINUTES_SQL}),
counted AS (
  SELECT *, sum(unknown) OVER (PARTITION BY job ORDER BY at) AS unknown_upto,
    sum(unknown) OVER (PARTITION BY job) AS unknown_all FROM minutes),
islands AS (
  SELECT *, sum(fresh) OVER (PARTITION BY job ORDER BY at) AS island FROM (
    SELECT *, dateDiff('minute', lagInFrame(at, 1, toDateTime64(0, 3, 'UTC')) OVER earlier, at) - 1
      - (unknown_upto - lagInFrame(unknown_upto, 1, 0) OVER earlier) > {{gap:UInt32}} AS fresh
    FROM counted WHERE idle
    WINDOW earlier AS (PARTITION BY job ORDER BY at
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)))
SELECT i.job AS job, any(i.user) AS user, any(i.team) AS team, any(i.pool) AS pool,
  any(i.job_name) AS job_name, min(i.at) AS since, max(i.at) + INTERVAL 1 MINUTE AS until,
  max(i.gpus) AS gpus, arrayStringConcat(arraySort(groupUniqArrayArray(i.nodes)), ', ') AS nodes,
  sum(i.idle_seconds) AS gpu_seconds, max(i.grade) AS grade, any(i.currency) AS currency,
  sum(i.capacity_value) AS capacity_value, sum(i.cash_avoidable) AS cash_avoidable,
  max(i.unknown_all) - max(i.unknown_upto) AS unknown_after,
  any(j.ended) > {{until:DateTime64(3, 'UTC')}} AS running
FROM islands AS i LEFT JOIN (SELECT job_id, ended FROM jobs FINAL) AS j ON j.job_id = i.job
GROUP BY job, i.island
HAVING dateDiff('minute', since, until) >= {{after:UInt32}}
ORDER BY gpu_seconds DESC, job, since
"""

detector = Detector("Jobs that hold GPUs and use none of them", IdleSettings, find)
