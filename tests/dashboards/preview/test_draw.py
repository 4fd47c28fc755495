"""What is drawn of series: steps, gaps, ticks, and no text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.preview.answer import Series
from dashboards.preview.draw import Picture, drawn, times

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(hours=10)


def line(**hours: float) -> Series:
    """A value for each hour: `h3=2.0`."""
    points = ((START + timedelta(hours=int(h[1:])), value) for h, value in hours.items())
    return Series("x", "x", tuple(points))


def picture(*lines: Series, stacked: bool, marks: tuple[datetime, ...] = ()) -> Picture:
    colours = ["#111111", "#222222"][: len(lines)]
    return drawn(lines, colours, START, END, stacked=stacked, width_s=3600, marks=marks)


def outlines(made: Picture, colour: str) -> int:
    return len(re.findall(f"fill: {colour}", made.svg))


def test_a_picture_holds_no_text_and_names_nothing_outside() -> None:
    made = picture(line(h0=1.0, h1=2.0), stacked=False)
    assert made.svg.startswith("<svg")
    assert not re.search(r"<text|<metadata| id=|href", made.svg)


def test_a_gap_in_a_stack_is_a_gap() -> None:
    made = picture(line(h0=1, h1=1, h5=1, h6=0, h7=1), stacked=True)
    assert outlines(made, "#111111") == 3
    assert outlines(picture(line(h0=1, h1=1, h2=3), stacked=True), "#111111") == 1


def test_a_stack_reaches_up_to_the_sum() -> None:
    made = picture(line(h0=30, h1=20), line(h0=60, h1=20), stacked=True)
    assert made.up[0].value == 0
    assert made.up[-1].value >= 90
    assert outlines(made, "#222222") == 1


def test_a_single_point_can_be_seen() -> None:
    assert "stroke: #111111" in picture(line(h3=5), stacked=False).svg


def test_values_below_zero_are_within_the_picture() -> None:
    made = picture(line(h0=-4, h1=4), stacked=False)
    assert made.up[0].value <= -4
    assert made.up[-1].value >= 4


def test_marks_are_dashed() -> None:
    assert "dasharray" not in picture(line(h0=1, h1=1), stacked=False).svg
    made = picture(line(h0=1, h1=1), stacked=False, marks=(START + timedelta(hours=1),))
    assert made.svg.count("stroke-dasharray") == 1


@pytest.mark.parametrize(
    ("length", "first", "most"),
    [
        (timedelta(minutes=15), "00:05", 8),
        (timedelta(hours=10), "03:00", 8),
        (timedelta(days=2), "2 Mar 06:00", 8),
        (timedelta(days=7), "3 Mar", 8),
        (timedelta(days=395), "19 Mar 2026", 9),
        (timedelta(days=4000), "1 Jul 2027", 10),
    ],
)
def test_ticks_are_round_moments_and_few(length: timedelta, first: str, most: int) -> None:
    found = times(START, START + length)
    assert found[0].value == first
    assert 1 <= len(found) <= most
    assert all(0 < tick.at < 1 for tick in found)
