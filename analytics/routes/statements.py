"""What people stated: quotas, teams, prices."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from analytics.money import costs
from analytics.routes.answers import TheAsk
from analytics.routes.described import (
    AT,
    COMMON,
    Answer,
    Cluster,
    Pool,
    Team,
    filters,
    listing,
    route_id,
    shown,
)
from analytics.routes.paging import TIME, Key

router = APIRouter(
    prefix="/v1", tags=["statements"], responses=COMMON, generate_unique_id_function=route_id
)
QUOTA_KEYS = tuple(map(Key, ("cluster", "scheduler", "queue", "team", "gpu_model")))
TEAM_KEYS = (Key("team"), Key("kind"), Key("name"), Key("valid_from", TIME))
PRICE_KEYS = (*map(Key, ("told_for", "provider", "pool", "model")), Key("valid_from", TIME))


class Quota(Answer):
    """What a team or queue is guaranteed, and may have at most."""

    cluster: str = shown("c1")
    scheduler: str | None = shown("slurm")
    team: str | None = shown("vision")
    queue: str | None = shown("vision")
    gpu_model: str | None = shown(None)
    guaranteed_gpus: float = shown(64.0)
    limit_gpus: float | None = shown(96.0, "null = no limit")
    parent: str | None = shown(None)
    seen_at: datetime | None = shown(AT)


class TeamOf(Answer):
    """What belongs to a team: accounts, namespaces, users."""

    team: str | None = shown("vision")
    kind: str | None = shown("account")
    name: str | None = shown("vision-train")
    lead: str | None = shown("grace")
    department: str | None = shown("research")
    valid_from: datetime | None = shown(AT)
    valid_to: datetime | None = shown(None)


class Price(Answer):
    """A price with its source."""

    told_for: str = shown("model")
    provider: str | None = shown(None)
    pool: str | None = shown(None)
    model: str | None = shown("NVIDIA H100 80GB HBM3")
    capacity_value: float | None = shown(2.5, "of a GPU-hour, in `currency`")
    energy_price: float | None = shown(0.22, "of a kWh, in `currency`")
    pue: float | None = shown(None)
    carbon_kg_per_kwh: float | None = shown(None)
    currency: str | None = shown("EUR")
    source: str | None = shown("[prices]")
    valid_from: datetime | None = shown(AT)
    valid_to: datetime | None = shown(None)


_QUOTAS = """
SELECT cluster, scheduler, team, queue, gpu_model, guaranteed_milli / 1000 AS guaranteed_gpus,
  if(limit_milli = 0, NULL, limit_milli / 1000) AS limit_gpus, parent, seen_at
FROM v_quotas
"""


@router.get("/quotas", **listing(Quota))
def get_quotas(ask: TheAsk, cluster: Cluster = "", team: Team = "") -> Response:
    """What teams and queues are guaranteed, and may have at most."""
    return ask.table(Quota, _QUOTAS, QUOTA_KEYS, filters(cluster=cluster, team=team))


@router.get("/teams", **listing(TeamOf))
def get_teams(ask: TheAsk, team: Team = "") -> Response:
    """What belongs to which team, and who leads it."""
    return ask.table(TeamOf, "SELECT * FROM v_teams", TEAM_KEYS, filters(team=team))


@router.get("/prices", **listing(Price))
def get_prices(ask: TheAsk, pool: Pool = "") -> Response:
    """Every price with its source."""
    return ask.held(
        Price,
        PRICE_KEYS,
        lambda: [r for r in costs.price_list(ask.store) if pool in {"", r["pool"]}],
    )
