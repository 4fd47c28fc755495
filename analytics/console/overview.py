"""The overview: success metrics, the book of a span, what to do, what is open, what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query, Request, Response

from analytics import book, changes
from analytics.console import alerts, success
from analytics.console.paper import bars, pages, show
from analytics.routes.common import TheCaller, TheReader, TheService

router = pages()

SPANS = (("24h", "a day"), ("7d", "a week"), ("30d", "30 days"))
MOST_ALERTS, MOST_ADVICE, MOST_CHANGES = 6, 5, 8
Since = Annotated[str, Query(description="24h, 7d, or an RFC 3339 time")]


@router.get("/")
def page(
    request: Request,
    service: TheService,
    reader: TheReader,
    caller: TheCaller,
    since: Since = "7d",
) -> Response:
    """Everything that somebody who has one minute should see."""
    span = book.span(reader, since)
    ledger = book.ledger(reader, span, ["state"])
    open_alerts = alerts.standing(reader)
    return show(
        request,
        "overview.html",
        span=span,
        spans=SPANS,
        since=since,
        ledger=ledger,
        parts=bars({r["state"]: r["gpu_hours"] for r in ledger}),
        metrics=None if caller.teams else success.at_hand(service, reader),
        changes=changes.between(reader, _until_now(span), limit=MOST_CHANGES) if span else [],
        alerts=open_alerts[:MOST_ALERTS],
        alert_count=len(open_alerts),
        advice=book.recommendations(reader, limit=MOST_ADVICE),
    )


def _until_now(span: book.Span) -> book.Span:
    """What was changed after the last booked minute is news too."""
    return book.Span(span.since, max(span.until, datetime.now(UTC)) + timedelta(days=1))
