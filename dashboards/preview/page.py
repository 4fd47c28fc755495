"""One self-contained page for each board and an index: the same data gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from dashboards.panel import Board, Panel, grid
from dashboards.preview import draw
from dashboards.preview.answer import (
    MOST_SERIES,
    Answer,
    Asked,
    Rows,
    Series,
    ask,
    marked,
    series,
    strips,
)
from dashboards.preview.figures import printed
from dashboards.words import BOARD_LINK, Column, leads_to
from gpuledger.states import BY_NAME

# Names in the text of a board that are commands.
COMMAND = re.compile(r"`([^`]+)`")
HEAT = "#d55e00"
NOTHING, EMPTY = "no data", "nothing to show"
MISSED = "#ffffff"


@dataclass(frozen=True)
class Preview:
    """What all pages of one preview share."""

    boards: Mapping[str, Board]
    reader: Asked
    since: datetime
    until: datetime

    def pages(self) -> Iterator[tuple[str, str]]:
        """File name and text of each page, the index first."""
        environment = _environment()
        shared = {
            "boards": self.boards,
            "since": self.since,
            "until": self.until,
        }
        yield "index.html", environment.get_template("index.html").render(shared)
        page = environment.get_template("board.html")
        for name, board in self.boards.items():
            marks = [row for m in board.marks for row in self._marks(board, m)]
            panels = [self._panel(panel, board, marks) for panel, _, _ in grid(board.panels)]
            yield (
                f"{name}.html",
                page.render(shared, name=name, board=board, panels=panels, marks=marks),
            )

    def _marks(self, board: Board, marks: Any) -> Rows:
        return marked(marks, board, self.reader, self.since, self.until)

    def _panel(self, panel: Panel, board: Board, marks: Rows) -> dict[str, Any]:
        """What the template prints of one panel."""
        answer = ask(panel, board, self.reader, self.since, self.until)
        told: dict[str, Any] = {"panel": panel, "kind": panel.kind, "link": self.link(panel, board)}
        if answer.refused:
            return told | {"kind": "empty", "why": f"the question failed: {answer.refused}"}
        shown = self._shown(answer, board, marks)
        if not shown:
            return told | {"kind": "empty", "why": f"{EMPTY}: {panel.text.empty}"}
        return told | shown

    def _shown(self, answer: Answer, board: Board, marks: Rows) -> dict[str, Any]:
        """The answer as its kind is drawn; nothing where there is nothing to show."""
        if not answer.rows:
            return {}
        kind = answer.panel.kind
        if kind == "stat":
            return {"stats": list(_stats(answer))}
        if kind in {"area", "lines"}:
            return self._chart(answer, marks)
        if kind in {"timeline", "heat"}:
            return self._strips(answer)
        return self._table(answer, board)

    def _chart(self, answer: Answer, marks: Rows) -> dict[str, Any]:
        lines = [s for s in series(answer) if s.points]
        if not lines:
            return {}
        stacked = answer.panel.kind == "area"
        shown = lines if stacked else lines[:MOST_SERIES]
        colours = _colours(answer.panel, shown)
        picture = draw.drawn(
            shown,
            colours,
            self.since,
            self.until,
            stacked=stacked,
            width_s=answer.width_s,
            marks=[row["time"] for row in marks],
        )
        unit = answer.panel.columns[0].unit
        legend = [
            {
                "name": BY_NAME[s.name].title if s.name in BY_NAME else s.name,
                "colour": c,
                "last": printed(s.points[-1][1], unit),
            }
            for s, c in zip(shown, colours, strict=True)
            if not stacked or any(y for _, y in s.points)
        ]
        return {
            # Made by our own drawing, in which there is no text at all.
            "svg": Markup(picture.svg),  # noqa: S704
            "across": picture.across,
            "up": [(tick.at, printed(tick.value, unit)) for tick in picture.up],
            "legend": legend,
            "more": len(lines) - len(shown),
        }

    def _strips(self, answer: Answer) -> dict[str, Any]:
        found = list(strips(answer, self.since, self.until))
        if answer.panel.kind == "heat":
            values = [float(c.value) for _, cells in found for c in cells if c.value is not None]
            top, unit = max(values, default=0.0) or 1.0, answer.panel.columns[0].unit
            paint: dict[str, Any] = {"ends": (printed(0, unit), printed(top, unit)), "heat": HEAT}
            rows = [(name, [_heat_cell(c, top, unit) for c in cells]) for name, cells in found]
        else:
            rows = [(name, [_state_cell(c) for c in cells]) for name, cells in found]
            seen = {c.value for _, cells in found for c in cells}
            states = [state for state in BY_NAME.values() if state.name in seen]
            paint = {"legend": [{"name": s.title, "colour": s.colour} for s in states]}
        across = draw.times(self.since, self.until)
        return {"kind": "strips", "strips": rows, "across": across, **paint}

    def _table(self, answer: Answer, board: Board) -> dict[str, Any]:
        """Cells of a table, or of bars: there each number has a bar as long as its share."""
        declared = {c.name: c for c in answer.panel.columns}
        columns = [declared.get(name) or Column(name, name) for name in answer.rows[0]]
        bars = answer.panel.kind == "bars"
        tops = {c.name: _top(answer.rows, c.name) for c in columns}
        common = max(tops.values(), default=0.0)
        rows = [
            [self._cell(row[c.name], c, common if bars else 0.0, board) for c in columns]
            for row in answer.rows
        ]
        numbers = [not bars and any(row[n]["number"] for row in rows) for n in range(len(columns))]
        return {"kind": "table", "columns": columns, "rows": rows, "numbers": numbers}

    def _cell(self, value: Any, column: Column, top: float, board: Board) -> dict[str, Any]:
        number = _is_number(value)
        cell: dict[str, Any] = {"text": printed(value, column.unit), "number": number, "page": ""}
        if number and top > 0:
            cell["share"] = max(float(value), 0.0) / top
        if column.states and value in BY_NAME:
            state = BY_NAME[value]
            cell |= {"text": state.title, "colour": state.colour, "ink": ink_on(state.colour)}
        if column.link and value not in {None, ""}:
            cell["page"] = self._page(column.link, board)
        return cell

    def link(self, panel: Panel, board: Board) -> dict[str, str]:
        """Where the next action of a panel is: another page of ours, or something to read."""
        return {"page": self._page(panel.text.link, board), "words": leads_to(panel.text.link)}

    def _page(self, link: str, board: Board) -> str:
        """The page to an address; "" where it is this one or not among ours."""
        found = BOARD_LINK.match(link)
        if not found:
            return link if link.startswith("https://") else ""
        others = {b.uid: f"{name}.html" for name, b in self.boards.items() if b is not board}
        return others.get(found["uid"], "")


def _stats(answer: Answer) -> Iterator[dict[str, str]]:
    declared = {c.name: c for c in answer.panel.columns}
    for name, value in answer.rows[0].items():
        column = declared.get(name) or Column(name, name)
        text = NOTHING if value in {None, ""} else printed(value, column.unit)
        yield {"title": column.title, "text": text, "missing": "yes" if text == NOTHING else ""}


def _colours(panel: Panel, lines: Sequence[Series]) -> list[str]:
    """As the columns say; states that name lines have their own; else one after the other."""
    own = {c.name: c.colour for c in panel.columns if c.colour}
    own |= {state.name: state.colour for state in BY_NAME.values()}
    return [
        own.get(line.column) or own.get(line.name) or draw.PALETTE[place % len(draw.PALETTE)]
        for place, line in enumerate(lines)
    ]


def _state_cell(cell: Any) -> dict[str, Any]:
    state = BY_NAME.get(cell.value)
    colour, title = (state.colour, state.title) if state else (MISSED, str(cell.value))
    return {"at": cell.at, "width": cell.width, "colour": colour, "opacity": 1, "text": title}


def _heat_cell(cell: Any, top: float, unit: Any) -> dict[str, Any]:
    value = cell.value
    share = 0.0 if value is None else max(float(value), 0.0) / top
    text = printed(value, unit)
    return {"at": cell.at, "width": cell.width, "colour": HEAT, "opacity": share, "text": text}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _top(rows: Rows, name: str) -> float:
    return max((float(row[name]) for row in rows if _is_number(row[name])), default=0.0)


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on that colour (WCAG 2 contrast)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (light + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["commands"] = commands
    environment.filters["permille"] = lambda share: f"{1000 * share:.1f}".rstrip("0").rstrip(".")
    environment.filters["percent"] = lambda share: f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return environment


def commands(text: str) -> Markup:
    """A line of help with its commands set as such, everything else escaped."""
    parts = COMMAND.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )
