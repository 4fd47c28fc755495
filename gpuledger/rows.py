"""Rows compared and changed."""

from __future__ import annotations

from typing import Any, TypeVar

from gpuledger.schema import Kind, Row

R = TypeVar("R", bound=Row)


def changed(row: R, **values: Any) -> R:
    """The row with other values in some columns."""
    return type(row)(**{**row.__dict__, **values})


def says_the_same(one: Row, other: Row, *besides: str) -> bool:
    """Whether two rows differ in nothing but when they were seen, and in the columns `besides`."""
    blank = dict.fromkeys(("seen_at", "version", *besides), 0)
    return changed(one, **blank) == changed(other, **blank)


def fitting(row: R) -> R:
    """The row itself, each whole number held within its column.

    One number beyond its column would lose every row of the table: a job that waits may ask for
    more than there is anywhere.
    """
    for column in row.table.columns:
        if column.kind is Kind.NUMBER:
            told = row.__dict__[column.name]
            row.__dict__[column.name] = min(max(told, 0), (1 << column.bits) - 1)
    return row
