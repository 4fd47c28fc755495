"""Numbers and names as people read them; the same for page, mail and chart."""

from __future__ import annotations

import re
from datetime import date, datetime

NO_PRICE, SEVERAL_CURRENCIES = "no price configured", "prices in several currencies"
NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
HOUR_S, DAY_S = 3600, 86_400
# Of a word that a cut would break, so much is given up.
LONGEST_REST = 12
# The colour of a state that this version does not know.
STRANGER = "#616161"
COUNTS = {1: "One", 2: "Two", 3: "Three"}
# The book's groups in words that need no glossary.
GROUPS = {"OCCUPIED": "Allocated", "UNOCCUPIED": "Free", "UNAVAILABLE": "Out of service"}
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What has no width parts no word: a name with it inside reads as the name.
_NO_WIDTH = re.compile(r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
# Round brackets alone make no link; chats that know no escapes would show backslashes.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!@&])")
_MARKS = re.compile(r"\\(.)|\*\*|^_|_$", re.MULTILINE)


def number(value: float | None) -> str:
    """Thousands separators; a small number keeps one digit behind the point."""
    if value is None:
        return NOTHING
    if 0 < abs(value) < 0.05:
        return "< 0.1"
    text = f"{value:,.1f}" if abs(value) < 9.95 else f"{value:,.0f}"
    return text.removesuffix(".0").replace("-", MINUS)


def plural(count: float, noun: str) -> str:
    """`1 GPU`, `2 GPUs`, `1,200 GPU-hours`."""
    shown = number(count)
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"


def hours(value: float) -> str:
    """GPU-hours with their unit."""
    return plural(value, "GPU-hour")


def percent(ratio: float | None) -> str:
    """A ratio as a percentage; what is not quite 0 or 100 never reads as such."""
    if ratio is None:
        return NOTHING
    share = ratio * 100
    if 0 < share < 0.1:
        return "< 0.1%"
    digits = 1 if 0 < abs(share) < 10 or 99 < share < 100 else 0
    text = f"{min(share, 99.9) if share < 100 else share:.{digits}f}"
    return f"{text.removesuffix('.0')}%"


def points(change: float) -> str:
    """A difference of ratios in percentage points, with its sign."""
    return f"{_signed(change * 100, 1)} points"


def money(value: float | None, currency: str) -> str:
    """An amount in whole units of its currency."""
    return NO_PRICE if value is None else f"{currency} {number(value)}".strip()


def duration(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    if seconds is None:
        return NOTHING
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < DAY_S / 60:
        return _two(minutes, 60, "h", "min")
    return _two(round(seconds / HOUR_S), 24, "d", "h")


def quantity(value: float, unit: str) -> str:
    """A metric's value in its unit."""
    match unit:
        case "ratio":
            return percent(value)
        case "seconds":
            return duration(value)
        case _:
            return number(value)


def difference(change: float, unit: str) -> str:
    """A metric's change in its unit, with its sign."""
    match unit:
        case "ratio":
            return points(change)
        case "seconds":
            sign = MINUS if change < 0 else "+"
            return f"{sign}{duration(abs(change))}"
        case _:
            return _signed(change, 1)


def at(moment: datetime) -> str:
    """An instant of these weeks to the minute, UTC."""
    return f"{moment:%a} {moment.day} {moment:%b, %H:%M}"


def sentence(text: str) -> str:
    """The text with a capital at its beginning; the rest as it is."""
    return text[:1].upper() + text[1:]


def day(moment: date) -> str:
    """A day of these weeks: `Fri 27 Nov`."""
    return f"{moment:%a} {moment.day} {moment:%b}"


def cause(word: str) -> str:
    """A cause of the book as people read it."""
    return word.replace("_", " ")


def span(seconds: float) -> str:
    """A planning horizon: `7 days`, `12 hours`."""
    days, rest = divmod(round(seconds), DAY_S)
    return plural(days, "day") if days and not rest else plural(seconds / HOUR_S, "hour")


def short(text: str, limit: int) -> str:
    """The beginning of a text, up to a word's end where one is near; the whole stands elsewhere."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    words, _, rest = cut.rpartition(" ")
    return f"{words if words and len(rest) <= LONGEST_REST else cut.rstrip()}…"


def plain(text: str, limit: int = 300) -> str:
    """One line of a foreign text: nothing invisible in it, and an end to its length."""
    line = " ".join(_UNSEEN.sub(" ", _NO_WIDTH.sub("", text)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def escaped(text: str) -> str:
    """The text for Markdown: foreign names cannot format anything."""
    return _SPECIAL.sub(r"\\\1", text)


def unmarked(markdown: str) -> str:
    """Our Markdown as plain text: without emphasis, and as it was before `escaped`."""
    return _MARKS.sub(lambda mark: mark[1] or "", markdown)


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):,.{digits}f}"
    if not float(text.replace(",", "")):
        return "±0"
    return f"{MINUS if value < 0 else '+'}{text}"


def _two(count: int, per: int, large: str, small: str) -> str:
    whole, rest = divmod(count, per)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"
