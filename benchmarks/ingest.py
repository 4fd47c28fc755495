"""What it costs to insert GPU samples, with and without rollups, embedded and over HTTP.

Processor time is that of the engine: for the embedded one this process, for a server its own. Rows
travel as they do from a relay: Native blocks with a token. Bars are those of the project: with
minutes and hours at least 0.4 of the speed without any (fleet-shaped blocks of 100,000 rows) and
0.65 (deep ones), and 10,000 GPUs at one row per second in at most 0.05 core, merges included.

`--quick` (CI) inserts less. Ratios are medians of rounds in which each way takes its turn, and keep
to a few hundredths on a busy machine; where one is below its bar it goes on for as many rounds as a
long run, and fails where it is still a tenth below. Cores are absolute and move with the
neighbours, so that it fails at twice the bar.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.ingest_parts.blocks import DEEP, FLEET, VALUES, Shape, body
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.store import Address, Store
from tests.components.clickhouse import ClickHouse

START_S = 1_795_000_200
TABLE = GpuSample.table
LEVELS = ("", "_1m", "_1h", "_1d")
RATIO_BARS = {FLEET.name: 0.4, DEEP.name: 0.65}
CORE_BAR = 0.05
# ClickHouse slows inserts down from so many parts in a partition.
PARTS_BAR = 1000
SENDERS = (1, 10, 100)
PARCEL = Shape("parcel", 1_000, 10)
# Rounds of a quick run, and of a long one.
FEW, MANY = 5, 25
JUDGED = "minutes and hours"

# Processor seconds of each round, by what was rolled up.
Spent = dict[str, list[float]]


@dataclass(frozen=True)
class Engine:
    """A store, and the processor seconds that its engine has used."""

    name: str
    store: Store
    cpu: Callable[[], float]

    def database(self, name: str, levels: int = 3) -> Store:
        """Another database of it, with so many levels of rollups, which merges nothing."""
        other = Store(replace(self.store.address, database=name))
        other.apply()
        for level in LEVELS[levels + 1 :]:
            other.command(f"DROP VIEW gpu_samples{level}_mv")
        for level in LEVELS:
            other.command(f"SYSTEM STOP MERGES gpu_samples{level}")
        return other


@contextmanager
def embedded(home: Path) -> Iterator[Engine]:
    store = Store(Address(home / "store"))
    yield Engine("embedded", store, time.process_time)
    store.close()


@contextmanager
def over_http(home: Path) -> Iterator[Engine]:
    with ClickHouse(home) as server:
        assert server.child
        assert server.child.process
        # The processor clock of another process: clock_getcpuclockid(3).
        clock = ~server.child.process.pid << 3 | 2
        store = Store(
            Address(
                host="127.0.0.1",
                port=server.http_port,
                user=server.user,
                password=server.password,
                database="bench",
            )
        )

        yield Engine("over HTTP", store, lambda: time.clock_gettime(clock))
        store.close()


class Verdicts:
    """Prints each promise beside what was found, and remembers what is broken."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.broken = 0

    def at_least(self, what: str, found: float, bar: float) -> None:
        """A promise that more is better."""
        self._say(what, found, f"≥ {bar}", found >= bar, found >= 0.9 * bar)

    def at_most(self, what: str, found: float, bar: float) -> None:
        """A promise that less is better."""
        self._say(what, found, f"≤ {bar}", found <= bar, found <= 2 * bar)

    def _say(self, what: str, found: float, bar: str, kept: bool, near: bool) -> None:
        fails = not (near if self.quick else kept)
        self.broken += fails
        word = "ok" if kept else "BROKEN" if fails else "missed, within noise of a quick run"
        print(f"{what:<58} {found:8.3f}  (promise {bar}) {word}", flush=True)


def ratios(engine: Engine, shape: Shape, verdicts: Verdicts) -> None:
    """The same blocks without rollups, with minutes and hours, and with days too, in turn.

    A quick run that misses the bar goes on for as many rounds as a long one before it is judged.
    """
    levels = {"without rollups": 0, JUDGED: 2, "and days": 3}
    stores = {
        name: engine.database(f"b{n}_{shape.name.replace('-', '_')}", n)
        for name, n in levels.items()
    }
    spent: Spent = {name: [] for name in levels}
    insert(engine, shape, stores, spent, FEW if verdicts.quick else MANY)
    if ratio(spent, JUDGED) < RATIO_BARS[shape.name]:
        insert(engine, shape, stores, spent, MANY)
    for name, took in spent.items():
        per_second = shape.rows * VALUES / statistics.median(took[1:]) / 1e6
        print(f"{engine.name} {shape.name} {name:<22} {per_second:6.1f} M values per core-second")
    what = f"{engine.name} {shape.name}: with {{}} / without"
    verdicts.at_least(what.format(JUDGED), ratio(spent, JUDGED), RATIO_BARS[shape.name])
    print(f"{what.format('and days'):<58} {ratio(spent, 'and days'):8.3f}")
    for store in stores.values():
        store.command(f"DROP DATABASE {store.address.database}")
        store.close()


