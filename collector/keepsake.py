"""Keepsakes: a row as text and back, for what must be known after a restart."""

from __future__ import annotations

from typing import Any, TypeVar

from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.schema import Kind, Row

R = TypeVar("R", bound=Row)


def pack(row: Row) -> dict[str, Any]:
    """The row's values with times in milliseconds, fit for JSON."""
    times = _times(type(row))
    return {n: to_milliseconds(v) if n in times else v for n, v in row.__dict__.items()}


def unpack(kind: type[R], values: dict[str, Any]) -> R:
    """The row that was packed."""
    times = _times(kind)
    return kind(**{n: from_milliseconds(v) if n in times else v for n, v in values.items()})


def _times(kind: type[Row]) -> frozenset[str]:
    return frozenset(c.name for c in kind.table.columns if c.kind is Kind.TIME)
