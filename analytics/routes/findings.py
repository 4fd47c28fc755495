"""What is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from analytics import book
from analytics.routes.answers import TheAsk, TheOne
from analytics.routes.described import (
    AT,
    COMMON,
    Answer,
    Kind,
    Pool,
    Since,
    Team,
    User,
    filters,
    listing,
    route_id,
    shown,
    single,
)
from analytics.routes.paging import NUMBER, Key
from analytics.routes.spans import since_now

router = APIRouter(
    prefix="/v1", tags=["findings"], responses=COMMON, generate_unique_id_function=route_id
)
KEYS = (Key("gpu_seconds", NUMBER, falls=True), Key("finding_id"))


class Finding(Answer):
    """What is wrong with one subject for some time."""

    finding_id: str = shown("5f2b8c1d9e3a7046", "16 hex digits")
    kind: str = shown("idle")
    subject: str | None = shown("c1/1042")
    user: str | None = shown("ada")
    team: str | None = shown("vision")
    pool: str | None = shown("h100")
    since: datetime | None = shown(AT)
    until: datetime | None = shown(AT)
    open: bool = shown(example=True)
    gpus: int = shown(8)
    gpu_seconds: float = shown(91200.0, "lost so far")
    capacity_value: float | None = shown(63.3)
    cash_avoidable: float | None = shown(4.2)
    currency: str | None = shown("EUR")
    grade: str | None = shown("A")
    cause: str | None = shown("notebook_left_open")
    owner: str | None = shown("job owner")
    action: str | None = shown("end the job, or let it end when idle")
    asks: str | None = shown(None, "a smaller request that would do, as JSON")
    confidence_ratio: float | None = shown(0.9)
    summary: str | None = shown("job 1042 of ada holds 8 GPUs and uses none since 08:00")
    evidence: str | None = shown("SELECT …", "query that shows the rows behind it")


@router.get("/findings", **listing(Finding, one=("get_finding", "finding_id")))
def get_findings(
    ask: TheAsk,
    open_only: Annotated[bool, Query(description="only what goes on")] = True,
    kind: Kind = "",
    team: Team = "",
    user: User = "",
    pool: Pool = "",
    since: Since = "",
) -> Response:
    """What is wrong, costliest first; `since`: what was seen from then on."""
    given = filters(kind=kind, team=team, user=user, pool=pool)
    where = ["open = 1"] if open_only else []
    if not since:
        return ask.table(Finding, book.FINDINGS, KEYS, given, *where)
    where.append("until >= {since:DateTime64(3, 'UTC')}")
    return ask.table(Finding, book.FINDINGS, KEYS, given, *where, since=since_now(since))


@router.get("/findings/{finding_id}", **single(Finding, 404))
def get_finding(ask: TheOne, finding_id: str) -> Response:
    """One finding by its id, or the beginning of it."""
    row = book.finding(ask.store, finding_id)
    return ask.one(lambda: {name: row[name] for name in Finding.model_fields})
