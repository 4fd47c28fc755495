"""Rows compared and changed."""

from __future__ import annotations

from typing import Any, TypeVar

from gpuledger.schema import Row

R = TypeVar("R", bound=Row)


def changed(row: R, **values: Any) -> R:
    """The row with other values in some columns."""
    return type(row)(**{**row.__dict__, **values})


def says_the_same(one: Row, other: Row, *besides: str) -> bool:
    """Whether two rows differ in nothing but when they were seen, and in the columns `besides`."""
    blank = dict.fromkeys(("seen_at", "version", *besides), 0)
    return changed(one, **blank) == changed(other, **blank)
