"""Recommendations to decide on, and ticks over them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from analytics import book
from analytics.life.decide import Decided, decide
from analytics.life.events import Step
from analytics.lifecycle import settle
from gpuledger.catalogue import Recommendation
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.analytics.world import at


def proposal(id_: int = 1, **told: Any) -> Recommendation:
    """Ten GPU-hours from ending job `c/<id>`."""
    values: dict[str, Any] = {
        "recommendation_id": id_,
        "finding_id": id_,
        "kind": "reclaim",
        "subject": f"c/{id_}",
        "status": "proposed",
        "title": "End it",
        "gain_gpu_hours": 10.0,
        "gain_capacity_value": 20.0,
        "gain_cash_avoidable": None,
        "currency": "EUR",
        "horizon_seconds": 3600.0,
        "confidence_ratio": 0.9,
        "because": "it idles",
        "created": at(0),
        "version": 1,
        **told,
    }
    return Recommendation(**values)


def tick(store: Store, minute: float, *proposals: Recommendation) -> None:
    """What a tick does with what advisors propose."""
    settle(store, proposals, at(minute))


def step(
    store: Store,
    status: str,
    minute: float,
    *,
    id_: int = 1,
    by: str = "lea",
    reason: str = "",
    until: datetime = FOREVER,
) -> Decided:
    """A person's decision."""
    return decide(store, f"{id_:016x}", Step(status, by, at(minute), reason, until))


def statuses(store: Store) -> dict[int, str]:
    """Where every recommendation stands."""
    rows = store.select("SELECT recommendation_id AS id, status FROM v_recommendations ORDER BY id")
    return {r["id"]: r["status"] for r in rows}


def life(store: Store, id_: int = 1) -> list[str]:
    """The steps of one."""
    return [s["status"] for s in book.recommendation(store, f"{id_:016x}")["life"]]
