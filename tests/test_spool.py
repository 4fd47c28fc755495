"""The spool: nothing is lost, and what cannot be kept is counted."""

from __future__ import annotations

import resource
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpuledger.errors import ConfigError, StoreError
from gpuledger.spool import Block, Spool

NOW = 1_700_000_000.5
DAY_S = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    opened = Spool(path, capacity_bytes=1_000, clock=lambda: NOW).open()
    yield opened
    opened.close()


def put(spool: Spool, *tables: str, size: int = 10, rows: int = 1) -> None:
    spool.put([(table, [Block(rows, table[:1].encode() * size)]) for table in tables])


def sent(spool: Spool) -> list[tuple[str, int]]:
    entries = [spool.entry(s) for s in spool.heads()]
    return [(e.table, e.sequence) for e in entries if e]


def test_an_entry_outlives_the_process_under_the_same_token(path: Path, spool: Spool) -> None:
    put(spool, "gpu_samples")
    before = spool.entry(spool.heads()[0])
    spool.close()
    with_same_file = Spool(path, clock=lambda: NOW).open()
    after = with_same_file.entry(with_same_file.heads()[0])
    with_same_file.close()
    assert before == after
    assert after is not None
    assert after.token == f"{spool.identity}/gpu_samples/1"


def test_the_file_is_for_its_owner_only(path: Path, spool: Spool) -> None:
    put(spool, "jobs")
    for name in (path, path.with_name(path.name + "-wal")):
        assert stat.S_IMODE(name.stat().st_mode) == 0o600


def test_sequences_are_never_used_twice(spool: Spool) -> None:
    put(spool, "jobs")
    spool.done([1])
    put(spool, "jobs")
    assert sent(spool) == [("jobs", 2)]


def test_heads_are_both_ends_of_every_tables_queue(spool: Spool) -> None:
    put(spool, "a", "b", "a", "b", "a")
    assert sent(spool) == [("a", 5), ("b", 4), ("b", 2), ("a", 1)]


def test_over_capacity_the_oldest_go_first_and_are_counted_by_table(spool: Spool) -> None:
    put(spool, "old", size=600, rows=7)
    put(spool, "new", size=600)
    assert sent(spool) == [("new", 2)]
    assert spool.lost_rows("dropped") == {"old": 7}
    assert spool.waiting() == (1, 600)


def test_what_is_older_than_a_week_goes_and_is_counted(path: Path) -> None:
    now = [NOW]
    spool = Spool(path, clock=lambda: now[0]).open()
    put(spool, "old", rows=3)
    now[0] += 6 * DAY_S
    put(spool, "new", rows=2)
    assert spool.oldest_s() == 6 * DAY_S
    now[0] += 1.5 * DAY_S
    put(spool, "new")
    assert sent(spool) == [("new", 3), ("new", 2)]
    assert spool.lost_rows("dropped") == {"old": 3}
    assert spool.oldest_s() == 1.5 * DAY_S
    spool.close()


def test_what_grew_too_old_while_no_agent_ran_is_not_sent(path: Path, spool: Spool) -> None:
    put(spool, "old")
    spool.close()
    later = Spool(path, clock=lambda: NOW + 8 * DAY_S).open()
    assert later.heads() == []
    assert later.lost_rows("dropped") == {"old": 1}
    assert (later.waiting(), later.oldest_s()) == ((0, 0), 0.0)
    later.close()


def test_half_of_a_split_entry_is_as_old_as_the_whole(path: Path) -> None:
    now = [NOW]
    spool = Spool(path, clock=lambda: now[0]).open()
    spool.put([("jobs", [Block(1, b"a"), Block(2, b"b")])])
    now[0] += 6 * DAY_S
    whole = spool.entry(1)
    assert whole is not None
    assert spool.split(whole)
    now[0] += 2 * DAY_S
    put(spool, "new")
    assert sent(spool) == [("new", 4)]
    assert spool.lost_rows("dropped") == {"jobs": 3}
    spool.close()


def test_rows_that_never_came_here_can_be_counted_too(spool: Spool) -> None:
    spool.put([], lost={"jobs": 4})
    spool.put([("jobs", [Block(1, b"x")])], lost={"jobs": 1})
    assert spool.lost_rows("dropped") == {"jobs": 5}


