"""The book, findings and recommendations."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from analytics import book
from analytics.routes.common import TheService

router = APIRouter(prefix="/v1", tags=["book"])

Limit = Annotated[int, Query(ge=1, le=10_000, description="rows at most")]


@router.get("/ledger")
def get_ledger(
    service: TheService,
    since: Annotated[str, Query(description="7d, 12h, or an RFC 3339 time")] = "7d",
    by: Annotated[str, Query(description="dimensions, joined by commas")] = "state",
) -> list[dict[str, Any]]:
    """GPU-hours, share and worth of a span by dimensions; the shares add up to 1."""
    span = book.span(service.boards, since)
    return book.ledger(service.boards, span, book.dimensions(by))


@router.get("/findings")
def get_findings(
    service: TheService,
    open_only: Annotated[bool, Query(description="only what goes on")] = True,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """What is wrong, costliest first."""
    return book.findings(service.boards, open_only=open_only, limit=limit)


@router.get("/recommendations")
def get_recommendations(
    service: TheService,
    status: Annotated[str, Query(description="proposed, accepted, dismissed …")] = "proposed",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """What to do, largest gain first."""
    return book.recommendations(service.boards, status=status, limit=limit)
