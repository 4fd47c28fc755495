"""Draining the spool: fresh rows and backlog, refusals, and being turned away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.shipper import Shipper, apart
from collector.sink import TAKEN, Reply, Sink, Verdict
from gpuledger.errors import StoreError
from gpuledger.spool import Block, Entry, Spool
from tests.collector.support import Lines, context

Answer = Callable[[Entry], Reply]


class Door(Sink):
    """Answers as told and writes down what was sent."""

    def __init__(self, answer: Answer = lambda _: TAKEN) -> None:
        self.answer = answer
        self.sent: list[tuple[str, int]] = []
        self.closed = False

    def send(self, entry: Entry) -> Reply:
        self.sent.append((entry.table, entry.sequence))
        return self.answer(entry)

    def close(self) -> None:
        self.closed = True


def fail(_: Entry) -> Reply:
    raise StoreError("nobody there")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool").open()
    yield opened
    opened.close()


def put(spool: Spool, *tables: str, blocks: int = 1) -> None:
    spool.put([(table, [Block(1, b"x")] * blocks) for table in tables])


def shipper(spool: Spool, door: Door, lines: Lines | None = None) -> Shipper:
    return Shipper(spool, door, context(lines=lines).log, longest_wait_s=0.01)


def test_a_round_sends_both_ends_of_each_table_newest_first(spool: Spool) -> None:
    put(spool, "a", "a", "a", "b")
    door = Door()
    assert shipper(spool, door).round() == 0.0
    assert door.sent == [("b", 4), ("a", 3), ("a", 1)]
    assert spool.heads() == [2]


def test_an_entry_that_fails_holds_up_no_other_table(spool: Spool) -> None:
    put(spool, "bad", "good", "good", "good", "bad")
    lines = Lines()
    door = Door(lambda e: fail(e) if e.table == "bad" else TAKEN)
    ship = shipper(spool, door, lines)
    ship.round()
    ship.round()
    assert set(spool.heads()) == {1, 5}
    assert lines.lines == ["rows wait in the spool: nobody there"]


def test_when_nothing_gets_through_everything_is_kept(spool: Spool) -> None:
    put(spool, "a", "b")
    with pytest.raises(StoreError):
        shipper(spool, Door(fail)).round()
    assert spool.waiting()[0] == 2


def test_a_door_that_holds_is_left_alone_for_as_long_as_it_says(spool: Spool) -> None:
    put(spool, "a", "b")
    lines = Lines()
    door = Door(lambda _: Reply(Verdict.HOLD, "401: who are you", 60.0))
    ship = shipper(spool, door, lines)
    assert [ship.round(), ship.round()] == [60.0, 60.0]
    assert len(door.sent) == 2
    assert lines.lines == ["rows wait in the spool: 401: who are you"]


def test_what_is_rejected_is_set_apart_and_the_rest_goes_on(spool: Spool) -> None:
    put(spool, "bad", "good")
    door = Door(lambda e: Reply(Verdict.REJECTED, "422") if e.table == "bad" else TAKEN)
    shipper(spool, door).round()
    assert spool.heads() == []
    assert spool.lost_rows("rejected") == {"bad": 1}


def test_what_is_too_large_is_halved_until_it_fits(spool: Spool) -> None:
    put(spool, "a", blocks=4)
    door = Door(lambda e: TAKEN if len(e.blocks) == 1 else Reply(Verdict.TOO_LARGE, "413"))
    ship = shipper(spool, door)
    while spool.heads():
        ship.round()
    assert len(door.sent) == 7
    assert len(set(door.sent)) == 7
    assert spool.lost_rows("rejected") == {}


def test_a_single_block_that_is_too_large_is_rejected(spool: Spool) -> None:
    put(spool, "a")
    shipper(spool, Door(lambda _: Reply(Verdict.TOO_LARGE, "413"))).round()
    assert spool.lost_rows("rejected") == {"a": 1}


def test_it_goes_on_by_itself_after_an_outage_and_says_both(spool: Spool) -> None:
    put(spool, "a", "b")
    lines, stopped, tries = Lines(), threading.Event(), []

    def answer(entry: Entry) -> Reply:
        tries.append(entry.sequence)
        return fail(entry) if len(tries) < 6 else TAKEN

    class Watch(Door):
        def send(self, entry: Entry) -> Reply:
            reply = super().send(entry)
            if len(tries) > 6:
                stopped.set()
            return reply

    shipper(spool, Watch(answer), lines).run(stopped)
    assert spool.heads() == []
    assert lines.lines == ["rows wait in the spool: nobody there", "rows are sent again"]


def test_a_stop_during_an_outage_is_heard_at_once(spool: Spool) -> None:
    put(spool, "a")
    stopped = threading.Event()

    def answer(entry: Entry) -> Reply:
        stopped.set()
        return fail(entry)

    shipper(spool, Door(answer)).run(stopped)
    assert spool.waiting()[0] == 1


def test_at_the_end_it_sends_what_it_can_without_waiting(spool: Spool) -> None:
    put(spool, "a", "a", "a", "a")
    door = Door()
    shipper(spool, door).finish()
    assert spool.heads() == []
    assert door.closed


def test_at_the_end_with_nobody_there_the_rows_stay(spool: Spool) -> None:
    put(spool, "a")
    lines, door = Lines(), Door(fail)
    shipper(spool, door, lines).finish()
    assert lines.lines == ["1 batches stay in the spool: nobody there"]
    assert door.closed


def test_a_door_may_hold_for_ten_minutes_at_most(spool: Spool) -> None:
    put(spool, "a")
    assert shipper(spool, Door(lambda _: Reply(Verdict.HOLD, "503", 1e12))).round() == 600.0


def test_a_bug_of_the_door_holds_up_no_other_table(spool: Spool) -> None:
    put(spool, "bad", "good")
    lines = Lines()

    def answer(entry: Entry) -> Reply:
        return Reply(Verdict.TAKEN) if entry.table == "good" else bug(entry)

    shipper(spool, Door(answer), lines).round()
    assert spool.heads() == [1]
    assert lines.lines == ["rows wait in the spool: ZeroDivisionError: a bug"]


def bug(_: Entry) -> Reply:
    raise ZeroDivisionError("a bug")


def test_a_bug_of_its_own_is_said_and_it_goes_on(spool: Spool) -> None:
    put(spool, "a")
    lines, stopped, rounds = Lines(), threading.Event(), []

    class Odd(Shipper):
        def round(self) -> float:
            rounds.append(1)
            if len(rounds) < 3:
                raise ZeroDivisionError("a bug")
            stopped.set()
            return super().round()

    Odd(spool, Door(), context(lines=lines).log, longest_wait_s=0.01).run(stopped)
    assert spool.heads() == []
    assert lines.lines == [
        "sending failed",
        "rows wait in the spool: a bug",
        "rows are sent again",
    ]


def test_nodes_that_were_all_told_the_same_come_back_one_after_another() -> None:
    waits = {apart(60.0) for _ in range(20)}
    assert len(waits) == 20
    assert all(60.0 <= wait <= 75.0 for wait in waits)


def test_an_agent_that_was_not_turned_away_waits_no_longer() -> None:
    assert [apart(0.0), apart(1.0)] == [0.0, 1.0]
