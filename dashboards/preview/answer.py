"""Answers of the panels of a board, and what a series, a bar or a strip of them is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from dashboards.macros import expand
from dashboards.panel import Board, Panel
from dashboards.words import Marks
from gpuledger.errors import StoreError

Rows = Sequence[Mapping[str, Any]]
# More lines than that nobody tells apart; Grafana draws them all.
MOST_SERIES = 40


@dataclass(frozen=True)
class Answer:
    """The rows of one panel, and why there are none."""

    panel: Panel
    rows: Rows
    width_s: int
    refused: str = ""


@dataclass(frozen=True)
class Series:
    """One line: its name as people read it, its column, and its points."""

    name: str
    column: str
    points: tuple[tuple[datetime, float], ...]


class Asked(Protocol):
    """All that a preview needs of a store."""

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows as mappings."""
        ...


def ask(panel: Panel, board: Board, reader: Asked, since: datetime, until: datetime) -> Answer:
    """What the panel's question answers with everything chosen; a refusal is told, not raised."""
    width = panel.point_s(since, until)
    try:
        rows = reader.select(expand(panel.sql, since, until, width, _all(board)))
    except StoreError as e:
        return Answer(panel, (), width, " ".join(str(e).split())[:300])
    return Answer(panel, rows, width)


def marked(marks: Marks, board: Board, reader: Asked, since: datetime, until: datetime) -> Rows:
    """What is marked across the panels, oldest first; nothing where the question is refused."""
    try:
        rows = reader.select(expand(marks.sql, since, until, 1, _all(board)))
    except StoreError:
        return ()
    return sorted(rows, key=lambda row: (row["time"], row["text"]))


def _all(board: Board) -> dict[str, Sequence[str]]:
    return {variable.name: () for variable in board.variables}


def series(answer: Answer) -> list[Series]:
    """The lines of a time series: by the column that names them, or one for each column."""
    if not answer.rows:
        return []
    texts, numbers = _kinds(answer.rows)
    titles = {c.name: c.title for c in answer.panel.columns}
    if not texts:
        found = ((titles.get(n, n), n, ((r["time"], r[n]) for r in answer.rows)) for n in numbers)
        return [Series(title, n, _known(points)) for title, n, points in found]
    named: dict[str, list[tuple[datetime, Any]]] = {}
    for row in answer.rows:
        name = ", ".join(str(row[t]) for t in texts)
        named.setdefault(name, []).extend((row["time"], row[n]) for n in numbers)
    return [Series(name, numbers[0], _known(points)) for name, points in named.items()]


def _known(points: Any) -> tuple[tuple[datetime, float], ...]:
    return tuple((at, float(value)) for at, value in points if value is not None)


def _kinds(rows: Rows) -> tuple[list[str], list[str]]:
    """Columns that hold texts, and those that hold numbers or nothing."""
    names = [name for name in rows[0] if name != "time"]
    texts = [n for n in names if any(isinstance(row[n], str) for row in rows)]
    return texts, [n for n in names if n not in texts]


def strips(answer: Answer, since: datetime, until: datetime) -> Iterator[tuple[str, list[Cell]]]:
    """For each `by` its cells from left to right: where (share of the range), how wide, what."""
    panel, whole = answer.panel, (until - since).total_seconds()
    rows: dict[str, list[tuple[float, Any]]] = {}
    for row in answer.rows:
        at = (row["time"] - since).total_seconds() / whole
        rows.setdefault(str(row[panel.by]), []).append((max(at, 0.0), row[panel.value]))
    for name, cells in rows.items():
        ends = [at for at, _ in cells[1:]] + [1.0]
        if panel.kind == "heat":
            ends = [min(at + answer.width_s / whole, 1.0) for at, _ in cells]
        yield (
            name,
            [Cell(at, end - at, value) for (at, value), end in zip(cells, ends, strict=True)],
        )


@dataclass(frozen=True)
class Cell:
    """A piece of a strip; place and width are shares of the whole."""

    at: float
    width: float
    value: Any
