"""What the service itself did and does, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily, Metric

from analytics.figures import Family, Figures


class OwnCollector:
    """Families at scrape time; holds no state."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """What Prometheus's client asks for."""
        of = self._figures
        yield _times(
            "gpuledger_request_duration_seconds",
            "Answered requests by their route's template, method and status",
            ("route", "method", "status"),
            of.requests,
        )
        yield _times(
            "gpuledger_query_duration_seconds",
            "Questions to the store by class and outcome",
            ("class", "outcome"),
            of.questions,
        )
        yield _times(
            "gpuledger_tick_step_duration_seconds",
            "Steps of the analytics by outcome; tick is all of them",
            ("step", "outcome"),
            of.steps,
        )


def _times(name: str, help_text: str, labels: Sequence[str], family: Family) -> Metric:
    out = HistogramMetricFamily(name, help_text, labels=labels)
    for values, buckets, sum_s in family.told():
        out.add_metric(values, buckets, sum_s)
    return out