def test_a_loss_is_counted_once_however_often_it_is_told(spool: Spool) -> None:
    put(spool, "jobs", rows=3)
    spool.reject(1, "no")
    spool.reject(1, "no")
    assert spool.lost_rows("rejected") == {"jobs": 3}


def test_rows_and_memory_are_stored_together_or_not_at_all(spool: Spool) -> None:
    spool.put([("jobs", [Block(1, b"x")])], {"counter/a": "1"})
    with pytest.raises(StoreError):
        spool.put([("jobs", [Block(1, b"x")])], {"counter/a": "2"}, {"jobs": None})  # type: ignore[dict-item]
    assert spool.recall("counter/") == {"a": "1"}
    assert spool.waiting() == (1, 1)


def test_a_rejected_entry_is_set_apart_and_counted(path: Path, spool: Spool) -> None:
    put(spool, "jobs", rows=3)
    spool.reject(1, "400: no such column")
    assert spool.heads() == []
    assert spool.lost_rows("rejected") == {"jobs": 3}
    spool.close()
    found = sqlite3.connect(path).execute("SELECT tbl, reason FROM rejected").fetchall()
    assert found == [("jobs", "400: no such column")]


def test_rejected_entries_take_a_tenth_of_the_room_at_most(path: Path, spool: Spool) -> None:
    for sequence in range(1, 5):
        put(spool, "jobs", size=40)
        spool.reject(sequence, "no")
    spool.close()
    kept = sqlite3.connect(path).execute("SELECT sequence FROM rejected ORDER BY 1").fetchall()
    assert kept == [(3,), (4,)]


def test_an_entry_is_split_between_its_blocks(spool: Spool) -> None:
    spool.put([("jobs", [Block(1, b"a"), Block(2, b"bb"), Block(3, b"ccc")])])
    whole = spool.entry(1)
    assert whole is not None
    assert spool.split(whole)
    halves = [spool.entry(s) for s in sorted(spool.heads())]
    assert [(h.rows, h.body) for h in halves if h] == [(1, b"a"), (5, b"bbccc")]


def test_an_entry_of_one_block_is_not_split(spool: Spool) -> None:
    put(spool, "jobs")
    only = spool.entry(1)
    assert only is not None
    assert not spool.split(only)
    assert spool.heads() == [1]


def test_a_second_process_may_not_use_the_same_spool(path: Path, spool: Spool) -> None:
    put(spool, "jobs")
    with pytest.raises(ConfigError, match="another agent uses it, give this one a --spool"):
        Spool(path).open()


def test_a_path_that_cannot_be_written_is_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Spool(tmp_path / "nowhere" / "spool").open()


def test_a_damaged_file_is_moved_aside_and_the_epoch_rises(path: Path, spool: Spool) -> None:
    before = spool.epoch
    spool.close()
    path.write_bytes(b"this is no database" * 100)
    later = Spool(path, clock=lambda: 1_700_000_999.0).open()
    assert path.with_name("spool.sqlite.damaged").exists()
    assert later.epoch == 1_700_000_999 > before
    later.close()


def test_the_epoch_stays_while_the_file_does(path: Path, spool: Spool) -> None:
    spool.close()
    again = Spool(path, clock=lambda: 1_900_000_000.0).open()
    assert again.epoch == spool.epoch == 1_700_000_000
    again.close()


def test_a_full_disk_is_a_store_error_and_changes_nothing(spool: Spool) -> None:
    put(spool, "jobs")
    spool._db.execute("PRAGMA max_page_count = 1")  # type: ignore[union-attr]
    with pytest.raises(StoreError, match="full"):
        put(spool, "jobs", size=500_000)
    assert spool.waiting() == (1, 10)
    spool._db.execute("PRAGMA max_page_count = 1000000")  # type: ignore[union-attr]
    put(spool, "jobs")
    assert spool.waiting() == (2, 20)


