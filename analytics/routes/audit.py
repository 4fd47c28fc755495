"""The audit: who decided and changed what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response

from analytics import book
from analytics.access import history
from analytics.routes import formats
from analytics.routes.answers import TheAsk
from analytics.routes.described import AT, COMMON, Answer, listing, route_id, shown
from analytics.routes.paging import TIME, Key, Question, Row

router = APIRouter(
    prefix="/v1", tags=["audit"], responses=COMMON, generate_unique_id_function=route_id
)
KEYS = (Key("at", TIME, falls=True), Key("entry"))


class Entry(Answer):
    """One decision or change."""

    at: datetime = shown(AT)
    who: str = shown("ada", "oidc:… = of an issuer, cli:… = at the command line")
    role: str = shown("team-owner")
    action: str = shown("recommendation.accept")
    subject: str = shown("8f14e45fceea167a")
    address: str | None = shown("10.0.0.7", "null = at the command line")
    before: str | None = shown(None, "how it was, as JSON")
    after: str | None = shown('{"status":"accepted"}', "how it is, as JSON")
    request_id: str | None = shown("0b7c6a52")


@router.get("/audit", **listing(Entry))
def get_audit(
    ask: TheAsk,
    since: Annotated[str, Query(description="7d, 12h, or an RFC 3339 time")] = "7d",
    who: Annotated[str, Query(max_length=1000, description="only by this caller")] = "",
    action: Annotated[str, Query(max_length=1000, description="only of this kind")] = "",
) -> Response:
    """Decisions and changes, the latest first; nobody changes or removes them."""
    begun = book.parse_since(since, datetime.now(UTC))
    equal = {name: value for name, value in (("who", who), ("action", action)) if value}

    def question(pinned: list[Any]) -> Question:
        # A later page begins where the first did, however long the reader took.
        start = datetime.fromisoformat(pinned[0]) if pinned else begun
        return Question(
            history.ENTRIES,
            KEYS,
            {"since": start, **{f"of_{name}": value for name, value in equal.items()}},
            ["at >= {since:DateTime64(3, 'UTC')}", *(f"{n} = {{of_{n}:String}}" for n in equal)],
            [start.isoformat()],
            tidy=_tidy,
        )

    return ask.rows(Entry, KEYS, question)


def _tidy(row: Row) -> Row:
    told = dict(formats.told(row))
    for name in ("before", "after"):
        told[name] = None if msgspec.json.decode(row[name]) is None else row[name]
    return told
