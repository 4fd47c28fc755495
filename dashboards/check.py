"""Whether the boards are right: questions on the real engine, words, links, Grafana's JSON."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Annotated

from dashboards import ask, parts, roundtrip, shapes, telemetry
from dashboards.macros import expand
from dashboards.panel import Board, Panel
from dashboards.words import BOARD_LINK
from gpuledger.config import Settings
from gpuledger.errors import ConfigError, StoreError
from gpuledger.service import Reader

MOST_PANELS = 12
RANGES = {
    "15 minutes": timedelta(minutes=15),
    "7 days": timedelta(days=7),
    "13 months": timedelta(days=395),
}
# The range over which rows are looked at; of the others only what would be read.
LOOKED_AT = "7 days"
# What boards share may type a threshold as well.
SHARED = (ask, parts, telemetry)
TIMED = ("$__timeFilter", "$__fromTime", "$__toTime")
NOW = re.compile(r"\b(now|open)\b", re.IGNORECASE)
UNSAID = "its query does not change with {0}, and its help does not say: whatever {0} is chosen"
SET_BY_LINK = re.compile(r"[?&]var-(\w+)=")
# A comparison with a number: nothing (0) and one are no thresholds.
TYPED = re.compile(r"[<>]=?\s*(\d+(?:\.\d+)?)")


class DashboardSettings(Settings):
    """What the boards may cost."""

    read_rows: Annotated[
        int, "rows that a panel may read by the engine's estimate: about a second of two cores"
    ] = 20_000_000


@dataclass(frozen=True)
class Defect:
    """What is wrong, and where: one line for people."""

    board: str
    panel: str
    what: str

    def __str__(self) -> str:
        where = f"{self.board}: {self.panel}" if self.panel else self.board
        return f"{where}: {self.what}"


@dataclass(frozen=True)
class Question:
    """One query of a board: whose it is, how its answer must look, and how wide a point is."""

    whose: str
    sql: str
    columns: Callable[[shapes.Columns], Iterable[str]]
    rows: Callable[[Sequence[Mapping[str, object]]], Iterable[str]] = lambda _: ()
    point_s: Callable[[datetime, datetime], int] = lambda _since, _until: 1


def check(
    boards: Mapping[str, Board], reader: Reader, until: datetime, most_rows: int
) -> Iterator[Defect]:
    """Every defect of every board, over ranges that end at `until`.

    StoreError where the store does not answer at all.
    """
    reader.value("SELECT 1")
    yield from _addresses(boards)
    for module in SHARED:
        yield from (Defect(module.__name__, "", what) for what in typed(module))
    for name, board in boards.items():
        for where, what in (*words(board, boards), *thresholds(board)):
            yield Defect(name, where, what)
        if roundtrip.available():
            yield from (Defect(name, "", what) for what in roundtrip.lost(board.model()))
        for question in questions(board):
            for what in answered(question, board, reader, until, most_rows):
                yield Defect(name, question.whose, what)


def _addresses(boards: Mapping[str, Board]) -> Iterator[Defect]:
    seen: dict[str, str] = {}
    for name, board in boards.items():
        if (other := seen.setdefault(board.uid, name)) != name:
            yield Defect(name, "", f"board {other} has the same address {board.uid}")


def words(board: Board, boards: Mapping[str, Board]) -> Iterator[tuple[str, str]]:
    """Panel and what is wrong with the words and links around it."""
    if not 0 < len(board.panels) <= MOST_PANELS:
        yield "", f"it has {len(board.panels)} panels; 1 to {MOST_PANELS} fit a screen"
    titles = [panel.title for panel in board.panels]
    for title in sorted({t for t in titles if titles.count(t) > 1}):
        yield title, "two panels have this title"
    by_uid = {other.uid: other for other in boards.values()}
    for panel in board.panels:
        said = {"help": panel.text.help, "next": panel.text.next, "link": panel.text.link}
        for part in (part for part, text in said.items() if not text.strip()):
            yield panel.title, f"it has no {part}"
        yield from ((panel.title, UNSAID.format(name)) for name in board.unsaid(panel))
        if not (any(t in panel.sql for t in TIMED) or _of_now(panel)):
            yield panel.title, "its query has no time filter"
        for link in filter(None, (panel.text.link, *(c.link for c in panel.columns))):
            yield from ((panel.title, what) for what in _link(link, by_uid))


def _of_now(panel: Panel) -> bool:
    """Whether it tells how things stand, and says so: nothing over time does."""
    said = NOW.search(f"{panel.title} {panel.text.help}")
    return panel.kind not in shapes.SERIES_KINDS and said is not None


def _link(link: str, by_uid: Mapping[str, Board]) -> Iterator[str]:
    found = BOARD_LINK.match(link)
    if not found:
        return
    board = by_uid.get(found["uid"])
    if board is None:
        yield f"it leads to {found['uid']}, and there is no such board"
        return
    known = {v.name for v in board.variables}
    for name in SET_BY_LINK.findall(link):
        if name not in known:
            yield f"it sets {name}, which the board {found['uid']} does not have"


def thresholds(board: Board) -> Iterator[tuple[str, str]]:
    """Thresholds that a board types itself: they belong to settings and measures."""
    for panel in board.model()["panels"]:
        if panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
            yield panel["title"], "it types thresholds of its own; quote the setting"
    for module in (m for n, m in sys.modules.items() if n.startswith("dashboards.boards.")):
        if getattr(module, "board", None) is board:
            yield from (("", what) for what in typed(module))


def typed(module: ModuleType) -> Iterator[str]:
    """Thresholds in the literal texts of a module; what is put into these is left out."""
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    found = (n.value for n in nodes if isinstance(n, ast.Constant))
    for text in sorted({text for text in found if isinstance(text, str)}):
        for number in TYPED.finditer(text):
            if float(number[1]) not in {0, 1}:
                yield f"its source types the threshold '{number[0]}'; quote the setting"


def questions(board: Board) -> Iterator[Question]:
    """Every query of a board: panels, variables and marks."""
    for panel in board.panels:
        yield _of_panel(panel)
    for variable in board.variables:
        yield Question(f"variable {variable.name}", variable.sql, shapes.variable_defects)
    for marks in board.marks:
        yield Question(f"marks {marks.name}", marks.sql, shapes.marks_defects)


def _of_panel(panel: Panel) -> Question:
    return Question(
        panel.title,
        panel.sql,
        lambda columns: shapes.columns_defects(panel, columns),
        lambda rows: shapes.rows_defects(panel, rows),
        panel.point_s,
    )


def answered(
    question: Question, board: Board, reader: Reader, until: datetime, most_rows: int
) -> Iterator[str]:
    """What is wrong with the answer to one question; its first failure ends it."""
    everything: dict[str, Sequence[str]] = {v.name: () for v in board.variables}
    chosen = dict.fromkeys(everything, ("it's \\ <b>", "7"))
    asked: set[str] = set()
    try:
        for name, length in RANGES.items():
            since = until - length
            width = question.point_s(since, until)
            sql = expand(question.sql, since, until, width, everything)
            if sql not in asked and (rows := estimated(reader, sql)) > most_rows:
                yield f"over {name} it reads {rows:,} rows; {most_rows:,} are allowed"
            asked.add(sql)
            if name == LOOKED_AT:
                yield from question.columns(described(reader, sql))
                yield from question.rows(reader.select(sql))
                # As it stands when something is chosen that needs quotes.
                filtered = expand(question.sql, since, until, width, chosen)
                if filtered != sql:
                    described(reader, filtered)
    except ConfigError as e:
        yield str(e)
    except StoreError as e:
        yield f"the engine refuses it: {' '.join(str(e).split())[:300]}"


def described(reader: Reader, sql: str) -> dict[str, str]:
    """Names and types of the columns of an answer."""
    return {row["name"]: row["type"] for row in reader.select(f"DESCRIBE TABLE ({sql})")}


def estimated(reader: Reader, sql: str) -> int:
    """Rows that the engine would read for an answer."""
    return sum(int(row["rows"]) for row in reader.select(f"EXPLAIN ESTIMATE {sql}"))


def end_of(reader: Reader) -> datetime:
    """Where ranges end: the last booked minute, or now where nothing is booked."""
    booked = reader.value("SELECT max(booked_until) FROM booked_hours HAVING count() > 0")
    assert booked is None or isinstance(booked, datetime)
    return booked or datetime.now(UTC)
