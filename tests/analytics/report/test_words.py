"""Numbers as people read them."""

from __future__ import annotations

import pytest

from analytics.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (0.04, "< 0.1"),
        (0.05, "0.1"),
        (1, "1"),
        (1.04, "1"),
        (9.94, "9.9"),
        (9.96, "10"),
        (1234.5, "1,234"),
        (1_680_000, "1,680,000"),
        (-3, "−3"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"),
        (0, "0%"),
        (0.0004, "< 0.1%"),
        (0.0154, "1.5%"),
        (0.5, "50%"),
        (0.9996, "99.9%"),
        (1, "100%"),
    ],
)
def test_percent_never_rounds_to_all_or_nothing(ratio: float | None, text: str) -> None:
    assert words.percent(ratio) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59, "59 s"),
        (59.7, "1 min"),
        (3599, "1 h"),
        (12_000, "3 h 20 min"),
        (86_399, "1 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("change", "unit", "text"),
    [
        (-0.057, "ratio", "−5.7 points"),
        (0.0001, "ratio", "±0 points"),
        (-960, "seconds", "−16 min"),
        (0.26, "count", "+0.3"),
    ],
)
def test_difference_carries_its_sign(change: float, unit: str, text: str) -> None:
    assert words.difference(change, unit) == text


def test_money_without_a_price_is_never_zero() -> None:
    assert words.money(None, "") == "no price configured"
    assert words.money(0, "EUR") == "EUR 0"
    assert words.money(1234.4, "EUR") == "EUR 1,234"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 GPUs"), (1, "1 GPU"), (1.5, "1.5 GPUs"), (1200, "1,200 GPUs")]
)
def test_plural(count: float, text: str) -> None:
    assert words.plural(count, "GPU") == text


def test_plain_is_one_visible_line() -> None:
    assert words.plain("a\x00b\n\tc\u202e d") == "a b c d"
    assert words.plain("x" * 300) == "x" * 300
    assert words.plain("x" * 301) == "x" * 299 + "…"


def test_what_has_no_width_parts_no_word() -> None:
    assert words.plain("b\u200bo\u00adb\ufeff") == "bob"


def test_markdown_needs_no_backslash_before_round_brackets() -> None:
    assert words.escaped("paid for (256 GPUs) *") == "paid for (256 GPUs) \\*"


def test_plain_text_has_neither_emphasis_nor_backslashes() -> None:
    name = "a_b*c**d\\e_ [x](y)"
    markdown = f"**Title {words.escaped(name)}**\n_{words.escaped(name)}_\n- {words.escaped(name)}"
    assert words.unmarked(markdown) == f"Title {name}\n{name}\n- {name}"


def test_span() -> None:
    assert words.span(7 * 86_400) == "7 days"
    assert words.span(86_400) == "1 day"
    assert words.span(5400) == "1.5 hours"


def test_a_long_text_ends_with_a_word_where_one_is_near() -> None:
    assert words.short("two words", 9) == "two words"
    assert words.short("three words here", 12) == "three…"
    assert words.short("n" * 300, 10) == "n" * 9 + "…"
