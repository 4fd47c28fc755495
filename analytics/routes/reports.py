"""Weekly reports: which there are, each in every form, and their way to release."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics.access.caller import may_decide
from analytics.report import pdf, release, snapshot, teams, weeks
from analytics.report.release import Desk
from analytics.report.send import log
from analytics.report.send.papers import Papers
from analytics.report.snapshot import Snapshot
from analytics.routes.answers import Ask, TheAsk, TheOne
from analytics.routes.common import TheAudit, TheCaller
from analytics.routes.described import (
    AT,
    COMMON,
    Answer,
    WeekName,
    listing,
    problems,
    route_id,
    shown,
    single,
)
from analytics.routes.formats import JSON
from analytics.routes.paging import WHOLE, Key

router = APIRouter(
    prefix="/v1", tags=["reports"], responses=COMMON, generate_unique_id_function=route_id
)
KEYS = (Key("week", falls=True),)
STEP_KEYS = (Key("step", WHOLE),)
HTML, MARKDOWN, PDF = "text/html", "text/markdown", "application/pdf"
FORMS = (JSON, HTML, MARKDOWN, PDF)
# The pages are our own, with inline style and no script.
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Week(Answer):
    """The last step of a week's report."""

    week: str = shown("2026-W47")
    step: int = shown(2)
    edition: int = shown(1)
    state: str = shown("released")
    snapshot_id: str = shown("5f2b8c1d9e3a7046", "16 hex digits")
    settled: bool = shown(example=True)
    corrects: str | None = shown(None, "why, where it is a correction")
    by: str | None = shown("grace")
    at: datetime = shown(AT)


class Delivery(Answer):
    """Who got it."""

    edition: int = shown(1)
    what: str = shown("report")
    channel: str = shown("mail")
    target: str | None = shown("management@example.org")
    state: str = shown("sent")
    tries: int = shown(1)
    reason: str | None = shown(None)
    at: datetime = shown(AT)


class Course(Answer):
    """What became of a week's report."""

    week: str = shown("2026-W47")
    steps: list[Week]
    deliveries: list[Delivery]


class Note(Answer):
    """A remark as it was kept."""

    week: str = shown("2026-W47")
    team: str = shown("vision")
    text: str | None = shown("the evaluation of last week is why")


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DraftRequest(_Said):
    """Why, where it corrects a released report."""

    reason: str = Field("", max_length=2000, examples=["late data of one node came in"])


class ReleaseRequest(_Said):
    """How it is released."""

    early: bool = Field(
        default=False, examples=[False], description="while late data may still change it"
    )


class NoteRequest(_Said):
    """A remark of a team's lead; an empty one takes it back."""

    team: str = Field(min_length=1, max_length=1000, examples=["vision"])
    text: str = Field(max_length=2000, examples=["the evaluation of last week is why"])


_WEEKS = """
SELECT toString(r.week) AS week, r.step AS step, r.edition AS edition, toString(r.state) AS state,
  leftPad(lower(hex(r.snapshot_id)), 16, '0') AS snapshot_id, CAST(r.settled, 'Bool') AS settled,
  r.corrects AS corrects, toString(r.by) AS by, r.at AS at
FROM report_snapshots AS r FINAL
"""
_FORMS: dict[str, Any] = {
    "response_model": dict[str, Any],
    "responses": {
        200: {
            "content": {
                JSON: {"example": {"week": "2026-W47"}},
                HTML: {"schema": {"type": "string"}},
                MARKDOWN: {"schema": {"type": "string"}},
                PDF: {"schema": {"type": "string", "format": "binary"}},
            }
        },
        304: {"description": "as If-None-Match has it"},
        **problems(404),
    },
}


@router.get("/reports", **listing(Week, one=("get_report", "week")))
def get_reports(ask: TheAsk) -> Response:
    """Weeks that have a draft or a released report, the latest first."""
    return ask.table(Week, f"SELECT * FROM ({_WEEKS}) ORDER BY step DESC LIMIT 1 BY week", KEYS, {})


@router.get("/reports/{week}", **_FORMS)
def get_report(
    ask: TheOne,
    week: WeekName,
    edition: Annotated[int, Query(ge=0, le=1_000_000, description="this one; 0 = the newest")] = 0,
    live: Annotated[
        bool, Query(description="the book as it is now, also where it is frozen")
    ] = False,
) -> Response:
    """A week as JSON, HTML, Markdown or PDF: frozen where it is, else as the book is now."""
    desk = _desk(ask)
    weeks.bounds(week, desk.zone)
    steps = [s.name + s.state for s in snapshot.steps(ask.store, week)]
    return _in_form(
        ask,
        steps,
        lambda: Papers(release.report(ask.store, desk, week, edition=edition, live=live)),
    )


