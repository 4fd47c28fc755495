"""Keeps `job_teams`: which team pays for each job, so that whoever is limited to a team can ask."""

from __future__ import annotations

from datetime import datetime, timedelta

from gpuledger.batch import to_milliseconds
from gpuledger.owners import job_owners
from gpuledger.store import Store

# Snapshots of schedulers arrive late by minutes, not by hours.
NEWS = timedelta(hours=2)
# What of teams and people decides; it changes by whole lists.
_LISTS = """
SELECT (SELECT (count(), max(version), sum(cityHash64(*))) FROM teams FINAL),
  (SELECT (count(), max(version), sum(cityHash64(*))) FROM people FINAL)
"""


class JobTeams:
    """Writes what is new: at first of all jobs, then of those that were heard of since."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lists: object = None
        self._done: datetime | None = None

    def write(self, now: datetime) -> None:
        """Bring the table up to date with jobs, teams and people."""
        found = self._store.select(_LISTS)
        whole = self._done is None or found != self._lists
        since = None if whole or self._done is None else self._done - NEWS
        self._store.command(_news(since, to_milliseconds(now)))
        self._lists, self._done = found, now


def _news(since: datetime | None, version: int) -> str:
    """INSERT of the jobs whose team is another than what is stored."""
    heard = "true"
    if since:
        at = f"fromUnixTimestamp64Milli({to_milliseconds(since)}, 'UTC')"
        heard = f"o.job_id IN (SELECT job_id FROM jobs WHERE seen_at >= {at})"
    return f"""
INSERT INTO job_teams (job_id, team, version)
SELECT o.job_id, o.team, {version} FROM ({job_owners()}) AS o
LEFT JOIN (SELECT job_id, team FROM job_teams FINAL) AS k ON k.job_id = o.job_id
WHERE k.team != o.team AND (o.user != '' OR k.team = '') AND {heard}
"""
