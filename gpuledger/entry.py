"""What waits in a spool: blocks of rows, and entries that are sent in one piece."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """Rows of one table, encoded as one ClickHouse Native block."""

    rows: int
    body: bytes


@dataclass(frozen=True)
class Entry:
    """What is sent in one piece: the blocks of one table that were put together."""

    sequence: int
    table: str
    token: str
    created: float
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> int:
        """Rows in all blocks."""
        return sum(b.rows for b in self.blocks)

    @property
    def body(self) -> bytes:
        """All blocks, one after another: Native blocks concatenate."""
        return b"".join(b.body for b in self.blocks)


def cut(body: bytes, sizes: Iterable[tuple[int, int]]) -> tuple[Block, ...]:
    """A body as the blocks of those rows and sizes."""
    blocks, start = [], 0
    for rows, size in sizes:
        blocks.append(Block(rows, body[start : start + size]))
        start += size
    return tuple(blocks)
