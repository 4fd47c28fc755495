"""The envelope: batches of several tables in one request, each under its own key.

Four bytes (least first) with the length of a JSON list of `[table, key, schema, size]`, the list,
and the bodies in its order. The answer is `{"parts": [{"status": 200, …}, …]}` in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PATH = "/v1/ingest"
CONTENT_TYPE = "application/vnd.gpuledger.envelope"
LENGTH_BYTES = 4
MOST_PARTS = 1_000
LONGEST_KEY = 300


@dataclass(frozen=True, slots=True)
class Part:
    """A batch: Native blocks of one table, as the sender's version `schema` knows it."""

    table: str
    key: str
    schema: str
    body: bytes


def seal(parts: Sequence[Part]) -> bytes:
    """The parts as one body."""
    told = json.dumps([[p.table, p.key, p.schema, len(p.body)] for p in parts]).encode()
    return b"".join((len(told).to_bytes(LENGTH_BYTES, "little"), told, *(p.body for p in parts)))


def unseal(body: bytes) -> list[Part]:
    """The parts of a body. ValueError where it is no envelope."""
    begin = LENGTH_BYTES + int.from_bytes(body[:LENGTH_BYTES], "little")
    if begin > len(body):
        raise ValueError("the envelope ends too early")
    try:
        told = json.loads(body[LENGTH_BYTES:begin])
    except (ValueError, RecursionError):
        raise ValueError("the envelope's list is not JSON") from None
    if not isinstance(told, list) or not 0 < len(told) <= MOST_PARTS:
        raise ValueError(f"an envelope lists 1 to {MOST_PARTS} parts")
    out = []
    for line in told:
        table, key, schema, size = _line(line)
        out.append(Part(table, key, schema, body[begin : begin + size]))
        begin += size
    if begin != len(body):
        raise ValueError("the envelope's sizes and its bytes do not belong together")
    return out


def _line(line: Any) -> tuple[str, str, str, int]:
    match line:
        case [str(table), str(key), str(schema), int(size)] if _is_good(key, size):
            return table, key, schema, size
        case _:
            raise ValueError(
                "a part of an envelope is [table, key, schema, size],"
                f" the key 1 to {LONGEST_KEY} printable characters"
            )


def _is_good(key: str, size: int) -> bool:
    """Half a character (a lone surrogate) is not printable either."""
    is_size = not isinstance(size, bool) and size >= 0
    return is_size and 0 < len(key) <= LONGEST_KEY and key.isprintable()
