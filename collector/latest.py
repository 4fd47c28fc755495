"""The latest row of everything that was measured: what endpoints and exporters show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from collector.window import INTERVAL, Folded
from gpuledger.schema import MEASURED, Column, Kind, Samples, Table

FRESH_S = 120.0
# A source may be late once and is still there at the next reading.
FRESH_INTERVALS = 2.5
# Of a source this slow, the first row does not yet say how slow.
FRESH_FIRST_S = 600.0
# Labels of people, jobs and programs make a series each, and are nobody's business elsewhere: a
# project of a queue and an instance of a service are often a person. /metrics has no password.
LEFT_OUT = frozenset(
    {"process_samples", "progress_samples", "cgroup_samples", "queue_samples", "serving_samples"}
)
# Homes are mounted one by one (autofs), so what is mounted below these is named after somebody.
HOMES = frozenset({"home", "homes", "user", "users", "people", "u"})
CARDS, ON_CARDS = "gpus", "gpu_samples"
CARD_LABELS = ("cluster", "node", "slot", "uuid", "model", "driver")


@dataclass
class Latest:
    """The last row of one key, and the sums of what belongs to each row's own interval."""

    labels: tuple[str, ...]
    values: dict[str, Any]
    until: float
    sums: dict[str, float] = field(default_factory=dict)

    def value(self, metric: Metric) -> float | None:
        """What a metric shows: the last value, or the sum since the agent began."""
        shown = self.sums if metric.column.kind is Kind.ADDITIVE else self.values
        return shown.get(metric.visible)


@dataclass(frozen=True)
class Metric:
    """One visible column as the outside sees it."""

    visible: str
    column: Column[Any]

    @property
    def grows(self) -> bool:
        """Whether it is a counter; what is added up row by row becomes one here."""
        return self.column.kind in {Kind.COUNTER, Kind.ADDITIVE}

    @property
    def help(self) -> str:
        """The catalogue's help; a max says that it is one."""
        told = self.column.help
        return told if self.visible == self.column.name else f"{told}, highest"


@dataclass(frozen=True)
class Exposed:
    """One table's metrics."""

    table: Table

    @property
    def subject(self) -> str:
        """The table's first words: they keep same-named columns of two tables apart."""
        singular = "es" if self.table.name.endswith("sses") else "s"
        return self.table.name.removesuffix(singular).removesuffix("_sample")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Cluster, node and the rest of the key."""
        return tuple(dict.fromkeys(("cluster", "node", *self.table.layout.key)))

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every measured column, a kept max included."""
        columns: tuple[Column[Any], ...] = self.table.columns
        return tuple(Metric(f.visible, c) for c in columns if c.kind in MEASURED for f in c.fields)


class LatestRows:
    """Holds the latest folded row of each key for as long as it is fresh. For any thread."""

    def __init__(self, monotonic: Callable[[], float], fresh_s: float = FRESH_S) -> None:
        self._monotonic = monotonic
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._tables: dict[str, tuple[Exposed, dict[tuple[str, ...], Latest]]] = {}
        self._cards: dict[tuple[str, ...], tuple[str, ...]] = {}

    def update(self, rows: Sequence[Folded]) -> None:
        """Take in finished rows; of events and facts only which card is in which slot."""
        now = self._monotonic()
        with self._lock:
            for row in rows:
                if row.table.name == CARDS:
                    self._take_card(row.values)
                elif _is_shown(row):
                    self._take(row, now)

    def fresh(self) -> list[tuple[Exposed, list[Latest]]]:
        """Every table with its rows; a key that was not heard of for long is forgotten."""
        now = self._monotonic()
        with self._lock:
            for _, latest in self._tables.values():
                for key in [k for k, row in latest.items() if row.until < now]:
                    del latest[key]
            return [(e, list(latest.values())) for e, latest in self._tables.values()]

    def cards(self) -> list[tuple[str, ...]]:
        """Values of CARD_LABELS of every card that is measured now; `fresh` forgets the others."""
        with self._lock:
            _, measured = self._tables.get(ON_CARDS, (None, {}))
            return [card for slot, card in self._cards.items() if slot in measured]

    def _take_card(self, values: Mapping[str, Any]) -> None:
        """A card, not its slices: they share its slot. What one source leaves empty stays."""
        if values["parent"]:
            return
        told = tuple(str(values[name]) for name in CARD_LABELS)
        known = self._cards.get(told[:3], told)
        same = known[3] == told[3]
        self._cards[told[:3]] = (
            tuple(new or old for new, old in zip(told, known, strict=True)) if same else told
        )

    def _take(self, row: Folded, now: float) -> None:
        exposed, latest = self._tables.setdefault(row.table.name, (Exposed(row.table), {}))
        key = tuple(str(row.values[name]) for name in exposed.labels)
        known = latest.setdefault(key, Latest(key, {}, now))
        known.values, known.until = dict(row.values), now + self._lives_s(row)
        for metric in exposed.metrics:
            value = row.values[metric.visible]
            if metric.column.kind is Kind.ADDITIVE and value is not None:
                known.sums[metric.visible] = known.sums.get(metric.visible, 0.0) + value

    def _lives_s(self, row: Folded) -> float:
        """How long a row is shown: past the next reading of its source."""
        interval_s = row.values.get(INTERVAL)
        if interval_s == 0:
            return max(self._fresh_s, FRESH_FIRST_S)
        return max(self._fresh_s, FRESH_INTERVALS * (interval_s or 0.0))


def _is_shown(row: Folded) -> bool:
    """Whether it is telemetry that names nobody."""
    if not isinstance(row.table.layout, Samples) or row.table.name in LEFT_OUT:
        return False
    if "mount" not in row.table.layout.key:
        return True
    return HOMES.isdisjoint(PurePosixPath(str(row.values["mount"])).parts[:-1])
