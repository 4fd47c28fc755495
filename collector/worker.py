"""Threads that are asked to end and not waited for longer than there is time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable


class Worker:
    """Work on a thread of its own, which gets the event that asks it to end."""

    def __init__(self, name: str, work: Callable[[threading.Event], object]) -> None:
        self._asked = threading.Event()
        # Daemon: a reading that hangs in a driver must not keep the process from ending.
        self._thread = threading.Thread(target=work, args=(self._asked,), name=name, daemon=True)

    def start(self) -> Worker:
        """Begin."""
        self._thread.start()
        return self

    def ask(self) -> None:
        """Let it end as soon as it can."""
        self._asked.set()

    def ends_by(self, deadline: float) -> bool:
        """Whether it has ended by that time of `time.monotonic`."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()


def end(workers: Iterable[Worker], within_s: float) -> list[Worker]:
    """Ask all to end; those that did not in that time."""
    asked, deadline = list(workers), time.monotonic() + within_s
    for worker in asked:
        worker.ask()
    return [worker for worker in asked if not worker.ends_by(deadline)]


def together(until: float, **tasks: Callable[[], object]) -> list[str]:
    """Run all side by side; names of those that `until` finds undone, and that go on alone.

    `until` is a time of `time.monotonic`.
    """
    workers = {name: _once(name, task).start() for name, task in tasks.items()}
    return [name for name, worker in workers.items() if not worker.ends_by(until)]


def _once(name: str, task: Callable[[], object]) -> Worker:
    return Worker(name, lambda _: task())
