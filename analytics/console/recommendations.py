"""Recommendations: the list, one of them, and what people decide on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import HTTPException, Query, Request, Response

from analytics import book, exemptions
from analytics.access.caller import may_decide
from analytics.console.paper import pages, show
from analytics.console.said import Form, back
from analytics.life import decide, netting
from analytics.life.events import (
    ACCEPTED,
    APPLIED,
    DISMISSED,
    NEXT,
    PROPOSED,
    SNOOZED,
    VERBS,
    Step,
)
from analytics.outcomes import calibrate
from analytics.routes.common import TheAudit, TheCaller, TheReader, TheService
from gpuledger.catalogue.verdict import STANDINGS
from gpuledger.errors import ConfigError, nearest
from gpuledger.schema import FOREVER

router = pages()

ALL = "all"


@router.get("/recommendations")
def page(
    request: Request,
    reader: TheReader,
    status: Annotated[str, Query(description="proposed, accepted, dismissed …")] = PROPOSED,
) -> Response:
    """Recommendations of one status, largest gain first; each GPU-hour counts once in the sum."""
    if status not in STANDINGS:
        raise ConfigError(f"status {status}: unknown{nearest(status, STANDINGS)}")
    rows = book.recommendations(reader, status=status, limit=book.ALL)
    standing = book.standing(reader)
    return show(
        request,
        "recommendations.html",
        rows=rows,
        status=status,
        statuses=[(name, standing.get(name, 0)) for name in STANDINGS],
        total=netting.total(rows),
        precision=calibrate.precision(reader),
        outcomes={o["recommendation_id"]: o for o in book.outcomes(reader, limit=book.ALL)},
    )


@router.get("/recommendations/{identifier}")
def one(request: Request, reader: TheReader, caller: TheCaller, identifier: str) -> Response:
    """One recommendation with finding, commands, life and outcome, and what one may decide."""
    row = book.recommendation(reader, identifier)
    steps = [s for s in NEXT[row["status"]] if s in VERBS] if may_decide(caller, row) else []
    # Said to be applied, a proposal was accepted too.
    if ACCEPTED in steps:
        steps.append(APPLIED)
    return show(
        request,
        "recommendation.html",
        row=row,
        steps=steps,
        theirs=row["team"] and not may_decide(caller, row),
    )


@router.post("/recommendations/{identifier}")
def take(
    request: Request,
    service: TheService,
    reader: TheReader,
    caller: TheCaller,
    audit: TheAudit,
    form: Form,
    identifier: str,
) -> Response:
    """Take the step of the form; to the recommendation, which says how it ended."""
    row = book.recommendation(reader, identifier)
    if not may_decide(caller, row):
        raise HTTPException(403, f"only team {row['team'] or 'none'} and operators decide on this")
    address = f"/recommendations/{row['recommendation_id']}"
    try:
        step = _step(form, caller.name, datetime.now(UTC))
        decide.decide(service.store, row["recommendation_id"], step)
    except ConfigError as e:
        return back(request, address, f"Nothing was changed: {e}.")
    audit.record(
        caller,
        f"recommendation.{VERBS[step.status]}",
        row["recommendation_id"],
        {"status": row["status"]},
        {"status": step.status, "reason": step.reason, "until": _until(step)},
        request,
    )
    return back(request, address, f"It is {step.status} now{_ends(step)}.")


def _step(form: Mapping[str, str], by: str, now: datetime) -> Step:
    """The step that a form asks for. ConfigError."""
    status, until = form.get("step", ""), form.get("until", "").strip()
    reason = form.get("reason", "").strip()
    ways: Mapping[str, Callable[[], Step]] = {
        ACCEPTED: lambda: Step(ACCEPTED, by, now),
        APPLIED: lambda: Step(APPLIED, by, now, reason),
        SNOOZED: lambda: Step(SNOOZED, by, now, until=exemptions.ends(until, now, "a snooze")),
        DISMISSED: lambda: Step(
            DISMISSED, by, now, reason, exemptions.ends(until, now, "a dismissal")
        ),
    }
    if status not in ways:
        raise ConfigError(f"there is no step '{status}'{nearest(status, ways)}")
    return ways[status]()


def _until(step: Step) -> str | None:
    return None if step.until >= FOREVER else f"{step.until:%Y-%m-%dT%H:%M:%SZ}"


def _ends(step: Step) -> str:
    return "" if step.until >= FOREVER else f" until {step.until:%Y-%m-%d %H:%M} UTC"
