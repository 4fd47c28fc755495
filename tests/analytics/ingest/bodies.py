"""Bodies for the gate: rows of tables that have every shape of column, and damage of all kinds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample, Job, ProcessSample
from gpuledger.native import encode
from gpuledger.schema import Row, Table
from tests.analytics.world import job
from tests.store_contract import NOON, at, sample

NOW = NOON + timedelta(minutes=1)
# Words that mean something somewhere in a block, and the limits of what fits.
WORDS = (0, 1, 2, 255, 256, *(0x600 | n for n in range(5)), 0x200, 0x400, 0x700, 1 << 63, 2**64 - 1)
BYTES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF)


def gpus(count: int = 8, node: str = "n", second: float = 1) -> list[Row]:
    """What one node sends: some values missing, some texts not ASCII."""
    return [
        sample(node, second, slot=i, uuid=f"GPU-é{i}", power_watts=None if i % 3 else i / 2)
        for i in range(count)
    ]


def processes(count: int = 5) -> list[Row]:
    """Rows with texts of all lengths and a second time."""
    return [
        ProcessSample.known(
            ts=at(i),
            node="n",
            slot=i,
            pid=i,
            user="u" * i,
            executable="é",
            started=at(-i),
            container="c" * (i * 60),
        )
        for i in range(count)
    ]


def jobs(count: int = 3) -> list[Row]:
    """Facts."""
    return [job(str(i)) for i in range(count)]


def body_of(rows: Sequence[Row], **columns: Any) -> bytes:
    """The rows as one block; a column named is replaced, or left out where it is None."""
    batch = Batch.of_rows(rows)
    batch.columns.update(columns)
    for name in [n for n, values in batch.columns.items() if values is None]:
        del batch.columns[name]
    return encode(batch)


GOOD: tuple[tuple[Table, bytes], ...] = (
    (GpuSample.table, body_of(gpus())),
    (ProcessSample.table, body_of(processes())),
    (Job.table, body_of(jobs())),
)


def foreign(body: bytes, name: str, kind: str, data: bytes) -> bytes:
    """The block with a column at its end that no table has; of less than 127 columns."""
    header = b"".join(bytes([len(t)]) + t.encode() for t in (name, kind))
    return bytes([body[0] + 1]) + body[1:] + header + data


def damaged(seed: int, count: int) -> Iterator[tuple[Table, bytes]]:
    """Good bodies with a few bytes changed, taken out, put in, or copied from elsewhere."""
    chance = random.Random(seed)
    for _ in range(count):
        table, body = chance.choice(GOOD)
        out = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            _damage(chance, out)
        yield table, bytes(out)


def _damage(chance: random.Random, body: bytearray) -> None:
    at_byte, size = chance.randrange(len(body)), chance.randint(1, 9)
    match chance.randrange(6):
        case 0:
            body[at_byte] = chance.choice((*BYTES, body[at_byte] ^ 1 << chance.randrange(8)))
        case 1:
            del body[at_byte : at_byte + size]
        case 2:
            body[at_byte:at_byte] = chance.randbytes(size)
        case 3:
            body[at_byte : at_byte + 8] = chance.choice(WORDS).to_bytes(8, "little")
        case 4:
            other = chance.randrange(len(body))
            body[at_byte : at_byte + size] = body[other : other + size]
        case _:
            body += body[: chance.choice((at_byte, len(body)))]


def later(days: float) -> datetime:
    """So many days after NOW."""
    return NOW + timedelta(days=days)
