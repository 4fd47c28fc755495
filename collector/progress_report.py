"""Reports of the training hook: OTLP's ExportMetricsServiceRequest in JSON, judged and taken apart.

Format: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Whatever a report says of
users, jobs, hosts or services is not even read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from collector.training_hook import CUMULATIVE, METRICS, RANK

LONGEST_RANK = 7
# Sums of one process: 30 years, and what a double holds exactly.
MOST_SECONDS = 1e9
MOST_COUNT = 2**53
COUNTS = frozenset({"steps", "checkpoints", "last_step"})
FIELDS = {name: field for field, (name, _, _) in METRICS.items()}


class Value(msgspec.Struct, rename="camel"):
    """An attribute's value; others than these are none of ours."""

    string_value: str = ""
    int_value: int | str = ""


class Attribute(msgspec.Struct):
    """What tells resources apart."""

    key: str
    value: Value = msgspec.field(default_factory=Value)


class Resource(msgspec.Struct):
    """Who reports, in its own words."""

    attributes: tuple[Attribute, ...] = ()


class Point(msgspec.Struct, rename="camel"):
    """One number; 64-bit integers may come as text."""

    as_double: float | None = None
    as_int: int | str | None = None


class Data(msgspec.Struct, rename="camel"):
    """Points of one metric."""

    data_points: tuple[Point, ...] = ()
    aggregation_temporality: int = 0


class Metric(msgspec.Struct):
    """One metric; shapes that we do not read are left out."""

    name: str = ""
    sum: Data | None = None
    gauge: Data | None = None


class Scope(msgspec.Struct):
    """Metrics of one library."""

    metrics: tuple[Metric, ...] = ()


class ResourceMetrics(msgspec.Struct, rename="camel"):
    """Metrics of one resource."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_metrics: tuple[Scope, ...] = ()


class Request(msgspec.Struct, rename="camel"):
    """The export request."""

    resource_metrics: tuple[ResourceMetrics, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """What one process says of itself; as in `Totals`, None where it says nothing of them."""

    rank: str = ""
    steps: int | None = None
    step_s: float | None = None
    data_wait_s: float | None = None
    checkpoint_s: float | None = None
    checkpoints: int | None = None
    last_step: int = 0
    last_checkpoint_s: float = 0.0

    def last_checkpoint(self, now_s: float, unset: datetime) -> datetime:
        """The end of the last checkpoint, never in the future; `unset` where there was none."""
        told = min(self.last_checkpoint_s, now_s)
        return datetime.fromtimestamp(told, UTC) if told > 0 else unset


_decoder = msgspec.json.Decoder(Request)


def parse(body: bytes) -> Report:
    """The report in a request's body. ValueError where it is none, or says what cannot be."""
    try:
        request = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(f"the body is no export request: {str(e)[:200]}") from None
    told: dict[str, float] = {}
    for field, number in _numbers(request):
        if field in told:
            raise ValueError(f"{METRICS[field][0]} comes twice: a report is of one process")
        told[field] = _possible(field, number)
    if not told.keys() & {"steps", "checkpoints", "last_step"}:
        raise ValueError("none of the metrics is the training hook's")
    counts = {f: int(v) if f in COUNTS else v for f, v in told.items()}
    return msgspec.convert({"rank": _rank(request), **counts}, Report)


def _numbers(request: Request) -> Iterator[tuple[str, float]]:
    """Every number of the hook's metrics."""
    scopes = (s for r in request.resource_metrics for s in r.scope_metrics)
    for metric in (m for scope in scopes for m in scope.metrics):
        data = metric.sum or metric.gauge
        if metric.name not in FIELDS or data is None:
            continue
        if metric.sum and metric.sum.aggregation_temporality != CUMULATIVE:
            raise ValueError(f"{metric.name} is no cumulative sum")
        for point in data.data_points:
            yield FIELDS[metric.name], _number(metric.name, point)


def _number(name: str, point: Point) -> float:
    told = point.as_double if point.as_int is None else point.as_int
    if told is None:
        raise ValueError(f"{name} has no value")
    return _whole(name, told) if isinstance(told, str) else told


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"{name} is no whole number")
    return int(text)


def _possible(field: str, number: float) -> float:
    """ValueError for what no process could have done."""
    most = MOST_COUNT if field in COUNTS else MOST_SECONDS
    if field == "last_checkpoint_s":
        most = 10 * MOST_SECONDS  # seconds since 1970
    if not math.isfinite(number) or not 0 <= number <= most:
        raise ValueError(f"{METRICS[field][0]} cannot be {number}")
    return number


def _rank(request: Request) -> str:
    """The rank; it tells processes of one job apart, so a wrong one hurts that job only."""
    found = [
        a.value for r in request.resource_metrics for a in r.resource.attributes if a.key == RANK
    ]
    said = str(found[0].string_value or found[0].int_value) if found else ""
    if said and not (said.isascii() and said.isdigit() and len(said) <= LONGEST_RANK):
        raise ValueError("the rank is no whole number")
    return said
