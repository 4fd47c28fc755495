"""The read-only SQL door of the embedded mode: other commands ask the running service here.

Whoever is no administrator asks about tables alone (see `gpuledger.narrow`), and whoever belongs to
a team about its rows (see `gpuledger.policies`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from analytics.access.caller import Caller, Role
from analytics.door import Busy
from analytics.routes.common import TheCaller, TheService
from analytics.routes.described import problems
from analytics.service import Service
from gpuledger.errors import StoreError
from gpuledger.guard import AD_HOC, EXPORT, QueryClass, broken_limit
from gpuledger.narrow import Door
from gpuledger.store import Store

router = APIRouter(prefix="/v1", tags=["sql"], responses=problems(400, 401, 403, 404, 422, 503))

RETRY_AFTER_S = 5
PARQUET = "application/vnd.apache.parquet"


class Question(BaseModel):
    """A SELECT and its parameters, which the engine binds as `{name:Type}`."""

    sql: str = Field(max_length=1_000_000)
    parameters: dict[str, Any] = {}
    format: Literal["rows", "parquet"] = "rows"


@router.post("/sql")
async def post_sql(
    service: TheService, caller: TheCaller, request: Request, question: Question
) -> Any:
    """Columns with types, and rows; or a Parquet file. Only reads, within the limits of its class.

    Who is no administrator gets SELECTs about tables and views answered, and a team its own rows.

    400: the engine does not take the question, or ended it at a limit. 404: the store is a server,
    which people ask themselves, with rights of their own. 503: too many questions go on.
    """
    if not service.store.address.directory:
        raise HTTPException(404, f"ask the database itself: {service.store.address}")
    rows = question.format == "rows"
    door = service.door if rows else service.export_door
    # Found by this when it must be ended: the embedded engine takes no names for questions.
    mark = f"/*{uuid4().hex}*/"
    ask = _asking(service, caller, question, mark)

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    def cancel() -> None:
        service.store.command(f"KILL QUERY WHERE startsWith(query, '{mark}')")

    try:
        return await door.answer(ask, gone, cancel)
    except Busy as e:
        raise HTTPException(503, str(e), {"Retry-After": str(RETRY_AFTER_S)}) from None
    except (StoreError, TypeError, ValueError) as e:
        # The last two are the driver's, where parameters do not fit the question.
        raise HTTPException(400, _told(str(e), door.limits, mark)) from e


def _asking(service: Service, caller: Caller, question: Question, mark: str) -> Callable[[], Any]:
    """The question as a function for a thread."""
    sql = mark + question.sql

    def rows(reader: Store) -> Any:
        columns, found = reader.select_typed(sql, **question.parameters)
        return {
            "columns": [{"name": name, "type": kind} for name, kind in columns],
            "rows": [[_plain(v) for v in row] for row in found],
        }

    def parquet(reader: Store) -> Any:
        return Response(reader.parquet(sql, **question.parameters), media_type=PARQUET)

    def answer() -> Any:
        if not caller.has(Role.ADMIN) or caller.teams:
            door = Door(service.store.address.database)
            door.check(service.reader.select, question.sql, question.parameters)
        with _reader(service, caller, question) as reader:
            return rows(reader) if question.format == "rows" else parquet(reader)

    return answer


@contextmanager
def _reader(service: Service, caller: Caller, question: Question) -> Iterator[Store]:
    """The shared reader, or one of its own where the question has another class or other rows."""
    if question.format == "rows" and not caller.teams:
        yield service.reader
        return
    limits = AD_HOC if question.format == "rows" else EXPORT
    with closing(service.reader.only(caller.teams).reader(limits)) as reader:
        yield reader


def _told(error: str, limits: QueryClass, mark: str) -> str:
    return broken_limit(error, limits) or error.replace(mark, "")


def _plain(value: Any) -> Any:
    """JSON has no NaN, and only texts as keys; a ratio over nothing is absent."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case bytes():
            return value.decode(errors="replace")
        case list() | tuple():
            return [_plain(v) for v in value]
        case dict():
            return {str(k): _plain(v) for k, v in value.items()}
        case _:
            return value
