"""Forms of small blocks: faster than the walk, and never of another opinion."""

from __future__ import annotations

import pytest

from analytics.ingest.forms import FIRST_AFTER, MOST_HEADS, Forms
from analytics.ingest.structure import merge, read
from analytics.ingest.walk import Block, specs, walk
from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample
from gpuledger.native import encode, read_blocks
from gpuledger.schema import Table
from tests.analytics.ingest.bodies import GOOD, body_of, damaged, gpus
from tests.store_contract import sample

TABLE = GpuSample.table


def walked(table: Table, body: bytes) -> Block:
    block, _ = walk(specs(table), body, 0)
    return block


def taught(table: Table, body: bytes) -> Forms:
    """Forms that know the form of that body."""
    forms = Forms()
    for _ in range(FIRST_AFTER):
        forms.learn(walked(table, body))
    return forms


def ascii_body(node: str = "node-1", rows: int = 8) -> bytes:
    return body_of([sample(node, slot=s, uuid=f"GPU-{s}", power_watts=1.0) for s in range(rows)])


def test_a_form_is_known_once_enough_of_its_kind_came() -> None:
    forms, body = Forms(), ascii_body()
    for _ in range(FIRST_AFTER):
        assert forms.find(body, 0) is None
        forms.learn(walked(TABLE, body))
    found = forms.find(ascii_body("node-2"), 0)
    assert found
    assert found.columns == walked(TABLE, body).columns
    assert found.form is not None


def test_a_form_finds_its_block_anywhere_in_a_body() -> None:
    body = ascii_body()
    forms = taught(TABLE, body)
    found = forms.find(b"before" + body + b"behind", 6)
    assert found
    assert found.body == body


@pytest.mark.parametrize("other", [ascii_body("a-longer-name"), ascii_body(rows=7), b"", b"\1"])
def test_what_has_another_form_is_left_to_the_walk(other: bytes) -> None:
    assert taught(TABLE, ascii_body()).find(other, 0) is None


def test_texts_that_are_not_ascii_are_left_to_the_walk() -> None:
    forms = taught(TABLE, ascii_body("node-1"))
    assert forms.find(ascii_body("nodé1"), 0) is None
    assert forms.find(ascii_body("node-1").replace(b"node-1", b"node\xff1"), 0) is None


@pytest.mark.parametrize(("table", "body"), GOOD, ids=lambda v: getattr(v, "name", ""))
def test_a_form_takes_nothing_that_the_walk_does_not(table: Table, body: bytes) -> None:
    plain = body.replace("é".encode(), b"ee")
    forms, found = taught(table, plain), 0
    for of, one in damaged(seed=3, count=9000):
        if of is not table:
            continue
        candidate = one.replace("é".encode(), b"ee")
        block = forms.find(candidate, 0)
        if block is None:
            continue
        found += 1
        same, end = walk(specs(table), candidate, 0)
        assert (block.body, block.columns) == (same.body, same.columns)
        assert (block.times, block.is_normal, end) == (same.times, same.is_normal, len(block.body))
    assert found > 100


def test_more_kinds_of_blocks_than_there_is_room_for_do_no_harm() -> None:
    forms = Forms()
    body = ascii_body()
    for rows in range(1, MOST_HEADS + 9):
        block = walked(TABLE, body)
        block.body = bytes([rows % 256, rows // 256]) + block.body[2:]
        forms.learn(block)
    assert taught(TABLE, body).find(body, 0)


def test_large_blocks_have_no_form() -> None:
    body = ascii_body(rows=65)
    assert taught(TABLE, body).find(body, 0) is None


def test_blocks_of_one_form_and_others_are_merged_to_the_same_rows() -> None:
    nodes = [f"node-{n}" if n % 3 else f"n{n}é" for n in range(60)]
    parts = [ascii_body(node, rows=4 + n % 2) for n, node in enumerate(nodes)]
    for part in parts:
        read(TABLE, part)
    blocks = read(TABLE, b"".join(parts))
    assert {block.form is None for block in blocks} == {True, False}
    assert rows_of(merge(TABLE, blocks)) == sorted(row for p in parts for row in rows_of(p))


def rows_of(body: bytes) -> list[str]:
    columns = (values for _, values in read_blocks(body).values())
    return sorted(map(repr, zip(*columns, strict=True)))


def test_a_block_that_ends_too_early_is_still_refused() -> None:
    body = encode(Batch.of_rows(gpus()))
    for _ in range(FIRST_AFTER):
        read(TABLE, body)
    with pytest.raises(ValueError, match="too early"):
        read(TABLE, body[:-1])
