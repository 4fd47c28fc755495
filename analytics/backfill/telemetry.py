"""One exporter's history into the store: read, put together, corrected, cut and inserted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from analytics.backfill.amount import Amount, amount
from analytics.backfill.blocks import blocks, token
from analytics.backfill.fold import Rows, fold
from analytics.backfill.memory import Memory
from analytics.backfill.places import Nodes
from analytics.backfill.progress import Progress, Stretch, span_for
from analytics.backfill.prometheus import Prometheus, Series
from analytics.backfill.settings import BackfillSettings
from analytics.backfill.wide import Desk, Wide
from gpuledger.batch import Batch, by_table, from_milliseconds
from gpuledger.catalogue.work import version
from gpuledger.identity import gpu_id
from gpuledger.mapping import Exporter
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store

# Whoever else tells of a card or a job knows better than an old sample.
TRUST = 0

Advance = Callable[[int, int], None]


@dataclass
class Read:
    """What was read in this run."""

    samples: int = 0
    rows: int = 0
    skipped: int = 0
    doubts: dict[str, int] = field(default_factory=dict)


class Telemetry:
    """Reads what a mapping knows. Rows hold `step_ms` each; 0 = every scrape."""

    def __init__(
        self,
        store: Store,
        prometheus: Prometheus,
        exporter: Exporter,
        nodes: Nodes,
        cluster: str,
        settings: BackfillSettings,
        step_ms: int,
    ) -> None:
        self._store = store
        self._prometheus = prometheus
        self._exporter = exporter
        self._nodes = nodes
        self._cluster = cluster
        self._settings = settings
        self._step_ms = step_ms
        self._told: dict[tuple[object, ...], object] = {}

    def amount(self, known: Iterable[str], whole: Stretch) -> Amount:
        """Metrics of ours among those known there, and how many samples they have."""
        names = sorted(n for n in known if self._exporter.feeds_of(n) is not None)
        return amount(self._prometheus, names, whole)

    def read(self, amount: Amount, progress: Progress, whole: Stretch, advance: Advance) -> Read:
        """Read what is left of a stretch. `advance` hears milliseconds and samples done."""
        read = Read()
        todo = list(progress.todo(whole, span_for(amount.per_hour, self._settings.samples)))
        left = sum(s.until_ms - s.since_ms for s in todo)
        read.skipped = max(0, whole.until_ms - whole.since_ms - left)
        advance(read.skipped, 0)
        memory: Memory | None = None
        before: Stretch | None = None
        with ThreadPoolExecutor(self._settings.parallel, "backfill") as pool:
            for stretch, found in self._ahead(pool, amount.names, todo):
                if memory is None or before is None or before.until_ms != stretch.since_ms:
                    memory = progress.memory(stretch)
                samples = self._store_stretch(stretch, found, progress, memory, read)
                advance(stretch.until_ms - stretch.since_ms, samples)
                before = stretch
        return read

    def _ahead(
        self, pool: ThreadPoolExecutor, names: Sequence[str], todo: Sequence[Stretch]
    ) -> Iterator[tuple[Stretch, list[Future[list[Series]]]]]:
        """Every stretch with its answers; the next one is asked for while this one is stored."""
        waiting: list[tuple[Stretch, list[Future[list[Series]]]]] = []
        try:
            for stretch in todo:
                span = (stretch.since_ms, stretch.until_ms)
                asked = [pool.submit(self._prometheus.samples, n, *span) for n in names]
                waiting.append((stretch, asked))
                if len(waiting) > 1:
                    yield waiting.pop(0)
            yield from waiting
        finally:
            for _, asked in waiting:
                for future in asked:
                    future.cancel()

    def _store_stretch(
        self,
        stretch: Stretch,
        found: list[Future[list[Series]]],
        progress: Progress,
        memory: Memory,
        read: Read,
    ) -> int:
        desk = Desk(self._exporter, self._cluster, self._nodes)
        samples = 0
        while found:
            for series in found.pop(0).result():
                samples += len(series.at_ms)
                desk.take(series)
        wides = desk.done()
        for said, count in desk.doubts.items():
            read.doubts[said] = read.doubts.get(said, 0) + count
        progress.begin(stretch)
        rows = self._insert(stretch, wides, memory, progress.source)
        progress.finish(stretch, samples, rows, memory.kept(stretch.until_ms))
        read.samples, read.rows = read.samples + samples, read.rows + rows
        return samples

    def _insert(self, stretch: Stretch, wides: list[Wide], memory: Memory, source: str) -> int:
        facts = [self._fact(w) for w in wides if "ts" not in w.plan.columns]
        batches = [
            *blocks(self._rows(wides, memory), self._exporter.name, memory.epoch),
            *_batches([row for row in facts if row]),
        ]
        for batch in batches:
            name = token(batch, source, stretch.since_ms, stretch.until_ms)
            self._store.insert(batch, token=name)
        return sum(len(batch) for batch in batches)

    def _rows(self, wides: list[Wide], memory: Memory) -> Iterator[Rows]:
        for wide in wides:
            if "ts" in wide.plan.columns:
                memory.correct(wide)
                yield fold(wide, memory.cover_ms(wide), self._step_ms)

    def _fact(self, wide: Wide) -> Row | None:
        """A row of what a thing is; None where it was told before."""
        values = {n: float(v[0]) for n, v in wide.columns.items() if v[0] == v[0]}
        said = (*sorted(wide.names.items()), *sorted(values.items()))
        if self._told.get(said):
            return None
        self._told[said] = True
        row = wide.plan.row.known(**{**wide.names, **values})
        told, at_ms = row.__dict__, int(wide.at_ms[0])
        if told.get("gpu_id") == 0:
            told["gpu_id"] = gpu_id(told["cluster"], told["node"], told["slot"])
        if told.get("seen_at") == FOREVER:
            told["seen_at"] = from_milliseconds(at_ms)
        if told.get("version") == 0:
            told["version"] = version(TRUST, at_ms)
        return row


def _batches(rows: Sequence[Row]) -> list[Batch]:
    return by_table(rows) if rows else []
