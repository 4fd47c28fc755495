"""Jobs whose program makes the GPU report errors: XIDs of the application class, told to its owner.

One healthy node reported 11,760 of them for one job: they are counted by job, and nobody is paged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.detector import Detector
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.store import Store


class ApplicationErrorSettings(Settings):
    """Section `[application_errors]`."""

    per_hour: Annotated[int, "errors of a job within an hour that are worth a message"] = 20
    open_min: Annotated[int, "minutes without an error after which a finding ends"] = 60


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per job with an hour of many errors."""
    assert isinstance(settings, ApplicationErrorSettings)
    rows = store.select(
        _SQL, since=span.since, until=span.until, least=settings.per_hour, only=list(span.only)
    )
    for row in rows:
        yield _finding(row, settings, span)


def _finding(row: Mapping[str, Any], settings: ApplicationErrorSettings, span: Span) -> Finding:
    codes = ", ".join(map(str, row["codes"]))
    recent = span.until - row["until"] <= timedelta(minutes=settings.open_min)
    jobs = f"SELECT gpu_id FROM allocations WHERE job_id = {evidence.quoted(row['job'])}"
    return evidence.finding(
        "application_errors",
        {**row, "grade": "A"},
        span,
        open=int(row["running"] and recent),
        # Errors tell that work may have been lost, not how much.
        gpu_seconds=0.0,
        capacity_value=None,
        cash_avoidable=None,
        owner=evidence.OWNER,
        cause="program",
        action=(
            "Run it once with CUDA_LAUNCH_BLOCKING=1 or compute-sanitizer: the program reads or"
            " writes where it must not, or was ended while it worked."
        ),
        summary=(
            f"{row['job_name'] or row['job']} made {evidence.counted(row['gpus'], 'GPU')} report"
            f" {row['errors']} errors of its program (XID {codes})"
        ),
        evidence=(
            "SELECT ts, node, slot, code, count, detail FROM v_gpu_events WHERE kind = 'xid'"
            f" AND cause = 'application' AND gpu_id IN ({jobs})"
            f" AND {evidence.during('ts', row['since'], row['until'])} ORDER BY ts, node, slot"
        ),
    )


_EVENTS = """
SELECT gpu_id, ts, code, count FROM gpu_events
WHERE ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND kind = 'xid' AND cause = 'application' AND gpu_id != 0
"""
_SQL = f"""
SELECT e.job AS job, any(j.user) AS user, any(j.team) AS team, any(j.pool) AS pool,
  any(j.name) AS job_name, any(j.ended) > {{until:DateTime64(3, 'UTC')}} AS running,
  min(e.first) AS since, max(e.last) + INTERVAL 1 SECOND AS until,
  sum(e.errors) AS errors, max(e.gpus) AS gpus,
  arraySort(groupUniqArrayArray(e.codes)) AS codes
FROM (
  SELECT a.job_id AS job, toStartOfHour(x.ts) AS hour, min(x.ts) AS first, max(x.ts) AS last,
    sum(x.count) AS errors, uniqExact(x.gpu_id) AS gpus, groupUniqArray(x.code) AS codes
  FROM ({_EVENTS}) AS x
  INNER JOIN (SELECT * FROM allocations FINAL
    WHERE gpu_id IN (SELECT gpu_id FROM ({_EVENTS}))) AS a ON a.gpu_id = x.gpu_id
  WHERE x.ts >= a.valid_from AND x.ts <= a.valid_to + INTERVAL 1 MINUTE
    AND (empty({{only:Array(String)}}) OR has({{only:Array(String)}}, a.job_id))
  GROUP BY job, hour) AS e
LEFT JOIN (SELECT * FROM jobs FINAL) AS j ON j.job_id = e.job
GROUP BY job HAVING max(e.errors) >= {{least:UInt32}} ORDER BY errors DESC, job
"""

detector = Detector("Jobs whose program makes GPUs report errors", ApplicationErrorSettings, find)
