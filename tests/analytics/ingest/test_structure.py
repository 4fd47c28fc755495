"""Blocks by their structure: what is refused, and that cutting and merging loses nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.ingest.structure import Block, labels, merge, read, select, span
from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample, ProcessSample
from gpuledger.native import encode, read_blocks
from gpuledger.schema import Row, Table
from tests.analytics.ingest.bodies import GOOD, body_of, damaged, foreign, gpus, processes
from tests.store_contract import sample

EXAMPLES = settings(max_examples=60, derandomize=True, deadline=None, database=None)
TABLE = GpuSample.table
BODY = body_of(gpus())
ROWS = len(gpus())


def values(body: bytes) -> dict[str, list[Any]]:
    """What the careful reader finds."""
    return {name: found for name, (_, found) in read_blocks(body).items()}


def lines(body: bytes) -> list[tuple[Any, ...]]:
    """Its rows, sorted."""
    return sorted(zip(*values(body).values(), strict=True), key=repr)


def read_one(table: Table, body: bytes) -> Block:
    (block,) = read(table, body)
    return block


@pytest.mark.parametrize(("table", "body"), GOOD, ids=lambda v: getattr(v, "name", ""))
def test_a_block_of_every_shape_is_walked_to_its_end(table: Table, body: bytes) -> None:
    block = read_one(table, body)
    assert block.is_normal
    assert [spec.name for spec, _, _ in block.columns.values()] == [f.stored for f in table.fields]
    assert block.rows == len(next(iter(values(body).values())))


def test_blocks_that_follow_each_other_are_found() -> None:
    assert [b.rows for b in read(TABLE, BODY + body_of(gpus(3)))] == [ROWS, 3]


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 600, 70_000])
def test_texts_and_times_are_read_however_many_rows_there_are(rows: int) -> None:
    body = body_of([sample(f"n{i % 300}", i) for i in range(rows)])
    block = read_one(TABLE, body)
    column, time = block.find("node"), block.find("ts")
    assert column
    assert time
    known, places = labels(block, column)
    assert [known[i] for i in places] == values(body)["node"]
    assert span(block, time) == (values(body)["ts"][0], values(body)["ts"][-1])


NODE = b"\x04node\x16LowCardinality(String)"
AT = BODY.index(NODE) + len(NODE)
WRONG: dict[str, bytes] = {
    "nothing": b"",
    "no columns": b"\0\1",
    "no rows": BODY[:1] + b"\0" + BODY[2:],
    "rows without end": BODY[:1] + b"\xff" * 9 + b"\1" + BODY[2:],
    "columns without end": b"\xff\xff\x7f" + BODY[1:],
    "more rows than bytes": b"\1\xff\xff\xff\x7f" + BODY[2:],
    "cut in a header": BODY[:9],
    "cut in the last column": BODY[:-1],
    "a byte too many": BODY + b"\0",
    "a page": b"<html><body>502 Bad Gateway</body></html>",
    "another type": BODY.replace(b"\x05epoch\x06UInt32", b"\x05epoch\x05Int32"),
    "a type that nobody has": foreign(BODY, "more", "Array(String)", bytes(ROWS)),
    "a type without bytes": foreign(BODY, "more", "Nothing", b""),
    "a column twice": foreign(BODY, "epoch", "UInt32", bytes(4 * ROWS)),
    "a foreign column twice": foreign(
        foreign(BODY, "more", "UInt8", bytes(ROWS)), "more", "UInt8", bytes(ROWS)
    ),
    "texts of another version": BODY[:AT] + b"\2" + BODY[AT + 1 :],
    "texts of another block": BODY[: AT + 8] + b"\0\5" + BODY[AT + 10 :],
    "texts without their own": BODY[: AT + 8] + b"\0\4" + BODY[AT + 10 :],
    "texts without end": BODY[: AT + 16] + b"\xff" * 8 + BODY[AT + 24 :],
    "no texts": BODY[: AT + 16] + bytes(8) + BODY[AT + 26 :],
    "a place beyond the texts": BODY[: AT + 34] + b"\1" + BODY[AT + 35 :],
    "fewer places than rows": BODY[: AT + 26] + b"\7" + BODY[AT + 27 :],
    "a text that is no text": BODY.replace("GPU-é0".encode(), b"GPU-\xff\xff0"),
    "neither there nor missing": BODY.replace(b"Nullable(UInt8)\1", b"Nullable(UInt8)\2", 1),
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_is_not_blocks_of_the_table_is_refused(body: bytes) -> None:
    assert body not in {BODY, b"x"}
    with pytest.raises(ValueError, match=r"[a-z]"):
        read(TABLE, body)


def test_what_is_taken_is_what_the_careful_reader_takes() -> None:
    taken = 0
    for table, body in damaged(seed=1, count=4000):
        try:
            blocks = read(table, body)
        except ValueError:
            continue
        taken += 1
        for block in blocks:
            whole = values(select(block, np.ones(block.rows, bool)))
            known = {n: v for n, v in whole.items() if n not in block.foreign}
            assert (values(merge(table, [block])) if known else {}) == known
    assert taken > 200


@settings(EXAMPLES, max_examples=500)
@given(st.binary(max_size=80))
@example(b"\x01\x01\x05epoch\xc0\x84\x3d" + b"Nullable(" * 111_111)
@example(b"\x01\x01" + b"\xff" * 200)
def test_noise_is_refused_and_nothing_worse(noise: bytes) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        read(TABLE, noise)


rows_of_processes = st.lists(
    st.builds(
        lambda n, user, text: ProcessSample.known(
            ts=sample("n", n).ts,
            node=user or "n",
            slot=n % 5,
            pid=n,
            user=user,
            executable=text[:3],
            started=sample("n", n).ts,
            container=text,
            memory_used_bytes=None if n % 2 else float(n << 20),
        ),
        st.integers(1, 9_000),
        st.text(max_size=4),
        st.text(max_size=200),
    ),
    min_size=1,
    max_size=12,
)


@EXAMPLES
@given(rows_of_processes, st.lists(st.integers(1, 11), max_size=3))
def test_merging_parts_is_the_same_as_writing_all_rows_at_once(
    rows: list[Row], cuts: list[int]
) -> None:
    edges = sorted({0, *(c for c in cuts if c < len(rows)), len(rows)})
    parts = [encode(Batch.of_rows(rows[a:b])) for a, b in pairwise(edges)]
    table = ProcessSample.table
    blocks = [b for part in parts for b in read(table, part)]
    assert lines(merge(table, blocks)) == lines(encode(Batch.of_rows(rows)))


@EXAMPLES
@given(rows_of_processes, st.integers(0, (1 << 12) - 1))
def test_rows_that_are_chosen_are_those_rows(rows: list[Row], bits: int) -> None:
    chosen = [bool(bits >> n & 1) or not n for n in range(len(rows))]
    kept = [row for row, keep in zip(rows, chosen, strict=True) if keep]
    block = read_one(ProcessSample.table, encode(Batch.of_rows(rows)))
    assert values(select(block, np.array(chosen))) == values(encode(Batch.of_rows(kept)))


@pytest.mark.parametrize("texts", [200, 257, 66_000])
def test_texts_of_many_blocks_find_their_places(texts: int) -> None:
    rows = [sample(f"n{i}") for i in range(texts)]
    edges = [0, 1, 150, texts]
    blocks = [
        block for a, b in pairwise(edges) for block in read(TABLE, encode(Batch.of_rows(rows[a:b])))
    ]
    assert values(merge(TABLE, blocks))["node"] == [f"n{i}" for i in range(texts)]


def test_what_an_older_collector_lacks_is_what_the_engine_would_put_there() -> None:
    old = body_of(processes(2), container=None, memory_used_mib=None, user=None, pid=None)
    merged = values(merge(ProcessSample.table, [*read(ProcessSample.table, old + old)]))
    assert "user" not in merged
    new = body_of(processes(2)[1:])
    blocks = [b for body in (old, new) for b in read(ProcessSample.table, body)]
    merged = values(merge(ProcessSample.table, blocks))
    assert merged["container"] == ["", "", "c" * 60]
    assert merged["user"] == ["", "", "u"]
    assert merged["pid"] == [0, 0, 1]
    assert merged["memory_used_mib"] == [None, None, None]


def test_foreign_columns_go_and_order_is_restored_when_merged() -> None:
    batch = Batch.of_rows(gpus())
    turned = Batch(TABLE, dict(reversed(batch.columns.items())))
    block = read_one(TABLE, foreign(encode(turned), "zeal", "Nullable(Int64)", bytes(9 * ROWS)))
    assert not block.is_normal
    assert block.foreign == ["zeal"]
    assert merge(TABLE, [block]) == BODY
