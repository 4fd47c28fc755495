"""Remarks of team leads on a week, as they stand until its report is released."""

from __future__ import annotations

from datetime import datetime

from analytics.report.persons import persons
from analytics.report.value import LeadNote
from analytics.report.words import plain
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import ReportNote
from gpuledger.errors import ConfigError, Unknown, nearest
from gpuledger.service import Reader
from gpuledger.store import Store

# A remark, not an essay: page 1 must stay one page.
LONGEST = 600


def write(store: Store, week: str, team: str, text: str, by: str, now: datetime) -> None:
    """Let the team remark this on the week; an empty text takes the remark back.

    ConfigError for a team that nobody knows, and a text that is too long.
    """
    known = [row["team"] for row in store.select(_TEAMS)]
    if team not in known:
        raise Unknown(f"there is no team '{team}'{nearest(team, known)}")
    if len(text) > LONGEST:
        raise ConfigError(f"a remark has {LONGEST} characters at most; this one has {len(text)}")
    store.insert_rows(
        [ReportNote(week=week, team=team, note=text, by=by, at=now, version=to_milliseconds(now))]
    )


def of_week(reader: Reader, week: str) -> tuple[LeadNote, ...]:
    """The remarks on a week by team; persons, of whatever team, are taken out of them."""
    rows = reader.select(_NOTES, week=week)
    if not rows:
        return ()
    known = persons(reader)
    return tuple(LeadNote(plain(row["team"]), known.out_of(row["note"], LONGEST)) for row in rows)


_TEAMS = """
SELECT DISTINCT toString(team) AS team FROM teams FINAL WHERE team != ''
UNION DISTINCT SELECT DISTINCT toString(team) AS team FROM jobs WHERE team != ''
"""
_NOTES = """
SELECT toString(team) AS team, note FROM report_notes FINAL
WHERE week = {week:String} AND note != '' ORDER BY team
"""
