"""What was changed on nodes, cards, quotas and pools."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from analytics import book, changes
from analytics.book import Span
from analytics.routes.answers import TheAsk
from analytics.routes.described import (
    COMMON,
    Cluster,
    Node,
    Since,
    Until,
    filters,
    listing,
    route_id,
)
from analytics.routes.inventory import Change
from analytics.routes.paging import TIME, Key
from analytics.routes.spans import DAY, span_now
from gpuledger.catalogue.change import CHANGE_KINDS
from gpuledger.errors import ConfigError, nearest

router = APIRouter(
    prefix="/v1", tags=["changes"], responses=COMMON, generate_unique_id_function=route_id
)
KEYS = (
    Key("ts", TIME, falls=True),
    *(Key("cluster"), Key("node"), Key("slot_number", "Int64"), Key("kind"), Key("subject")),
)


@router.get("/changes", **listing(Change))
def get_changes(
    ask: TheAsk,
    since: Since = "7d",
    until: Until = "",
    cluster: Cluster = "",
    node: Node = "",
    kind: Annotated[
        str, Query(max_length=100, json_schema_extra={"enum": ["", *CHANGE_KINDS]})
    ] = "",
) -> Response:
    """Drivers, firmware, cards, MIG, quotas, pools, drains; newest first."""
    if kind and kind not in CHANGE_KINDS:
        raise ConfigError(f"kind {kind}: there is none{nearest(kind, CHANGE_KINDS)}")
    span = _span(ask.store, since, until)
    given = filters(cluster=cluster, node=node, kind=kind)
    return ask.table(Change, changes.TOLD, KEYS, given, since=span.since, until=span.until)


def _span(reader: Any, since: str, until: str) -> Span:
    """Counted back from the book's end; what was changed after it is news too."""
    if until:
        return span_now(since, until)
    booked = book.last_booked(reader) or datetime.now(UTC)
    return Span(book.parse_since(since, booked), datetime.now(UTC) + DAY)
