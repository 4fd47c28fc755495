"""Forms of small blocks: what most nodes send has everything at the same place each time.

A block is walked column by column; once some of one form came, a pattern takes the next ones in a
fifth of the time, with the same checks. What no pattern takes is walked: forms are never needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from analytics.ingest.walk import COUNT, FLAGS, HEAD, Block, Column, Shape, number

# Blocks larger than this are few; their walk is not what costs.
MOST_ROWS, MOST_BYTES = 64, 32 << 10
# Making a pattern takes as long as a hundred walks: a head must have been missed so often before
# its first one is made, and twice as often before each one after it.
FIRST_AFTER = 8
MOST_FORMS, MOST_HEADS = 12, 128
_ASCII = b"[\\x00-\\x7f]"


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """Where everything lies in a block, and the pattern of blocks that are like it."""

    pattern: re.Pattern[bytes]
    size: int
    rows: int
    columns: dict[int, Column]
    times: list[Column]
    is_normal: bool


class Forms:
    """What was learned of one table's blocks; safe for any number of threads."""

    def __init__(self) -> None:
        self._forms: dict[bytes, tuple[Form, ...]] = {}
        self._missed: dict[bytes, int] = {}

    def find(self, body: bytes, at: int) -> Block | None:
        """The block that begins there, if it has a known form."""
        head = body[at : at + 2]
        known = self._forms.get(head, ())
        for place, form in enumerate(known):
            if form.pattern.match(body, at):
                if place:
                    self._forms[head] = (form, *known[:place], *known[place + 1 :])
                whole = not at and len(body) == form.size
                own = body if whole else body[at : at + form.size]
                return Block(own, form.rows, form.columns, form.times, form.is_normal, form)
        return None

    def learn(self, block: Block) -> None:
        """Take note of a block that had no known form."""
        if block.rows > MOST_ROWS or len(block.body) > MOST_BYTES:
            return
        head = block.body[:2]
        if len(self._missed) > MOST_HEADS:
            self._missed.clear()
            self._forms.clear()
        missed = self._missed[head] = self._missed.get(head, 0) + 1
        if missed % FIRST_AFTER or (missed // FIRST_AFTER).bit_count() != 1:
            return
        form = Form(
            re.compile(_pattern(block), re.DOTALL),
            *(len(block.body), block.rows, block.columns, block.times, block.is_normal),
        )
        self._forms[head] = (form, *self._forms.get(head, ())[: MOST_FORMS - 1])


def _pattern(block: Block) -> bytes:
    """What another block must be like: the same headers and lengths, good masks and places."""
    body, at, out = block.body, 0, []
    for column in block.columns.values():
        _, start, end = column
        out += [re.escape(body[at:start]), _data(block, column)]
        at = end
    return b"".join(out)


def _data(block: Block, column: Column) -> bytes:
    (spec, start, end), rows = column, block.rows
    match spec.shape:
        case Shape.MASKED:
            return b"[\\x00\\x01]{%d}.{%d}" % (rows, rows * spec.width)
        case Shape.LABELS:
            _, flags, count = HEAD.unpack_from(block.body, start)
            places = end - (rows << flags - FLAGS)
            texts = _texts(block.body, start + HEAD.size, places - COUNT.size)
            head = re.escape(block.body[start : start + HEAD.size])
            tail = re.escape(block.body[places - COUNT.size : places])
            if flags != FLAGS:  # more than 256 texts for so few rows: only the very same
                return head + texts + tail + re.escape(block.body[places:end])
            return b"%b%b%b[\\x00-\\x%02x]{%d}" % (head, texts, tail, min(count, 256) - 1, rows)
        case Shape.TEXTS:
            return _texts(block.body, start, end)
        case _:
            return b".{%d}" % (end - start)


def _texts(body: bytes, at: int, end: int) -> bytes:
    """Texts of the same lengths, of ASCII alone: others are for the walk to judge."""
    out = []
    while at < end:
        size, begin = number(body, at)
        out += [re.escape(body[at:begin]), b"%b{%d}" % (_ASCII, size) if size else b""]
        at = begin + size
    return b"".join(out)
