"""What to do, what people decide on it, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics import book, exemptions
from analytics.access.caller import may_decide
from analytics.life import decide
from analytics.life.events import ACCEPTED, APPLIED, DISMISSED, SNOOZED, VERBS, Step
from analytics.routes.answers import Ask, TheAsk, TheOne
from analytics.routes.common import TheAudit, TheCaller
from analytics.routes.described import (
    AT,
    COMMON,
    Answer,
    Kind,
    Team,
    User,
    filters,
    listing,
    route_id,
    shown,
    single,
)
from analytics.routes.findings import Finding
from analytics.routes.paging import NUMBER, TIME, Key
from gpuledger.catalogue.verdict import STANDINGS
from gpuledger.errors import ConfigError, nearest
from gpuledger.schema import FOREVER

router = APIRouter(
    prefix="/v1", tags=["recommendations"], responses=COMMON, generate_unique_id_function=route_id
)
# A null gain is one that nobody knows: it comes last.
KEYS = (Key("gain", NUMBER, falls=True), Key("recommendation_id"))
OUTCOME_KEYS = (Key("measured", TIME, falls=True), Key("recommendation_id"))


class Recommendation(Answer):
    """Advice: printed for people, never carried out."""

    recommendation_id: str = shown("9c1f07d2aa54e3b8", "16 hex digits")
    finding_id: str | None = shown("5f2b8c1d9e3a7046")
    kind: str = shown("reclaim")
    subject: str | None = shown("c1/1042")
    user: str | None = shown("ada")
    team: str | None = shown("vision")
    status: str = shown("proposed")
    title: str | None = shown("end job 1042 of ada: 8 GPUs idle since 08:00")
    command: str | None = shown("scancel 1042", "what a person would run")
    undo: str | None = shown(None)
    about: str | None = shown(None)
    resources: str | None = shown('{"c1/1042": 192.0}')
    gain_gpu_hours: float | None = shown(192.0)
    gain_capacity_value: float | None = shown(480.0)
    gain_cash_avoidable: float | None = shown(31.0)
    gain_low_gpu_hours: float | None = shown(120.0)
    gain_high_gpu_hours: float | None = shown(192.0)
    gain_wait_seconds: float | None = shown(None)
    gain_wait_low_seconds: float | None = shown(None)
    gain_wait_high_seconds: float | None = shown(None)
    calibration_ratio: float | None = shown(None)
    currency: str | None = shown("EUR")
    horizon_seconds: int = shown(86400)
    confidence_ratio: float | None = shown(0.9)
    because: str | None = shown("it used nothing for 6 hours")
    created: datetime | None = shown(AT)
    net_gain_gpu_hours: float | None = shown(192.0, "what it adds to those with larger gains")


class LifeStep(Answer):
    """One step of a recommendation's life."""

    status: str = shown("accepted")
    by: str | None = shown("grace")
    reason: str | None = shown(None)
    at: datetime | None = shown(AT)
    until: datetime | None = shown(None)


class Outcome(Answer):
    """What advice that was carried out won, against what it promised."""

    recommendation_id: str = shown("9c1f07d2aa54e3b8")
    kind: str = shown("reclaim")
    subject: str | None = shown("c1/1042")
    team: str | None = shown("vision")
    status: str = shown("measured")
    reason: str | None = shown(None, "why it could not be measured")
    method: str | None = shown("difference in differences")
    predicted_gpu_hours: float | None = shown(192.0)
    predicted_low_gpu_hours: float | None = shown(120.0)
    predicted_high_gpu_hours: float | None = shown(192.0)
    calibration_ratio: float | None = shown(1.0)
    measured_gpu_hours: float | None = shown(171.0)
    low_gpu_hours: float | None = shown(150.0)
    high_gpu_hours: float | None = shown(190.0)
    treated_before: int = shown(24)
    treated_after: int = shown(24)
    matched_before: int = shown(240)
    matched_after: int = shown(240)
    accepted: datetime | None = shown(AT)
    applied: datetime | None = shown(AT)
    measured: datetime | None = shown(AT)


class WholeRecommendation(Recommendation):
    """One recommendation with its finding, its life and its outcome."""

    finding: Finding | None = shown(None)
    life: list[LifeStep]
    outcome: Outcome | None = shown(None)


class Decision(Answer):
    """A decision as it was kept."""

    recommendation_id: str = shown("9c1f07d2aa54e3b8")
    title: str | None = shown("end job 1042 of ada: 8 GPUs idle since 08:00")
    status: str = shown("accepted")
    by: str = shown("grace")
    at: datetime = shown(AT)
    reason: str | None = shown(None)
    until: datetime | None = shown(None)


class _Said(BaseModel):
    """What comes with a decision."""

    model_config = ConfigDict(extra="forbid")


class Reason(_Said):
    """Why."""

    reason: str = Field("", max_length=2000, examples=["it runs an evaluation every night"])


class End(_Said):
    """Until when."""

    until: str = Field(max_length=100, examples=["7d"], description="12h or 7d from now, or a date")


