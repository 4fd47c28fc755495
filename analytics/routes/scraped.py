"""What became of samples that came by remote-write and OTLP, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from analytics.ingest.assembly import Assembler


def families(assembler: Assembler) -> Iterator[Metric]:
    """Samples by what became of them, rows made of them, and what waits."""
    counts = assembler.counts
    yield _by("samples", "Samples by what became of them", "outcome", counts.samples)
    yield _by("rows", "Rows made of samples", "table", counts.rows)
    yield _by("refused_series", "Series of which nothing is made", "why", counts.series)
    yield _by("unknown_series", "Series that no mapping knows", "metric", counts.unknown)
    yield _by("missing_values", "Values that could not be used", "what", counts.missing)
    learner = assembler.learner
    for name, help_text, value in (
        ("waiting_readings", "Readings that wait for the rest of their scrape", assembler.waiting),
        ("targets", "Targets that are known", len(learner.targets)),
        ("series", "Series that become rows", learner.size),
    ):
        yield GaugeMetricFamily(f"gpuledger_scraped_{name}", help_text, value=value)


def _by(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"gpuledger_scraped_{name}", help_text, labels=[label])
    for told, count in dict(counts).items():
        family.add_metric([told], count)
    return family
