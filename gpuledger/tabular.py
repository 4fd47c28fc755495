"""Rows for other programs: CSV that no spreadsheet runs, and Parquet, block by block."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Rows = Sequence[Mapping[str, Any]]
# How a column's values are kept in Parquet; what is nested, or of no one type, is text as in CSV.
NUMBER, WHOLE, FLAG, TIME, TEXT = "double", "int64", "bool", "time", "text"
_BREAK = "\r\n"
# What spreadsheets take for the beginning of a formula, or of nothing before one.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_blocks(names: Sequence[str], blocks: Iterable[Rows]) -> Iterator[bytes]:
    """A header and the rows as CSV: nested values as JSON, absent ones empty, times RFC 3339."""
    yield _lines([names])
    for rows in blocks:
        yield _lines([cell(row[name]) for name in names] for row in rows)


def cell(value: Any) -> Any:
    """A value as a cell; a text that a spreadsheet would run as a formula begins with `'`."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case dict() | list() | tuple():
            return json.dumps(value, default=str)
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
        case _:
            return value


def parquet_blocks(kinds: Mapping[str, str], blocks: Iterable[Rows]) -> Iterator[bytes]:
    """A Parquet file in pieces, a group of rows for each block; `kinds` are names to kinds."""
    import pyarrow as pa  # noqa: PLC0415 - a node that only collects has no pyarrow
    import pyarrow.parquet as pq  # noqa: PLC0415 - see above

    types = {
        NUMBER: pa.float64(),
        WHOLE: pa.int64(),
        FLAG: pa.bool_(),
        TIME: pa.timestamp("ms", tz="UTC"),
        TEXT: pa.string(),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    sink = _Pieces()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for rows in blocks:
            columns = {n: [_kept(row[n], kind) for row in rows] for n, kind in kinds.items()}
            writer.write_table(pa.table(columns, schema=schema))
            yield sink.taken()
    yield sink.taken()


def kinds_of(rows: Rows) -> dict[str, str]:
    """The kind of each column, by the values that rows have."""
    names = rows[0] if rows else ()
    return {name: _kind([row[name] for row in rows]) for name in names}


def _kind(values: Sequence[Any]) -> str:
    found = {type(v) for v in values if v is not None}
    for types, kind in (({bool}, FLAG), ({int}, WHOLE), ({int, float}, NUMBER), ({datetime}, TIME)):
        if found and found <= types:
            return kind
    return TEXT


def _kept(value: Any, kind: str) -> Any:
    if kind != TEXT or value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str)


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    out = _Lines()
    csv.writer(out, lineterminator=_BREAK).writerows(rows)
    # What came in as no proper text must not end an answer half-way.
    return "".join(out.lines).encode(errors="replace")


class _Lines:
    """Lines that end as everywhere else; the writer quotes only what its own line end has."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line.removesuffix(_BREAK) + "\n")


class _Pieces(io.RawIOBase):
    """A file that is taken away while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        """It is only written."""
        return True

    def tell(self) -> int:
        """How much was written, whatever of it is here."""
        return self._at

    def write(self, piece: Any) -> int:
        """Keep a piece."""
        self._written.append(bytes(piece))
        self._at += len(self._written[-1])
        return len(self._written[-1])

    def taken(self) -> bytes:
        """What was written since the last time."""
        out, self._written = b"".join(self._written), []
        return out
