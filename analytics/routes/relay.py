"""How a relay stands: alive, ready, and its own figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from analytics.ingest.intake import Intake, intake_of
from analytics.routes import scraped
from analytics.routes.own import OwnCollector

router = APIRouter(tags=["relay"])


@router.get("/healthz")
def get_health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def get_ready(request: Request) -> dict[str, str | float]:
    """Rows are accepted, 503 otherwise; and how old the oldest is that the store has not yet."""
    journal = intake_of(request).journal
    if journal.is_full:
        raise HTTPException(503, "the journal is full: the store has not taken rows for long")
    return {"status": "ready", "oldest_seconds": journal.oldest_s()}


@router.get("/metrics")
def get_metrics(request: Request) -> Response:
    """What was accepted, what waits, what went on, and what did not."""
    registry = CollectorRegistry()
    registry.register(OwnCollector(request.app.state.watch.figures))
    registry.register(IntakeCollector(intake_of(request)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class IntakeCollector:
    """Families at scrape time; holds no state."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def collect(self) -> Iterator[Metric]:
        """What Prometheus's client asks for."""
        yield from self._accepted()
        yield from self._waiting()
        yield from self._delivered()
        if self._intake.assembler:
            yield from scraped.families(self._intake.assembler)

    def _accepted(self) -> Iterator[Metric]:
        counts, told = self._intake.journal.counts, self._intake.told
        yield _by_table("accepted_rows", "Rows made safe on this disk", counts.accepted)
        yield _by_table("duplicate_rows", "Rows that were known already", counts.duplicates)
        yield _by_table("quarantined_rows", "Rows kept aside for their times", told.quarantined)
        yield _by_table("rejected_batches", "Batches that are none", told.rejected)
        yield _by_table("foreign_batches", "Batches with rows of somebody else", told.foreign)
        limited = self._intake.limits.refused
        yield _by("limited_requests", "Requests beyond a token's share", "share", limited)
        yield _by_table("dropped_columns", "Columns of no table, per batch", told.dropped_columns)
        yield _by("batches", "Batches by their sender's version to ours", "schema", told.schemas)
        yield _one("requests", "Requests with rows", counts.requests)
        yield _one("commits", "Times that the disk was waited for", counts.commits)
        yield _one("busy_answers", "Times that a sender was told to come again", counts.busy)

    def _waiting(self) -> Iterator[Metric]:
        journal = self._intake.journal
        rows = GaugeMetricFamily(
            "gpuledger_relay_waiting_rows", "Rows that the store has not yet", labels=["table"]
        )
        for table, count in journal.read("SELECT tbl, sum(rows) FROM bundles GROUP BY tbl"):
            rows.add_metric([table], count)
        yield rows
        for name, help_text, value in (
            ("waiting_bytes", "Disk that they take, compressed", journal.packed_bytes),
            ("capacity_bytes", "Disk that they may take", journal.capacity_bytes),
            ("oldest_seconds", "Age of the oldest of them", journal.oldest_s()),
        ):
            yield GaugeMetricFamily(f"gpuledger_relay_{name}", help_text, value=value)

    def _delivered(self) -> Iterator[Metric]:
        relay = self._intake.relay
        yield _by_table("inserted_blocks", "Blocks that the store took", relay.delivered.blocks)
        yield _by_table("inserted_rows", "Rows that the store took", relay.delivered.rows)
        yield _by_table("refused_rows", "Rows that the store never takes", relay.blocks.refused())
        yield _one("failed_inserts", "Inserts that are tried again", relay.delivered.failures)


def _by_table(name: str, help_text: str, counts: Mapping[str, int]) -> Metric:
    return _by(name, help_text, "table", counts)


def _by(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"gpuledger_relay_{name}", help_text, labels=[label])
    for value, count in dict(counts).items():
        family.add_metric([value], count)
    return family


def _one(name: str, help_text: str, count: int) -> Metric:
    return CounterMetricFamily(f"gpuledger_relay_{name}", help_text, value=count)
