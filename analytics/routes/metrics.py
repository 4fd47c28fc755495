"""The service's own state and the book's headline, for Prometheus."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from analytics import book
from analytics.routes.common import TheService
from analytics.routes.own import OwnCollector
from analytics.routes.relay import IntakeCollector
from analytics.service import Service
from gpuledger.errors import StoreError

router = APIRouter(tags=["metrics"])
# Labels of alerts by which Alertmanager groups, inhibits and finds who hears of them.
_ROUTED_BY = ("cluster", "node", "job", "user", "team")


@router.get("/metrics")
def get_metrics(service: TheService) -> Response:
    """The last hour's book by state, findings, alerts, the age of the book, and what came in."""
    registry = CollectorRegistry()
    registry.register(OwnCollector(service.watch.figures))
    registry.register(_StoreCollector(service))
    if service.intake:
        registry.register(IntakeCollector(service.intake))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _StoreCollector:
    """Whether the store answers, and what it tells then; the service's own state in any case."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """What Prometheus's client asks for."""
        try:
            found = list(_BookCollector(self._service).collect())
        except StoreError:
            found = []
        up = GaugeMetricFamily("gpuledger_store_up", "1 where the store answers", value=bool(found))
        yield from (up, *found, self._ticked())

    def _ticked(self) -> Metric:
        family = GaugeMetricFamily(
            "gpuledger_last_tick_timestamp_seconds", "When the analytics last came through"
        )
        if self._service.runner.last_tick:
            family.add_metric([], self._service.runner.last_tick.timestamp())
        return family


class _BookCollector:
    """Families at scrape time; holds no state."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        yield self._book()
        yield self._findings()
        yield self._alerts()
        yield self._booked()

    def _book(self) -> Metric:
        family = GaugeMetricFamily(
            "gpuledger_book_gpu_seconds",
            "GPU-seconds of the last booked hour by state",
            labels=["state"],
        )
        store = self._service.boards
        for row in book.ledger(store, book.span(store, "1h"), ["state"]):
            family.add_metric([row["state"]], 3600 * row["gpu_hours"])
        return family

    def _findings(self) -> Metric:
        family = GaugeMetricFamily(
            "gpuledger_open_findings", "Open findings by kind", labels=["kind"]
        )
        for row in self._service.boards.select(
            "SELECT kind, count() AS n FROM v_findings WHERE open = 1 GROUP BY kind ORDER BY kind"
        ):
            family.add_metric([row["kind"]], row["n"])
        return family

    def _alerts(self) -> Metric:
        family = GaugeMetricFamily(
            "gpuledger_alert_value",
            "Measured value of pending and firing alerts",
            labels=["rule", "subject", *_ROUTED_BY],
        )
        routed = ", ".join(f"JSONExtractString(labels, '{n}') AS {n}" for n in _ROUTED_BY)
        for row in self._service.boards.select(
            f"SELECT rule, subject, value, {routed} FROM v_alert_states"
            " WHERE state IN ('pending', 'firing') ORDER BY rule, subject"
        ):
            value = math.nan if row["value"] is None else row["value"]
            names = [row[name] for name in ("rule", "subject", *_ROUTED_BY)]
            family.add_metric(names, value)
        return family

    def _booked(self) -> Metric:
        family = GaugeMetricFamily(
            "gpuledger_last_booked_timestamp_seconds", "End of the last booked minute"
        )
        last = book.last_booked(self._service.boards)
        if last:
            family.add_metric([], last.timestamp())
        return family
