"""Questions that hang: others are answered, and nobody asks twice."""

from __future__ import annotations

import threading

import pytest

from collector.patience import Patience


class Oracle:
    """Answers everything with its length, but hangs on `slow` until it is freed."""

    def __init__(self) -> None:
        self.freed = threading.Event()
        self.asked: list[str] = []
        self.threads: list[threading.Thread] = []

    def __call__(self, what: str) -> int:
        self.asked.append(what)
        self.threads.append(threading.current_thread())
        if what == "slow":
            self.freed.wait()
        if what == "broken":
            raise OSError(5, "Input/output error")
        if "\0" in what:
            raise ValueError("embedded null byte")
        return len(what)


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


def test_an_answer_is_given_as_it_is(oracle: Oracle) -> None:
    ask = Patience(oracle, timeout_s=10)
    assert (ask("a"), ask("bc")) == (1, 2)
    assert len(set(oracle.threads)) == 1
    ask.close()
    oracle.threads[0].join(10)
    assert not oracle.threads[0].is_alive()


def test_errors_come_through(oracle: Oracle) -> None:
    ask = Patience(oracle, timeout_s=10)
    with pytest.raises(OSError, match="Input/output"):
        ask("broken")
    with pytest.raises(OSError, match="null byte"):
        ask("\0")
    assert ask("a") == 1
    ask.close()


def test_what_hangs_stops_no_other_and_is_not_asked_again(oracle: Oracle) -> None:
    ask = Patience(oracle, timeout_s=0.05)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            ask("slow")
    assert oracle.asked == ["slow"]
    assert ask("a") == 1
    oracle.freed.set()
    oracle.threads[0].join(10)
    assert not oracle.threads[0].is_alive(), "the thread left behind never ends"
    assert ask("slow") == 4
    ask.close()
