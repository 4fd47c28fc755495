"""Prometheus exposition of the latest rows: names, units and help from the catalogue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from collector.window import Folded
from gpuledger.config import Settings
from gpuledger.errors import ConfigError
from gpuledger.schema import Column, Kind, Samples, Table
from gpuledger.units import RATIO

FRESH_S = 120.0
# Labels of people, jobs and programs make a series each, and are nobody's business in Prometheus.
LEFT_OUT = frozenset({"process_samples"})
EXPOSED = {Kind.GAUGE, Kind.COUNTER, Kind.ADDITIVE, Kind.BITS}
GROWS = {Kind.COUNTER, Kind.ADDITIVE}
Family = GaugeMetricFamily | CounterMetricFamily


class PrometheusSettings(Settings):
    """Section `[prometheus]`."""

    address: Annotated[str, "address to listen on"] = "0.0.0.0"  # noqa: S104 - it is scraped
    port: Annotated[int, "port of /metrics; 0 = no endpoint"] = 0


@dataclass
class Latest:
    """The last row of one key, and the sums of what belongs to each row's own interval."""

    labels: tuple[str, ...]
    values: dict[str, Any]
    at: float
    sums: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """One visible column as Prometheus sees it."""

    name: str
    help: str
    visible: str
    column: Column[Any]

    @property
    def grows(self) -> bool:
        """Whether it is a counter; what is added up row by row becomes one here."""
        return self.column.kind in GROWS


@dataclass(frozen=True)
class Exposed:
    """One table's metrics. The table's first word keeps same-named columns of two apart."""

    table: Table

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Cluster, node and the rest of the key."""
        return tuple(dict.fromkeys(("cluster", "node", *self.table.layout.key)))

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every measured column, a kept max included."""
        subject = self.table.name.removesuffix("s").removesuffix("_sample")
        return tuple(
            Metric(f"gpuledger_{subject}_{f.visible}", _help(f.visible, c), f.visible, c)
            for c in self.table.columns
            if c.kind in EXPOSED
            for f in c.fields
        )


class Exposition(Collector):
    """Holds the latest folded row of each key; families are made when Prometheus asks."""

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

    def collect(self) -> Iterator[Family]:
        """Families of every table that has a fresh row; a missing value has no sample."""
        oldest = self._monotonic() - self._fresh_s
        with self._lock:
            for _, latest in self._tables.values():
                for key in [k for k, row in latest.items() if row.at < oldest]:
                    del latest[key]
            tables = [(e, list(latest.values())) for e, latest in self._tables.values()]
        for exposed, rows in tables:
            for metric in exposed.metrics:
                made = family(metric, exposed.labels, rows)
                if made.samples:
                    yield made

    def describe(self) -> Iterable[Family]:
        """Nothing: what there is depends on the machine."""
        return ()

    def _take(self, row: Folded, now: float) -> None:
        exposed, latest = self._tables.setdefault(row.table.name, (Exposed(row.table), {}))
        key = tuple(str(row.values[name]) for name in exposed.labels)
        known = latest.setdefault(key, Latest(key, {}, now))
        known.values, known.at = dict(row.values), now
        for metric in exposed.metrics:
            value = row.values[metric.visible]
            if metric.column.kind is Kind.ADDITIVE and value is not None:
                known.sums[metric.visible] = known.sums.get(metric.visible, 0.0) + value


class PrometheusServer:
    """Serves `/metrics` of an exposition on `address:port`."""

    def __init__(
        self,
        exposition: Exposition,
        address: str,
        port: int,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self.port = port
        self._address = address
        self._exposition = exposition
        self._registry = registry or CollectorRegistry()
        self._server: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. ConfigError where the port is taken."""
        self._registry.register(self._exposition)
        try:
            self._server, self._thread = start_http_server(
                self.port, self._address, registry=self._registry
            )
        except OSError as e:
            raise ConfigError(
                f"cannot listen on {self._address}:{self.port}: {e.strerror}"
            ) from None
        self.port = self._server.server_port

    def stop(self) -> None:
        """Listen no more."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._registry.unregister(self._exposition)


def family(metric: Metric, labels: Sequence[str], rows: Iterable[Latest]) -> Family:
    """One metric over all rows."""
    kind = CounterMetricFamily if metric.grows else GaugeMetricFamily
    out: Family = kind(metric.name, metric.help, labels=labels)
    for row in rows:
        value = (row.sums if metric.column.kind is Kind.ADDITIVE else row.values).get(
            metric.visible
        )
        if value is not None:
            out.add_metric(row.labels, float(value))
    return out


def _help(visible: str, column: Column[Any]) -> str:
    """The catalogue's help with the unit; a max says that it is one."""
    unit = "0 to 1" if column.unit is RATIO else column.unit.suffix.replace("_", " ")
    text = column.help if visible == column.name else f"{column.help}, highest"
    return f"{text} ({unit})" if unit else text
