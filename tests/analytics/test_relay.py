"""The relay: everything accepted goes into the store once, whatever the store does meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analytics.ingest import relay as module
from analytics.ingest.blocks import Block, Blocks
from analytics.ingest.journal import Journal, Parcel
from analytics.ingest.relay import Relay
from gpuledger import ddl
from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample
from gpuledger.errors import Refused, StoreError
from gpuledger.native import encode, read_blocks
from gpuledger.schema import Table
from gpuledger.store import Store
from tests.analytics.world import job, samples
from tests.components.process import wait_until

TABLE = GpuSample.table.name


class Taker:
    """A store that keeps which nodes' rows it took under which token, and fails as told."""

    def __init__(self, judge: Callable[[str, list[str]], None] = lambda *_: None) -> None:
        self.judge = judge
        self.taken: dict[str, list[str]] = {}
        self.asked = 0

    def check_whole(self, table: Table) -> None:
        pass

    def insert_native(self, table: Table, body: bytes, token: str) -> None:
        self.asked += 1
        nodes = read_blocks(body)["node" if table.name == TABLE else "cluster"][1]
        self.judge(table.name, nodes)
        self.taken.setdefault(token, nodes)

    @property
    def nodes(self) -> list[str]:
        return sorted(node for nodes in self.taken.values() for node in nodes)


def parcel(node: str, table: str = TABLE, rows: int = 1) -> Parcel:
    body = encode(Batch.of_rows(samples(0, 0, rows, node=node)))
    return Parcel(table, f"{node}/key", rows, body)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal").open()
    yield opened
    opened.close()


@contextmanager
def running(journal: Journal, taker: Taker | Store, linger_s: float = 0.0) -> Iterator[Relay]:
    relay = Relay(journal, taker, logging.getLogger("relay"), linger_s=linger_s)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.02)


def test_what_comes_within_the_time_goes_in_one_block(journal: Journal) -> None:
    taker = Taker()
    with running(journal, taker, linger_s=60) as relay:
        for number in range(20):
            journal.accept([parcel(f"n{number}")])
        assert taker.asked == 0
        assert relay.flush(10)
    assert (taker.asked, len(taker.nodes)) == (1, 20)


