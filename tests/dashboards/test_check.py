"""Boards that are wrong in one way each, on the real engine; and ours, which are not."""

from __future__ import annotations

import dataclasses

import pytest

from dashboards.boards import executive
from dashboards.check import Defect, check, end_of, estimated, questions, thresholds
from dashboards.choices import COMMON, board_link
from dashboards.panel import Board, Panel, lines, stat, table
from dashboards.words import Column, Marks, Text, Variable
from gpuledger.errors import StoreError
from gpuledger.store import Store, parse_address
from tests.dashboards.world import HOUR, UNTIL, fill

UID = "gpuledger-a"
TEXT = Text("title", "how the whole fleet stands now", "what to do", link=board_link(UID))
ONE = Column("one", "one")
GOOD = stat(TEXT, "SELECT 1 AS one", ONE, width=6)
SERIES = "SELECT $__timeInterval(hour) AS time, count() AS one FROM v_book_1h\n{} GROUP BY time{}"
TIMED = "WHERE $__timeFilter(hour)"


def board(*panels: Panel, **other: object) -> Board:
    return dataclasses.replace(Board(UID, "a", "help", COMMON, panels or (GOOD,)), **other)


def defects(store: Store, made: Board, most_rows: int = 1000) -> list[str]:
    return [str(d) for d in check({"a": made}, store, UNTIL, most_rows)]


def told(**other: str) -> Panel:
    return stat(dataclasses.replace(TEXT, **other), "SELECT 1 AS one", ONE, width=6)


def test_a_good_board_has_no_defect(store: Store) -> None:
    assert defects(store, board()) == []


def test_the_boards_with_data_have_no_defect_but_missing_boards(store: Store) -> None:
    fill(store)
    found = check({"executive": executive.board}, store, UNTIL, 1000)
    missing = ("there is no such board", "it has no link")
    assert [d for d in found if not d.what.endswith(missing)] == []


@pytest.mark.parametrize(
    ("panel", "says"),
    [
        (told(help=" "), "title: it has no help"),
        (told(next=""), "title: it has no next"),
        (told(link=""), "title: it has no link"),
        (told(link=board_link("gpuledger-b")), "gpuledger-b, and there is no such board"),
        (told(link=board_link(UID, job="one")), f"sets job, which the board {UID} does not have"),
        (stat(TEXT, "SELECT 1 AS two", ONE, width=6), "no column 'one' (it has two)"),
        (stat(TEXT, "SELECT arrayJoin([1, 2]) AS one", ONE, width=6), "one row, and there are 2"),
        (stat(TEXT, "SELECT one FROM nothing", ONE, width=6), "the engine refuses it:"),
        (stat(TEXT, "SELECT $__timeFiltre(x) AS one", ONE, width=6), "no macro $__timeFiltre"),
        (stat(TEXT, "SELECT ${user} AS one", ONE, width=6), "unknown variable $user"),
        (lines(TEXT, SERIES.format("", " ORDER BY time"), ONE, width=6), "has no time filter"),
        (
            lines(TEXT, "SELECT now() AS at, 1 AS one WHERE $__fromTime < now()", ONE, width=6),
            "`time`",
        ),
    ],
)
def test_a_defect_of_a_panel_is_one_line(store: Store, panel: Panel, says: str) -> None:
    found = defects(store, board(panel))
    assert any(says in line for line in found), found
    assert all(line.startswith("a: title: ") and "\n" not in line for line in found)


def test_only_a_panel_of_now_needs_no_time_filter(store: Store) -> None:
    assert defects(store, board(told(help="The whole fleet."))) == [
        "a: title: its query has no time filter"
    ]


def test_a_choice_that_changes_nothing_must_be_told(store: Store) -> None:
    [team] = [c for c in COMMON if c.name == "team"]
    cluster = Variable("cluster", team.sql.replace("team", "cluster"))
    sql = "SELECT 1 AS one WHERE $__conditionalAll('x' IN (${team:singlequote}), $team)"
    panel = stat(dataclasses.replace(TEXT, help="now"), sql, ONE, width=6)
    made = board(panel, variables=(cluster, team))
    says = "its query does not change with cluster, and its help does not say"
    assert any(says in line for line in defects(store, made))
    said = dataclasses.replace(TEXT, help="Now, whatever cluster or pool is chosen above.")
    assert not any(says in line for line in defects(store, board(stat(said, sql, ONE, width=6))))