@router.get("/reports/{week}/status", **single(Course))
def get_report_status(ask: TheOne, week: WeekName) -> Response:
    """Drafts, releases, corrections and deliveries of a week."""
    weeks.bounds(week)
    return ask.one(
        lambda: {
            "week": week,
            "steps": [_step(s) for s in snapshot.steps(ask.store, week)],
            "deliveries": log.listed(ask.store, week),
        }
    )


@router.get("/reports/{week}/teams/{team:path}", **_FORMS)
def get_team_report(ask: TheOne, caller: TheCaller, week: WeekName, team: str) -> Response:
    """One team's part of a week, for its lead; it names users."""
    if caller.teams and team not in caller.teams:
        raise HTTPException(404, f"no team '{team}' held a GPU in this period")
    desk = _desk(ask)
    bounds = weeks.bounds(week, desk.zone)
    return _in_form(ask, [], lambda: Papers(teams.collect(ask.store, team, *bounds, desk.zone)))


@router.post("/reports/{week}/draft", **single(Week, 404, 409))
def draft_report(
    ask: TheOne, caller: TheCaller, audit: TheAudit, week: WeekName, said: DraftRequest
) -> Response:
    """Freeze a week's numbers for its leads to annotate; again, it takes the newest numbers."""
    weeks.bounds(week)
    now = datetime.now(UTC)
    made = release.draft(ask.service.store, _desk(ask), week, caller.name, now, said.reason)
    return _taken(ask, caller, audit, "draft", made)


@router.post("/reports/{week}/release", **single(Week, 404, 409))
def release_report(
    ask: TheOne, caller: TheCaller, audit: TheAudit, week: WeekName, said: ReleaseRequest
) -> Response:
    """Release a draft: from then on a week's report does not change, and may be sent."""
    weeks.bounds(week)
    now = datetime.now(UTC)
    store, desk = ask.service.store, _desk(ask)
    made = release.release(store, desk, week, caller.name, now, early=said.early)
    return _taken(ask, caller, audit, "release", made)


@router.post("/reports/{week}/notes", **single(Note, 404, 409))
def annotate_report(
    ask: TheOne, caller: TheCaller, audit: TheAudit, week: WeekName, said: NoteRequest
) -> Response:
    """Remark on a week, as the lead of a team; the last remark holds."""
    weeks.bounds(week)
    if not may_decide(caller, {"team": said.team}):
        raise HTTPException(403, f"{caller.name} speaks for its own team alone")
    now = datetime.now(UTC)
    release.annotate(ask.service.store, week, said.team, said.text, caller.name, now)
    kept = {"week": week, "team": said.team, "text": said.text}
    audit.record(caller, "report.note", week, None, kept, ask.request)
    return ask.one(lambda: kept)


def _desk(ask: Ask) -> Desk:
    return Desk.of(ask.service.configuration)


def _in_form(ask: Ask, steps: list[str], papers: Callable[[], Papers]) -> Response:
    """The report in the form that Accept asks for; 304 where nothing of it has changed."""
    media, headers = ask.begun(FORMS, ("booked_hours", "report_notes"), steps)
    if ask.knows(headers):
        return Response(status_code=304, headers=headers)
    made = papers()
    if media == PDF:
        return Response(pdf.render_pdf(made.html), 200, headers, PDF)
    if media == HTML:
        headers["Content-Security-Policy"] = CSP
    text = {JSON: "json", HTML: "html", MARKDOWN: "markdown"}[media]
    return Response(getattr(made, text).encode(), 200, headers, media)


def _step(made: Snapshot) -> dict[str, Any]:
    values = {name: getattr(made, name) for name in Week.model_fields if name != "snapshot_id"}
    told = {**values, "snapshot_id": made.name, "corrects": made.corrects or None}
    return {name: told[name] for name in Week.model_fields}


def _taken(ask: Ask, caller: TheCaller, audit: TheAudit, verb: str, made: Snapshot) -> Response:
    told = _step(made)
    audit.record(caller, f"report.{verb}", made.week, None, told, ask.request)
    return ask.one(lambda: told)
