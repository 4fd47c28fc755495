"""Many series to one wide row per thing and moment, exactly once, whatever comes late or twice.

A reading is safe in the journal's file before its sender hears of it. What one target said of one
moment waits until all has come that came the time before, or for two periods; then its rows, the
mark that they were made and the end of its readings are one transaction. What comes later still
becomes a row that covers no time.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isnan

from analytics.ingest import memory
from analytics.ingest.emission import Made, Maker, blocks
from analytics.ingest.journal import Busy, Journal, Parcel
from analytics.ingest.learning import Counts, Homes, Learner, ScrapedSettings
from analytics.ingest.limits import Sender
from analytics.ingest.memory import Emission, Portion
from analytics.ingest.protobuf import Samples
from analytics.ingest.targets import Scrape, Target
from analytics.ingest.told import TellsFacts, ToldFacts
from gpuledger.errors import GpuledgerError, StoreError
from gpuledger.mapping_index import Index
from gpuledger.mapping_load import load, shipped
from gpuledger.store import Store

log = logging.getLogger(__name__)

STEP_S = 1.0
SWEEP_S = 60.0
# Series that sent nothing for so long, and counters of things, are forgotten.
UNSEEN_S = 3_600.0
UNSEEN_THINGS_MS = 8 * 86_400_000
MOST_ROWS = 50_000
HOMES_SQL = (
    "SELECT uuid, argMax(node, version) AS node, argMax(slot, version) AS slot FROM gpus"
    " WHERE version >= {lowest:UInt64} AND parent = '' GROUP BY uuid"
)
AGENTS = 4 << 48
NEWEST_SQL = "SELECT ifnull(max(id), 0) FROM bundles"
OLDER_SQL = "SELECT id FROM bundles WHERE id <= ? LIMIT 1"


@dataclass(frozen=True)
class Clock:
    """Wall time judges samples; monotonic time measures how long a scrape waits. Seconds."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass
class Sorted:
    """A request's readings that are new, by target and moment, and why others are not."""

    portions: dict[tuple[int, int], Portion] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, reason: str) -> None:
        """One sample more of that kind."""
        self.counts[reason] = self.counts.get(reason, 0) + 1


@dataclass
class Bale:
    """Rows that are made of scrapes, on their way into the journal."""

    made: Made
    emission: Emission
    parcels: list[Parcel] = field(default_factory=list)
    readings: int = 0
    scrapes: int = 0


