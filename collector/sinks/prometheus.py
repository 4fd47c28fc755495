"""Prometheus exposition of the latest rows: names, units and help from the catalogue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from collector.latest import CARD_LABELS, FRESH_S, Exposed, Latest, LatestRows, Metric
from collector.window import Folded
from gpuledger.config import Settings
from gpuledger.errors import ConfigError
from gpuledger.units import RATIO

Family = GaugeMetricFamily | CounterMetricFamily


class PrometheusSettings(Settings):
    """Section `[prometheus]`."""

    address: Annotated[str, "address to listen on"] = "0.0.0.0"  # noqa: S104 - it is scraped
    port: Annotated[int, msgspec.Meta(ge=0, le=65535), "port of /metrics; 0 = no endpoint"] = 0


class Exposition(Collector):
    """Shows the latest folded row of each key; families are made when Prometheus asks."""

    def __init__(self, monotonic: Callable[[], float], fresh_s: float = FRESH_S) -> None:
        self._rows = LatestRows(monotonic, fresh_s)

    def update(self, rows: Sequence[Folded]) -> None:
        """Take in finished rows."""
        self._rows.update(rows)

    def collect(self) -> Iterator[Family]:
        """Families of every table that has a fresh row; a missing value has no sample."""
        for exposed, rows in self._rows.fresh():
            for metric in exposed.metrics:
                made = family(exposed, metric, rows)
                if made.samples:
                    yield made
        info = GaugeMetricFamily(
            "gpuledger_gpu_info", "which card is in a slot; always 1", labels=CARD_LABELS
        )
        for card in self._rows.cards():
            info.add_metric(card, 1.0)
        if info.samples:
            yield info

    def describe(self) -> Iterable[Family]:
        """Nothing: what there is depends on the machine."""
        return ()


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
        """Listen. ConfigError where the port is taken, or there is no such address."""
        self._registry.register(self._exposition)
        try:
            self._server, self._thread = start_http_server(
                self.port, self._address, registry=self._registry
            )
        except (OSError, OverflowError) as e:
            said = e.strerror if isinstance(e, OSError) else e
            raise ConfigError(f"cannot listen on {self._address}:{self.port}: {said}") from None
        self.port = self._server.server_port

    def stop(self) -> None:
        """Listen no more."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._registry.unregister(self._exposition)


def family(exposed: Exposed, metric: Metric, rows: Iterable[Latest]) -> Family:
    """One metric over all rows. The table's first word keeps same-named columns of two apart."""
    kind = CounterMetricFamily if metric.grows else GaugeMetricFamily
    name = f"gpuledger_{exposed.subject}_{metric.visible}"
    out: Family = kind(name, _help(metric), labels=exposed.labels)
    for row in rows:
        value = row.value(metric)
        if value is not None:
            out.add_metric(row.labels, float(value))
    return out


def _help(metric: Metric) -> str:
    """The catalogue's help with the unit."""
    column = metric.column
    unit = "0 to 1" if column.unit is RATIO else column.unit.suffix.replace("_", " ")
    return f"{metric.help} ({unit})" if unit else metric.help
