"""The latest row of everything that was measured: what endpoints and exporters show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from collector.window import Folded
from gpuledger.schema import MEASURED, Column, Kind, Samples, Table

FRESH_S = 120.0
# Labels of people, jobs and programs make a series each, and are nobody's business elsewhere.
LEFT_OUT = frozenset({"process_samples", "cgroup_samples"})


@dataclass
class Latest:
    """The last row of one key, and the sums of what belongs to each row's own interval."""

    labels: tuple[str, ...]
    values: dict[str, Any]
    at: float
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

    def update(self, rows: Sequence[Folded]) -> None:
        """Take in finished rows; events and facts are not samples and pass by."""
        now = self._monotonic()
        with self._lock:
            for row in rows:
                if isinstance(row.table.layout, Samples) and row.table.name not in LEFT_OUT:
                    self._take(row, now)

    def fresh(self) -> list[tuple[Exposed, list[Latest]]]:
        """Every table with its rows; a key that was not heard of for long is forgotten."""
        oldest = self._monotonic() - self._fresh_s
        with self._lock:
            for _, latest in self._tables.values():
                for key in [k for k, row in latest.items() if row.at < oldest]:
                    del latest[key]
            return [(e, list(latest.values())) for e, latest in self._tables.values()]

    def _take(self, row: Folded, now: float) -> None:
        exposed, latest = self._tables.setdefault(row.table.name, (Exposed(row.table), {}))
        key = tuple(str(row.values[name]) for name in exposed.labels)
        known = latest.setdefault(key, Latest(key, {}, now))
        known.values, known.at = dict(row.values), now
        for metric in exposed.metrics:
            value = row.values[metric.visible]
            if metric.column.kind is Kind.ADDITIVE and value is not None:
                known.sums[metric.visible] = known.sums.get(metric.visible, 0.0) + value