def test_enough_rows_do_not_wait(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_ROWS", 5)
    taker = Taker()
    with running(journal, taker, linger_s=60):
        journal.accept([parcel("few", rows=4)])
        assert taker.asked == 0
        journal.accept([parcel("enough")])
        wait_until(lambda: taker.asked == 1, 5, "the block")
    assert len(taker.nodes) == 5


def test_an_outage_loses_nothing_and_doubles_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fast(monkeypatch)
    caplog.set_level(logging.INFO)
    tries = []

    def outage(*_: object) -> None:
        tries.append(1)
        if len(tries) < 6:
            raise StoreError("nobody there")

    taker = Taker(outage)
    with running(journal, taker) as relay:
        for number in range(10):
            journal.accept([parcel(f"n{number}")])
        assert relay.flush(10)
    assert taker.nodes == sorted(f"n{n}" for n in range(10))
    assert relay.delivered.failures == 5
    assert caplog.messages == [
        "rows of gpu_samples wait in the journal: nobody there",
        "rows go into the store again",
    ]


def test_a_table_that_fails_holds_up_no_other(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE_S", -1.0)

    def judge(table: str, _: list[str]) -> None:
        if table == TABLE:
            raise StoreError("run 'gpuledger schema apply' first")

    taker = Taker(judge)
    with running(journal, taker):
        journal.accept([parcel("n")])
        wait_until(lambda: taker.asked > 0, 5, "a try")
        journal.accept([Parcel("jobs", "k", 1, encode(Batch.of_rows([job("1")])))])
        wait_until(lambda: len(taker.taken) == 1, 5, "the other table")
        wait_until(lambda: TABLE in journal.held, 5, "its share")
        taker.judge = lambda *_: None
        wait_until(lambda: len(taker.taken) == 2, 5, "the first table")
        wait_until(lambda: not journal.held, 5, "all of the room")


def test_poison_is_set_apart_and_the_rest_of_its_block_goes_on(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    def judge(_: str, nodes: list[str]) -> None:
        if {"n3", "n17"} & set(nodes):
            raise Refused("the store hates it")

    taker = Taker(judge)
    with running(journal, taker, linger_s=60) as relay:
        journal.accept([parcel(f"n{number}") for number in range(10)])
        for number in range(10, 20):
            journal.accept([parcel(f"n{number}")])
        assert relay.flush(10)
    assert taker.nodes == sorted(f"n{n}" for n in range(20) if n not in {3, 17})
    assert relay.blocks.refused() == {TABLE: 2}
    assert len([m for m in caplog.messages if "the store hates it" in m]) == 2


def test_poison_that_cannot_be_set_apart_now_is_set_apart_later(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast(monkeypatch)
    set_apart, tries = Blocks.refuse, []

    def refuse(blocks: Blocks, block: Block, reason: str) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StoreError("the disk is full")
        set_apart(blocks, block, reason)

    def judge(*_: object) -> None:
        raise Refused("the store hates it")

    monkeypatch.setattr(Blocks, "refuse", refuse)
    with running(journal, Taker(judge)) as relay:
        journal.accept([parcel("n")])
        wait_until(lambda: relay.blocks.refused() == {TABLE: 1}, 5, "the poison")


def test_a_body_that_is_none_and_a_table_that_is_none_are_set_apart(journal: Journal) -> None:
    taker = Taker()
    with running(journal, taker, linger_s=60) as relay:
        journal.accept([Parcel(TABLE, "bad", 1, b"garbage"), Parcel("nowhere", "odd", 1, b"x")])
        journal.accept([parcel("good")])
        assert relay.flush(10)
    assert taker.nodes == ["good"]
    assert relay.blocks.refused() == {TABLE: 1, "nowhere": 1}


def test_a_table_of_which_everything_is_refused_waits_instead(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast(monkeypatch)
    monkeypatch.setattr(module, "MOST_REFUSALS", 8)
    refusing = [True]

    def judge(*_: object) -> None:
        if refusing[0]:
            raise Refused("no such column")

    taker = Taker(judge)
    with running(journal, taker, linger_s=60) as relay:
        journal.accept([parcel(f"n{number}") for number in range(64)])
        assert not relay.flush(0.5)
        apart = relay.blocks.refused().get(TABLE, 0)
        assert apart < 8
        refusing[0] = False
        assert relay.flush(10)
    assert len(taker.nodes) == 64 - apart


def test_what_was_set_apart_is_tried_again_in_the_next_life(journal: Journal) -> None:
    def refuse(*_: object) -> None:
        raise Refused("no such column")

    with running(journal, Taker(refuse)) as relay:
        journal.accept([parcel("n")])
        assert relay.flush(10)
        assert relay.blocks.refused() == {TABLE: 1}
    taker = Taker()
    with running(journal, taker) as relay:
        assert relay.flush(10)
        assert relay.blocks.refused() == {TABLE: 0}
    assert taker.nodes == ["n"]


def test_much_that_is_refused_again_in_the_next_life_holds_up_nothing_new(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast(monkeypatch)
    monkeypatch.setattr(module, "MOST_REFUSALS", 8)

    def judge(_: str, nodes: list[str]) -> None:
        if any(node.startswith("bad") for node in nodes):
            raise Refused("the store hates it")

    with running(journal, Taker(judge)) as relay:
        for number in range(12):
            journal.accept([parcel(f"bad{number}"), parcel(f"n{number}")])
            assert relay.flush(10)
    taker = Taker(judge)
    with running(journal, taker) as relay:
        journal.accept([parcel("new")])
        assert relay.flush(10)
        assert relay.blocks.refused() == {TABLE: 12}
    assert taker.nodes == ["new"]


def test_a_block_whose_answer_was_lost_is_sent_again_under_its_token(journal: Journal) -> None:
    journal.accept([parcel("a"), parcel("b")])
    block = Blocks(journal).compose(TABLE)
    assert block
    journal.accept([parcel("c")])
    taker = Taker()
    with running(journal, taker) as relay:
        assert relay.flush(10)
    assert taker.taken[block.token] == ["a", "b"]
    assert taker.nodes == ["a", "b", "c"]


def test_a_bug_is_said_and_its_rows_are_tried_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fast(monkeypatch)
    tries = []

    def bug(*_: object) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ZeroDivisionError("a bug")

    taker = Taker(bug)
    with running(journal, taker) as relay:
        journal.accept([parcel("n")])
        assert relay.flush(10)
    assert taker.nodes == ["n"]
    assert caplog.messages[0].endswith("ZeroDivisionError: a bug")


def test_at_the_end_what_is_under_way_is_finished_and_the_rest_stays(journal: Journal) -> None:
    began, go_on = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        began.set()
        assert go_on.wait(10)

    taker = Taker(wait)
    relay = Relay(journal, taker, logging.getLogger("relay"), linger_s=0)
    relay.start()
    journal.accept([parcel("a")])
    assert began.wait(5)
    journal.accept([parcel("b")])
    ending = threading.Thread(target=relay.stop)
    ending.start()
    go_on.set()
    ending.join(10)
    assert taker.nodes == ["a"]
    assert journal.waiting[TABLE].rows == 1


def test_rows_of_many_senders_are_in_the_store_once(store: Store, journal: Journal) -> None:
    with running(journal, store) as relay:
        for number in range(40):
            for _ in range(2):
                journal.accept([parcel(f"n{number}", rows=3)])
        assert relay.flush(30)
        assert relay.delivered.rows[TABLE] == 120
    assert store.value("SELECT count() FROM gpu_samples") == 120
    assert store.value("SELECT uniqExact(node) FROM gpu_samples") == 40
    assert store.value("SELECT sum(interval_ms) FROM gpu_samples_1m") == 120 * 60_000


def test_rows_wait_until_the_views_that_roll_them_up_are_there(
    store: Store, journal: Journal
) -> None:
    """Regression: rows sent during a first `schema apply` never reached the minutes."""
    views = ddl.rollup_views(GpuSample.table)
    for view in views:
        store.command(f"DROP VIEW {view}")
    with running(journal, store) as relay:
        journal.accept([parcel("n0", rows=3)])
        wait_until(lambda: relay.delivered.failures > 0, 10, "the first try")
        assert store.value("SELECT count() FROM gpu_samples") == 0
        store.apply()
        assert relay.flush(60)
    assert store.value("SELECT sum(interval_ms) FROM gpu_samples_1m") == 3 * 60_000


def test_a_block_that_the_store_has_already_changes_nothing(store: Store, tmp_path: Path) -> None:
    for life in range(2):
        journal = Journal(tmp_path / f"journal{life}").open()
        with running(journal, store, linger_s=60) as relay:
            journal.accept([parcel(f"n{number}") for number in range(5)])
            assert relay.flush(30)
        journal.close()
    assert store.value("SELECT count() FROM gpu_samples") == 5
    assert store.value("SELECT sum(interval_ms) FROM gpu_samples_1m") == 5 * 60_000


def test_blocks_of_older_and_newer_senders_are_stored_together(
    store: Store, journal: Journal
) -> None:
    rows = Batch.of_rows(samples(0, 0, 2, node="old"))
    fewer = {n: v for n, v in rows.columns.items() if n != "power_mw"}
    old = encode(Batch(rows.table, fewer))
    with running(journal, store, linger_s=60) as relay:
        journal.accept([Parcel(TABLE, "old", 2, old), parcel("new")])
        assert relay.flush(30)
        assert relay.delivered.blocks[TABLE] == 1
    told = store.select("SELECT node, power_watts FROM v_gpu_samples ORDER BY node, ts")
    assert [(r["node"], r["power_watts"]) for r in told] == [
        ("new", 360.0),
        ("old", None),
        ("old", None),
    ]
