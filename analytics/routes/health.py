"""Alive, and ready to answer."""

from __future__ import annotations

from fastapi import APIRouter

from analytics.routes.common import TheService

router = APIRouter(tags=["health"])


@router.get("/healthz")
def get_health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def get_ready(service: TheService) -> dict[str, str | None]:
    """The store answers too, 503 otherwise; and when the analytics last came through."""
    service.store.value("SELECT 1")
    last = service.runner.last_tick
    return {"status": "ready", "last_tick": last.isoformat() if last else None}