class Assembler:
    """Takes samples, makes rows. `open` before use; safe for any number of threads.

    The store, where there is one, is asked where cards are, and what facts were told before.
    """

    def __init__(
        self,
        journal: Journal,
        settings: ScrapedSettings,
        store: Store | None = None,
        clock: Clock | None = None,
        facts: TellsFacts | None = None,
    ) -> None:
        self.counts = Counts()
        self.waiting = 0
        self._journal = journal
        self.settings = settings
        self._homes = Homes()
        self._store = store
        self._facts = facts or (ToldFacts(store, self._homes.slots) if store else None)
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._learner: Learner | None = None
        self._maker: Maker | None = None
        self._busy: dict[int, Target] = {}
        self._spent: list[int] = []
        self._unsafe: Bale | None = None
        self._troubled: set[str] = set()
        self._next = self._older = 0
        self._swept_s = 0.0
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def open(self) -> Assembler:
        """Load mappings and what earlier lives left. ConfigError where a mapping is wrong."""
        exporters = [load(name) for name in (*shipped(), *self.settings.mappings)]
        index = Index(exporters, self.settings.jobs)
        learner = Learner(
            self.settings, index, self._facts, self.counts, self._homes, self._clock.monotonic
        )
        self._learner = learner
        self._journal.ask(self._restore)
        self._swept_s = self._clock.monotonic()
        return self

    @property
    def learner(self) -> Learner:
        """What is known of series. StoreError before `open`."""
        if self._learner is None:
            raise StoreError("samples are not taken yet")
        return self._learner

    def start(self) -> None:
        """Open, and make rows every second on a thread of its own, until `stop`."""
        self.open()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="assembly")
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what waits is safe in the journal, which must still be open."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        self._try(self.ask_homes)
        while not self._stopping.wait(STEP_S):
            if self._clock.monotonic() - self._swept_s >= SWEEP_S:
                self._try(self.ask_homes)
                self._try(self.sweep)
            self._try(self.meet_clusters)
            self._try(self.step)

    def _try(self, task: Callable[[], object]) -> None:
        """Do it; what goes wrong is said once while it lasts, and never ends the thread."""
        trouble: Exception | None = None
        try:
            task()
        except Exception as e:  # without this thread senders are turned away for ever
            trouble = e
            if task.__name__ not in self._troubled:
                unforeseen = None if isinstance(e, GpuledgerError) else e
                log.warning("scraped metrics: %s: %s", task.__name__, e, exc_info=unforeseen)
        (self._troubled.add if trouble else self._troubled.discard)(task.__name__)

    def take(self, samples: Samples, sender: Sender | None = None) -> dict[str, int]:
        """Make the samples safe on disk; how many were taken, and how many not, by reason.

        ValueError where a series cannot be read: then nothing of the request is taken. Busy where
        there is no room, StoreError where the disk fails: the sender must send it again.
        """
        with self._lock:
            found = self._sort(samples, sender)
            portions = list(found.portions.values())
            for portion in portions:
                self._next += 1
                portion.id = self._next
        if portions:
            self._journal.accept([], lambda db: memory.keep_readings(db, portions))
        with self._lock:
            for portion in portions:
                twice = self._put(portion)
                if twice:
                    found.counts["duplicate"] = found.counts.get("duplicate", 0) + twice
                    found.counts["accepted"] -= twice
            self.counts.samples.update(found.counts)
        return found.counts

    def step(self) -> int:
        """Make rows of every scrape that is whole or waited long enough; how many scrapes.

        Rows that the journal did not take are handed to it again first: facts are told only once.
        """
        bale = self._unsafe or self._baled()
        if not bale.emission.spent:
            return 0
        self._unsafe = bale
        self._journal.accept(bale.parcels, lambda db: memory.keep_emission(db, bale.emission))
        with self._lock:
            self._unsafe = None
            self.maker.keep(bale.made)
            self.waiting -= bale.readings
        return bale.scrapes

    def ask_homes(self) -> None:
        """Learn from the store where cards are, by the word of agents."""
        if self._store is not None:
            found = self._store.select(HOMES_SQL, lowest=AGENTS)
            with self._lock:
                self._homes.learn((r["uuid"], r["node"], r["slot"]) for r in found)

    def meet_clusters(self) -> None:
        """Let facts be made of clusters that are new here. StoreError: not yet.

        What an earlier life told must be in the store by then.
        """
        if self._facts is not None and not self._journal.read(OLDER_SQL, self._older):
            with self._lock:
                here = {target.key.cluster for target in self._busy.values()}
            for cluster in sorted(here):
                if not self._facts.knows(cluster):
                    self._facts.meet(cluster)

    def sweep(self) -> None:
        """Forget what is too old to matter."""
        self._swept_s = self._clock.monotonic()
        with self._lock:
            late_ms = round(self.settings.late_s * 1000)
            marks = []
            for target in self.learner.targets.values():
                limit_ms = target.newest_ms - late_ms
                marks.append((target.id, limit_ms))
                target.marks = {at: m for at, m in target.marks.items() if at >= limit_ms}
            series, targets = self.learner.sweep(UNSEEN_S)
            things_ms = round(self._clock.wall() * 1000) - UNSEEN_THINGS_MS
            self.maker.forget(things_ms)
            # In line before any series that gets a number that is free now.
            done = self._journal.submit(
                [], lambda db: memory.forget(db, marks, series, targets, things_ms)
            )
        done.result()

    @property
    def maker(self) -> Maker:
        """Who makes rows. StoreError before `open`."""
        if self._maker is None:
            raise StoreError("samples are not taken yet")
        return self._maker

    def _sort(self, samples: Samples, sender: Sender | None) -> Sorted:
        """What is new in a request. Busy where too much waits already."""
        of, out = self.learner.of, Sorted()
        count, portions = out.count, out.portions
        now_s, now_ms = self._clock.monotonic(), round(self._clock.wall() * 1000)
        low_ms = now_ms - round(self.settings.past_s * 1000)
        high_ms = now_ms + round(self.settings.future_s * 1000)
        late_ms = round(self.settings.late_s * 1000)
        new = 0
        for head, value, at_ms in zip(samples.heads, samples.values, samples.times_ms, strict=True):
            series = of(head, sender)
            if isinstance(series, str):
                count(series)
                continue
            series.seen_s, target = now_s, series.target
            if not low_ms <= at_ms <= high_ms:
                count("far_past" if at_ms < low_ms else "far_future")
                continue
            if at_ms < target.newest_ms - late_ms:
                count("out_of_order")
                continue
            portion = portions.get((target.id, at_ms))
            if portion is None:
                portion = portions[target.id, at_ms] = Portion(target, at_ms)
                portion.known = target.arrived(at_ms)
            bit = 1 << series.number
            if (portion.known | portion.mask) & bit:
                count("duplicate")
                continue
            portion.mask |= bit
            portion.series.append(series)
            if value is None or isnan(value):
                portion.values.append(None)
                count("stale" if value is None else "nan")
            else:
                portion.values.append(value)
                count("accepted")
                new += 1
        out.portions = {key: p for key, p in portions.items() if p.mask}
        if samples.empty:
            out.counts["no_sample"] = samples.empty
        if new and self.waiting + new > self.settings.max_waiting:
            raise Busy(f"{self.waiting} readings wait for the rest of their scrapes")
        return out

    def _put(self, portion: Portion) -> int:
        """Let readings wait that are safe now; how many another request has brought meanwhile."""
        target, at_ms = portion.target, portion.at_ms
        for series in portion.series:
            series.saved = True
        target.saved = True
        target.newest_ms = max(target.newest_ms, at_ms)
        self._busy[target.id] = target
        scrape = target.pending.get(at_ms)
        if scrape is None:
            scrape = target.pending[at_ms] = Scrape(self._clock.monotonic())
        scrape.parcels.append(portion.id)
        known = target.arrived(at_ms) & portion.mask
        twice = 0
        for series, value in zip(portion.series, portion.values, strict=True):
            if known >> series.number & 1:
                twice += value is not None
            elif value is not None:
                scrape.readings.append((series, value))
                scrape.valued |= 1 << series.number
                self.waiting += 1
        scrape.arrived |= portion.mask
        return twice

    def _baled(self) -> Bale:
        """Rows of what is ready, as parcels."""
        with self._lock:
            bale = self._gather()
        bale.emission.things = bale.made.things
        first = next(iter(bale.emission.spent), 0)
        bale.parcels = [
            Parcel(table, f"scraped/{self.maker.epoch}/{first}/{table}", rows, body)
            for table, rows, body in blocks(bale.made, self.counts)
        ]
        return bale

    def _gather(self) -> Bale:
        """Rows of what is ready, and what must be kept with them."""
        now_s = self._clock.monotonic()
        bale = Bale(Made(), Emission(spent=self._spent))
        emission, self._spent = bale.emission, []
        for target in list(self._busy.values()):
            for at_ms in target.ready(now_s):
                changed = target.learn_period()
                scrape = target.take(at_ms)
                self._make(target, at_ms, scrape, bale.made)
                bale.readings += len(scrape.readings)
                bale.scrapes += 1
                emission.marks.append((target.id, at_ms, target.marks[at_ms]))
                emission.spent += scrape.parcels
                if changed:
                    emission.targets.append(target)
            if not target.pending:
                del self._busy[target.id]
            if sum(map(len, bale.made.rows.values())) >= MOST_ROWS:
                break
        return bale

    def _make(self, target: Target, at_ms: int, scrape: Scrape, made: Made) -> None:
        """Rows of one scrape; one of which they cannot be made holds up no other."""
        try:
            self.maker.make(target, at_ms, scrape, made)
        except Exception:
            log.exception("no rows of a scrape of %s", target.key)
            self.counts.samples["failed"] += len(scrape.readings)

    def _restore(self, db: sqlite3.Connection) -> None:
        """What earlier lives left; on the journal's thread."""
        learner = self.learner
        epoch = memory.create(db, int(self._clock.wall()))
        self._next = memory.next_id(db)
        self._older = db.execute(NEWEST_SQL).fetchone()[0]
        self._maker = Maker(learner, self._facts, self.counts, epoch)
        self._maker.things = memory.things(db)
        for number, key, node, period_ms in memory.targets(db):
            learner.restore_target(number, key, node, period_ms)
        for number, place, labels in memory.series(db):
            learner.restore_series(number, place, labels)
        learner.renumber()
        for number, at_ms, mask in memory.marks(db):
            if number in learner.targets:
                learner.targets[number].restore_mark(at_ms, mask)
        for found, number, at_ms, readings in memory.readings(db):
            self._put_back(found, learner.targets.get(number), at_ms, readings)

    def _put_back(
        self,
        found: int,
        target: Target | None,
        at_ms: int,
        readings: list[tuple[int, float | None]],
    ) -> None:
        portion = Portion(target, at_ms, id=found) if target else None
        for number, value in readings:
            series = target.series.get(number) if target else None
            if portion and series:
                portion.mask |= 1 << number
                portion.series.append(series)
                portion.values.append(value)
        if portion and portion.mask:
            self._put(portion)
        else:
            self._spent.append(found)
