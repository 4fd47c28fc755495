"""The read-only SQL door of the embedded mode: other commands ask the running service here."""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from analytics.routes.common import TheService
from gpuledger.errors import StoreError

router = APIRouter(prefix="/v1", tags=["sql"])


class Question(BaseModel):
    """A SELECT and its parameters, which the engine binds as `{name:Type}`."""

    sql: str = Field(max_length=1_000_000)
    parameters: dict[str, Any] = {}


@router.post("/sql")
def post_sql(service: TheService, question: Question) -> dict[str, Any]:
    """Columns with types, and rows. Only reads; time and rows are limited by the engine.

    400: the engine does not take the question. 404: the store is a server, which people ask
    themselves, with rights of their own.
    """
    if not service.store.address.directory:
        raise HTTPException(404, f"ask the database itself: {service.store.address}")
    try:
        columns, rows = service.reader.select_typed(question.sql, **question.parameters)
    except (StoreError, TypeError, ValueError) as e:
        # The driver's errors where parameters do not fit the question.
        raise HTTPException(400, str(e)) from e
    return {
        "columns": [{"name": name, "type": kind} for name, kind in columns],
        "rows": [[_plain(v) for v in row] for row in rows],
    }


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
