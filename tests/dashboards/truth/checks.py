"""Where each board's module puts what its panels must show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.dashboards.truth.told import Pairs, Rows, Told

Check = Callable[[Told, Rows], Pairs]
CHECKS: dict[tuple[str, str], Check] = {}
# What is chosen above a board, and with what: told by the world.
CHOSEN: dict[str, Callable[[Told], dict[str, list[str]]]] = {}


def about(board: str, *titles: str) -> Callable[[Check], Check]:
    """Note a check of panels."""

    def note(check: Check) -> Check:
        for title in titles:
            assert (board, title) not in CHECKS
            CHECKS[board, title] = check
        return check

    return note


def near(value: float, rel: float = 1e-6, least: float = 1e-6) -> Any:
    """As good as equal."""
    return pytest.approx(value, rel=rel, abs=least)


def total(rows: Iterable[dict[str, Any]], column: str) -> float:
    """Sum of a column, missing as nothing."""
    return sum(float(row[column] or 0) for row in rows)


def one(rows: Rows, **where: Any) -> dict[str, Any]:
    """The only row that is so."""
    (row,) = (r for r in rows if all(r[name] == value for name, value in where.items()))
    return row
