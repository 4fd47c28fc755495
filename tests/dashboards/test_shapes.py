"""Answers that a kind of panel can and cannot draw."""

from __future__ import annotations

import pytest

from dashboards.choices import board_link
from dashboards.panel import Panel, area, bars, heat, lines, stat, table, timeline
from dashboards.shapes import (
    columns_defects,
    is_number,
    is_text,
    is_time,
    marks_defects,
    rows_defects,
    variable_defects,
)
from dashboards.words import Column, Text
from tests.dashboards.world import HOUR, SINCE

TEXT = Text("title", "help", "next")
A = Column("a", "A")
LINE = lines(TEXT, "", A, width=6)
TIME, NUMBER, NAME = "DateTime", "Nullable(Float64)", "LowCardinality(String)"


@pytest.mark.parametrize(
    ("panel", "columns"),
    [
        (LINE, {"time": TIME, "a": NUMBER, "b": "UInt64"}),
        (LINE, {"time": "DateTime64(3, 'UTC')", "node": NAME, "a": NUMBER}),
        (area(TEXT, "", A, width=6), {"time": TIME, "a": "Decimal(9, 2)"}),
        (timeline(TEXT, "", "n", "s", width=6), {"time": TIME, "n": NAME, "s": "Enum8('x' = 1)"}),
        (heat(TEXT, "", "n", A, width=6), {"time": TIME, "n": "String", "a": NUMBER}),
        (bars(TEXT, "", A, width=6), {"size": "String", "a": "Int64"}),
        (stat(TEXT, "", A, width=6), {"a": NUMBER, "grade": "String"}),
        (table(TEXT, "", A, width=6), {"a": "Array(String)"}),
    ],
)
def test_what_fits_is_no_defect(panel: Panel, columns: dict[str, str]) -> None:
    assert [*columns_defects(panel, columns)] == []


@pytest.mark.parametrize(
    ("panel", "columns", "says"),
    [
        (LINE, {"time": TIME, "b": NUMBER}, "no column 'a' (it has time, b)"),
        (LINE, {"a": NUMBER, "time": TIME}, "`time` first"),
        (LINE, {"time": "String", "a": NUMBER}, "`time` first"),
        (LINE, {"time": "Nullable(DateTime)", "a": NUMBER}, "must not be Nullable"),
        (LINE, {"time": TIME, "a": "Array(UInt8)"}, "cannot draw a (Array(UInt8))"),
        (LINE, {"time": TIME, "a": NAME}, "needs a number"),
        (LINE, {"time": TIME, "n": NAME, "a": NUMBER, "b": NUMBER}, "one number, not 2"),
        (
            timeline(TEXT, "", "n", "s", width=6),
            {"time": TIME, "s": NAME, "n": NAME},
            "time, n and s",
        ),
        (bars(TEXT, "", A, width=6), {"a": NUMBER, "size": NAME}, "no text"),
        (bars(TEXT, "", A, width=6), {"a": NAME}, "bars need a number"),
        (
            table(TEXT, "", Column("a", "A", link=board_link("x", job="job_id")), width=6),
            {"a": NAME},
            "no column 'job_id'",
        ),
    ],
)
def test_what_does_not_fit_is_told(panel: Panel, columns: dict[str, str], says: str) -> None:
    [defect, *_] = columns_defects(panel, columns)
    assert says in defect


def test_rows_of_a_series_ascend_and_a_stat_has_one() -> None:
    up = [{"time": SINCE, "a": 1}, {"time": HOUR, "a": 2}]
    assert [*rows_defects(LINE, up)] == []
    assert [*rows_defects(LINE, up[::-1])] == ["rows must come in the order of `time`"]
    one = stat(TEXT, "", A, width=6)
    assert [*rows_defects(one, up[:1])] == []
    assert [*rows_defects(one, up)] == ["a stat panel shows one row, and there are 2"]


def test_a_variable_answers_texts() -> None:
    assert [*variable_defects({"job": NAME, "label": "String"})] == []
    [defect] = variable_defects({"job": "UInt64"})
    assert defect == "job is UInt64: cast it to String"
    assert "not a, b, c" in next(iter(variable_defects({"a": NAME, "b": NAME, "c": NAME})))


def test_marks_have_a_time_and_a_text() -> None:
    assert [*marks_defects({"time": TIME, "text": NAME, "tags": NAME})] == []
    assert len([*marks_defects({"at": TIME})]) == 2


def test_types_are_seen_through_what_wraps_them() -> None:
    assert is_number("LowCardinality(Nullable(UInt8))")
    assert not is_number("Array(UInt8)")
    assert is_text("LowCardinality(Nullable(String))")
    assert is_time("Nullable(DateTime64(3))")
