"""A node, its store and the network between them, and everything that can befall them."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpuledger.cli.wiring import SPOOL
from gpuledger.service import open_reader
from gpuledger.spool import Spool
from gpuledger.store import Address, Store, StoreSettings
from tests.chaos.proxy import Mode, Proxy
from tests.components.clickhouse import ClickHouse
from tests.components.process import Child, free_port, http_ok, wait_until
from tests.fakes import nvml

GPULEDGER = str(Path(sys.executable).with_name("gpuledger"))
TOKEN = "a-token-for-the-chaos"
PERIOD_S, FLUSH_S = 0.2, 0.5
DRAIN_S = 60.0
# What may lie between a reading and the spool: the wait for a flush, and the flush itself on a
# machine whose processors are busy with everything else that goes on here.
OPEN_WINDOW_S = FLUSH_S + PERIOD_S + 2.0
SOURCES = ("nvml", "host", "network", "storage")
CONFIGURATION = f"""
[agent]
profile = "fine"
flush_s = {FLUSH_S}
sources = {list(SOURCES)}
[nvml]
period_s = {PERIOD_S}
[host]
period_s = {PERIOD_S}
[network]
period_s = {PERIOD_S}
virtual = true
[storage]
period_s = {PERIOD_S}
[runner]
period_s = 3600
"""
# The same agent with next to nothing to read: what waits gets through.
QUIET = f"""
[agent]
flush_s = {FLUSH_S}
sources = ["host"]
[host]
period_s = 10
"""
# Counts what the spool accepts, inside its own transactions: the other side of the account.
ACCEPTED = """
CREATE TABLE accepted (tbl TEXT PRIMARY KEY, rows INTEGER NOT NULL, batches INTEGER NOT NULL);
CREATE TRIGGER counted AFTER INSERT ON entries BEGIN
  INSERT INTO accepted VALUES (NEW.tbl, NEW.rows, 1)
  ON CONFLICT (tbl) DO UPDATE SET rows = rows + NEW.rows, batches = batches + 1;
