"""The process that is killed: senders, the real relay and the embedded engine, in one directory.

`python -m tests.chaos.victim DIRECTORY SEED` brings the schema up to date, delivers what a former
life left, checks that every acknowledged row is stored once, and then sends and merges until it is
killed. What it does at a moment is in the file `marks`, what it promised in `acknowledged`, and
what it found in `lives`.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analytics.ingest.gate import Gate
from analytics.ingest.journal import Journal, Parcel
from analytics.ingest.relay import Relay
from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample
from gpuledger.native import encode
from gpuledger.schema import Table
from gpuledger.store import Address, Store

TABLE = GpuSample.table
LOG = logging.getLogger("victim")
START = datetime(2026, 3, 4, 12, tzinfo=UTC)
# Rows that make a merge take long enough to be met in the middle.
BALLAST, BALLAST_NODE = 150_000, "ballast"
SENDERS, GPUS = 2, 8
RESEND_SHARE = 0.1
LINGER_S, FLUSH_S = 0.05, 60.0


class Marks:
    """Numbers in a file that another process reads while this one runs, and after its end."""

    NAMES = ("schema", "load", "inserts", "merges", "accepted", "delivered")

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(4096))
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> int:
        return self._numbers[self.NAMES.index(name)]

    def add(self, name: str, change: int = 1) -> None:
        """Change a number."""
        with self._lock:
            self._numbers[self.NAMES.index(name)] += change

    def clear(self) -> None:
        """A new life."""
        for place in range(len(self.NAMES)):
            self._numbers[place] = 0

    @contextmanager
    def during(self, name: str) -> Any:
        """One more of it while the block runs."""
        self.add(name)
        try:
            yield
        finally:
            self.add(name, -1)


class MarkedStore:
    """The store as the relay sees it, with its inserts marked."""

    def __init__(self, store: Store, marks: Marks) -> None:
        self._store = store
        self._marks = marks

    def check_whole(self, table: Table) -> None:
        """See `Store.check_whole`."""
        self._store.check_whole(table)

    def insert_native(self, table: Table, body: bytes, token: str) -> None:
        """Insert; see `Store.insert_native`."""
        with self._marks.during("inserts"):
            self._store.insert_native(table, body, token)
        self._marks.add("delivered")


class Acknowledged:
    """Which parcels were promised: a line each, written after the promise."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._path = path

    def add(self, sender: int, number: int) -> None:
        """One write of few bytes: whole or not there."""
        self._file.write(f"{sender} {number}\n".encode())

    def read(self) -> set[tuple[int, int]]:
        """All that were promised."""
        pairs = (line.split() for line in self._path.read_text().splitlines())
        return {(int(sender), int(number)) for sender, number in pairs}


def parcel(sender: int, number: int, blocks: int = 1) -> Parcel:
    """A node's rows of one second, the same each time however many blocks they come in."""
    rows = [
        GpuSample.known(
            interval_seconds=1.0,
            cluster="c",
            node=f"n{sender}",
            ts=START + timedelta(seconds=number + 1),
            slot=slot,
            uuid=f"GPU-{sender}-{slot}",
            power_watts=float(number % 700),
            energy_joules=float(number),
        )
        for slot in range(GPUS)
    ]
    step = GPUS // blocks
    bodies = [encode(Batch.of_rows(rows[at : at + step])) for at in range(0, GPUS, step)]
    judged = Gate().judge(TABLE, b"".join(bodies), START + timedelta(seconds=number))
    return Parcel(TABLE.name, f"sender-{sender}/{TABLE.name}/{number}", judged.rows, judged.body)


