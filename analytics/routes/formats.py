"""In which form an answer is wanted, and rows in that form, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

import msgspec
from fastapi import HTTPException
from pydantic import BaseModel

from gpuledger import tabular
from gpuledger.batch import EPOCH
from gpuledger.schema import FOREVER
from gpuledger.tabular import FLAG, NUMBER, TEXT, TIME, WHOLE, Rows

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
PARQUET = "application/vnd.apache.parquet"
LISTS = (JSON, NDJSON, CSV, PARQUET)
DIGITS = 9
_KINDS = {float: NUMBER, int: WHOLE, bool: FLAG, datetime: TIME}


def chosen(accept: str, offered: Sequence[str]) -> str:
    """The media type that the Accept header likes best (RFC 9110, 12.5.1); the first of equals.

    HTTPException 406 where it takes none of those offered.
    """
    wanted = [_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    liked = [(max(_quality(wanted, media), default=(0, 0.0))[1], media) for media in offered]
    best = max(quality for quality, _ in liked)
    if best <= 0:
        raise HTTPException(406, f"there is {', '.join(offered)}; Accept asks for none of them")
    return next(media for quality, media in liked if quality == best)


def _range(text: str) -> tuple[str, float]:
    """`text/csv;q=0.5` as media range and quality; what is no quality counts as refused."""
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    told = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        quality = float(told)
    except ValueError:
        return media, 0.0
    return media, quality if 0 <= quality <= 1 else 0.0


def _quality(wanted: Iterable[tuple[str, float]], media: str) -> Iterator[tuple[int, float]]:
    """How closely each range fits, and its quality: the closest one decides."""
    family = f"{media.partition('/')[0]}/*"
    for fit, name in enumerate(("*/*", family, media)):
        yield from ((fit, quality) for told, quality in wanted if told == name)


def body(media: str, kinds: Mapping[str, str], blocks: Iterable[Rows]) -> Iterator[bytes]:
    """Rows in a form, in pieces; `kinds` are names to what Parquet keeps (`kinds_of`)."""
    if media == CSV:
        return tabular.csv_blocks([*kinds], blocks)
    if media == PARQUET:
        return tabular.parquet_blocks(kinds, blocks)
    if media == NDJSON:
        return (msgspec.json.Encoder().encode_lines(rows) for rows in blocks)
    return _array(blocks)


def _array(blocks: Iterable[Rows]) -> Iterator[bytes]:
    before = b"["
    for rows in blocks:
        if rows:
            yield before + msgspec.json.encode(rows)[1:-1]
            before = b","
    yield b"[]" if before == b"[" else b"]"


def kinds_of(model: type[BaseModel]) -> dict[str, str]:
    """How Parquet keeps each field of a model; what is nested is text."""
    return {f.alias or n: _kind(f.annotation) for n, f in model.model_fields.items()}


def _kind(annotation: Any) -> str:
    types = [t for t in (get_args(annotation) or [annotation]) if t is not type(None)]
    return _KINDS.get(types[0], TEXT) if len(types) == 1 else TEXT


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for programs: absent is null, also what never was or never ends."""
    return {name: plain(value) for name, value in row.items()}


def plain(value: Any) -> Any:
    """A value for programs; no digits that threads added in another order."""
    match value:
        case float():
            return round(value, DIGITS) if math.isfinite(value) else None
        case datetime():
            return None if value in {FOREVER, EPOCH} else value
        case list() | tuple():
            return [plain(v) for v in value]
        case dict():
            return {str(k): plain(v) for k, v in value.items()}
    # What is no text comes as bytes.
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return None if text == "" else text
