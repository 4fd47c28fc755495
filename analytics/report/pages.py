"""Pages of teams, frozen with the draft: what a lead got is what a lead gets again.

A page belongs to the draft of its edition, and the first that is written holds
(`gpuledger.turns`). Where a draft had no time for all of them, a page is frozen when it is first
asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, tzinfo

from analytics.report import document, remarks, teams, weeks
from analytics.report.snapshot import DRAFT, Snapshot
from analytics.report.teams import TeamReport
from gpuledger import turns
from gpuledger.catalogue import ReportPage
from gpuledger.service import Reader
from gpuledger.store import Store

# What pages may take of the tick that drafts: alerts of the next one must not wait.
BUDGET_S = 20.0


def freeze(
    store: Store,
    frozen: Snapshot,
    zone: tzinfo,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Freeze the pages of a draft's teams; how many there was time for. StoreError."""
    ends, done = clock() + BUDGET_S, 0
    for team in teams.named(store, *weeks.bounds(frozen.week, zone)):
        if clock() > ends:
            break
        _freeze(store, frozen, team, zone, frozen.at)
        done += 1
    return done


def page(store: Store, frozen: Snapshot, team: str, zone: tzinfo, now: datetime) -> TeamReport:
    """The team's page of that edition, frozen now where it was not. ConfigError, StoreError."""
    return kept(store, frozen, team) or _freeze(store, frozen, team, zone, now)


def kept(reader: Reader, frozen: Snapshot, team: str) -> TeamReport | None:
    """The team's page as it was frozen with the draft of that edition; None where it was not."""
    rows = reader.select(_KEPT, week=frozen.week, step=_drafted(frozen), team=team)
    return document.page_from_json(rows[0]["value"], rows[0]["form"]) if rows else None


def shown(reader: Reader, frozen: Snapshot, team: str) -> TeamReport | None:
    """The frozen page with the lead's remark as it is now; None where it was not frozen."""
    found = kept(reader, frozen, team)
    if found is None:
        return None
    notes = (n.text for n in remarks.of_week(reader, frozen.week) if n.team == team)
    return replace(found, note="".join(notes))


def _freeze(store: Store, frozen: Snapshot, team: str, zone: tzinfo, now: datetime) -> TeamReport:
    made = teams.collect(store, team, *weeks.bounds(frozen.week, zone), zone)
    step = _drafted(frozen)
    row = ReportPage(
        week=frozen.week,
        step=step,
        team=team,
        decision=turns.decision(),
        value=document.to_json(made),
        form=document.FORM,
        at=now,
        version=turns.version(now),
    )
    token = f"report-page/{frozen.week}/{step}/{team}"
    held = turns.take(store, row, token, _KEPT, week=frozen.week, step=step, team=team)
    return document.page_from_json(held["value"], held["form"])


def _drafted(frozen: Snapshot) -> int:
    """The step of the draft: a release follows it at once."""
    return frozen.step if frozen.state == DRAFT else frozen.step - 1


_KEPT = """
SELECT value, form FROM report_pages FINAL
WHERE week = {week:String} AND step = {step:UInt32} AND team = {team:String}
"""
