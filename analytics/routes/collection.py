"""Data quality: whether the book rests on enough, what agents read, and what was kept aside."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from analytics import quality
from analytics.routes.answers import TheAsk, TheOne
from analytics.routes.described import (
    AT,
    COMMON,
    UNCHANGED,
    Answer,
    Cluster,
    Node,
    Since,
    Until,
    filters,
    listing,
    route_id,
    shown,
    single,
)
from analytics.routes.paging import TIME, Key
from analytics.routes.spans import span_now, within

router = APIRouter(
    prefix="/v1", tags=["collection"], responses=COMMON, generate_unique_id_function=route_id
)
SOURCE_KEYS = (Key("cluster"), Key("node"), Key("source"))
ASIDE_KEYS = (Key("ts", TIME, falls=True), Key("cluster"), Key("node"), Key("of"), Key("key"))


class Collection(Answer):
    """What the book of a span rests on; null where nothing is booked."""

    since: datetime | None = shown(AT)
    until: datetime | None = shown(AT)
    hours_booked: int = shown(168)
    hours_restated: int = shown(2)
    closure_error_ratio: float | None = shown(0.0, "of the worst hour; 0 = the book closes")
    unknown_ratio: float | None = shown(0.01)
    unmapped_ratio: float | None = shown(0.0)
    priced_ratio: float | None = shown(1.0)
    grade: str | None = shown("B", "the lowest")
    last_booked: datetime | None = shown(AT)
    last_sample: datetime | None = shown(AT)
    quarantined_rows: int = shown(0)


class Source(Answer):
    """A source of one node's agent in a span."""

    cluster: str = shown("c1")
    node: str = shown("n17")
    source: str = shown("nvml")
    runs: int | None = shown(86400)
    failures: int | None = shown(0)
    rows: int | None = shown(69120)
    duration_seconds: float | None = shown(0.004, "of one run, mean")
    duration_seconds_max: float | None = shown(0.02)
    last_heard: datetime | None = shown(AT)
    age_seconds: float | None = shown(42.0)
    reason: str | None = shown(None, "why the last failure was one")


class Aside(Answer):
    """Rows that were kept aside, and why."""

    ts: datetime = shown(AT)
    cluster: str | None = shown("c1")
    node: str | None = shown("n17")
    of: str | None = shown("gpu_samples", "the table that they are for")
    reason: str | None = shown("from the future")
    rows: int = shown(512)
    first: datetime | None = shown(AT)
    last: datetime | None = shown(AT)
    key: str | None = shown("f3a1/gpu_samples/118")


@router.get("/collection", **single(Collection))
def get_collection(ask: TheOne, since: Since = "7d") -> Response:
    """Whether the book of a span closes, what it knows, and how old the newest rows are."""
    return ask.one(lambda: quality.collection(ask.store, since))


@router.get("/collection/sources", **listing(Source, UNCHANGED))
def get_sources(
    ask: TheAsk, cluster: Cluster = "", node: Node = "", since: Since = "1d", until: Until = ""
) -> Response:
    """Each source of each node: readings, failures, time that they take, and when last heard."""
    span = span_now(since, until)
    return ask.table(
        Source,
        quality.SOURCES,
        SOURCE_KEYS,
        filters(cluster=cluster, node=node),
        since=span.since,
        until=span.until,
    )


@router.get("/collection/quarantine", **listing(Aside))
def get_quarantine(
    ask: TheAsk, cluster: Cluster = "", node: Node = "", since: Since = "7d", until: Until = ""
) -> Response:
    """Rows that were kept aside for their times, the latest first; without the rows themselves."""
    span = span_now(since, until)
    return ask.table(
        Aside,
        f"SELECT * EXCEPT (body) FROM v_quarantine WHERE {within('ts')}",
        ASIDE_KEYS,
        filters(cluster=cluster, node=node),
        since=span.since,
        until=span.until,
    )
