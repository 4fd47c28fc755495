"""Runs become jobs: read from the tracking server, matched, kept, and told what they used."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.book import last_booked
from analytics.experiments.matching import Known, Match, match
from analytics.experiments.server import MlflowSettings, Run, Tracking
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import ExperimentRun
from gpuledger.errors import ConfigError, ReadError
from gpuledger.schema import FOREVER
from gpuledger.store import Store

log = logging.getLogger(__name__)

PREFIX = "gpuledger."
MOST_TEXT = 64_000


class Experiments:
    """A step of the runner: looks at the tracking server every `period_s`."""

    def __init__(
        self, store: Store, settings: MlflowSettings, tracking: Tracking | None = None
    ) -> None:
        self._store = store
        self._settings = settings
        self._tracking = tracking or Tracking(settings)
        self._next: datetime | None = None

    def step(self, now: datetime) -> None:
        """Keep what is new; a server that does not answer is one line in the log. StoreError."""
        if not self._settings.uri or (self._next and now < self._next):
            return
        self._next = now + timedelta(seconds=self._settings.period_s)
        try:
            self.look(now)
        except (ReadError, ConfigError) as e:
            log.warning("%s", e)

    def look(self, now: datetime) -> int:
        """Runs of the last while, with their jobs; how many. ReadError; ConfigError; StoreError."""
        runs = list(self._tracking.runs(now - timedelta(hours=self._settings.look_back_h)))
        if not runs:
            return 0
        jobs = self._jobs(min(r.started for r in runs))
        told = self._told([r.run_id for r in runs])
        booked = last_booked(self._store)
        rows = [self._row(r, match(r, jobs), told, booked, now) for r in runs]
        self._store.insert_rows(rows)
        return len(rows)

    def _row(
        self, run: Run, found: Match, told: set[str], booked: datetime | None, now: datetime
    ) -> ExperimentRun:
        done = run.run_id in told
        if not done and found.job_id and booked and run.ended <= booked:
            done = self._settings.write_back and self._tell(run, found)
        return ExperimentRun(
            run_id=run.run_id,
            experiment=run.experiment,
            name=run.name,
            user=run.user,
            state=run.state,
            parameters=_text(run.parameters),
            metrics=_text({k: v for k, v in run.metrics.items() if not k.startswith(PREFIX)}),
            started=run.started,
            ended=run.ended,
            job_id=found.job_id,
            matched_by=found.by,
            match_ratio=found.ratio,
            told=int(done),
            version=to_milliseconds(now),
        )

    def _tell(self, run: Run, found: Match) -> bool:
        """Write what the run used into it."""
        used = use(self._store, found.job_id, run.started, run.ended)
        metrics = {PREFIX + k: v for k, v in used.items() if isinstance(v, int | float)}
        tags = {PREFIX + "job": found.job_id, PREFIX + "grade": used["grade"] or "D"}
        self._tracking.write(run.run_id, metrics, tags)
        return True

    def _jobs(self, since: datetime) -> list[Known]:
        rows = self._store.select(_JOBS_SQL, since=since)
        return [Known(**{**r, "user": str(r["user"])}) for r in rows]

    def _told(self, ids: Sequence[str]) -> set[str]:
        rows = self._store.select(
            "SELECT run_id FROM runs FINAL WHERE told = 1 AND run_id IN {ids:Array(String)}",
            ids=list(ids),
        )
        return {r["run_id"] for r in rows}


def use(store: Store, job_id: str, since: datetime, until: datetime) -> dict[str, Any]:
    """What a job used between two instants: gpu_hours, idle_ratio, sm_active_ratio, grade."""
    (used,) = store.select(_USE_SQL, job=job_id, since=since, until=until)
    return used


def _text(values: Mapping[str, Any]) -> str:
    """As JSON with sorted keys; a run with thousands of values keeps the first."""
    text = json.dumps(values, sort_keys=True, default=str)
    if len(text) <= MOST_TEXT:
        return text
    kept = dict(sorted(values.items())[: max(1, len(values) * MOST_TEXT // len(text) // 2)])
    return json.dumps(kept, sort_keys=True, default=str)


_JOBS_SQL = f"""
SELECT job_id, user, started, ended FROM v_jobs
WHERE gpus_per_node > 0 AND started < toDateTime64('{FOREVER:%Y-%m-%d %H:%M:%S}', 3, 'UTC')
  AND ended >= {{since:DateTime64(3, 'UTC')}}
"""
# Cells are minutes: what a run had of its first and last counts in proportion.
_PART = """greatest(0, least(toUnixTimestamp64Milli(minute) + 60000,
  toUnixTimestamp64Milli({until:DateTime64(3, 'UTC')})) - greatest(
  toUnixTimestamp64Milli(minute), toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')}))) / 60000"""
_USE_SQL = f"""
SELECT sum(part * gpu_ms) / 3.6e6 AS gpu_hours,
  sumIf(part * gpu_ms, state = 'alloc_idle') / nullIf(sum(part * gpu_ms), 0) AS idle_ratio,
  sum(part * gpu_ms * intensity_bp) / nullIf(sumIf(part * gpu_ms, intensity_bp IS NOT NULL), 0)
    / 1e4 AS sm_active_ratio, max(toString(grade)) AS grade
FROM (SELECT *, {_PART} AS part FROM ledger_1m
  WHERE minute >= toStartOfMinute({{since:DateTime64(3, 'UTC')}})
    AND minute < {{until:DateTime64(3, 'UTC')}}
    AND (gpu_id, alloc_id) IN (SELECT gpu_id, alloc_id FROM allocations FINAL
      WHERE job_id = {{job:String}}))
"""
