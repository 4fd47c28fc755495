"""Exemptions: idleness that was agreed to; anybody asks, the lead of the paying team approves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import HTTPException, Query, Request, Response

from analytics import exemptions
from analytics.access.caller import Caller, Role, may_decide, owns
from analytics.console.paper import pages, show
from analytics.console.said import Form, back
from analytics.exemptions import Request as Asked
from analytics.routes.common import TheAudit, TheCaller, TheReader, TheService
from gpuledger.errors import ConfigError
from gpuledger.service import Reader

router = pages()

ADDRESS = "/exemptions"


@router.get(ADDRESS)
def page(
    request: Request,
    service: TheService,
    reader: TheReader,
    caller: TheCaller,
    subject: Annotated[str, Query(description="the job or service to ask for")] = "",
    everything: Annotated[bool, Query(description="also those that ended")] = False,
) -> Response:
    """Exemptions that hold or wait, the next to end first, and a form to ask for one."""
    rows = exemptions.listed(reader, datetime.now(UTC), everything=everything)
    told = [
        {
            **r,
            "decides": _decides(reader, caller, r["subject"]),
            "approves": _leads(service.boards, caller, r["subject"]),
        }
        for r in rows
    ]
    return show(request, "exemptions.html", rows=told, subject=subject, everything=everything)


@router.post(ADDRESS)
def ask(
    request: Request,
    service: TheService,
    reader: TheReader,
    caller: TheCaller,
    audit: TheAudit,
    form: Form,
) -> Response:
    """Write a request down; it counts once it is approved."""
    now = datetime.now(UTC)
    try:
        subject = form.get("subject", "").strip()
        # Through the caller's own rows: who cannot see a job asks nothing for it.
        exemptions.team_of(reader, subject)
        until = exemptions.ends(form.get("until", "").strip(), now)
        row = exemptions.ask(
            service.store, Asked(subject, form.get("reason", ""), until, caller.name), now
        )
    except ConfigError as e:
        return back(request, ADDRESS, f"Nothing was asked for: {e}.")
    after = {"reason": row.reason, "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    audit.record(caller, "exemption.ask", subject, None, after, request)
    return back(request, ADDRESS, f"{subject}: asked for; the lead of its team approves it.")


@router.post("/exemptions/decide")
def decide(
    request: Request,
    service: TheService,
    reader: TheReader,
    caller: TheCaller,
    audit: TheAudit,
    form: Form,
) -> Response:
    """Approve a request, or end what holds."""
    subject, step, now = form.get("subject", ""), form.get("step", ""), datetime.now(UTC)
    if not _decides(reader, caller, subject):
        raise HTTPException(403, "the lead of the team that pays decides on an exemption")
    try:
        if step == "approve":
            exemptions.approve(service.store, subject, caller.name, now, proven=owns(caller))
        elif step == "end":
            exemptions.end(service.store, subject, now)
        else:
            raise ConfigError(f"there is no step '{step}'")
    except ConfigError as e:
        return back(request, ADDRESS, f"Nothing was changed: {e}.")
    audit.record(caller, f"exemption.{step}", subject, None, {"by": caller.name}, request)
    done = "approved" if step == "approve" else "ended"
    return back(request, ADDRESS, f"{subject}: {done}.")


def _decides(reader: Reader, caller: Caller, subject: str) -> bool:
    """Whether the caller may approve or end it; never what it cannot see."""
    if not caller.has(Role.TEAM_OWNER):
        return False
    try:
        team = exemptions.team_of(reader, subject)
    except ConfigError:
        return False
    return may_decide(caller, {"team": team})


def _leads(reader: Reader, caller: Caller, subject: str) -> bool:
    """Whether the caller leads the team that pays: nobody else approves."""
    try:
        team = exemptions.team_of(reader, subject)
    except ConfigError:
        return False
    if owns(caller):
        return may_decide(caller, {"team": team})
    return caller.name in exemptions.leads_of(reader, team, datetime.now(UTC))
