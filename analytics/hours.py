"""Episodes out of rows of whole hours, each with `hour` (its start) and `until` (its end)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]
NONE = timedelta(0)


def consecutive(
    rows: Iterable[Row], key: Callable[[Row], object], gap: timedelta = NONE
) -> Iterator[list[Row]]:
    """Rows of one key that follow each other, with at most `gap` between them.

    Rows must come in the order of key and hour.
    """
    run: list[Row] = []
    for row in rows:
        if run and (key(run[-1]) != key(row) or row["hour"] - run[-1]["until"] > gap):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def length(run: list[Row]) -> timedelta:
    """From the start of the first hour to the end of the last."""
    since: datetime = run[0]["hour"]
    until: datetime = run[-1]["until"]
    return until - since


def known_sum(run: Iterable[Row], name: str) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [row[name] for row in run if row[name] is not None]
    return sum(known) if known else None
