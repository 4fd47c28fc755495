"""GPUs that a job holds and does not use: alloc_idle for long enough, per job."""

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

# Grade A rests on profiling counters, D on nothing but the scheduler (design: evidence grade).
CONFIDENCE = {"A": 0.95, "B": 0.85, "C": 0.6, "D": 0.3}


class IdleSettings(Settings):
    """Section `[idle]`."""

    # Run:ai's dashboard calls a job idle after 5 minutes at 0 %; ours needs 5 covered minutes.
    after_min: Annotated[int, "minutes of idleness that make an episode"] = 5
    # A burst shorter than this does not end an episode: notebooks are touched now and then.
    gap_min: Annotated[int, "minutes of work that do not end an episode"] = 2


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job and episode of idleness in the span."""
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
    is_open = row["running"] and row["until"] + timedelta(minutes=settings.gap_min) >= span.until
    hours = row["gpu_seconds"] / 3600
    who = row["user"] or "an unknown user"
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
            f"{row['job_name'] or row['job']} of {who} ({row['team']}) holds {row['gpus']}"
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


# Islands of idle minutes per job: a minute belongs to the previous island unless the gap is long.
_EPISODES_SQL = f"""
SELECT job, any(i.user) AS user, any(i.team) AS team, any(i.pool) AS pool,
  any(i.job_name) AS job_name, min(i.minute) AS since,
  max(i.minute) + INTERVAL 1 MINUTE AS until, uniqExact(i.gpu_id) AS gpus,
  arrayStringConcat(arraySort(groupUniqArray(i.node)), ', ') AS nodes,
  sum(i.gpu_seconds) AS gpu_seconds, max(i.grade) AS grade, any(i.currency) AS currency,
  any(i.running) AS running,
  {CAPACITY_VALUE.sql.replace("gpu_seconds", "i.gpu_seconds").replace("price", "i.price")}
    AS capacity_value,
  {CASH_AVOIDABLE.sql.replace("energy_joules", "i.energy_joules")} AS cash_avoidable
FROM (
  SELECT *, sum(fresh) OVER (PARTITION BY job ORDER BY minute
    RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
  FROM (
    SELECT *, minute > lagInFrame(minute, 1, toDateTime64(0, 3, 'UTC')) OVER (
      PARTITION BY job ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
      + toIntervalMinute({{gap:UInt32}} + 1) AS fresh
    FROM (
      SELECT b.*, j.ended > {{until:DateTime64(3)}} AS running FROM v_book_1m AS b
      LEFT JOIN (SELECT job_id, ended FROM jobs FINAL) AS j ON j.job_id = b.job
      WHERE b.state = 'alloc_idle' AND b.minute >= {{since:DateTime64(3)}}
        AND b.minute < {{until:DateTime64(3)}}))) AS i
GROUP BY job, island
HAVING dateDiff('minute', since, until) >= {{after:UInt32}}
ORDER BY gpu_seconds DESC, job, since
"""

detector = Detector("GPUs held by a job that does not use them", IdleSettings, find)
