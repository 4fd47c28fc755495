"""Where alerts stand, which rules there are, and what was told to whom."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import Field

from analytics.routes.answers import Ask, TheAsk
from analytics.routes.described import (
    AT,
    COMMON,
    LONGEST_NAME,
    Answer,
    Since,
    State,
    Until,
    filters,
    listing,
    problems,
    route_id,
    shown,
)
from analytics.routes.paging import TIME, WHOLE, Key
from analytics.routes.spans import span_now, within
from analytics.service import Alerts

router = APIRouter(
    prefix="/v1", tags=["alerts"], responses=COMMON, generate_unique_id_function=route_id
)
RULE_KEYS = (Key("rule"),)
KEYS = (Key("place", WHOLE),)
TOLD_KEYS = (
    Key("ts", TIME, falls=True),
    *(Key("rule"), Key("subject"), Key("channel"), Key("receiver"), Key("state")),
)

RuleName = Annotated[str, Query(max_length=LONGEST_NAME, description="of that rule alone")]


class Alert(Answer):
    """An alert as it stands."""

    rule: str = shown("idle_gpus")
    subject: str | None = shown("c1/1042")
    state: str = shown("firing")
    severity: str | None = shown("warning")
    owner: str | None = shown("user")
    since: datetime | None = shown(AT, "the condition is true since")
    fired: datetime | None = shown(AT)
    resolved: datetime | None = shown(None)
    value: float | None = shown(6.5)
    gpus: float | None = shown(8.0, "lost while it lasts")
    cost_per_hour: float | None = shown(20.0)
    currency: str | None = shown("EUR")
    told: str | None = shown("mail to ada: accepted", "what became of telling it last")
    summary: str | None = shown("8 GPUs of ada idle for 6 hours")


class AlertRule(Answer):
    """What a rule says, and who hears of it."""

    rule: str = shown("idle_gpus")
    severity: str = shown("warning")
    holds_from: str = shown("1 GPU")
    for_: str = Field(alias="for", examples=["6 min"])
    told: str = shown("daily")
    hears: str = shown("the user, else the team, else mail")
    measure: str | None = shown("idle_gpus")
    help: str | None = shown("GPUs that are held and do nothing")


class Notification(Answer):
    """One message, and what became of it."""

    ts: datetime = shown(AT)
    rule: str = shown("idle_gpus")
    subject: str | None = shown("c1/1042")
    state: str = shown("firing")
    channel: str | None = shown("mail")
    receiver: str | None = shown("team vision")
    outcome: str | None = shown("accepted")


@router.get("/alerts", **listing(Alert, problems(404)))
def get_alerts(
    ask: TheAsk,
    rule: RuleName = "",
    state: State = "",
    resolved: Annotated[bool, Query(description="also what is over")] = False,
) -> Response:
    """Alerts that are pending or firing, worst first."""

    def rows() -> list[dict[str, Any]]:
        found = _known(ask).status(ask.store, rule=rule, resolved=resolved)
        kept = [r for r in found if state in {"", r["state"]}]
        return [{**r, "place": place} for place, r in enumerate(kept)]

    return ask.held(Alert, KEYS, rows)


@router.get("/alerts/rules", **listing(AlertRule, problems(404)))
def get_alert_rules(ask: TheAsk) -> Response:
    """Every rule: from when on it holds, how long it must, who hears of it and when."""
    return ask.held(AlertRule, RULE_KEYS, lambda: _known(ask).rules())


@router.get("/alerts/notifications", **listing(Notification))
def get_notifications(
    ask: TheAsk, rule: RuleName = "", state: State = "", since: Since = "7d", until: Until = ""
) -> Response:
    """What was told to whom, the latest first."""
    span = span_now(since, until)
    given = filters(rule=rule, state=state)
    return ask.table(
        Notification,
        f"SELECT * FROM v_notifications WHERE {within('ts')}",
        TOLD_KEYS,
        given,
        since=span.since,
        until=span.until,
    )


def _known(ask: Ask) -> Alerts:
    """HTTPException 404 for a service that runs without the part of alerts."""
    if ask.service.alerts is None:
        raise HTTPException(404, "this service knows no alerts")
    return ask.service.alerts
