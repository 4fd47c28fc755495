"""Attempts at pages: on a bounded number of threads, and within the limits of a page."""

from __future__ import annotations

import threading
import time

import pytest

from collector.missing import Reason
from collector.scraping import Desk, Feed, Outcome
from collector.source import Clock
from collector.springs import Body, Spring
from gpuledger.mapping import Place
from gpuledger.mapping_load import load
from tests.collector.support import context

PAGE = b"".join(b'DCGM_FI_DEV_GPU_TEMP{gpu="%d",UUID="G%d"} 40\n' % (n, n) for n in range(20))


class Fixed(Spring):
    """A page that waits for the test, if told to."""

    name = "fixed"

    def __init__(self, waits: threading.Event | None = None) -> None:
        self.waits = waits

    def get(self) -> Body:
        if self.waits:
            assert self.waits.wait(20)
        return Body(PAGE)


class Attempts:
    """Feeds of one desk, and what became of them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.outcomes: list[Outcome] = []
        self.told = threading.Semaphore(0)

    def start(self, spring: Spring, place: Place | None = None) -> Feed:
        feed = Feed(spring, load("dcgm-exporter"), {}, 15.0, desk=self.desk)
        feed.start(place or Place(), Clock(), context().log, self.take)
        return feed

    def take(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.told.release()

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.told.acquire(timeout=20)


def scraping_threads() -> int:
    return sum(thread.name == "scrape" for thread in threading.enumerate())


def test_attempts_share_a_bounded_number_of_threads_which_end() -> None:
    before, held = scraping_threads(), threading.Event()
    attempts = Attempts(Desk(most_threads=2))
    feeds = [attempts.start(Fixed(held)) for _ in range(10)]
    assert scraping_threads() - before == 2
    assert all(feed.busy for feed in feeds)
    held.set()
    attempts.wait(10)
    until = time.monotonic() + 20
    while scraping_threads() > before and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert scraping_threads() == before


def test_an_attempt_without_a_thread_has_failed_and_may_be_made_again() -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    attempts = Attempts(Desk(begin=refuse))
    feed = attempts.start(Fixed())
    [outcome] = attempts.outcomes
    assert (outcome.reason, outcome.said) == (Reason.UNREADABLE, "can't start new thread")
    feed.finish(outcome)
    assert feed.is_due(feed.began + 15, 15.0)


def test_a_thread_that_hangs_makes_room_for_another() -> None:
    held = threading.Event()
    attempts = Attempts(Desk(most_threads=1))
    hangs = attempts.start(Fixed(held))
    while hangs.running_since is None:
        threading.Event().wait(0.001)
    attempts.start(Fixed())
    assert attempts.outcomes == []
    late = hangs.give_up(hangs.running_since + 100, 1.0)
    assert late
    assert late.reason is Reason.TIMEOUT
    assert hangs.give_up(hangs.running_since + 200, 1.0) is None
    attempts.wait(1)
    assert [outcome.feed is hangs for outcome in attempts.outcomes] == [False]
    held.set()
    attempts.wait(1)
    hangs.finish(attempts.outcomes[1])
    assert not hangs.busy


def test_an_attempt_that_waits_for_a_thread_is_not_late() -> None:
    held = threading.Event()
    attempts = Attempts(Desk(most_threads=1))
    attempts.start(Fixed(held))
    waits = attempts.start(Fixed())
    assert waits.give_up(waits.began + 1000, 1.0) is None
    held.set()
    attempts.wait(2)


def test_one_page_is_parsed_at_a_time() -> None:
    attempts = Attempts(Desk())
    with attempts.desk.parsing:
        attempts.start(Fixed())
        assert not attempts.told.acquire(timeout=0.1)
    attempts.wait(1)


@pytest.mark.parametrize(
    ("desk", "place", "said"),
    [
        (Desk(), Place(most_rows=30), "more than 30 rows"),
        (Desk(most_samples=10), Place(), "more than 10 samples"),
    ],
)
def test_a_page_beyond_a_limit_counts_for_nothing(desk: Desk, place: Place, said: str) -> None:
    attempts = Attempts(desk)
    attempts.start(Fixed(), place)
    attempts.wait(1)
    [outcome] = attempts.outcomes
    assert (outcome.reason, outcome.said) == (Reason.MALFORMED, said)
    assert outcome.mapped.rows == []
