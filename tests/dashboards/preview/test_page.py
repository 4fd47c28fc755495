"""Pages of boards: real answers, words where there are none, and hostile names made harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from dashboards.boards.executive import board as executive
from dashboards.choices import COMMON, board_link
from dashboards.panel import FINE, Board, Panel, area, bars, heat, lines, stat, table, timeline
from dashboards.preview.page import Preview, ink_on
from dashboards.words import Column, Marks, Text
from gpuledger.errors import StoreError
from gpuledger.states import STATES
from gpuledger.store import Store
from gpuledger.units import RATIO
from tests.dashboards.world import SINCE, UNTIL, fill

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=1)
HOSTILE = '<script>alert("1")</script> \'; DROP 🙂 ' + "x" * 300
LINK = board_link("gpuledger-b")
TEXT = Text("title", "says `gpuledger free`", "do it", link=LINK, empty="no job <waits>")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Told:
    """A store that answers the same to every question."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], refusal: str = "") -> None:
        self.rows, self.refusal = rows, refusal

    def select(self, _sql: str, **_: Any) -> list[dict[str, Any]]:
        if self.refusal:
            raise StoreError(self.refusal)
        return [dict(row) for row in self.rows]


class Balanced(HTMLParser):
    """Counts tags; every one that opens must close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


def page(panel: Panel, rows: Sequence[Mapping[str, Any]], refusal: str = "") -> tuple[str, str]:
    """HTML of a board of one panel, and its text."""
    boards = {
        name: Board(f"gpuledger-{name}", f"board {name}", "help", COMMON, panels)
        for name, panels in (("a", (panel,)), ("b", ()))
    }
    pages = dict(Preview(boards, Told(rows, refusal), START, END).pages())
    return pages["a.html"], parsed(pages["a.html"]).text


def parsed(html: str) -> Balanced:
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    return parser


def hours(**columns: Sequence[Any]) -> list[dict[str, Any]]:
    """One row an hour."""
    times = [START + timedelta(hours=n) for n in range(len(next(iter(columns.values()))))]
    return [
        {"time": at, **{name: values[n] for name, values in columns.items()}}
        for n, at in enumerate(times)
    ]


KINDS: dict[str, tuple[Panel, list[dict[str, Any]]]] = {
    "stat": (
        stat(TEXT, "SELECT 1", Column("share", "the share", RATIO), width=6),
        [{"share": 0.5, "grade": "B"}],
    ),
    "table": (
        table(TEXT, "SELECT 1", Column("user", "who", link=LINK), width=6),
        [{"user": HOSTILE, "gpus": 3}],
    ),
    "bars": (
        bars(TEXT, "SELECT 1", Column("wait", "the wait", RATIO), width=6),
        [{"size": HOSTILE, "wait": 0.25}, {"size": "1 GPU", "wait": 0.5}],
    ),
    "area": (
        area(TEXT, "SELECT 1", Column("x", "the x", colour="#123456"), width=6),
        hours(x=[1, 2.0, None], y=[3, 4, 5]),
    ),
    "lines": (
        lines(TEXT, "SELECT 1", Column("x", "the x"), width=6, interval=FINE),
        hours(user=[HOSTILE, HOSTILE, "b"], x=[1, 2, 3]),
    ),
    "timeline": (
        timeline(TEXT, "SELECT 1", "node", "state", width=6),
        hours(node=[HOSTILE, "n1", "n1"], state=["productive", "fault", "alloc_idle"]),
    ),
    "heat": (
        heat(TEXT, "SELECT 1", "node", Column("x", "the x", RATIO), width=6),
        hours(node=[HOSTILE, "n1", "n1"], x=[0.25, 0.5, None]),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_with_its_words_and_nothing_from_elsewhere(kind: str) -> None:
    html, text = page(*KINDS[kind])
    for words in ("title", "says", "do it", "b board", "2026-03-02 00:00 to 2026-03-03 00:00 UTC"):
        assert words in text
    assert "<code>gpuledger free</code>" in html
    assert not re.search(r"(?:src|href|url\()=?[\"']?(?:https?:)?//", html)
    assert "nothing to show" not in text


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in {"stat", "area"}])
def test_hostile_names_are_shown_whole_and_do_nothing(kind: str) -> None:
    html, text = page(*KINDS[kind])
    assert HOSTILE in text
    assert "script" not in parsed(html).seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_panel_without_rows_says_why(kind: str) -> None:
    html, text = page(KINDS[kind][0], [])
    assert "nothing to show: no job <waits>" in text
    assert "<waits>" not in html


def test_a_series_of_unknown_values_says_why() -> None:
    _, text = page(KINDS["lines"][0], hours(x=[None, None]))
    assert "nothing to show: no job <waits>" in text


def test_a_question_that_fails_is_told_in_its_panel() -> None:
    _, text = page(KINDS["stat"][0], [], refusal="table <b> is\nmissing")
    assert "the question failed: table <b> is missing" in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_answer_gives_the_same_bytes(kind: str) -> None:
    assert page(*KINDS[kind]) == page(*KINDS[kind])


def test_states_have_their_colours() -> None:
    html, text = page(*KINDS["timeline"])
    colours = {s.name: s.colour for s in STATES}
    for state in ("productive", "fault", "alloc_idle"):
        assert f'fill="{colours[state]}"' in html
    assert "alloc idle" in text
    assert "maintenance" not in text


def test_a_strip_lasts_until_the_next_row_of_it() -> None:
    html, _ = page(
        timeline(TEXT, "SELECT 1", "node", "state", width=6),
        [
            {"time": START, "node": "n1", "state": "fault"},
            {"time": START + timedelta(hours=6), "node": "n1", "state": "productive"},
        ],
    )
    rects = re.findall(r'<rect x="(\d+)" y="0" width="(\d+)"', html)
    assert rects == [("0", "250"), ("250", "750")]


def test_a_cell_of_a_state_is_painted() -> None:
    panel = table(TEXT, "SELECT 1", Column("GPU 0", "GPU 0", states=True), width=6)
    html, text = page(panel, [{"node": "n1", "GPU 0": "alloc_idle"}, {"node": "n2", "GPU 0": None}])
    assert 'style="background:#ef6c00;color:#000000"' in html
    assert "alloc idle" in text


def test_words_on_a_colour_can_be_read() -> None:
    assert ink_on("#ffffff") == "#000000"
    assert ink_on("#1f4e79") == "#ffffff"


def test_links_lead_to_pages_that_are_there() -> None:
    menu = ["index.html", "a.html", "b.html"]
    for uid in ("gpuledger-gone", "gpuledger-a"):
        other = board_link(uid, job="user")
        panel = table(Text("t", "h", "n", link=other), "", Column("user", "u", link=other), width=6)
        html, text = page(panel, [{"user": "ana"}])
        assert re.findall(r'href="([^"]+)"', html) == menu
        assert "ana" in text
    html, _ = page(*KINDS["table"])
    assert re.findall(r'href="([^"]+)"', html) == [*menu, "b.html", "b.html"]


def test_bars_are_as_long_as_their_share_of_the_longest() -> None:
    html, _ = page(*KINDS["bars"])
    assert re.findall(r'class="bar" style="width:(\d+)%"', html) == ["50", "100"]


def test_changes_are_drawn_and_listed() -> None:
    panel, rows = KINDS["area"]
    marks = Marks("changes", "SELECT 1", "purple")
    boards = {"a": Board("gpuledger-a", "board a", "help", COMMON, (panel,), (marks,))}
    told = [{**row, "text": f"driver of n1: {HOSTILE}"} for row in rows]
    html = dict(Preview(boards, Told(told), START, END).pages())["a.html"]
    assert f"driver of n1: {HOSTILE}" in parsed(html).text
    assert html.count("stroke-dasharray") >= len(rows)


def test_the_executive_board_shows_the_world_in_numbers(store: Store) -> None:
    fill(store)
    pages = dict(Preview({"executive": executive}, store, SINCE, UNTIL).pages())
    assert list(pages) == ["index.html", "executive.html"]
    assert executive.title in parsed(pages["index.html"]).text
    text = " ".join(parsed(pages["executive.html"]).text.split())
    for shown in (
        "utilization 25%",
        "activity 50%",
        "jobs started 2",
        "Release the GPU of notebook",
    ):
        assert shown in text
    assert "the question failed" not in text


def test_an_empty_store_gives_a_page_of_words(store: Store) -> None:
    pages = dict(Preview({"executive": executive}, store, SINCE, UNTIL).pages())
    text = parsed(pages["executive.html"]).text
    assert text.count("nothing to show: ") == len(executive.panels)
