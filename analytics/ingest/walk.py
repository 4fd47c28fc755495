"""The walk through a Native block: where each column lies, with every claim of it checked.

No value is touched alone: `gpuledger.native` reads values, and is the judge of what a block is.
Format: https://clickhouse.com/docs/native-protocol/columns
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gpuledger.native import CODES, INDEX_CODES, INDEX_VERSION, NEW_DICTIONARY, OWN_TEXTS
from gpuledger.schema import Table

# More than any table of ours has or will have; a sender's claim must not cost us the walk.
WIDEST = 1_000
LONGEST_LENGTH_BITS = 35
# Fewer values than this are judged faster by Python's own loops than by an array's machinery.
SMALL = 512

Array = np.ndarray[Any, Any]

HEAD, COUNT = struct.Struct("<QQQ"), struct.Struct("<Q")
FLAGS = OWN_TEXTS | NEW_DICTIONARY
_TIME = "DateTime64(3, 'UTC')"


class Shape(Enum):
    """How a column lies in a block."""

    FIXED = auto()
    TIME = auto()
    MASKED = auto()
    LABELS = auto()
    TEXTS = auto()


# The walk asks this for every column, and a member of an enumeration costs a search.
_MASKED, _LABELS = Shape.MASKED, Shape.LABELS


class Spec(NamedTuple):
    """One column: `width` of a value; `stride` is what a row takes, 0 where that differs.

    `place` is its place in the table; a foreign column has one below 0.
    """

    name: str
    header: bytes
    shape: Shape
    width: int
    stride: int
    place: int


# Where the data of a column begins and ends.
Column = tuple[Spec, int, int]


@dataclass(slots=True)
class Block:
    """One block: its bytes, rows, and columns by their places, in the order in which they came.

    `is_normal`: no column is foreign, and all are in the table's order. Blocks of one `form` have
    everything at the same place.
    """

    body: bytes
    rows: int
    columns: dict[int, Column]
    times: list[Column]
    is_normal: bool
    form: object = None

    @property
    def foreign(self) -> list[str]:
        """Names of the columns that the table does not have."""
        return [spec.name for spec, _, _ in self.columns.values() if spec.place < 0]

    def find(self, name: str) -> Column | None:
        """The column of that name, if it came."""
        return next((c for c in self.columns.values() if c[0].name == name), None)


@lru_cache
def specs(table: Table) -> dict[bytes, Spec]:
    """Header (name and type as they are sent) to column of that table."""
    found = (_spec(f.stored, f.type, place) for place, f in enumerate(table.fields))
    return {spec.header: spec for spec in found}


def _spec(name: str, kind: str, place: int) -> Spec:
    """ValueError for a type that has no place here."""
    header = b"".join(length(len(t)) + t for t in (name.encode(), kind.encode()))
    inner = kind[len("Nullable(") : -1] if kind.startswith("Nullable(") else kind
    if kind == "LowCardinality(String)":
        return Spec(name, header, Shape.LABELS, 0, 0, place)
    if kind == "String":
        return Spec(name, header, Shape.TEXTS, 0, 0, place)
    if inner not in CODES:
        raise ValueError(f"column {name} is {kind}, which no table has")
    width = struct.calcsize(f"<{CODES[inner]}")
    if inner != kind:
        return Spec(name, header, Shape.MASKED, width, width + 1, place)
    shape = Shape.TIME if kind == _TIME else Shape.FIXED
    return Spec(name, header, shape, width, width, place)


def _size(body: bytes, at: int) -> tuple[int, int, int]:
    """Columns and rows of a block, and where its first column begins."""
    width, at = number(body, at)
    rows, at = number(body, at)
    if not rows or not 0 < width <= WIDEST:
        raise ValueError(f"a block has {rows} rows of {width} columns")
    if rows > len(body):
        raise ValueError("the body ends too early")
    return width, rows, at


def walk(known: dict[bytes, Spec], body: bytes, at: int) -> tuple[Block, int]:
    """The block that begins there, and where it ends.

    ValueError, IndexError or struct.error where it is none; the end may lie beyond the body's.
    """
    begin = at
    width, rows, at = _size(body, at)
    columns: dict[int, Column] = {}
    masks: list[bytes] = []
    before, is_normal = -1, True
    for _ in range(width):
        name_end = at + 1 + body[at]
        start = name_end + 1 + body[name_end]
        spec = known.get(body[at:start])
        if spec is None:
            spec, start = _foreign(known, body, at, columns)
        _, _, shape, _, stride, place = spec
        if stride:
            at = start + rows * stride
            if shape is _MASKED:
                masks.append(body[start : start + rows])
        else:
            at = _labels(body, start, rows) if shape is _LABELS else _texts(body, start, rows)
        columns[place] = spec, start - begin, at - begin
        if place <= before:
            is_normal = False
        before = place
    if len(columns) != width:
        raise ValueError("a block has two columns of one name")
    if b"".join(masks).translate(None, b"\0\1"):
        raise ValueError("a value is neither there nor missing")
    times = [column for column in columns.values() if column[0].shape is Shape.TIME]
    return Block(body[begin:at], rows, columns, times, is_normal), at


def _foreign(
    known: dict[bytes, Spec], body: bytes, at: int, before: dict[int, Column]
) -> tuple[Spec, int]:
    """A column that the table lacks, and where its data begins."""
    name, at = _text(body, at)
    kind, at = _text(body, at)
    if any(spec.name == name for spec in known.values()):
        raise ValueError(f"column {name} is {kind}, but declared otherwise")
    if any(spec.name == name for spec, _, _ in before.values()):
        raise ValueError("a block has two columns of one name")
    return _spec(name, kind, -1 - len(before)), at


def _text(body: bytes, at: int) -> tuple[str, int]:
    size, at = number(body, at)
    if at + size > len(body):
        raise ValueError("the body ends too early")
    return str(body[at : at + size], "utf-8"), at + size


def number(body: bytes, at: int) -> tuple[int, int]:
    """LEB128 of a length that a body could have."""
    value = 0
    for shift in range(0, LONGEST_LENGTH_BITS, 7):
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a length is longer than any body")


def length(value: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _texts(body: bytes, at: int, count: int) -> int:
    """The end of that many texts."""
    for _ in range(count):
        size = body[at]
        if size < 0x80:
            at += 1
        else:
            size, at = number(body, at)
        str(body[at : at + size], "utf-8")
        at += size
    return at


def _labels(body: bytes, at: int, rows: int) -> int:
    """The end of a column of few different texts: the texts, then which of them each row has."""
    version, flags, count = HEAD.unpack_from(body, at)
    size: int = flags - FLAGS
    if version != INDEX_VERSION or not 0 <= size < len(INDEX_CODES):
        raise ValueError("a column's texts are not its own")
    at = _texts(body, at + HEAD.size, count)
    if COUNT.unpack_from(body, at) != (rows,):
        raise ValueError("a column's texts and their places do not belong together")
    at += COUNT.size
    end = at + (rows << size)
    places = body[at:end]
    if (int(numbers(body, at, rows, 1 << size).max()) if size else _highest(places)) >= count:
        raise ValueError("a row has a text that the block lacks")
    return end


def _highest(values: bytes) -> int:
    """The highest byte; 0 for none."""
    if len(values) > SMALL:
        return int(np.frombuffer(values, np.uint8).max())
    return max(values, default=0)


def numbers(body: bytes, at: int, count: int, width: int, sign: str = "u") -> Array:
    """Numbers of that width. ValueError where the body is shorter."""
    return np.frombuffer(body, f"<{sign}{width}", count, at)