def test_a_panel_tells_of_the_choices_that_its_board_only_keeps() -> None:
    sql = "SELECT 1 AS one WHERE $__conditionalAll('x' IN (${team:singlequote}), $team)"
    now = dataclasses.replace(TEXT, help="Now.")
    both = (stat(now, "SELECT 1 AS one", ONE, width=6), stat(now, sql, ONE, width=6))
    made = board(*both, variables=(Variable("team", sql),), kept=("team",))
    assert [panel.text.help for panel in made.panels] == [
        "Now. Whatever team is chosen above.",
        "Now.",
    ]
    assert "Whatever team" in made.model()["panels"][0]["description"]


def test_rows_must_ascend_in_time(store: Store) -> None:
    sql = "SELECT toDateTime($__toTime - number) AS time, 1 AS one FROM numbers(3)"
    assert defects(store, board(lines(TEXT, sql, ONE, width=6))) == [
        "a: title: rows must come in the order of `time`"
    ]


def test_what_would_be_read_is_bounded_for_every_range(store: Store) -> None:
    fill(store)
    panel = lines(TEXT, SERIES.format(TIMED, " ORDER BY time"), ONE, width=6)
    assert defects(store, board(panel), most_rows=1000) == []
    found = defects(store, board(panel), most_rows=1)
    assert found
    assert all("rows; 1 are allowed" in line for line in found)


def test_a_query_is_asked_with_choices_that_need_quotes(store: Store) -> None:
    unquoted = "SELECT 1 AS one WHERE $__conditionalAll('x' IN (${team}), $team)"
    [line] = defects(store, board(stat(TEXT, unquoted, ONE, width=6)))
    assert "the engine refuses it" in line


def test_a_board_has_twelve_panels_at_most_and_titles_once(store: Store) -> None:
    found = defects(store, board(*[GOOD] * 13))
    assert "a: it has 13 panels; 1 to 12 fit a screen" in found
    assert "a: title: two panels have this title" in found


def test_variables_and_marks_are_asked_too(store: Store) -> None:
    variable = Variable("job", "SELECT 1 AS job")
    marks = Marks("changes", "SELECT 1 AS text", "purple")
    found = defects(store, board(variables=(*COMMON, variable), marks=(marks,)))
    assert found == [
        "a: variable job: job is UInt8: cast it to String",
        "a: marks changes: marks need a column `time` (there are text)",
    ]
    assert [q.whose for q in questions(executive.board)][-4:] == [
        *(f"variable {v.name}" for v in COMMON),
        "marks changes",
    ]


def test_two_boards_with_one_address_are_told(store: Store) -> None:
    found = [str(d) for d in check({"a": board(), "b": board()}, store, UNTIL, 10)]
    assert f"b: board a has the same address {UID}" in found


def test_a_threshold_typed_in_a_panel_is_told() -> None:
    panel = table(TEXT, "SELECT 1 AS one", ONE, width=6)
    panel.drawing.thresholds = [{"color": "red", "value": 3}]
    assert [what for _, what in thresholds(board(panel))] == [
        "it types thresholds of its own; quote the setting"
    ]


def test_a_threshold_typed_in_the_source_of_a_board_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(thresholds(executive.board)) == []
    source = "SQL = f'SELECT 1 WHERE share > 0.25 AND gpus >= 1 AND x < {LIMIT}'"
    monkeypatch.setattr("inspect.getsource", lambda _: source)
    [(_, what)] = thresholds(executive.board)
    assert what == "its source types the threshold '> 0.25'; quote the setting"


def test_a_threshold_typed_in_what_boards_share_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspect.getsource", lambda _: "SQL = 'share > 0.25'")
    assert [line.split(":")[0] for line in defects(store, board())] == [
        "dashboards.ask",
        "dashboards.parts",
        "dashboards.telemetry",
    ]


def test_a_store_that_does_not_answer_is_no_defect_of_a_board() -> None:
    gone = Store(parse_address("http://default@127.0.0.1:1", {}))
    with pytest.raises(StoreError, match="cannot be reached"):
        list(check({"a": board()}, gone, UNTIL, 10))


def test_ranges_end_where_the_book_does(store: Store) -> None:
    before = end_of(store)
    assert before > HOUR
    fill(store)
    assert end_of(store).replace(tzinfo=None) == HOUR.replace(minute=30, tzinfo=None)


def test_an_estimate_counts_all_tables(store: Store) -> None:
    fill(store)
    assert estimated(store, "SELECT * FROM assets UNION ALL SELECT * FROM assets") == 8


def test_a_defect_says_where() -> None:
    assert str(Defect("idle", "", "wrong")) == "idle: wrong"
    assert str(Defect("idle", "Top", "wrong")) == "idle: Top: wrong"