class Victim:
    """One life."""

    def __init__(self, directory: Path, seed: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.marks = Marks(directory / "marks")
        self.acknowledged = Acknowledged(directory / "acknowledged")
        self.store = Store(Address(directory=directory / "store"))
        self.journal = Journal(directory / "journal.db")
        marked = MarkedStore(self.store, self.marks)
        self.relay = Relay(self.journal, marked, LOG, linger_s=LINGER_S)
        self._lives = directory / "lives"
        self._seed = seed

    def live(self) -> None:
        """Until the end, which comes from outside."""
        self.marks.clear()
        with self.marks.during("schema"):
            self.store.apply()
        self.journal.open()
        self.relay.start()
        assert self.relay.flush(FLUSH_S), "what a former life left was not delivered"
        self._write_down(check(self.store, self.acknowledged.read()))
        self._load_ballast()
        self.marks.add("load")
        _in_threads([*(lambda s=s: self._send(s) for s in range(SENDERS)), self._merge])

    def _write_down(self, found: dict[str, int]) -> None:
        with self._lives.open("a") as file:
            file.write(f"{json.dumps(found)}\n")

    def _load_ballast(self) -> None:
        self.store.command(
            "INSERT INTO gpu_samples (ts, interval_ms, cluster, node, slot, power_mw, energy_mj)"
            f" SELECT toDateTime64('{START:%Y-%m-%d %H:%M:%S}', 3, 'UTC') + number, 1000, 'c',"
            f" '{BALLAST_NODE}', number % 8, rand() % 700000, number"
            f" FROM numbers({BALLAST})",
            insert_deduplication_token=BALLAST_NODE,
            async_insert=0,
            deduplicate_blocks_in_dependent_materialized_views=1,
        )

    def _send(self, sender: int) -> None:
        """Parcel after parcel; some a second time, cut into other blocks."""
        chance = random.Random(f"{self._seed}/{sender}")
        known = {number for s, number in self.acknowledged.read() if s == sender}
        number = max(known, default=-1)
        while True:
            number += 1
            self.journal.accept([parcel(sender, number)])
            self.acknowledged.add(sender, number)
            self.marks.add("accepted")
            if chance.random() < RESEND_SHARE:
                again = parcel(sender, chance.randrange(number + 1), blocks=4)
                assert self.journal.accept([again]) == [False]
            time.sleep(chance.uniform(0, 0.02))

    def _merge(self) -> None:
        """Whole tables again and again, beside what the engine merges by itself."""
        tables = ["gpu_samples", "gpu_samples_1m", "gpu_samples_1h"]
        chance = random.Random(self._seed)
        while True:
            with self.marks.during("merges"):
                self.store.command(f"OPTIMIZE TABLE {chance.choice(tables)} FINAL")
            time.sleep(chance.uniform(0, 0.1))


def check(store: Store, promised: set[tuple[int, int]]) -> dict[str, int]:
    """Compare the store with the promises; AssertionError where they differ."""
    own = f"node != '{BALLAST_NODE}'"
    rows = store.select(
        "SELECT toUInt32(substring(node, 2)) AS sender, intDiv(energy_mj, 1000) AS number,"
        f" count() AS n, uniqExact(slot) AS slots FROM gpu_samples WHERE {own}"
        " GROUP BY sender, number"
    )
    stored = {(r["sender"], r["number"]) for r in rows}
    assert {(r["n"], r["slots"]) for r in rows} <= {(GPUS, GPUS)}, "rows are doubled or partial"
    assert not promised - stored, f"promised and lost: {sorted(promised - stored)[:9]}"
    unpromised = stored - promised
    assert len(unpromised) <= SENDERS, f"nobody sent these: {sorted(unpromised)[:9]}"
    (raw,) = store.select(_TOTALS.format(table="gpu_samples", power="power_mw * interval_ms"))
    for level in ("_1m", "_1h", "_1d"):
        name = f"gpu_samples{level}"
        (rolled,) = store.select(_TOTALS.format(table=name, power="power_mw_wsum"))
        assert rolled == raw, f"{name}: {rolled}, but the rows say {raw}"
    return {"parcels": len(stored), "unpromised": len(unpromised), "ms": raw["ms"]}


_TOTALS = "SELECT sum(interval_ms) AS ms, ifNull(sum({power}), 0) AS power FROM {table}"


def _in_threads(works: list[Callable[[], None]]) -> None:
    """All of it at once; whatever ends has failed, and ends the process."""

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            LOG.exception("a thread of the victim has ended")
            os._exit(1)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    Victim(Path(sys.argv[1]), int(sys.argv[2])).live()