def test_threads_share_it(spool: Spool) -> None:
    threads = [threading.Thread(target=put, args=(spool, "jobs")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spool.waiting() == (8, 80)


def test_a_closed_spool_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="is closed"):
        Spool(path).heads()


def grow_up_to(size: int) -> None:
    """No file of this process may be longer: SQLite meets an I/O error and rolls back by itself."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    yield grow_up_to
    grow_up_to(before)


def test_what_a_broken_disk_refused_is_not_counted_and_drops_nothing(
    path: Path, small_files: Callable[[int], None]
) -> None:
    spool = Spool(path, capacity_bytes=1_000_000, clock=lambda: NOW).open()
    put(spool, "jobs", size=50_000)
    small_files(300_000)
    for _ in range(4):
        with pytest.raises(StoreError):
            put(spool, "jobs", size=400_000)
    small_files(resource.RLIM_INFINITY)
    assert spool.waiting() == (1, 50_000)
    put(spool, "jobs", size=400_000)
    assert spool.waiting() == (2, 450_000)
    assert spool.lost_rows("dropped") == {}
    spool.close()


def test_an_entry_that_could_not_be_forgotten_still_counts(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(spool, "jobs")

    def full(db: sqlite3.Connection, sequence: int) -> None:
        Spool._delete(spool, db, sequence)
        db.execute("ROLLBACK")  # as SQLite does on a full disk
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(spool, "_delete", full)
        with pytest.raises(StoreError, match="full"):
            spool.done([1])
    assert spool.waiting() == (1, 10)


def test_with_nothing_left_to_drop_it_drops_no_more(spool: Spool) -> None:
    spool._bytes = 5_000
    put(spool, "jobs")
    assert spool.waiting() == (0, 0)
    put(spool, "jobs")
    assert spool.waiting() == (1, 10)


def test_an_entry_that_was_dropped_meanwhile_is_not_brought_back_in_halves(spool: Spool) -> None:
    spool.put([("jobs", [Block(1, b"a"), Block(2, b"b")])])
    whole = spool.entry(1)
    assert whole is not None
    put(spool, "new", size=1_000)
    assert spool.split(whole)
    assert sent(spool) == [("new", 2)]
    assert spool.lost_rows("dropped") == {"jobs": 3}


@pytest.mark.parametrize("step_s", [30 * DAY_S, -30 * DAY_S])
def test_a_step_of_the_clock_makes_nothing_older_or_younger(path: Path, step_s: float) -> None:
    now = [NOW]
    spool = Spool(path, clock=lambda: now[0]).open()
    put(spool, "before")
    now[0] += DAY_S + step_s
    spool.move_clock(step_s)
    put(spool, "after")
    assert spool.oldest_s() == DAY_S
    spool.close()
    later = Spool(path, clock=lambda: now[0]).open()
    assert later.oldest_s() == DAY_S
    assert later.waiting()[0] == 2
    now[0] += 6.5 * DAY_S
    put(later, "new")
    assert later.lost_rows("dropped") == {"before": 1}
    later.close()


def test_a_step_is_forgotten_with_the_last_entry_that_was_before_it(path: Path) -> None:
    now = [NOW]
    spool = Spool(path, clock=lambda: now[0]).open()
    spool.move_clock(30 * DAY_S)
    spool.close()
    later = Spool(path, clock=lambda: now[0]).open()
    put(later, "new")
    later.close()
    now[0] += DAY_S
    last = Spool(path, clock=lambda: now[0]).open()
    assert last.oldest_s() == DAY_S
    last.close()


def test_after_a_clock_that_fell_back_between_two_lives_entries_still_grow_old(path: Path) -> None:
    now = [NOW]
    spool = Spool(path, clock=lambda: now[0]).open()
    put(spool, "old")
    spool.close()
    now[0] = 1_000.0
    later = Spool(path, clock=lambda: now[0]).open()
    now[0] += 8 * DAY_S
    put(later, "new")
    assert sent(later) == [("new", 2)]
    later.close()


@pytest.mark.parametrize("text", ["root:x:0:0::/root:/bin/sh\n", "SQLite format 3\0" + "x" * 200])
def test_a_file_of_somebody_else_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    """Regression: `--spool /etc/passwd` renamed it and put a database in its place."""
    path = tmp_path / "passwd"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no spool of gpuledger: name another file"):
        Spool(path).open()
    assert path.read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["passwd"]


def test_our_own_mark_makes_any_name_a_spool_also_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    spool = Spool(path).open()
    put(spool, "jobs")
    assert path.read_bytes()[68:72] == b"gpld"  # in the file, not only in its log
    spool.close()
    Spool(path).open().close()
