"""What the doors for foreign metrics share."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request

from analytics.ingest.assembly import Assembler
from analytics.ingest.intake import intake_of, sender_of
from analytics.ingest.limits import Sender

# What is wrong with the sender, and so is told: nobody would look for it on our side.
NOT_TAKEN = {
    "foreign": "of another cluster than the token's",
    "token_series": "of more series than the token may have",
}


def assembler_of(request: Request) -> Assembler:
    """What takes samples in the application that answers; HTTPException 503 where nothing does."""
    assembler = intake_of(request).assembler
    if assembler is None:
        raise HTTPException(503, "this service takes no samples", {"Retry-After": "60"})
    return assembler


def scraper_of(request: Request) -> Sender:
    """Who sends samples. HTTPException 429: too much; 403: the token is of one node or table.

    Labels of a scrape tell of many nodes, and rows come of them only later: what fixes one node or
    table for each row is a batch.
    """
    sender = sender_of(request)
    if sender.caller.node or sender.caller.tables:
        raise HTTPException(
            403,
            f"the token of {sender.caller.name} is bound to a node or to tables and sends batches;"
            " remote-write and OTLP want one that is bound to a cluster",
        )
    return sender


def not_taken(counts: Mapping[str, int]) -> str:
    """What the sender must hear of a request whose other samples are safe; empty: nothing."""
    told = (f"{counts[why]} {words}" for why, words in NOT_TAKEN.items() if counts.get(why))
    return ", ".join(told)
