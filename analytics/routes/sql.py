"""The read-only SQL door of the embedded mode: other commands ask the running service here."""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from analytics.routes.common import TheService

router = APIRouter(prefix="/v1", tags=["sql"])


class Question(BaseModel):
    """A SELECT and its parameters, which the engine binds as `{name:Type}`."""

    sql: str = Field(max_length=1_000_000)
    parameters: dict[str, Any] = {}


@router.post("/sql")
def post_sql(service: TheService, question: Question) -> dict[str, Any]:
    """Columns with types, and rows. Only reads; time and rows are limited by the engine."""
    columns, rows = service.reader.select_typed(question.sql, **question.parameters)
    return {
        "columns": [{"name": name, "type": kind} for name, kind in columns],
        "rows": [[_plain(v) for v in row] for row in rows],
    }


def _plain(value: Any) -> Any:
    """JSON has no NaN; a ratio over nothing is absent."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
