"""The minutes of a GPU as words of 64 bits: numbered, packed, in order and without a gap.

The upper 16 bits of a word are the minute's number within the window, so that arrays of words sort
as plain numbers; a day of a GPU is cut, shifted and added up as a few short arrays, where rows
would have to be sorted and joined. All ones in a part mean that nobody told.
"""

from __future__ import annotations

from dataclasses import dataclass

# Number of a minute that is known by its start in milliseconds.
NUMBER = "toUInt64(intDiv({minute} - {{lo:Int64}}, 60000))"
WINDOW = "toUInt64(intDiv({hi:Int64} - {lo:Int64}, 60000))"
MILLIONTHS = 1_000_000
PLACE = 48


@dataclass(frozen=True)
class Part:
    """Some bits of a word."""

    word: str
    shift: int
    bits: int

    @property
    def unknown(self) -> int:
        """What stands where nobody told."""
        return (1 << self.bits) - 1

    def packed(self, value: str) -> str:
        """SQL of its share of a word; NULL becomes unknown, what is too large the most there is."""
        # least() passes NULL over.
        most = f"toUInt64(least(round(assumeNotNull({value})), {self.unknown - 1}))"
        whole = f"if(isNull({value}), {self.unknown}, {most})"
        return f"bitShiftLeft({whole}, {self.shift})"

    def of(self, word: str) -> str:
        """SQL of the value in a word."""
        return f"bitAnd(bitShiftRight({word}, {self.shift}), {self.unknown})"


ACTIVE, COVER, PROCESSES = Part("a", 32, 16), Part("a", 16, 16), Part("a", 0, 16)
SM, UTIL = Part("b", 28, 20), Part("b", 8, 20)
LOST, POWER, LIMIT = Part("c", 46, 2), Part("c", 23, 23), Part("c", 0, 23)
USED, TOTAL = Part("d", 24, 24), Part("d", 0, 24)

# What each part is packed from: columns of `told`.
OF_CARDS = {
    ACTIVE: "active_ms",
    COVER: "ifNull(cover_ms, 0)",
    PROCESSES: "processes",
    SM: f"sm * {MILLIONTHS}",
    UTIL: f"util * {MILLIONTHS}",
    LOST: "lost",
    POWER: "power_mw",
    LIMIT: "nullIf(limit_mw, 0)",
    USED: "used_mib",
    TOTAL: "nullIf(total_mib, 0)",
}
# The card of a slice tells of loss and power.
OF_SLICES = {part: sql for part, sql in OF_CARDS.items() if part.word != "c"}


def nothing(word: str) -> int:
    """The word of a minute that nobody told of: no cover, no loss, the rest unknown."""
    known = {COVER, LOST}
    parts = [p for p in OF_CARDS if p.word == word and p not in known]
    return sum(p.unknown << p.shift for p in parts)


def packed(parts: dict[Part, str]) -> str:
    """`… AS a, … AS b` over rows that have a `minute`."""
    number = f"bitShiftLeft({NUMBER.format(minute='minute')}, {PLACE})"
    words = sorted({p.word for p in parts})
    return ", ".join(
        f"{number} + {' + '.join(p.packed(v) for p, v in parts.items() if p.word == w)} AS {w}"
        for w in words
    )


def in_order(rows: str, keys: str, words: str) -> str:
    """One row per key: each word an array of every minute of the window, unknown ones filled in."""
    told = ", ".join(f"groupArray({w}) AS told_{w}" for w in words)
    seen = f"arrayMap(x -> bitShiftRight(x, {PLACE}), told_{words[0]})"
    filled = ", ".join(
        f"arraySort(arrayConcat(told_{w}, arrayMap(i -> bitShiftLeft(i, {PLACE}) + {nothing(w)},"
        f" gaps))) AS {w}"
        for w in words
    )
    return f"""
SELECT {keys}, {filled} FROM (
  SELECT {keys}, {told}, arrayExcept(if(length(told_{words[0]}) = {WINDOW}, emptyArrayUInt64(),
    range({WINDOW})), {seen}) AS gaps
  FROM ({rows}) GROUP BY {keys})
"""
