"""Weekly reports: which weeks there are, one to read, remarks of leads, draft and release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from analytics import book
from analytics.access.caller import Caller, may_decide
from analytics.console.paper import HEADERS, pages, show
from analytics.console.said import Form, back
from analytics.report import release, remarks, snapshot, teams, weeks
from analytics.report.release import Desk
from analytics.report.render import render_html
from analytics.report.send.papers import Papers
from analytics.routes.common import TheAudit, TheCaller, TheReader, TheService
from gpuledger.errors import ConfigError
from gpuledger.service import Reader

router = pages()

MOST_WEEKS = 26
# The report is one file for mail and print too: its styles are in it. It has no script.
CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/reports")
def page(request: Request, service: TheService) -> Response:
    """The weeks that are booked, the newest first, and where the report of each stands."""
    # When a week was released is no secret; what it says is read through the caller's own store.
    reader, desk = service.boards, Desk.of(service.configuration)
    listed = [{"week": w, **_standing(reader, desk, w)} for w in _weeks(reader, desk)]
    return show(request, "reports.html", weeks=listed)


def _weeks(reader: Reader, desk: Desk) -> Iterator[str]:
    """Weeks of which something is booked."""
    first, last = book.booked_from(reader), book.last_booked(reader)
    if first is None or last is None:
        return
    week = weeks.of(last, desk.zone)
    for _ in range(MOST_WEEKS):
        since, until = weeks.bounds(week, desk.zone)
        if until <= first:
            return
        # The last booked minute may be the first of a week of which nothing is booked.
        if since < last:
            yield week
        week = weeks.before(week, desk.zone)


def _standing(reader: Reader, desk: Desk, week: str) -> dict[str, Any]:
    since, until = weeks.bounds(week, desk.zone)
    return {
        "since": since,
        "until": until,
        "step": snapshot.latest(reader, week),
        "over": desk.is_over(reader, week),
        "settled": desk.is_settled(reader, week),
    }


@router.get("/reports/{week}")
def one(
    request: Request, service: TheService, reader: TheReader, caller: TheCaller, week: str
) -> Response:
    """One week: where its report stands, what leads remark, and what one may do with it."""
    desk = Desk.of(service.configuration)
    standing = _standing(service.boards, desk, week)
    since, until = standing["since"], standing["until"]
    named = teams.named(reader, since, until)
    return show(
        request,
        "report.html",
        week=week,
        **standing,
        settles=desk.settles(week),
        steps=[] if caller.teams else snapshot.steps(reader, week),
        remarks=remarks.of_week(reader, week),
        teams=[t for t in named if not caller.teams or t in caller.teams],
        mine=[t for t in named if may_decide(caller, {"team": t})],
        draft=snapshot.DRAFT,
        released=snapshot.RELEASED,
    )


@router.get("/reports/{week}/read")
def read(service: TheService, reader: TheReader, week: str) -> Response:
    """The report of a week, as it was released or as the book is now."""
    report = release.report(reader, Desk.of(service.configuration), week)
    return _document(render_html(report))


@router.get("/reports/{week}/team")
def team_page(
    service: TheService,
    reader: TheReader,
    caller: TheCaller,
    week: str,
    team: Annotated[str, Query(description="whose part")],
) -> Response:
    """One team's part of a week."""
    if caller.teams and team not in caller.teams:
        raise HTTPException(403, f"team {team} is not yours")
    zone = Desk.of(service.configuration).zone
    return _document(Papers(teams.collect(reader, team, *weeks.bounds(week, zone), zone)).html)


@router.get("/weekly-report.html")
def weekly_report(service: TheService, reader: TheReader) -> Response:
    """The report that was written when the service started, else the one released last."""
    html = service.report_html
    if not html and (released := snapshot.newest(reader)):
        html = render_html(released.report())
    if not html:
        raise HTTPException(404, "no report was written yet: gpuledger report weekly --out FILE")
    return _document(html)


def _document(html: str) -> Response:
    return HTMLResponse(html, headers={**HEADERS, "Content-Security-Policy": CSP})


@router.post("/reports/{week}/remark")
def remark(
    request: Request,
    service: TheService,
    caller: TheCaller,
    audit: TheAudit,
    form: Form,
    week: str,
) -> Response:
    """Keep a lead's remark; an empty one takes it back."""
    team, text = form.get("team", ""), form.get("text", "").strip()
    if not may_decide(caller, {"team": team}):
        raise HTTPException(403, f"only the lead of team {team or 'none'} remarks for it")

    def take(now: datetime) -> str:
        release.annotate(service.store, week, team, text, caller.name, now)
        return "The remark is kept." if text else "The remark is taken back."

    return _done(request, week, take, lambda: _note(audit, caller, week, team, text, request))


def _note(
    audit: TheAudit, caller: Caller, week: str, team: str, text: str, request: Request
) -> None:
    audit.record(caller, "report.note", week, None, {"team": team, "note": text}, request)


@router.post("/reports/{week}/draft")
def draft(
    request: Request,
    service: TheService,
    caller: TheCaller,
    audit: TheAudit,
    form: Form,
    week: str,
) -> Response:
    """Freeze the numbers as a draft; of a released week as a correction, with its reason."""
    desk, reason = Desk.of(service.configuration), form.get("reason", "")

    def take(now: datetime) -> str:
        return f"{release.draft(service.store, desk, week, caller.name, now, reason).told}."

    def note() -> None:
        audit.record(caller, "report.draft", week, None, {"reason": reason}, request)

    return _done(request, week, take, note)


@router.post("/reports/{week}/release")
def release_(
    request: Request,
    service: TheService,
    caller: TheCaller,
    audit: TheAudit,
    form: Form,
    week: str,
) -> Response:
    """Release the draft with the remarks as they are."""
    desk, early = Desk.of(service.configuration), _is_set(form, "early")

    def take(now: datetime) -> str:
        return f"{release.release(service.store, desk, week, caller.name, now, early=early).told}."

    def note() -> None:
        audit.record(caller, "report.release", week, None, {"early": early}, request)

    return _done(request, week, take, note)


def _is_set(form: Mapping[str, str], name: str) -> bool:
    return form.get(name, "") == "yes"


def _done(
    request: Request, week: str, take: Callable[[datetime], str], note: Callable[[], None]
) -> Response:
    """To the week, which says what became of it; what was done is written down."""
    address = f"/reports/{week}"
    try:
        message = take(datetime.now(UTC))
    except ConfigError as e:
        return back(request, address, f"Nothing was changed: {e}.")
    note()
    return back(request, address, message)
