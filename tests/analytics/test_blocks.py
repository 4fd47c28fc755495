"""Blocks: written down before they are sent, the same after a crash, halved when refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.ingest import blocks as module
from analytics.ingest.blocks import Block, Blocks
from analytics.ingest.journal import Journal, Parcel


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal").open()
    yield opened
    opened.close()


def accept(journal: Journal, *names: str, rows: int = 10, table: str = "t") -> None:
    """One bundle of one parcel each."""
    for name in names:
        journal.accept([Parcel(table, name, rows, name.encode())])


def composed(blocks: Blocks, table: str = "t") -> Block:
    block = blocks.compose(table)
    assert block
    return block


def test_a_block_holds_what_waits_in_order(journal: Journal) -> None:
    accept(journal, "a", "b")
    accept(journal, "x", table="u")
    blocks = Blocks(journal)
    block = composed(blocks)
    assert (block.rows, blocks.body(block)) == (20, b"ab")
    assert blocks.compose("t") is None
    assert journal.waiting["t"].rows == 0


def test_a_block_has_so_many_rows_and_bytes_at_most(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(journal, "a", "b", "c", "d", rows=40_000)
    blocks = Blocks(journal)
    assert composed(blocks).rows == 80_000
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    assert [composed(blocks).rows, composed(blocks).rows] == [40_000, 40_000]


def test_a_block_is_the_same_in_the_next_life(journal: Journal) -> None:
    accept(journal, "a", "b")
    block = composed(Blocks(journal))
    accept(journal, "c")
    journal.close()
    journal.open()
    blocks = Blocks(journal)
    assert blocks.left() == [block]
    assert blocks.body(block) == b"ab"
    blocks.forget(block)
    assert blocks.left() == []
    assert composed(blocks).rows == 10


def test_blocks_of_the_same_keys_have_the_same_token_and_others_another(tmp_path: Path) -> None:
    tokens = []
    for place, names in enumerate((("a", "b"), ("a", "b"), ("a", "c"))):
        journal = Journal(tmp_path / str(place)).open()
        accept(journal, *names)
        tokens.append(composed(Blocks(journal)).token)
        journal.close()
    assert tokens[0] == tokens[1] != tokens[2]


def test_what_is_forgotten_gives_its_room_back(journal: Journal) -> None:
    journal.accept([Parcel("t", "a", 1, os.urandom(1_000))])
    assert journal.packed_bytes > 1_000
    blocks = Blocks(journal)
    blocks.forget(composed(blocks))
    assert journal.packed_bytes == 0
    assert journal.oldest_s() == 0.0


def test_a_refused_block_is_halved_down_to_its_parcels(journal: Journal) -> None:
    accept(journal, "a", "b", "c")
    journal.accept([Parcel("t", name, 10, name.encode()) for name in "defg"])
    blocks = Blocks(journal)
    wait, single = [composed(blocks)], []
    while wait:
        halves = blocks.split(block := wait.pop())
        wait += halves
        single += [] if halves else [block]
    assert sorted(blocks.body(b) for b in single) == [b"a", b"b", b"c", b"d", b"e", b"f", b"g"]
    assert len({b.token for b in single}) == 7
    assert sum(b.rows for b in single) == 70
    assert {b.number for b in blocks.left()} == {b.number for b in single}


def test_what_is_refused_is_kept_apart_with_its_reason(journal: Journal) -> None:
    accept(journal, "a")
    blocks = Blocks(journal)
    blocks.refuse(composed(blocks), "the store hates it")
    kept = journal.read("SELECT tbl, key, rows, reason, body FROM refused")
    assert kept == [("t", "a", 10, "the store hates it", b"a")]
    assert blocks.refused() == {"t": 10}
    assert (blocks.left(), journal.packed_bytes) == ([], 0)


def test_what_is_kept_apart_has_its_share_of_the_disk_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", capacity_bytes=10_000).open()
    blocks = Blocks(journal)
    for name in "abc":
        journal.accept([Parcel("t", name, 1, name.encode() * 400)])
        blocks.refuse(composed(blocks), "no")
    assert journal.read("SELECT key FROM refused ORDER BY id") == [("b",), ("c",)]
    assert blocks.refused() == {"t": 3}
    journal.close()