END;
"""


class Backend(ABC):
    """Where rows go: killed -9 and started again on the same data and the same port."""

    flag: str
    port: int

    @abstractmethod
    def start(self) -> None:
        """Return when it answers."""

    @abstractmethod
    def kill(self) -> None:
        """Kill -9."""

    @abstractmethod
    def address(self, proxy: Proxy) -> str:
        """What the collector is told."""

    @abstractmethod
    def select(self, sql: str) -> list[dict[str, Any]]:
        """Ask it."""

    def drain(self) -> bool:
        """Whether it has stored everything that it accepted, after a rest."""
        return True


class Server(Backend):
    """A ClickHouse server that the collector inserts into."""

    flag = "--store"

    def __init__(self, directory: Path) -> None:
        self._clickhouse = ClickHouse(directory)
        self._applied = False

    @property
    def port(self) -> int:  # type: ignore[override] # known once it listens
        return self._clickhouse.http_port

    def start(self) -> None:
        self._clickhouse.start()
        if not self._applied:
            with closing(self._store()) as store:
                store.apply()
        self._applied = True

    def kill(self) -> None:
        self._clickhouse.kill()

    def address(self, proxy: Proxy) -> str:
        return f"http://{ClickHouse.user}@127.0.0.1:{proxy.port}/chaos"

    def select(self, sql: str) -> list[dict[str, Any]]:
        with closing(self._store()) as store:
            return [dict(row) for row in store.select(sql)]

    def _store(self) -> Store:
        user, password = ClickHouse.user, ClickHouse.password
        return Store(
            Address(
                host="127.0.0.1", port=self.port, user=user, password=password, database="chaos"
            )
        )


class Service(Backend):
    """Our service with its embedded engine, which the collector posts to."""

    flag = "--ingest"

    def __init__(self, directory: Path, configuration: Path) -> None:
        self.port = free_port()
        self._directory = directory
        command = [GPULEDGER, "serve", "--config", str(configuration)]
        command += ["--store", self._url, "--listen", f"127.0.0.1:{self.port}"]
        log = directory.with_name("service.log")
        self._child = Child(command, log, env={**os.environ, "GPULEDGER_TOKEN": TOKEN})

    @property
    def _url(self) -> str:
        return f"chdb://{self._directory}"

    def start(self) -> None:
        self._child.start()
        self._child.wait_ready(lambda: http_ok(f"http://127.0.0.1:{self.port}/readyz"), 60)

    def kill(self) -> None:
        self._child.kill()

    def address(self, proxy: Proxy) -> str:
        return proxy.url

    def drain(self) -> bool:
        self._child.stop()  # a service that ends brings to the store what goes there at once
        with closing(sqlite3.connect(self._directory / SPOOL)) as db:
            waits = db.execute("SELECT 1 FROM bundles LIMIT 1").fetchall()
        self.start()
        return not waits

    def select(self, sql: str) -> list[dict[str, Any]]:
        return [dict(r) for r in open_reader(self._url, {}, StoreSettings()).select(sql)]


@dataclass
class Troubles:
    """When the collector died, and when its disk was full; seconds since 1970."""

    deaths: list[float] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)

    def may_lose(self, at: float) -> bool:
        """Whether a reading of that time may be lost: it was never safe when the agent died."""
        return any(self._since(death) <= at <= death + 0.2 for death in self.deaths)

    def _since(self, death: float) -> float:
        """The beginning of what was open; rows wait in memory while the disk is full."""
        began = [a for a, b in self.full if a <= death <= b + OPEN_WINDOW_S]
        return min([death, *began]) - OPEN_WINDOW_S


class World:
    """One collector with eight fake GPUs before a proxy and a backend."""

    def __init__(self, directory: Path, seed: int, backend: Backend, configuration: Path) -> None:
        self.backend = backend
        self.configuration = configuration
        self.troubles = Troubles()
        self.journal = directory / "journal"
        self.spool = directory / "spool.db"
        self.random = random.Random(seed)
        self.proxy = Proxy(lambda: backend.port, seed, swallow=0.1)
        scenario = directory / "scenario"
        nvml.healthy(8).write(scenario)
        environment = nvml.environment(nvml.build(directory.parent), scenario)
        self._env: Mapping[str, str] = {
            **environment,
            nvml.JOURNAL_VARIABLE: str(self.journal),
            "GPULEDGER_TOKEN": TOKEN,
            "GPULEDGER_STORE_PASSWORD": ClickHouse.password,
        }
        self._command = [GPULEDGER, "collect", "--config", str(configuration)]
        self._command += ["--cluster", "c", "--node", "n1", "--spool", str(self.spool)]
        self._log = directory / "collector.log"
        self._collector: Child | None = None

    def prepare(self) -> None:
        """Start everything."""
        self.backend.start()
        with closing(Spool(self.spool).open()):
            pass
        with closing(sqlite3.connect(self.spool)) as db:
            db.executescript(ACCEPTED)
        self.start_collector()

    def start_collector(self) -> None:
        command = [*self._command, self.backend.flag, self.backend.address(self.proxy)]
        said = self._log.read_text().count("ready\n") if self._log.exists() else 0
        self._collector = Child(command, self._log, env=self._env)
        self._collector.start()
        self._collector.wait_ready(lambda: self._log.read_text().count("ready\n") > said, 60)

    # What can befall them.

    def lose_answers(self) -> None:
        self.proxy.swallow = 0.6
        self.pause(1.0)
        self.proxy.swallow = 0.1

    def refuse(self) -> None:
        self.proxy.become(Mode.REFUSE)
        self.pause(1.5)
        self.proxy.become(Mode.PASS)

    def swallow_everything(self) -> None:
        self.proxy.become(Mode.BLACK_HOLE)
        self.pause(1.5)
        self.proxy.become(Mode.PASS)

    def kill_backend(self) -> None:
        self.backend.kill()
        self.pause(0.5)
        self.backend.start()

    def kill_collector(self) -> None:
        assert self._collector
        self._collector.kill()
        self.troubles.deaths.append(time.time())
        self.start_collector()

    def fill_disk(self) -> None:
        """The spool's files cannot grow for a while: SQLite says that the disk is full."""
        assert self._collector
        began = time.time()
        size = max(self.spool.stat().st_size, 4096)
        resource.prlimit(self._collector.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        self.pause(1.5)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self._collector.pid, resource.RLIMIT_FSIZE, unlimited)
        self.troubles.full.append((began, time.time()))

    def pause(self, seconds: float) -> None:
        """Let the collector work: about that long, by chance."""
        time.sleep(self.random.uniform(0.5, 1.5) * seconds)

    def script(self) -> list[Callable[[], None]]:
        """Everything that happens, in an order that the seed decides."""
        acts = [
            *(self.kill_backend, self.kill_backend, self.kill_collector, self.kill_collector),
            *(self.refuse, self.swallow_everything, self.lose_answers, self.fill_disk),
        ]
        self.random.shuffle(acts)
        return acts

    def settle(self) -> None:
        """Heal everything and let the collector send what it has, until nothing waits."""
        self.proxy.swallow = 0.0
        self.proxy.become(Mode.PASS)
        assert self._collector
        self._collector.stop()
        self.configuration.write_text(QUIET)
        for _ in range(10):
            if not self.waiting():
                wait_until(self.backend.drain, DRAIN_S, "the relay's journal is empty")
                return
            self.start_collector()
            self.pause(2.0)
            self._collector.stop()
        raise AssertionError(f"{self.waiting()} batches still wait\n{self._collector.tail()}")

    def waiting(self) -> int:
        (row,) = self._ask_spool("SELECT count(*) FROM entries")
        return int(row[0])

    def accepted(self) -> dict[str, int]:
        return dict(self._ask_spool("SELECT tbl, rows FROM accepted"))

    def batches(self) -> int:
        (row,) = self._ask_spool("SELECT sum(batches) FROM accepted")
        return int(row[0])

    def let_go(self) -> dict[str, int]:
        """Rows that the spool says it dropped or that were refused."""
        return dict(self._ask_spool("SELECT tbl, sum(rows) FROM lost GROUP BY tbl"))

    def readings(self) -> dict[tuple[int, int], float]:
        """(GPU, energy in mJ) that the driver ever told, and when."""
        out = {}
        for line in self.journal.read_text().splitlines():
            gpu, energy, at = line.split()
            out[int(gpu), int(energy)] = float(at)
        return out

    def close(self) -> None:
        if self._collector:
            self._collector.kill()
        self.backend.kill()
        self.proxy.close()

    def _ask_spool(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.spool)) as db:
            return db.execute(sql).fetchall()


@contextmanager
def world(directory: Path, seed: int) -> Iterator[World]:
    """A world of that seed: even ones have a server, odd ones a service."""
    directory.mkdir(parents=True)
    configuration = directory / "gpuledger.toml"
    configuration.write_text(CONFIGURATION)
    backend: Backend = (
        Service(directory / "store", configuration) if seed % 2 else Server(directory / "server")
    )
    one = World(directory, seed, backend, configuration)
    try:
        one.prepare()
        yield one
    finally:
        one.close()
