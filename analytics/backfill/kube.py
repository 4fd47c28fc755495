"""Kubernetes' past into the store: pods, their GPUs and nodes, as kube-state-metrics told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from analytics.backfill.blocks import token
from analytics.backfill.progress import Progress, Stretch, cut, span_for
from analytics.backfill.prometheus import Prometheus, Series
from analytics.backfill.settings import BackfillSettings
from analytics.facts import Facts
from gpuledger.batch import by_table
from gpuledger.mapping import Reading
from gpuledger.schema import Row, Versions
from gpuledger.store import Store

# One reading of each series a minute: times of pods are told in seconds whatever the step is.
STEP_MS = 60_000
# What is read again before a new stretch, for what goes on from before.
WARM_MS = 24 * 3_600_000
KUBE = "kube_"

Advance = Callable[[int, int], None]


@dataclass
class Told:
    """What was read in this run."""

    samples: int = 0
    rows: int = 0


class Kube:
    """Reads what facts are made of. Facts said twice are one fact: a killed run begins again."""

    def __init__(
        self, store: Store, prometheus: Prometheus, cluster: str, settings: BackfillSettings
    ) -> None:
        self._store = store
        self._prometheus = prometheus
        self._cluster = cluster
        self._settings = settings

    def names(self, known: Iterable[str]) -> list[str]:
        """Metrics that facts are made of; none where kube-state-metrics was not there."""
        facts = Facts(self._cluster)
        found = sorted(n for n in known if facts.feeds(n))
        devices = [n for n in found if not n.startswith(KUBE)]
        pods = [n for n in found if n.startswith(KUBE)]
        # Every metric of a GPU has the same labels.
        return [*devices[:1], *pods] if pods else []

    def read(
        self,
        names: Sequence[str],
        per_hour: float,
        progress: Progress,
        whole: Stretch,
        advance: Advance,
    ) -> Told:
        """Read what is left of a stretch. `advance` hears milliseconds and samples done."""
        told, span = Told(), span_for(per_hour, self._settings.samples)
        todo = list(progress.todo(whole, span))
        left = sum(s.until_ms - s.since_ms for s in todo)
        advance(max(0, whole.until_ms - whole.since_ms - left), 0)
        if not todo:
            return told
        facts = Facts(self._cluster, interval_s=STEP_MS / 1000)
        first = todo[0].since_ms
        for stretch in cut(Stretch(max(whole.since_ms, first - WARM_MS), first), span):
            for _ in self._facts(facts, names, stretch, told):
                pass
        for stretch in todo:
            progress.begin(stretch)
            before = told.samples
            rows = self._insert(self._facts(facts, names, stretch, told))
            progress.finish(stretch, told.samples - before, rows, "")
            told.rows += rows
            advance(stretch.until_ms - stretch.since_ms, told.samples - before)
        return told

    def _facts(
        self, facts: Facts, names: Sequence[str], stretch: Stretch, told: Told
    ) -> Iterator[Row]:
        """Rows that a stretch adds, in the order of time."""
        found: list[Series] = []
        for name in names:
            found += self._prometheus.samples(name, stretch.since_ms, stretch.until_ms)
        told.samples += sum(len(s.at_ms) for s in found)
        for at_ms, readings in moments(found, STEP_MS):
            yield from facts.take(readings, at_ms)

    def _insert(self, rows: Iterable[Row]) -> int:
        """Insert facts; that an exporter was heard is nothing for the past."""
        kept = [row for row in rows if isinstance(row.table.layout, Versions)]
        for batch in by_table(kept) if kept else ():
            self._store.insert(batch, token=token(batch, self._cluster, "kube"))
        return len(kept)


def moments(found: Sequence[Series], step_ms: int) -> Iterator[tuple[int, list[Reading]]]:
    """Readings by steps, in order: of each series the last one of a step."""
    picked: list[tuple[int, int, int, float]] = []
    for n, series in enumerate(found):
        steps = -(-series.at_ms // step_ms)
        last = np.flatnonzero(np.concatenate((np.diff(steps) != 0, [True])))
        at, values = series.at_ms[last].tolist(), series.values[last].tolist()
        picked += zip(steps[last].tolist(), at, [n] * len(last), values, strict=True)
    picked.sort(key=itemgetter(0, 1))
    readings: list[Reading] = []
    step = picked[0][0] if picked else 0
    for at_step, at, n, value in picked:
        if at_step != step:
            yield step * step_ms, readings
            readings, step = [], at_step
        readings.append(Reading(found[n].name, found[n].labels, value, at))
    if readings:
        yield step * step_ms, readings
