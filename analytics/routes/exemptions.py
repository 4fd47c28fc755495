"""Idleness that was agreed to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics import exemptions
from analytics.access.caller import may_decide, owns
from analytics.routes.answers import Ask, TheAsk, TheOne
from analytics.routes.common import TheAudit, TheCaller
from analytics.routes.described import (
    AT,
    COMMON,
    Answer,
    listing,
    route_id,
    shown,
    single,
)
from analytics.routes.paging import TIME, Key
from gpuledger.catalogue import Exemption as Kept

router = APIRouter(
    prefix="/v1", tags=["exemptions"], responses=COMMON, generate_unique_id_function=route_id
)
KEYS = (Key("valid_to", TIME), Key("subject"))


class Exemption(Answer):
    """A job or service that may idle, once the lead of the team that pays has agreed."""

    subject: str = shown("service/chat")
    kinds: str | None = shown("idle", "of findings; null = all")
    reason: str | None = shown("kept warm for the evening")
    owner: str | None = shown("ada")
    approved_by: str | None = shown("grace")
    valid_from: datetime = shown(AT)
    valid_to: datetime = shown(AT)
    state: str = shown("holds", "holds, waits for approval, or ended")


class Subject(BaseModel):
    """What an exemption is about."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, max_length=1000, examples=["service/chat"])


class Request(Subject):
    """What somebody asks for."""

    reason: str = Field(min_length=1, max_length=2000, examples=["kept warm for the evening"])
    until: str = Field(max_length=100, examples=["7d"], description="12h or 7d from now, or a date")
    kinds: list[Annotated[str, Field(max_length=100)]] = Field(
        [], max_length=50, examples=[["idle"]]
    )


@router.get("/exemptions", **listing(Exemption))
def get_exemptions(
    ask: TheAsk,
    everything: Annotated[bool, Query(description="also those that ended")] = False,
) -> Response:
    """Exemptions that hold or wait for approval, the next to end first."""
    now = datetime.now(UTC)
    return ask.held(
        Exemption, KEYS, lambda: exemptions.listed(ask.store, now, everything=everything)
    )


@router.post("/exemptions", **single(Exemption, 404))
def ask_exemption(ask: TheOne, caller: TheCaller, audit: TheAudit, said: Request) -> Response:
    """Ask for one; it counts once the lead of the team that pays approves it."""
    now = datetime.now(UTC)
    exemptions.team_of(ask.store, said.subject)
    until = exemptions.ends(said.until, now)
    wanted = exemptions.Request(said.subject, said.reason, until, caller.name, tuple(said.kinds))
    kept = exemptions.ask(ask.service.store, wanted, now)
    return _kept(ask, caller, audit, "ask", kept, now)


@router.post("/exemptions/approve", **single(Exemption, 404))
def approve_exemption(ask: TheOne, caller: TheCaller, audit: TheAudit, said: Subject) -> Response:
    """Agree to the latest request, as the lead of the team that pays."""
    now = datetime.now(UTC)
    _check(ask, caller, said.subject)
    kept = exemptions.approve(
        ask.service.store, said.subject, caller.name, now, proven=owns(caller)
    )
    return _kept(ask, caller, audit, "approve", kept, now)


@router.post("/exemptions/end", **single(Exemption, 404))
def end_exemption(ask: TheOne, caller: TheCaller, audit: TheAudit, said: Subject) -> Response:
    """End it now; the past stays as it was agreed."""
    now = datetime.now(UTC)
    _check(ask, caller, said.subject)
    kept = exemptions.end(ask.service.store, said.subject, now)
    return _kept(ask, caller, audit, "end", kept, now)


def _check(ask: Ask, caller: TheCaller, subject: str) -> None:
    """404 for a subject that the caller does not see, 403 for that of another team."""
    team = exemptions.team_of(ask.store, subject)
    if not may_decide(caller, {"team": team}):
        raise HTTPException(403, f"{caller.name} speaks for its own team alone")


def _kept(
    ask: Ask, caller: TheCaller, audit: TheAudit, verb: str, row: Kept, now: datetime
) -> Response:
    values: dict[str, Any] = row.values()
    told = {name: values[name] for name in Exemption.model_fields if name != "state"}
    told["state"] = exemptions.state_of(row, now)
    audit.record(caller, f"exemption.{verb}", row.subject, None, told, ask.request)
    return ask.one(lambda: told)
