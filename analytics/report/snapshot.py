"""Frozen weeks: each step (draft, release, correction) is written once, with the numbers.

A step is a turn of its week (`gpuledger.turns`): of several who take it the first one wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from analytics.report import document
from analytics.report.value import Edition, LeadNote, WeeklyReport
from gpuledger import turns
from gpuledger.catalogue import ReportSnapshot
from gpuledger.errors import Conflict, Unknown
from gpuledger.identity import hash64
from gpuledger.service import Reader
from gpuledger.store import Store

DRAFT, RELEASED = "draft", "released"


@dataclass(frozen=True)
class Snapshot:
    """One frozen step of a week; `value` is the report as JSON, empty where it was not asked."""

    week: str
    step: int
    snapshot_id: int
    edition: int
    state: str
    corrects: str
    settled: bool
    by: str
    at: datetime
    form: int = document.FORM
    value: str = ""

    @property
    def name(self) -> str:
        """The id as people see it."""
        return f"{self.snapshot_id:016x}"

    @property
    def told(self) -> str:
        """`2026-W47 edition 1, released 2026-11-24 08:00 UTC by ada (snapshot 1a2b…)`."""
        return (
            f"{self.week} edition {self.edition}, {self.state} {self.at:%Y-%m-%d %H:%M} UTC"
            f" by {self.by} (snapshot {self.name})"
        )

    def report(self, notes: Sequence[LeadNote] = ()) -> WeeklyReport:
        """The numbers as they were frozen; a draft shows the remarks as they are now."""
        frozen = document.from_json(self.value, self.form)
        edition = Edition(self.name, self.edition, self.state, self.at, self.corrects)
        remarks = frozen.lead_notes if self.state == RELEASED else tuple(notes)
        return replace(frozen, edition=edition, lead_notes=remarks)


def steps(reader: Reader, week: str) -> list[Snapshot]:
    """What became of a week so far, without numbers. StoreError."""
    return [_snapshot(row) for row in reader.select(_STEPS, week=week)]


def latest(reader: Reader, week: str) -> Snapshot | None:
    """The last step, without numbers."""
    return next(reversed(steps(reader, week)), None)


def shown(reader: Reader, week: str, edition: int = 0) -> Snapshot | None:
    """What readers get, with numbers: the newest release, else the newest draft; or an edition.

    ConfigError where the week has no such edition.
    """
    taken = [s for s in steps(reader, week) if edition in {0, s.edition}]
    if not taken:
        if edition:
            raise Unknown(f"week {week} has no edition {edition}")
        return None
    released = [s for s in taken if s.state == RELEASED]
    return loaded(reader, (released or taken)[-1])


def released(reader: Reader, week: str) -> Snapshot | None:
    """A week's newest release, with numbers; None also where another version of us kept it."""
    taken = [s for s in steps(reader, week) if s.state == RELEASED]
    readable = taken and taken[-1].form == document.FORM
    return loaded(reader, taken[-1]) if readable else None


def newest(reader: Reader) -> Snapshot | None:
    """The release of the latest week that has one, with numbers. StoreError."""
    week = reader.value(_NEWEST)
    return shown(reader, week) if week else None


def loaded(reader: Reader, found: Snapshot) -> Snapshot:
    """The step with its numbers."""
    (row,) = reader.select(_VALUE, week=found.week, step=found.step)
    return replace(found, value=row["value"])


def take(
    store: Store,
    before: Snapshot | None,
    after: Snapshot,
    report: WeeklyReport,
) -> Snapshot:
    """Take the step after `before` with these numbers. ConfigError where another was first.

    The numbers are kept without edition; number, id and JSON of `after` are filled in.
    """
    value = document.to_json(replace(report, edition=None))
    digest = document.sha256(value)
    step = before.step + 1 if before else 1
    made = replace(
        after,
        step=step,
        snapshot_id=hash64(f"{after.week}/{after.edition}/{digest}"),
        value=value,
    )
    row = _row(made, report, digest)
    token = f"report/{made.week}/{step}"
    kept = turns.take(store, row, token, _KEPT, week=made.week, step=step)
    if kept["decision"] != row.decision:
        raise Conflict(
            f"week {made.week}: {kept['by']} was first, it is {kept['state']} since"
            f" {kept['at']:%Y-%m-%d %H:%M:%S} UTC"
        )
    return made


def _row(made: Snapshot, report: WeeklyReport, digest: str) -> ReportSnapshot:
    return ReportSnapshot(
        week=made.week,
        step=made.step,
        decision=turns.decision(),
        snapshot_id=made.snapshot_id,
        edition=made.edition,
        state=made.state,
        corrects=made.corrects,
        timezone=report.timezone,
        since=report.since,
        until=report.until,
        settled=int(made.settled),
        value=made.value,
        sha256=digest,
        form=document.FORM,
        by=made.by,
        at=made.at,
        version=turns.version(made.at),
    )


def _snapshot(row: Mapping[str, Any]) -> Snapshot:
    return Snapshot(**{**row, "settled": bool(row["settled"])})


_STEPS = """
SELECT toString(week) AS week, step, snapshot_id, edition, toString(state) AS state, corrects,
  settled, toString(by) AS by, at, form
FROM report_snapshots FINAL WHERE week = {week:String} ORDER BY step
"""
_NEWEST = "SELECT max(toString(week)) FROM report_snapshots WHERE state = 'released'"
_VALUE = """
SELECT value FROM report_snapshots FINAL WHERE week = {week:String} AND step = {step:UInt32}
"""
_KEPT = """
SELECT decision, toString(by) AS by, toString(state) AS state, at
FROM report_snapshots FINAL WHERE week = {week:String} AND step = {step:UInt32}
"""
