"""Tokens of the service: made, listed, replaced and taken back by admins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics.access import issue
from analytics.access.issue import Issued, Office, Wanted
from analytics.routes.answers import TheAsk, TheOne
from analytics.routes.common import TheCaller
from analytics.routes.described import AT, COMMON, Answer, listing, route_id, shown, single
from analytics.routes.paging import TIME, Key

router = APIRouter(
    prefix="/v1", tags=["tokens"], responses=COMMON, generate_unique_id_function=route_id
)
KEYS = (Key("name"), Key("made_at", TIME), Key("token_id"))
Name = Annotated[str, Field(max_length=200)]


class Kept(Answer):
    """What is kept of a token; the secret is nowhere."""

    token_id: str = shown("8f14e45fceea")
    name: str = shown("alpha/n1")
    role: str = shown("ingest")
    teams: list[str] = shown([], "whose rows it sees; none = all")
    cluster: str | None = shown("alpha", "whose rows it may send")
    node: str | None = shown("n1")
    tables: list[str] = shown([], "that it may send to; none = all")
    made_by: str = shown("owner")
    made_at: datetime = shown(AT)
    expires_at: datetime | None = shown(AT, "null = never")
    revoked_by: str | None = shown(None)
    revoked_at: datetime | None = shown(None)
    replaces: str | None = shown(None, "token that it takes over from")


class Token(Kept):
    """A token as it is listed."""

    used_at: datetime | None = shown(AT, "last, at most a minute old; null = never")
    used_from: str | None = shown("10.0.0.7")
    state: str = shown("good", "good, expired or revoked")


class NewToken(Kept):
    """A new token; it is shown this once."""

    token: str = shown("gpl_8f14e45fceea_…")


class Request(BaseModel):
    """What a new token shall be."""

    model_config = ConfigDict(extra="forbid")

    role: Name = Field(examples=["ingest"])
    expires: Name = Field("365d", examples=["90d"], description="90d, a date, or never")
    name: Name = Field("", description="who has it; empty = cluster/node")
    teams: list[Name] = Field([], max_length=1000, description="whose rows it sees; none = all")
    cluster: Name = Field("", examples=["alpha"])
    node: Name = Field("", examples=["n1"])
    tables: list[Name] = Field([], max_length=1000)


class Replacement(BaseModel):
    """How a token is replaced."""

    model_config = ConfigDict(extra="forbid")

    grace: Name = Field("", examples=["1d"], description="how long the old one goes on; 1d")
    expires: Name = Field("", examples=["90d"], description="empty = it lives as long as the old")


@router.get("/tokens", **listing(Token))
def get_tokens(
    ask: TheAsk,
    everything: Annotated[bool, Query(description="also those that are over")] = False,
) -> Response:
    """Tokens by name, and when each was used last."""
    now = datetime.now(UTC)
    return ask.held(Token, KEYS, lambda: issue.listed(ask.store, now, everything=everything))


@router.post("/tokens", **single(NewToken, 409))
def create_token(ask: TheOne, caller: TheCaller, said: Request) -> Response:
    """Make a token; the answer is the only place where it is ever shown."""
    wanted = Wanted(**said.model_dump())
    return _shown(ask, Office(ask.service.store).create(caller, wanted, ask.request))


@router.post("/tokens/{token_id}/rotate", **single(NewToken, 404, 409))
def rotate_token(ask: TheOne, caller: TheCaller, token_id: str, said: Replacement) -> Response:
    """A new token in place of this one, which goes on for the grace time."""
    office = Office(ask.service.store)
    more = said.model_dump()
    return _shown(ask, office.rotate(caller, token_id, ask.request, **more))


@router.delete("/tokens/{token_id}", status_code=204, responses=single(Kept, 404, 409)["responses"])
def revoke_token(ask: TheOne, caller: TheCaller, token_id: str) -> Response:
    """Take it back: it opens nothing any more within seconds."""
    Office(ask.service.store).revoke(caller, token_id, ask.request)
    return Response(status_code=204)


def _shown(ask: TheOne, issued: Issued) -> Response:
    answer = ask.one(lambda: {**issued.told, "token": issued.token})
    # No proxy and no browser keeps the only copy of a secret.
    answer.headers["Cache-Control"] = "no-store"
    return answer