def insert(
    engine: Engine, shape: Shape, stores: Mapping[str, Store], spent: Spent, rounds: int
) -> None:
    """Insert the next blocks into each store in turn, until there are so many after the first."""
    for i in range(len(spent[JUDGED]), rounds + 1):
        block = body(engine.store, shape, START_S + i * shape.seconds)
        for name, store in stores.items():
            began = engine.cpu()
            store.insert_native(TABLE, block, f"{shape.name}/{i}")
            spent[name].append(engine.cpu() - began)


def ratio(spent: Spent, name: str) -> float:
    """Processor seconds without rollups over those with, the median of rounds but the first."""
    pairs = zip(spent["without rollups"][1:], spent[name][1:], strict=True)
    return statistics.median(bare / took for bare, took in pairs)


def fleet(engine: Engine, seconds: int, home: Path, verdicts: Verdicts) -> None:
    """So many seconds of 10,000 GPUs at one row per second, a block each ten, merges included."""
    blocks = []
    for i in range(seconds // FLEET.seconds):
        path = home / f"block-{i}"
        path.write_bytes(body(engine.store, FLEET, START_S + i * FLEET.seconds))
        blocks.append(path)
    own, began, wall, most = time.thread_time(), engine.cpu(), time.monotonic(), 0
    for i, path in enumerate(blocks):
        engine.store.insert_native(TABLE, path.read_bytes(), f"fleet/{i}")
        most = max(most, parts(engine.store))
    settle(engine.store)
    spent, took = engine.cpu() - began, time.monotonic() - wall
    values = seconds * FLEET.gpus * VALUES
    print(
        f"{engine.name} {FLEET.gpus:,} GPUs, {seconds} s of data: {seconds / took:.1f} × real time,"
        f" {values / spent / 1e6:.1f} M values per core-second with merges,"
        f" sender {time.thread_time() - own:.1f} s, at most {most} parts in a partition"
    )
    what = f"{engine.name}: cores for {FLEET.gpus:,} GPUs at 1 s"
    verdicts.at_most(what, spent / seconds, CORE_BAR)
    verdicts.at_most(f"{engine.name}: parts in a partition", most, PARTS_BAR)
    for path in blocks:
        path.unlink()


class Senders:
    """So many threads that each take the next parcel and insert it."""

    def __init__(self, engine: Engine, made: list[bytes], count: int) -> None:
        self.waits: list[float] = []
        self.most_parts = 0
        self._engine = engine
        self._queue = list(enumerate(made))
        self._lock = threading.Lock()
        self._count = count

    def run(self) -> None:
        """Until every parcel is in, watching the parts."""
        threads = [threading.Thread(target=self._send) for _ in range(self._count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
                self.most_parts = max(self.most_parts, parts(self._engine.store))

    def _send(self) -> None:
        while parcel := self._next():
            began = time.monotonic()
            token = f"senders/{self._count}/{parcel[0]}"
            self._engine.store.insert_native(TABLE, parcel[1], token)
            self.waits.append(time.monotonic() - began)

    def _next(self) -> tuple[int, bytes] | None:
        with self._lock:
            return self._queue.pop() if self._queue else None


def senders(engine: Engine, parcels: int, verdicts: Verdicts) -> None:
    """The same parcels of 10,000 rows from 1, 10 and 100 senders at once."""
    made = [body(engine.store, PARCEL, START_S + i * PARCEL.seconds) for i in range(parcels)]
    for count in SENDERS:
        sending = Senders(engine, made, count)
        began, cpu = time.monotonic(), engine.cpu()
        sending.run()
        took, spent = time.monotonic() - began, engine.cpu() - cpu
        rows = parcels * PARCEL.rows
        p95 = sorted(sending.waits)[int(0.95 * len(sending.waits))]
        print(
            f"{engine.name} {count:>3} senders of {PARCEL.rows:,} rows: {rows / took:9,.0f} rows/s,"
            f" {rows * VALUES / spent / 1e6:5.1f} M values per core-second, p95 {p95:.2f} s"
        )
        what = f"{engine.name}: parts in a partition, {count} senders"
        verdicts.at_most(what, sending.most_parts, PARTS_BAR)
        settle(engine.store)


def parts(store: Store) -> int:
    """Active parts in the fullest partition of what GPU samples become."""
    return int(
        store.value(
            "SELECT max(n) FROM (SELECT count() AS n FROM system.parts WHERE active"
            " AND database = currentDatabase() AND startsWith(table, 'gpu_samples')"
            " GROUP BY table, partition)"
        )
    )


def settle(store: Store) -> None:
    """Wait until nothing has been merged for a second."""
    quiet = 0
    while quiet < 10:
        time.sleep(0.1)
        quiet = 0 if store.value("SELECT count() FROM system.merges") else quiet + 1


# The part about remote-write from a real Prometheus goes into `main` beside these, per engine.
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, for CI")
    quick = parser.parse_args().quick
    verdicts = Verdicts(quick=quick)
    for open_engine in (embedded, over_http):
        with tempfile.TemporaryDirectory() as home, open_engine(Path(home)) as engine:
            engine.store.apply()
            for shape in (FLEET, DEEP):
                ratios(engine, shape, verdicts)
            senders(engine, 20 if quick else 200, verdicts)
            for level in LEVELS:
                engine.store.command(f"TRUNCATE TABLE gpu_samples{level}")
            fleet(engine, 60 if quick else 900, Path(home), verdicts)
    sys.exit(1 if verdicts.broken else 0)


if __name__ == "__main__":
    main()
