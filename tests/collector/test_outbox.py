"""From rows to the spool, whatever the disk does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.counters import Counters
from collector.outbox import Outbox
from collector.window import Profile, Windows
from gpuledger.batch import Batch, from_milliseconds
from gpuledger.errors import StoreError
from gpuledger.spool import Spool
from tests.collector.support import Lines, context, host_row

AT = from_milliseconds(1_800_000_000_000)


class FullDisk(Spool):
    full = True

    def put(self, *arguments: Any, **named: Any) -> None:
        if self.full:
            raise StoreError("database or disk is full")
        super().put(*arguments, **named)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[FullDisk]:
    opened = FullDisk(tmp_path / "spool")
    opened.open()
    opened.full = False
    yield opened
    opened.close()


def outbox(spool: Spool, lines: Lines | None = None, **named: Any) -> Outbox:
    def encode(batch: Batch) -> bytes:
        return repr(batch.columns["load1"]).encode()

    log = context(lines=lines).log
    arguments = {"encode": encode, "log": log, **named}
    return Outbox(spool, Windows(Profile.FINE), Counters(), **arguments)


def bodies(spool: Spool) -> list[bytes]:
    entries = [spool.entry(s) for s in sorted(spool.heads())]
    return [e.body for e in entries if e]


def test_rows_reach_the_spool_encoded_with_the_counters_they_rest_on(spool: FullDisk) -> None:
    box = outbox(spool)
    box.accept([host_row(node="n1", ts=AT, load1=1.5, io_pressure_seconds=3.0)])
    box.flush()
    assert bodies(spool) == [b"[150]"]
    assert any("host_samples" in key for key in spool.recall("counter/"))


def test_blocks_are_small_enough_to_be_split(spool: FullDisk) -> None:
    box = outbox(spool)
    box.accept([host_row(node="n1", ts=AT) for _ in range(2_500)])
    box.flush()
    entry = spool.entry(1)
    assert entry is not None
    assert [b.rows for b in entry.blocks] == [1000, 1000, 500]


def test_while_the_disk_is_full_rows_stay_in_memory_and_arrive_once(spool: FullDisk) -> None:
    lines = Lines()
    box = outbox(spool, lines)
    spool.full = True
    for load in (1.0, 2.0):
        box.accept([host_row(node="n1", ts=AT, load1=load)])
        box.flush()
    spool.full = False
    box.flush()
    box.flush()
    assert bodies(spool) == [b"[100]", b"[200]"]
    assert lines.lines == ["rows stay in memory: database or disk is full"]


def test_in_memory_too_the_oldest_go_first(
    spool: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.outbox.KEPT_BYTES", 8)
    lines = Lines()
    box = outbox(spool, lines)
    spool.full = True
    for load in (1.0, 2.0):
        box.accept([host_row(node="n1", ts=AT, load1=load)])
        box.flush()
    spool.full = False
    box.flush()
    assert bodies(spool) == [b"[200]"]
    assert "1 rows of host_samples are lost" in lines.lines
    assert spool.lost_rows("dropped") == {"host_samples": 1}


def test_a_table_that_cannot_be_encoded_does_not_hold_up_the_others(spool: FullDisk) -> None:
    lines = Lines()

    def refuse(batch: Batch) -> bytes:
        raise ValueError("does not fit")

    box = outbox(spool, lines, encode=refuse)
    box.accept([host_row(node="n1", ts=AT)])
    box.flush()
    assert spool.heads() == []
    assert lines.lines == ["1 rows of host_samples cannot be encoded: does not fit"]
    assert spool.lost_rows("dropped") == {"host_samples": 1}


def test_listeners_see_the_folded_rows(spool: FullDisk) -> None:
    seen: list[Any] = []
    box = outbox(spool, listeners=[seen.extend])
    box.accept([host_row(node="n1", ts=AT, load1=2.0)])
    box.flush()
    assert [row.values["load1"] for row in seen] == [2.0]


def test_a_listener_that_fails_costs_no_row_and_no_other_listener(spool: FullDisk) -> None:
    seen: list[Any] = []

    def fail(_: object) -> None:
        raise ZeroDivisionError("a bug")

    box = outbox(spool, listeners=[fail, seen.extend])
    box.accept([host_row(node="n1", ts=AT, load1=2.0)])
    box.flush()
    assert bodies(spool) == [b"[200]"]
    assert len(seen) == 1


def test_an_odd_value_costs_its_row_and_no_other(spool: FullDisk) -> None:
    lines = Lines()

    def encode(batch: Batch) -> bytes:
        loads = batch.columns["load1"]
        if 700 in loads:
            raise ValueError("does not fit")
        return repr(loads).encode()

    box = outbox(spool, lines, encode=encode)
    box.accept([host_row(node="n1", ts=AT, load1=load) for load in (1.0, 7.0, 2.0, 7.0)])
    box.flush()
    assert bodies(spool) == [b"[100, 200]"]
    assert lines.lines == ["2 rows of host_samples cannot be encoded: does not fit"]
    assert spool.lost_rows("dropped") == {"host_samples": 2}


def test_what_a_source_remembers_is_kept_though_a_flush_breaks(
    spool: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = outbox(spool)
    box.accept([], {"source/a": "1"})

    def bug(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(spool, "put", bug)
        with pytest.raises(ZeroDivisionError):
            box.flush()
    box.flush()
    assert spool.recall("source/") == {"a": "1"}
