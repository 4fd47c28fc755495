"""The ClickHouse sink: on a double for its replies, on the real engine for its rows."""

from __future__ import annotations

import pytest

from collector.sink import Verdict
from collector.sinks.clickhouse import ClickHouseSink
from gpuledger.batch import Batch, from_milliseconds
from gpuledger.catalogue.host import HostSample
from gpuledger.errors import ConfigError, StoreError
from gpuledger.native import encode
from gpuledger.schema import Table
from gpuledger.spool import Block, Entry
from gpuledger.store import Store
from tests.collector.support import host_row


class Double:
    """A store that fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def insert_native(self, table: Table, body: bytes, token: str) -> None:  # noqa: ARG002
        if self.error:
            raise self.error

    def close(self) -> None:
        return


def entry(table: str = "host_samples", body: bytes = b"") -> Entry:
    return Entry(1, table, f"u/{table}/1", 0.0, (Block(1, body),))


def test_a_locked_store_is_left_alone_for_a_minute() -> None:
    reply = ClickHouseSink(Double(ConfigError("locked"))).send(entry())
    assert (reply.verdict, reply.after_s) == (Verdict.HOLD, 60.0)


def test_a_store_that_does_not_answer_keeps_the_entry() -> None:
    with pytest.raises(StoreError):
        ClickHouseSink(Double(StoreError("down"))).send(entry())


def test_a_table_of_another_version_is_rejected() -> None:
    assert ClickHouseSink(Double()).send(entry("no_such")).verdict is Verdict.REJECTED


def test_an_entry_of_two_blocks_arrives_whole_and_once(store: Store) -> None:
    def block(load: float) -> Block:
        row = host_row(node="n1", cluster="c", ts=from_milliseconds(1_800_000_000_000), load1=load)
        return Block(1, encode(Batch.of_rows([row])))

    sent = Entry(1, "host_samples", "u/host_samples/1", 0.0, (block(1.0), block(2.5)))
    sink = ClickHouseSink(store)
    sink.send(sent)
    sink.send(sent)
    rows = store.select(f"SELECT load1 FROM v_{HostSample.table.name} ORDER BY load1")
    assert [row["load1"] for row in rows] == [1.0, 2.5]
