"""Numbers that a scheduler tells, made to fit their columns."""

from __future__ import annotations

from typing import TypeVar

from gpuledger.schema import Kind, Row

R = TypeVar("R", bound=Row)


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
