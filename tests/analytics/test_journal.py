"""The journal: safe when it says so, each key once, bounded, many requests in one commit."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from analytics.ingest import journal as module
from analytics.ingest.blocks import Blocks
from analytics.ingest.journal import Busy, Journal, Parcel
from gpuledger.errors import ConfigError, StoreError

DAY_S = 86_400.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal").open()
    yield opened
    opened.close()


def parcel(key: str, table: str = "t", rows: int = 1, body: bytes = b"body") -> Parcel:
    return Parcel(table, key, rows, body)


def again(journal: Journal) -> Journal:
    """The same file in another life."""
    journal.close()
    return Journal(journal.path).open()


def test_what_is_accepted_is_there_after_a_restart(journal: Journal) -> None:
    assert journal.accept([parcel("a", rows=3), parcel("b", "u", body=b"other")]) == [True, True]
    with_both = again(journal)
    assert {t: w.rows for t, w in with_both.waiting.items()} == {"t": 3, "u": 1}
    blocks = Blocks(with_both)
    block = blocks.compose("u")
    assert block
    assert blocks.body(block) == b"other"
    with_both.close()


def test_a_key_counts_once_also_after_a_restart(journal: Journal) -> None:
    assert journal.accept([parcel("a"), parcel("b"), parcel("a")]) == [True, True, False]
    second = again(journal)
    assert second.accept([parcel("b"), parcel("c")]) == [False, True]
    assert second.waiting["t"].rows == 3
    assert (second.counts.accepted["t"], second.counts.duplicates["t"]) == (1, 1)
    second.close()


def test_a_request_that_its_sender_gave_up_takes_no_other_with_it(journal: Journal) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        asked.set()
        go_on.wait(5)

    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(journal.ask, wait)
        assert asked.wait(5)
        given_up, other = journal.submit([parcel("a")]), journal.submit([parcel("b")])
        assert given_up.cancel()
        go_on.set()
        before.result(5)
    assert other.result(5) == [True]
    assert journal.accept([parcel("a"), parcel("b")]) == [True, False]


def test_the_same_key_of_another_table_is_another_one(journal: Journal) -> None:
    assert journal.accept([parcel("a", "t"), parcel("a", "u")]) == [True, True]


def test_a_key_is_known_for_a_week_and_not_for_ever(tmp_path: Path) -> None:
    now = [0.0]
    journal = Journal(tmp_path / "journal", clock=lambda: now[0]).open()
    numbered = "node/6f1f4f9c-92ab-4a3a-8f0c-2f3e6a1f0d11/t/7"
    for key in ("a", numbered):
        assert journal.accept([parcel(key)]) == [True]
    now[0] = 7 * DAY_S
    assert journal.accept([parcel("a"), parcel(numbered)]) == [False, False]
    now[0] = 8 * DAY_S + 1
    journal.accept([parcel("b")])
    assert journal.accept([parcel("a"), parcel(numbered)]) == [True, True]
    journal.close()


def test_many_requests_at_once_share_commits(journal: Journal) -> None:
    def send(sender: int) -> None:
        for number in range(10):
            assert journal.accept([parcel(f"{sender}/{number}")]) == [True]

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(send, range(50)))
    assert journal.counts.requests == 500
    assert journal.counts.commits < 250
    assert journal.waiting["t"].rows == 500


def test_a_hundred_senders_of_the_same_key_store_it_once(journal: Journal) -> None:
    with ThreadPoolExecutor(100) as pool:
        news = list(pool.map(lambda _: journal.accept([parcel("a")]), range(100)))
    assert sum(new for (new,) in news) == 1
    assert journal.waiting["t"].rows == 1


def test_tables_of_its_user_change_with_the_rows_or_not_at_all(journal: Journal) -> None:
    journal.ask(lambda db: db.execute("CREATE TABLE mine (x)"))

    def fail(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO mine VALUES (2)")
        raise ZeroDivisionError("a bug")

    journal.accept([parcel("a")], lambda db: db.execute("INSERT INTO mine VALUES (1)"))
    with pytest.raises(ZeroDivisionError):
        journal.accept([parcel("b")], fail)
    assert journal.ask(lambda db: db.execute("SELECT x FROM mine").fetchall()) == [(1,)]
    assert journal.accept([parcel("a"), parcel("b")]) == [False, True]


def test_the_failure_of_one_is_not_that_of_those_in_the_same_commit(journal: Journal) -> None:
    began, go_on = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        began.set()
        assert go_on.wait(10)

    def fail(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError("a bug")

    first = journal.submit([parcel("a")], wait)
    assert began.wait(10)
    bad = journal.submit([parcel("b")], fail)
    good = journal.submit([parcel("c")])
    go_on.set()
    assert (first.result(), good.result()) == ([True], [True])
    assert isinstance(bad.exception(), ZeroDivisionError)
    assert journal.counts.commits == 2


def test_a_full_journal_turns_senders_away_until_there_is_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", capacity_bytes=1_000).open()
    journal.accept([parcel("a", body=os.urandom(2_000))])
    with pytest.raises(Busy, match="used up") as busy:
        journal.accept([parcel("b")])
    assert busy.value.retry_after_s > 0
    assert journal.counts.busy == 1
    blocks = Blocks(journal)
    block = blocks.compose("t")
    assert block
    blocks.forget(block)
    assert journal.accept([parcel("b")]) == [True]
    journal.close()


def test_a_slow_disk_bounds_the_memory(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_BYTES", 10)
    began, go_on = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        began.set()
        assert go_on.wait(10)

    waits = journal.submit([parcel("a")], wait)
    assert began.wait(10)
    also = journal.submit([parcel("b", body=b"x" * 11)])
    with pytest.raises(Busy, match="slower"):
        journal.submit([parcel("c")])
    go_on.set()
    assert waits.result() == also.result() == [True]


def test_a_table_that_the_store_does_not_take_leaves_room_for_the_others(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", capacity_bytes=4_000).open()
    journal.accept([parcel("a", body=os.urandom(1_500))])
    journal.check_table("t")
    journal.hold("t", held=True)
    with pytest.raises(Busy, match="does not take t"):
        journal.check_table("t")
    journal.check_table("u")
    journal.hold("t", held=False)
    journal.check_table("t")
    journal.close()


def test_a_disk_that_fails_is_told_to_the_sender_and_leaves_the_key_free(
    journal: Journal,
) -> None:
    size = journal.read("PRAGMA page_count")[0][0]
    journal.read(f"PRAGMA max_page_count = {size}")
    key = "node/6f1f4f9c-92ab-4a3a-8f0c-2f3e6a1f0d11/t/7"
    with pytest.raises(StoreError, match="full"):
        journal.accept([parcel(key, body=os.urandom(100_000))])
    journal.read("PRAGMA max_page_count = 1000000")
    assert journal.accept([parcel(key, body=os.urandom(100_000))]) == [True]


def test_a_closed_journal_takes_nothing(journal: Journal) -> None:
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.accept([parcel("a")])


def test_what_was_handed_over_before_the_end_is_committed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal").open()
    futures: list[Future[list[bool]]] = [journal.submit([parcel(str(n))]) for n in range(100)]
    journal.close()
    assert all(f.result() == [True] for f in futures)


def test_nobody_else_may_use_it_meanwhile(journal: Journal) -> None:
    journal.accept([parcel("a")])
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="another relay or service uses it"):
        Journal(journal.path).open()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "thesis"
    path.write_text("years of work " * 20)
    with pytest.raises(ConfigError, match="is no journal"):
        Journal(path).open()
    assert path.read_text().startswith("years of work")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        Journal(tmp_path / "nowhere" / "journal").open()


ACCEPTING = """
import itertools, sys
from pathlib import Path
from analytics.ingest.journal import Journal, Parcel
journal = Journal(Path(sys.argv[1])).open()
for n in itertools.count():
    journal.accept([Parcel("t", str(n), 1, b"body")])
    print(n, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    command = [sys.executable, "-c", ACCEPTING, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if int(line) == 40:
                process.send_signal(signal.SIGKILL)
        last = int(line)
    journal = Journal(path).open()
    assert journal.waiting["t"].rows in {last + 1, last + 2}
    assert journal.accept([parcel(str(n)) for n in range(last + 1)]) == [False] * (last + 1)
    journal.close()
