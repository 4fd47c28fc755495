"""Reading pages of metrics by their mappings: when, on how many threads, and what became of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from logging import Logger
from math import inf

from collector.exposition import MAX_SAMPLES, Interest, Page
from collector.missing import Reason
from collector.source import Clock
from collector.springs import Failure, Spring, short
from gpuledger.errors import ReadError
from gpuledger.mapping import Exporter, Mapped, Place, Reading

# Most targets answer within milliseconds: a few threads serve many.
MOST_THREADS = 8
# A scraped row covers the time since the one before, but never a long silence (contracts, Rows).
LONGEST_PERIODS = 2.5
# A sample that its exporter says is older is none of this moment, unless the target says otherwise.
STALE_S = 300.0

Task = Callable[[], object]


def begin_thread(task: Task) -> None:
    """Do it on a thread of its own. RuntimeError where the system gives none."""
    threading.Thread(target=task, name="scrape", daemon=True).start()


class Desk:
    """What attempts share: a bounded number of threads, and the limits of a page.

    Threads come when there is work and end without it. One page is parsed at a time: rows take more
    memory than the page that they come of.
    """

    def __init__(
        self,
        most_threads: int = MOST_THREADS,
        most_samples: int = MAX_SAMPLES,
        begin: Callable[[Task], None] = begin_thread,
    ) -> None:
        self._begin = begin
        self.most_samples = most_samples
        self.parsing = threading.Lock()
        self._most_threads = most_threads
        self._lock = threading.Lock()
        self._tasks: deque[Task] = deque()
        self._threads = self._lost = 0

    def run(self, task: Task) -> None:
        """Do it on some thread, soon. RuntimeError where there is none and none can be had."""
        with self._lock:
            self._tasks.append(task)
        try:
            self._grow()
        except RuntimeError:
            with self._lock:
                # Another thread may serve it, or be at it already.
                if self._threads > self._lost or task not in self._tasks:
                    return
                self._tasks.remove(task)
            raise

    def lose(self) -> None:
        """One thread hangs: another may take its place until `regain`."""
        with self._lock:
            self._lost += 1
        with suppress(RuntimeError):
            self._grow()

    def regain(self) -> None:
        """The thread that hung came back."""
        with self._lock:
            self._lost -= 1

    def _grow(self) -> None:
        """Begin a thread where there is work for one and room. RuntimeError: none can be had."""
        with self._lock:
            if not self._tasks or self._threads - self._lost >= self._most_threads:
                return
            self._threads += 1
        try:
            self._begin(self._work)
        except RuntimeError:
            with self._lock:
                self._threads -= 1
            raise

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._threads -= 1
                    return
                task = self._tasks.popleft()
            task()


@dataclass
class Outcome:
    """What became of one attempt at one feed; without a reason it succeeded."""

    feed: Feed
    wall_ms: int
    took_s: float
    mapped: Mapped
    reason: Reason | None = None
    said: str = ""


class Feed:
    """One page and its mapping. Each attempt runs on a thread of the desk and harms no other.

    A thread that hangs is not awaited: the feed stays busy until it comes back, and is told to be
    late once per attempt. `running_since` is when the attempt got its thread.
    """

    def __init__(
        self,
        spring: Spring,
        exporter: Exporter,
        labels: Mapping[str, str],
        period_s: float,
        stale_s: float = STALE_S,
        desk: Desk | None = None,
    ) -> None:
        self.name = spring.name
        self.timeout_s = spring.timeout_s
        self.period_s = period_s
        self.busy = self.late = False
        self.began = -inf
        self.running_since: float | None = None
        self.doubts: set[tuple[str, str]] = set()
        self._spring = spring
        self._exporter = exporter
        self._labels = labels
        self._instance = {"instance": spring.instance} if spring.instance else {}
        self._stale_ms = stale_s * 1000
        self._desk = desk or Desk()
        self._succeeded = -inf

    def is_due(self, now: float, reading_s: float) -> bool:
        """Whether the next attempt may begin, where readings are `reading_s` apart.

        What is no slower than that is read each time, however soon somebody asks again.
        """
        since = now - self.began
        slow = self.period_s > reading_s and since < self.period_s - reading_s / 2
        return not self.busy and not slow

    def start(
        self, place: Place, clock: Clock, log: Logger, done: Callable[[Outcome], None]
    ) -> None:
        """Begin an attempt; `done` takes its outcome, on the attempt's thread, or here without one.

        An attempt that cannot begin has failed.
        """
        place = replace(place, interval_s=self._covers(clock.monotonic()))
        self.began = clock.monotonic()
        self.running_since = None
        try:
            self._desk.run(partial(self._attempt, place, clock, log, done))
        except RuntimeError as e:
            done(self.failed(Reason.UNREADABLE, short(str(e)), 0.0))
        self.busy, self.late = True, False

    def finish(self, outcome: Outcome) -> None:
        """Take note of an outcome, on the source's thread."""
        self.busy = False
        if self.late:
            self._desk.regain()
        if outcome.reason is None:
            self._succeeded = self.began

    def give_up(self, now: float, grace_s: float) -> Outcome | None:
        """Say once that an attempt should have ended by itself (a resolver hangs)."""
        if not self.busy or self.late or self.running_since is None:
            return None
        waited_s = now - self.running_since
        if waited_s <= self.timeout_s + grace_s:
            return None
        self.late = True
        self._desk.lose()
        return self.failed(Reason.TIMEOUT, f"no end after {waited_s:.0f} s", waited_s)

    def failed(self, reason: Reason, said: str, took_s: float) -> Outcome:
        """The outcome of an attempt that did not end."""
        return Outcome(self, 0, took_s, Mapped(), reason, said)

    def close(self) -> None:
        """Let go of connections; an attempt that runs ends by itself."""
        self._spring.close()

    def _covers(self, now: float) -> float:
        """Seconds that the rows of this attempt cover: none for the first of all."""
        if self.began == -inf:
            return 0.0
        since = now - self._succeeded
        return since if since <= LONGEST_PERIODS * self.period_s else self.period_s

    def _attempt(
        self, place: Place, clock: Clock, log: Logger, done: Callable[[Outcome], None]
    ) -> None:
        outcome = Outcome(self, 0, 0.0, Mapped())
        began = self.running_since = clock.monotonic()
        try:
            outcome.mapped = self._read(place, clock)
        except Failure as e:
            outcome.reason, outcome.said = e.reason, e.said
        except ReadError as e:
            outcome.reason, outcome.said = Reason.MALFORMED, short(str(e))
        except Exception as e:
            outcome.reason, outcome.said = Reason.UNREADABLE, short(f"{type(e).__name__}: {e}")
            log.debug("scrape %s", self.name, exc_info=True)
        outcome.wall_ms = round(clock.wall() * 1000)
        outcome.took_s = clock.monotonic() - began
        done(outcome)

    def _read(self, place: Place, clock: Clock) -> Mapped:
        body = self._spring.get()
        now_ms = round(clock.wall() * 1000)
        page = Page(
            body.data,
            self._interest,
            openmetrics=body.openmetrics,
            most_samples=self._desk.most_samples,
        )
        with self._desk.parsing:
            mapped = self._exporter.rows(self._fresh(page.readings, now_ms), place)
        mapped.unknown |= page.unknown
        return mapped

    def _fresh(self, readings: Iterable[Reading], now_ms: int) -> Iterator[Reading]:
        """Readings as of now; one that its exporter says is old is left out."""
        for reading in readings:
            if reading.at_ms is None or now_ms - reading.at_ms <= self._stale_ms:
                labels = {**self._instance, **reading.labels, **self._labels}
                yield Reading(reading.name, labels, reading.value)

    def _interest(self, name: str) -> Interest:
        if self._exporter.feeds_of(name) is not None:
            return Interest.READ
        return Interest.SKIP if self._exporter.why_ignored(name) else Interest.UNKNOWN
