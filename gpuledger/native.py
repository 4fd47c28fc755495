"""ClickHouse Native blocks: written small, and read with care whatever the bytes say.

The driver's own writer costs a node more memory than the rest of the agent's sending, and its
reader is made for answers of a server: a damaged body ends its process. Here a body can only be
refused. Types are those that a table of ours has, and for reading their plain relatives.
Format: https://clickhouse.com/docs/native-protocol/columns
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from gpuledger.batch import Batch

# Type to what `struct` calls it.
CODES = {
    **{f"UInt{bits}": code for bits, code in ((8, "B"), (16, "H"), (32, "I"), (64, "Q"))},
    **{f"Int{bits}": code for bits, code in ((8, "b"), (16, "h"), (32, "i"), (64, "q"))},
    "Float32": "f",
    "Float64": "d",
    "DateTime64(3, 'UTC')": "q",
}
INDEX_CODES = "BHIQ"
OWN_TEXTS, NEW_DICTIONARY = 1 << 9, 1 << 10
INDEX_VERSION = 1


class _Cursor:
    """A place in a body; reading past its end is a ValueError."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at == len(self._body)

    def take(self, size: int) -> memoryview:
        end = self._at + size
        if end > len(self._body):
            raise ValueError("the body ends too early")
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def number(self) -> int:
        """LEB128, at most 64 bits."""
        value = 0
        for shift in range(0, 64, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a length has more than 64 bits")

    def word(self) -> int:
        """Eight bytes."""
        return int.from_bytes(self.take(8), "little")

    def text(self) -> str:
        return str(self.take(self.number()), "utf-8")

    def numbers(self, code: str, count: int) -> list[Any]:
        taken = self.take(count * struct.calcsize(f"<{code}"))
        return list(struct.unpack(f"<{count}{code}", taken))


def encode(batch: Batch) -> bytes:
    """The batch, whose columns are lists, as one block. ValueError names what does not fit."""
    types = {f.stored: f.type for f in batch.table.fields}
    out = [_length(len(batch.columns)), _length(len(batch))]
    for name, values in batch.columns.items():
        kind = types[name]
        out += [_text(name), _text(kind)]
        try:
            out += _written(kind, values)
        except (TypeError, ValueError, AttributeError, OverflowError) as e:
            raise ValueError(f"column {name} {kind}: {e}") from None
    return b"".join(out)


def _written(kind: str, values: Sequence[Any]) -> list[bytes]:
    """One column's bytes."""
    if kind == "String":
        return [_text(v) for v in values]
    if kind == "LowCardinality(String)":
        return _index(values)
    if kind.startswith("Nullable("):
        code = CODES[kind[len("Nullable(") : -1]]
        if None not in values:
            return [bytes(len(values)), _packed(code, values)]
        return [
            bytes([v is None for v in values]),
            _packed(code, [0 if v is None else v for v in values]),
        ]
    return [_packed(CODES[kind], values)]


def _index(values: Sequence[str]) -> list[bytes]:
    """Each different text once, then which of them each row has; `_indexed` reads it."""
    if not values:
        return []
    places = {text: place for place, text in enumerate(dict.fromkeys(values))}
    size = next(s for s, c in enumerate(INDEX_CODES) if len(places) <= 1 << 8 * struct.calcsize(c))
    head = struct.pack("<QQQ", INDEX_VERSION, OWN_TEXTS | NEW_DICTIONARY | size, len(places))
    rows = _packed(INDEX_CODES[size], [places[v] for v in values])
    return [head, *map(_text, places), struct.pack("<Q", len(values)), rows]


def _packed(code: str, values: Sequence[Any]) -> bytes:
    """Numbers, least byte first."""
    numbers = array(code, values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _length(len(encoded)) + encoded


def _length(value: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_blocks(body: bytes) -> dict[str, tuple[str, list[Any]]]:
    """Name to type and values (times in milliseconds) of all blocks of a body, one after another.

    ValueError where the bytes are not blocks of one table.
    """
    cursor = _Cursor(body)
    columns = _block(cursor)
    while not cursor.ended:
        more = _block(cursor)
        if _header(more) != _header(columns):
            raise ValueError("the blocks are not of one table")
        for name, (_, values) in more.items():
            columns[name][1].extend(values)
    return columns


def _header(columns: dict[str, tuple[str, list[Any]]]) -> list[tuple[str, str]]:
    return [(name, kind) for name, (kind, _) in columns.items()]


def _block(cursor: _Cursor) -> dict[str, tuple[str, list[Any]]]:
    width, rows = cursor.number(), cursor.number()
    columns = {}
    for _ in range(width):
        name, kind = cursor.text(), cursor.text()
        columns[name] = kind, _column(cursor, name, kind, rows)
    if not columns or len(columns) != width:
        raise ValueError("a block has no columns, or two of one name")
    return columns


def _column(cursor: _Cursor, name: str, kind: str, rows: int) -> list[Any]:
    inner = kind[len("Nullable(") : -1] if kind.startswith("Nullable(") else kind
    if kind == "String":
        return [cursor.text() for _ in range(rows)]
    if kind == "LowCardinality(String)":
        return _indexed(cursor, rows) if rows else []
    if kind in CODES:
        return cursor.numbers(CODES[kind], rows)
    if inner in CODES:
        missing = cursor.take(rows)
        if bytes(missing).translate(None, b"\0\1"):
            raise ValueError(f"a value of column {name} is neither there nor missing")
        values = cursor.numbers(CODES[inner], rows)
        return [None if gone else v for gone, v in zip(missing, values, strict=True)]
    raise ValueError(f"column {name} is {kind}, which no table has")


def _indexed(cursor: _Cursor, rows: int) -> list[str]:
    """A column of few different texts: the texts, then which of them each row has."""
    version, flags = cursor.word(), cursor.word()
    code, kind = INDEX_CODES[flags & 3], flags & ~3
    texts = [cursor.text() for _ in range(cursor.word())]
    places = cursor.numbers(code, cursor.word())
    own = OWN_TEXTS | NEW_DICTIONARY
    if version != INDEX_VERSION or kind != own or len(places) != rows:
        raise ValueError("a column's texts and their places do not belong together")
    if max(places) >= len(texts):
        raise ValueError("a row has a text that the block lacks")
    return [texts[i] for i in places]
