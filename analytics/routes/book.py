"""The book by dimensions, and what became better."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from analytics import book, success
from analytics.book import Span
from analytics.routes.answers import Ask, TheAsk
from analytics.routes.described import (
    COMMON,
    LONGEST_NAME,
    UNCHANGED,
    Answer,
    Cluster,
    Job,
    Node,
    Pool,
    Since,
    State,
    Team,
    Until,
    User,
    filters,
    listing,
    route_id,
    shown,
)
from analytics.routes.paging import WHOLE, Key, Question
from gpuledger.batch import EPOCH
from gpuledger.measures import DIMENSIONS
from gpuledger.states import STATES

router = APIRouter(
    prefix="/v1", tags=["book"], responses=COMMON, generate_unique_id_function=route_id
)
# What the book's rows rest on: bookings, restated or not, and the prices of their GPU-hours.
BOOKED = ("booked_hours", "rates")
DIMENSIONS_PATTERN = f"^({'|'.join(DIMENSIONS)})(,({'|'.join(DIMENSIONS)})){{0,2}}$"
PLACES = [state.name for state in STATES]


class LedgerRow(Answer):
    """GPU-hours of a span with these dimensions; the shares of all rows add up to 1."""

    state: str | None = shown("productive", "a dimension, where it is asked for", default=None)
    team: str | None = shown("vision", default=None)
    user: str | None = shown("ada", default=None)
    job: str | None = shown("c1/1042", default=None)
    node: str | None = shown("n17", default=None)
    pool: str | None = shown("h100", default=None)
    cluster: str | None = shown("c1", default=None)
    gpu_hours: float = shown(812.5)
    share: float | None = shown(0.61, "of what is in service; null where it is not")
    capacity_value: float | None = shown(2031.25, "in `currency`; null without a price")
    cash_avoidable: float | None = shown(140.1, "in `currency`; null without a price")
    currency: str | None = shown("EUR")
    priced_ratio: float | None = shown(1.0)
    recoverable_gpu_hours: float = shown(0.0)
    slack_gpu_hours: float = shown(0.0)
    grade: str | None = shown("A", "the lowest evidence grade")
    grades: dict[str, float] = shown({"A": 1.0}, "share of each grade")


@router.get("/ledger", **listing(LedgerRow, UNCHANGED))
def get_ledger(
    ask: TheAsk,
    since: Since = "7d",
    until: Until = "",
    by: Annotated[
        str,
        Query(
            max_length=LONGEST_NAME,
            description="dimensions, joined by commas",
            json_schema_extra={"pattern": DIMENSIONS_PATTERN},
        ),
    ] = "state",
    restated: Annotated[bool, Query(description="with what became known since it closed")] = False,
    cluster: Cluster = "",
    pool: Pool = "",
    team: Team = "",
    user: User = "",
    job: Job = "",
    node: Node = "",
    state: State = "",
) -> Response:
    """GPU-hours, share and worth of a span by dimensions; the shares add up to 1.

    By state in the order of states, otherwise largest first. The pages of one answer are all about
    the span of the first.
    """
    dimensions = book.dimensions(by)
    given = filters(
        cluster=cluster, pool=pool, team=team, user=user, job=job, node=node, state=state
    )
    figures = [n for n in LedgerRow.model_fields if n not in DIMENSIONS]
    return ask.rows(
        LedgerRow,
        _keys(dimensions),
        partial(_of_span, ask, dimensions, given, since, until, restated),
        rests_on=BOOKED,
        names=[*dimensions, *figures],
        pinned=list[datetime],
    )


def _of_span(
    ask: Ask,
    by: tuple[str, ...],
    given: Mapping[str, str],
    since: str,
    until: str,
    restated: bool,
    pinned: list[datetime],
) -> Question:
    """The question about the span of the first page, or the one that is asked for."""
    span = Span(pinned[0], pinned[1]) if pinned else book.span(ask.store, since, until)
    span = span or Span(EPOCH, EPOCH)
    where = [f"b.{name} = {{of_{name}:String}}" for name in given]
    sql = book.ledger_sql(by, restated=restated, where=where)
    place = "indexOf({places:Array(String)}, state)" if "state" in by else "0"
    return Question(
        f"SELECT *, toInt64(round(gpu_hours * 3600000)) AS gpu_ms, toInt64({place}) AS place"
        f" FROM ({sql})",
        _keys(by),
        {
            "since": span.since,
            "until": span.until,
            "places": PLACES,
            **{f"of_{name}": value for name, value in given.items()},
        },
        pinned=[span.since, span.until],
        tidy=partial(book.ledger_row, by=by),
    )


def _keys(by: tuple[str, ...]) -> list[Key]:
    """By state in the order of states, otherwise largest first."""
    first = Key("place", WHOLE) if by == ("state",) else Key("gpu_ms", WHOLE, falls=True)
    return [first, *map(Key, by)]


class Metric(Answer):
    """A success metric before and after; `change` only where the data can tell."""

    metric: str = shown("GPU availability")
    what: str = shown("a request for 8 could start at once")
    unit: str = shown("ratio")
    before: float | None = shown(0.52)
    after: float | None = shown(0.71)
    change: float | None = shown(0.19)
    low: float | None = shown(0.11, "end of the 95 % interval of the change")
    high: float | None = shown(0.26, "end of the 95 % interval of the change")
    n_before: int = shown(672, "observations")
    n_after: int = shown(168, "observations")
    grade: str | None = shown("A")
    better: str = shown("higher")
    not_shown: str | None = shown(None, "why no change is told")


@router.get("/success", **listing(Metric, UNCHANGED))
def get_success(
    ask: TheAsk,
    since: Since = "7d",
    baseline: Annotated[
        str, Query(max_length=LONGEST_NAME, description="FROM/UNTIL; default: the first 28 days")
    ] = "",
) -> Response:
    """The four success metrics before and after, each with its 95 % interval."""
    before = success.baseline(baseline)

    def rows() -> list[dict[str, Any]]:
        until = book.last_booked(ask.store)
        sides = success.windows(ask.store, until and book.parse_since(since, until), before)
        return [success.row(m) for m in success.metrics(ask.store, *sides)] if sides else []

    book.parse_since(since, datetime.now(UTC))
    return ask.held(Metric, [Key("metric"), Key("what")], rows, rests_on=("booked_hours",))