class ReasonAndEnd(End):
    """Why, and until when."""

    reason: str = Field(max_length=2000, examples=["it runs an evaluation every night"])


@router.get(
    "/recommendations", **listing(Recommendation, one=("get_recommendation", "recommendation_id"))
)
def get_recommendations(
    ask: TheAsk,
    status: Annotated[
        str, Query(max_length=100, json_schema_extra={"enum": [*STANDINGS]})
    ] = "proposed",
    kind: Kind = "",
    team: Team = "",
    user: User = "",
) -> Response:
    """What to do, largest gain first; each GPU-hour counts once in the net gains."""
    if status not in STANDINGS:
        raise ConfigError(f"status {status}: there is none{nearest(status, STANDINGS)}")
    given = filters(kind=kind, team=team, user=user)

    def rows() -> list[dict[str, Any]]:
        found = book.recommendations(ask.store, status=status, limit=book.ALL)
        kept = [r for r in found if all(r[name] == value for name, value in given.items())]
        return [{**r, "gain": r["gain_gpu_hours"] or 0.0} for r in kept]

    return ask.held(Recommendation, KEYS, rows)


@router.get("/recommendations/{recommendation_id}", **single(WholeRecommendation, 404))
def get_recommendation(ask: TheOne, recommendation_id: str) -> Response:
    """One recommendation by its id, or the beginning of it, with finding, life and outcome."""
    row = book.recommendation(ask.store, recommendation_id)
    found = {name: row[name] for name in WholeRecommendation.model_fields}
    for name, model in (("finding", Finding), ("outcome", Outcome)):
        if found[name]:
            found[name] = {n: found[name][n] for n in model.model_fields}
    return ask.one(lambda: found)


@router.get("/outcomes", **listing(Outcome))
def get_outcomes(ask: TheAsk, team: Team = "", kind: Kind = "") -> Response:
    """What became of advice that was carried out, the latest first."""
    given = filters(team=team, kind=kind)
    return ask.table(Outcome, book.OUTCOMES, OUTCOME_KEYS, given)


@router.post("/recommendations/{recommendation_id}/accept", **single(Decision, 404, 409))
def accept_recommendation(
    ask: TheOne, caller: TheCaller, audit: TheAudit, recommendation_id: str
) -> Response:
    """Agree: its gain is kept as promised, and measured once it is carried out."""
    step = Step(ACCEPTED, caller.name, datetime.now(UTC))
    return _decided(ask, caller, audit, recommendation_id, step)


@router.post("/recommendations/{recommendation_id}/applied", **single(Decision, 404, 409))
def apply_recommendation(
    ask: TheOne, caller: TheCaller, audit: TheAudit, recommendation_id: str, said: Reason
) -> Response:
    """Say that it was carried out, where telemetry and allocations do not show it."""
    step = Step(APPLIED, caller.name, datetime.now(UTC), said.reason.strip())
    return _decided(ask, caller, audit, recommendation_id, step)


@router.post("/recommendations/{recommendation_id}/dismiss", **single(Decision, 404, 409))
def dismiss_recommendation(
    ask: TheOne, caller: TheCaller, audit: TheAudit, recommendation_id: str, said: ReasonAndEnd
) -> Response:
    """Decline such advice on the same subject, for a reason and a time."""
    now = datetime.now(UTC)
    ends = exemptions.ends(said.until, now, "a dismissal")
    step = Step(DISMISSED, caller.name, now, said.reason.strip(), ends)
    return _decided(ask, caller, audit, recommendation_id, step)


@router.post("/recommendations/{recommendation_id}/snooze", **single(Decision, 404, 409))
def snooze_recommendation(
    ask: TheOne, caller: TheCaller, audit: TheAudit, recommendation_id: str, said: End
) -> Response:
    """Hide it for a time."""
    now = datetime.now(UTC)
    step = Step(SNOOZED, caller.name, now, until=exemptions.ends(said.until, now, "a snooze"))
    return _decided(ask, caller, audit, recommendation_id, step)


def _decided(ask: Ask, caller: TheCaller, audit: TheAudit, beginning: str, step: Step) -> Response:
    """Decide on what the caller sees, and write down who did."""
    before = book.recommendation(ask.store, beginning)
    if not may_decide(caller, before):
        raise HTTPException(403, f"{caller.name} decides on its own team's advice alone")
    made = decide.decide(ask.service.store, before["recommendation_id"], step)
    kept = {
        "recommendation_id": before["recommendation_id"],
        "title": made.title,
        "status": made.step.status,
        "by": made.step.by,
        "at": made.step.at,
        "reason": made.step.reason or None,
        "until": None if made.step.until >= FOREVER else made.step.until,
    }
    standing = {"status": before["status"]}
    subject = before["recommendation_id"]
    audit.record(
        caller, f"recommendation.{VERBS[step.status]}", subject, standing, kept, ask.request
    )
    return ask.one(lambda: kept)
