"""Which teams waited most, and which of them wait far longer than they use to."""

from __future__ import annotations

from datetime import datetime

from analytics.report.annex import TeamWait
from analytics.report.persons import Persons
from analytics.report.words import plain
from gpuledger.service import Reader

MOST = 5
DIGITS = 6


def team_waits(
    reader: Reader, since: datetime, until: datetime, known: Persons
) -> tuple[TeamWait, ...]:
    """Teams by GPU-hours waited for by jobs that started; `starved` in the finding's words."""
    rows = reader.select(_WAITED, since=since, until=until)
    starved: dict[str, str] = {}
    for row in reader.select(_STARVED, since=since, until=until):
        starved.setdefault(row["team"], known.out_of(row["summary"]))
    told = [
        TeamWait(
            plain(row["team"]),
            row["jobs"],
            round(row["waited"], DIGITS),
            row["p90"],
            starved.pop(row["team"], ""),
        )
        for row in rows
    ]
    first = sorted(told, key=lambda wait: not wait.starved)[:MOST]
    # A starved team may have had no job that started at all.
    none = [TeamWait(plain(team), 0, 0.0, 0.0, said) for team, said in sorted(starved.items())]
    return tuple((none + first)[:MOST])


_WAITED = """
SELECT toString(team) AS team, count() AS jobs, sum(gpus * wait_seconds) / 3600 AS waited,
  toFloat64(quantileExact(0.9)(wait_seconds)) AS p90
FROM v_queue_waits
WHERE started >= {since:DateTime64(3, 'UTC')} AND started < {until:DateTime64(3, 'UTC')}
  AND team != '' GROUP BY team HAVING waited > 0 ORDER BY waited DESC, team"""
_STARVED = """
SELECT toString(team) AS team, summary FROM v_findings
WHERE kind = 'queue_starvation' AND team != ''
  AND since < {until:DateTime64(3, 'UTC')} AND until >= {since:DateTime64(3, 'UTC')}
ORDER BY open DESC, until DESC, finding_id"""
