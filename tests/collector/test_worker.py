"""Threads that end in time, or are left."""

from __future__ import annotations

import threading
import time

from collector.worker import Worker, end, together


def test_work_ends_when_it_is_asked_to() -> None:
    workers = [Worker("w", lambda asked: asked.wait(60)).start() for _ in range(3)]
    assert end(workers, 20) == []


def test_one_that_hangs_is_named_and_the_others_are_not_waited_for_in_turn() -> None:
    free = threading.Event()
    hung = [Worker("h", lambda _: free.wait()).start() for _ in range(4)]
    ends, began = Worker("e", lambda asked: asked.wait()).start(), time.monotonic()
    assert end([*hung, ends], 0.2) == hung
    assert time.monotonic() - began < 0.7
    free.set()


def test_tasks_run_side_by_side_and_late_ones_are_named() -> None:
    done, free = [], threading.Event()
    late = together(time.monotonic() + 0.2, quick=lambda: done.append(1), slow=free.wait)
    assert (late, done) == (["slow"], [1])
    free.set()
