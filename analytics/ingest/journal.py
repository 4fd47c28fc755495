"""The journal: rows that are safe on this disk until the store has them.

What senders hand over is committed in groups, so that many requests share one wait for the disk;
the parcels of one table in a group become one bundle, compressed, and a block for the store is made
of bundles (`analytics.ingest.blocks`). Keys are known for a week, so that a parcel that is sent
again counts once.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from analytics.ingest.bundle import Bundle, Parcel, pack
from analytics.ingest.journal_file import JournalFile
from analytics.ingest.keys import Keys
from gpuledger.errors import StoreError

CAPACITY_BYTES = 4 << 30
# What waits for its commit is in memory only; more than this comes back in a second.
PENDING_BYTES = 64 << 20
HELD_SHARE = 0.25  # of the capacity, for a table that the store does not take
RETRY_AFTER_S, SOON_S = 10.0, 1.0
# Requests in one commit from which on the next one is waited for a little, and for how long.
CROWD, GATHER_S = 8, 0.02
PRUNE_EVERY_S = 60.0
DAY_S = 86_400.0

T = TypeVar("T")
Also = Callable[[sqlite3.Connection], object]

__all__ = ["Also", "Busy", "Journal", "Parcel"]


class Busy(StoreError):
    """The journal has no room now: the sender keeps its rows and asks again."""

    def __init__(self, reason: str, retry_after_s: float = RETRY_AFTER_S) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Waiting:
    """Rows of one table that wait for their block; `since` is monotonic, of the first of them."""

    rows: int = 0
    packed: int = 0
    since: float = 0.0


@dataclass(slots=True)
class Counts:
    """What happened since the journal was opened; rows by table."""

    requests: int = 0
    commits: int = 0
    busy: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Request:
    parcels: Sequence[Parcel]
    also: Also | None
    size: int
    future: Future[list[bool]] = field(default_factory=Future)


class Journal:
    """A durable queue in the file `path`; `open` before use. Safe for any number of threads."""

    def __init__(
        self,
        path: Path,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        gather_s: float = GATHER_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.capacity_bytes = capacity_bytes
        self.counts = Counts()
        self.waiting: dict[str, Waiting] = {}
        self.packed_bytes = 0
        self.on_arrival: Callable[[], None] | None = None
        self.held: set[str] = set()
        self._gather_s = gather_s
        self._clock = clock
        self._file = JournalFile(path)
        self._keys = Keys()
        self._ready = threading.Condition()
        self._pending: list[_Request] = []
        self._pending_bytes = 0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._pruned_at = 0.0

    def open(self) -> Journal:
        """Open or create the file. ConfigError where it cannot be used."""
        self._file.open()
        self._keys.roll_back()
        self.look_around()
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Commit what is under way and close the file; rows stay."""
        with self._ready:
            self._closing.set()
            self._ready.notify()
        if self._thread:
            self._thread.join()
            self._thread = None
        self._file.close()

    def accept(self, parcels: Sequence[Parcel], also: Also | None = None) -> list[bool]:
        """Make the parcels safe on disk; False for each whose key is known already.

        `also(connection)` runs first, in the same transaction; what it raises is raised here, and
        nothing of this call stays. Busy where there is no room, StoreError where the disk fails.
        """
        return self.submit(parcels, also).result()

    def submit(self, parcels: Sequence[Parcel], also: Also | None = None) -> Future[list[bool]]:
        """`accept` without waiting. Busy is raised at once."""
        if parcels:
            self._check_room()
        return self._enqueue(_Request(parcels, also, sum(len(p.body) for p in parcels)))

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The question's answer, once the transaction in which it was asked is committed."""
        answers: list[T] = []
        self._enqueue(_Request((), lambda db: answers.append(question(db)), 0)).result()
        return answers[0]

    def read(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of what is committed. StoreError where the file cannot be read."""
        return self._file.read(sql, *parameters)

    def hold(self, table: str, *, held: bool) -> None:
        """The store does not take this table (or does again): it gets a share of the room only."""
        (self.held.add if held else self.held.discard)(table)

    def check_table(self, table: str) -> None:
        """Busy where the table is held and its share of the room is used up."""
        waits = self.waiting.get(table)
        if table in self.held and waits and waits.packed > HELD_SHARE * self.capacity_bytes:
            self._turn_away(f"the store does not take {table}, its share of the disk is used up")

    def composed(self, table: str, rows: int, packed: int) -> None:
        """So many rows of the table do not wait any more; others have waited long enough."""
        with self._ready:
            waits = self.waiting[table]
            waits.rows -= rows
            waits.packed -= packed
            waits.since = 0.0

    def freed(self, packed: int) -> None:
        """So many bytes are gone from the disk."""
        with self._ready:
            self.packed_bytes -= packed

    @property
    def is_full(self) -> bool:
        """Whether its share of the disk is used up."""
        return self.packed_bytes >= self.capacity_bytes

    def oldest_s(self) -> float:
        """Age of the oldest rows that are not in the store; 0 where there are none."""
        found = self.read("SELECT created FROM bundles ORDER BY id LIMIT 1")
        return max(0.0, self._clock() - float(found[0][0])) if found else 0.0

    def look_around(self) -> None:
        """Count what is in the file; while nothing is accepted."""
        left = "SELECT tbl, sum(rows), sum(packed) FROM bundles WHERE block IS NULL GROUP BY tbl"
        with self._ready:
            self.waiting.clear()
            for table, rows, packed in self.read(left):
                self._let_wait(table, rows, packed)
            self.packed_bytes = self.read("SELECT ifnull(sum(packed), 0) FROM bundles")[0][0]

    def _check_room(self) -> None:
        if self.is_full:
            self._turn_away(f"its {self.capacity_bytes >> 20} MiB are used up")
        if self._pending_bytes >= PENDING_BYTES:
            self._turn_away("the disk is slower than what comes in", SOON_S)

    def _turn_away(self, reason: str, retry_after_s: float = RETRY_AFTER_S) -> None:
        self.counts.busy += 1
        raise Busy(f"journal {self.path}: {reason}", retry_after_s)

    def _enqueue(self, request: _Request) -> Future[list[bool]]:
        with self._ready:
            if self._closing.is_set() or self._thread is None:
                raise StoreError(f"journal {self.path} is closed")
            self._pending.append(request)
            self._pending_bytes += request.size
            self._ready.notify()
        return request.future

    def _run(self) -> None:
        crowded = False
        while group := self._next(crowded=crowded):
            crowded = len(group) >= CROWD
            self._commit(group)

    def _next(self, *, crowded: bool) -> list[_Request]:
        """All requests that wait; none once the journal closes."""
        with self._ready:
            while not self._pending and not self._closing.is_set():
                self._ready.wait()
        if crowded:
            self._closing.wait(self._gather_s)
        with self._ready:
            group, self._pending = self._pending, []
            self._pending_bytes = 0
        return group

    def _commit(self, group: Sequence[_Request]) -> None:
        """One transaction for all; a request whose `also` fails is left out of it.

        So is one whose answer nobody awaits any more; from here on none can be given up.
        """
        group = [request for request in group if request.future.set_running_or_notify_cancel()]
        bundles: dict[str, list[Parcel]] = {}
        try:
            with self._file.transaction() as db:
                outcomes = [self._take(db, request, bundles) for request in group]
                made = [bundle for t, parcels in bundles.items() for bundle in pack(t, parcels)]
                self._write(db, made)
        except Exception as e:  # noqa: BLE001 - told to all: they would wait for ever otherwise
            self._keys.roll_back()
            for request in group:
                request.future.set_exception(e)
            return
        self._count(made)
        for request, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, list):
                self._count_parcels(request.parcels, outcome)
                request.future.set_result(outcome)
            else:
                request.future.set_exception(outcome)

    def _take(
        self, db: sqlite3.Connection, request: _Request, bundles: dict[str, list[Parcel]]
    ) -> list[bool] | Exception:
        """Which parcels are new; or what their `also` raised, undone."""
        if request.also and (error := _undone(db, request.also)):
            return error
        day = int(self._clock() // DAY_S)
        news = [self._keys.add(db, p.table, p.key, day) for p in request.parcels]
        for parcel, new in zip(request.parcels, news, strict=True):
            if new:
                bundles.setdefault(parcel.table, []).append(parcel)
        return news

    def _write(self, db: sqlite3.Connection, made: Sequence[Bundle]) -> None:
        now = self._clock()
        for bundle in made:
            bundle.write(db, now)
        self._keys.write(db)
        if abs(now - self._pruned_at) > PRUNE_EVERY_S:
            self._pruned_at = now
            self._keys.prune(db, int(now // DAY_S))

    def _count(self, made: Sequence[Bundle]) -> None:
        self.counts.commits += 1
        with self._ready:
            for bundle in made:
                self._let_wait(bundle.table, bundle.rows, len(bundle.body))
                self.packed_bytes += len(bundle.body)
        if made and self.on_arrival:
            self.on_arrival()

    def _count_parcels(self, parcels: Sequence[Parcel], news: Sequence[bool]) -> None:
        self.counts.requests += bool(parcels)
        for parcel, new in zip(parcels, news, strict=True):
            counted = self.counts.accepted if new else self.counts.duplicates
            counted[parcel.table] += parcel.rows

    def _let_wait(self, table: str, rows: int, packed: int) -> None:
        waits = self.waiting.setdefault(table, Waiting())
        if not waits.rows:
            waits.since = time.monotonic()
        waits.rows += rows
        waits.packed += packed


def _undone(db: sqlite3.Connection, also: Also) -> Exception | None:
    """What `also` raised, its changes undone; None where it went well."""
    db.execute("SAVEPOINT also")
    try:
        also(db)
    except Exception as e:  # noqa: BLE001 - raised where `also` came from
        db.execute("ROLLBACK TO also")
        return e
    finally:
        if db.in_transaction:
            db.execute("RELEASE also")
    return None
