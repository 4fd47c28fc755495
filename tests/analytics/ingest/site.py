"""A site that writes metrics: an assembler over a journal, in a time of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import lz4.frame

from analytics.ingest import protobuf
from analytics.ingest.assembly import Assembler, Clock
from analytics.ingest.journal import Journal
from analytics.ingest.learning import ScrapedSettings
from analytics.ingest.told import TellsFacts
from gpuledger.mapping import Reading
from gpuledger.native import read_blocks
from gpuledger.schema import Row

NOW_S = 1_790_000_000.0
NOW_MS = int(NOW_S * 1000)
PERIOD_MS = 15_000
JOB, INSTANCE = "dcgm", "node-7:9400"
POWER, UTIL, ENERGY, MEMORY = (
    f"DCGM_FI_DEV_{name}"
    for name in ("POWER_USAGE", "GPU_UTIL", "TOTAL_ENERGY_CONSUMPTION", "FB_USED")
)

Told = tuple[Mapping[str, str], float, int]


def card(name: str, value: float, at_ms: int, gpu: int = 0, **labels: str) -> Told:
    """One sample of dcgm-exporter."""
    known = {
        "__name__": name,
        "job": JOB,
        "instance": INSTANCE,
        "gpu": str(gpu),
        "UUID": f"GPU-{gpu}",
        "Hostname": "node-7",
        "modelName": "NVIDIA H100",
    }
    return {**known, **labels}, value, at_ms


def scrape(at_ms: int, *, gpus: int = 1, energy: float = 1e6, watts: float = 100.0) -> list[Told]:
    """One scrape of some cards."""
    return [
        sample
        for gpu in range(gpus)
        for sample in (
            card(POWER, watts, at_ms, gpu),
            card(UTIL, 50, at_ms, gpu),
            card(ENERGY, energy, at_ms, gpu),
            card(MEMORY, 1024, at_ms, gpu),
        )
    ]


class Facts:
    """Takes pods of the cluster that it has met."""

    def __init__(self) -> None:
        self.met: set[str] = set()
        self.took: list[list[tuple[str, float]]] = []

    def feeds(self, name: str) -> bool:
        return name == "kube_pod_info"

    def knows(self, cluster: str) -> bool:
        return cluster in self.met

    def meet(self, cluster: str) -> None:
        self.met.add(cluster)

    def take(self, _: str, readings: Iterable[Reading], __: int) -> list[Row]:
        self.took.append([(r.labels["pod"], r.value) for r in readings])
        return []


class Site:
    """An open assembler; `crash` throws away all that is not on disk."""

    def __init__(
        self, path: Path, facts: TellsFacts | None = None, store: Any = None, **settings: Any
    ) -> None:
        self.path = path
        self.now_s = 0.0
        self.settings = ScrapedSettings(cluster="c", **settings)
        self._facts = facts
        self._store = store
        self.journal, self.assembler = self._opened()

    def _opened(self) -> tuple[Journal, Assembler]:
        journal = Journal(self.path).open()
        clock = Clock(lambda: NOW_S, lambda: self.now_s)
        assembler = Assembler(journal, self.settings, self._store, clock, self._facts)
        return journal, assembler.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def crash(self) -> None:
        """Begin a new life with the file of the last one."""
        self.journal.close()
        self.journal, self.assembler = self._opened()

    def send(self, told: Iterable[Told]) -> dict[str, int]:
        """One request."""
        body = protobuf.write(told)
        return self.assembler.take(protobuf.read(body, self.settings.max_request_series))

    def wait(self, seconds: float) -> None:
        """Let time pass, and make the rows that are ready then."""
        self.now_s += seconds
        self.step()

    def step(self) -> None:
        """Make rows until nothing is ready any more."""
        while self.assembler.step():
            pass

    def rows(self, table: str = "gpu_samples") -> list[dict[str, Any]]:
        """Every row that was made, oldest first, without what is missing."""
        out = []
        found = self.journal.read("SELECT body FROM bundles WHERE tbl = ? ORDER BY id", table)
        for (packed,) in found:
            assert isinstance(packed, bytes)
            columns = read_blocks(lz4.frame.decompress(packed))
            for place in range(len(next(iter(columns.values()))[1])):
                told = {name: values[place] for name, (_, values) in columns.items()}
                out.append({name: value for name, value in told.items() if value is not None})
        return sorted(out, key=lambda row: (row.get("ts", 0), row.get("slot", 0)))

    def covers(self) -> list[tuple[int, int]]:
        """Periods before or after now, and milliseconds covered, of each row."""
        return [((row["ts"] - NOW_MS) // PERIOD_MS, row["interval_ms"]) for row in self.rows()]


def moments(count: int, first: int = 0) -> list[int]:
    """So many moments, a period apart."""
    return [NOW_MS + (first + i) * PERIOD_MS for i in range(count)]
