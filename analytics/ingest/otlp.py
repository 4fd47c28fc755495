"""The door for OpenTelemetry metrics: OTLP over HTTP, as protobuf or JSON.

Protocol: https://opentelemetry.io/docs/specs/otlp/#otlphttp. Names and attributes become those
that Prometheus would have, so that a collector that scrapes exporters may send here what it read.
"""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Header, Request, Response
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from analytics.ingest import protobuf
from analytics.ingest.assembly import Assembler
from analytics.ingest.bodies import received
from analytics.ingest.intake import intake_of
from analytics.ingest.journal import Busy
from analytics.ingest.limits import Sender
from analytics.ingest.protobuf import Samples
from analytics.ingest.scraped import NOT_TAKEN, assembler_of, scraper_of
from analytics.ingest.targets import NAME
from gpuledger.errors import GpuledgerError

router = APIRouter(prefix="/v1/otlp/v1", tags=["ingest"])

PROTOBUF, JSON = "application/x-protobuf", "application/json"
# An empty point is two bytes, and a hundred once it is read: one request is read at a time.
MOST_BYTES = 8 << 20
GZIP_WINDOW = 16 + zlib.MAX_WBITS
# Resource attributes that Prometheus' labels have names of their own for.
RENAMED = {"service.instance.id": "instance", "k8s.node.name": "node"}
NAMESPACE, SERVICE = "service.namespace", "service.name"
# What the sender hears was not taken; what we just have no use for was.
REJECTED = (
    *("delta", "no_time", "far_past", "far_future", "out_of_order", "too_many_series"),
    *NOT_TAKEN,
)
DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
NO_VALUE = metrics_pb2.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
RPC_CODES = {400: 3, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}  # google.rpc.Code

_reading = threading.Lock()


class Point(NamedTuple):
    """One number of one series, by Prometheus' names; None: it has ended."""

    labels: dict[str, str]
    value: float | None
    at_ms: int


@router.post("/metrics", responses={200: {"content": {PROTOBUF: {}, JSON: {}}}})
async def post_metrics(
    request: Request,
    content_type: Annotated[str, Header()] = PROTOBUF,
    content_encoding: Annotated[str, Header()] = "identity",
) -> Response:
    """200 once every point that can be used is safe on disk; tells how many cannot, and why.

    400: no export request. 403: a token of one node. 413: too large. 415: another format. 429: the
    token's share is used up; 503: not now: send it again.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind not in {PROTOBUF, JSON}:
            raise HTTPException(415, f"Content-Type may be {PROTOBUF} or {JSON}")
        assembler = assembler_of(request)
        sender = scraper_of(request)
        body = await received(request, min(MOST_BYTES, sender.most_bytes))
        encoding = content_encoding.lower()
        counts = await run_in_threadpool(_take, assembler, sender, body, encoding, kind)
        intake_of(request).limits.charge(sender, sum(counts.values()))
    except HTTPException as e:
        kind = kind if kind == JSON else PROTOBUF
        return _refusal(kind, e.status_code, str(e.detail), dict(e.headers or {}))
    except GpuledgerError as e:
        wait_s = e.retry_after_s if isinstance(e, Busy) else 10.0
        return _refusal(kind, 503, str(e), {"Retry-After": f"{wait_s:.0f}"})
    return _answer(kind, 200, response(counts))


def _take(
    assembler: Assembler, sender: Sender, packed: bytes, encoding: str, kind: str
) -> dict[str, int]:
    body = unpacked(packed, encoding)
    counts: Counter[str] = Counter()
    with _reading:
        samples = _samples(points(parsed(body, kind), counts))
    assembler.counts.samples.update(counts)
    try:
        taken = assembler.take(samples, sender)
    except ValueError as e:
        raise HTTPException(400, str(e)) from e
    return {**taken, **counts}


def response(counts: dict[str, int]) -> Message:
    """What the sender hears of a request whose samples fared so."""
    answer = metrics_service_pb2.ExportMetricsServiceResponse()
    rejected = {why: counts[why] for why in REJECTED if counts.get(why)}
    if rejected:
        answer.partial_success.rejected_data_points = sum(rejected.values())
        told = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in rejected.items())
        answer.partial_success.error_message = told
    return answer


def unpacked(packed: bytes, encoding: str) -> bytes:
    """The body without gzip. HTTPException 400 where it is none, 413 too large, 415 other."""
    if encoding == "identity":
        return packed
    if encoding != "gzip":
        raise HTTPException(415, "Content-Encoding may be gzip or identity")
    decompressor = zlib.decompressobj(GZIP_WINDOW)
    try:
        out = decompressor.decompress(packed, MOST_BYTES + 1)
    except zlib.error as e:
        raise HTTPException(400, f"body is not gzip: {e}") from e
    if len(out) > MOST_BYTES:
        raise HTTPException(413, f"a request has at most {MOST_BYTES} bytes; split it")
    if not decompressor.eof:
        raise HTTPException(400, "body is not gzip: it ends too early")
    return out


def parsed(body: bytes, kind: str) -> Any:
    """The export request. HTTPException 400 where the body is none."""
    request = metrics_service_pb2.ExportMetricsServiceRequest()
    try:
        if kind == JSON:
            return json_format.Parse(body, request, ignore_unknown_fields=True)
        request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError) as e:
        raise HTTPException(400, f"the body is no export request: {str(e)[:200]}") from e
    return request


def points(request: Any, counts: Counter[str]) -> Iterator[Point]:
    """Every number of a request; counts what is none, or cannot be used."""
    for of_resource in request.resource_metrics:
        common = _resource(of_resource.resource.attributes)
        for scope in of_resource.scope_metrics:
            for metric in scope.metrics:
                yield from _metric(metric, common, counts)


def _metric(metric: Any, common: dict[str, str], counts: Counter[str]) -> Iterator[Point]:
    shape = metric.WhichOneof("data")
    data = getattr(metric, shape) if shape else None
    if data is None:
        counts["no_sample"] += 1
        return
    if getattr(data, "aggregation_temporality", 0) == DELTA:
        counts["delta"] += len(data.data_points)
        return
    for point in data.data_points:
        if not point.time_unix_nano:
            counts["no_time"] += 1
            continue
        labels = common | {_label(a.key): _text(a.value) for a in point.attributes}
        at_ms = point.time_unix_nano // 1_000_000
        for suffix, value in _numbers(shape, point):
            ended = point.flags & NO_VALUE
            yield Point({**labels, NAME: metric.name + suffix}, None if ended else value, at_ms)


def _numbers(shape: str, point: Any) -> Iterable[tuple[str, float | None]]:
    """The numbers of a point, and what is put behind the metric's name; buckets are none."""
    if shape in {"gauge", "sum"}:
        told = point.WhichOneof("value")
        return [("", float(getattr(point, told)) if told else None)]
    if shape == "summary" or point.HasField("sum"):
        return [("_sum", point.sum), ("_count", float(point.count))]
    return [("_count", float(point.count))]


def _resource(attributes: Any) -> dict[str, str]:
    """Labels that all series of a resource have."""
    told = {a.key: _text(a.value) for a in attributes}
    job = "/".join(told[n] for n in (NAMESPACE, SERVICE) if told.get(n))
    out = {_label(RENAMED.get(name, name)): text for name, text in told.items()}
    return {**out, "job": job} if job else out


def _label(name: str) -> str:
    """An attribute's name as Prometheus spells it."""
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in name)


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind in {"int_value", "double_value"}:
        return str(getattr(value, kind))
    return json_format.MessageToJson(value, indent=None) if kind else ""


def _samples(found: Iterable[Point]) -> Samples:
    told = list(found)
    heads = [protobuf.head_of(p.labels) for p in told]
    return Samples(heads, [p.value for p in told], [p.at_ms for p in told])


def _answer(kind: str, status: int, message: Message) -> Response:
    if kind == JSON:
        return Response(json_format.MessageToJson(message, indent=None), status, media_type=JSON)
    return Response(message.SerializeToString(), status, media_type=PROTOBUF)


def _refusal(kind: str, status: int, said: str, headers: dict[str, str]) -> Response:
    """A google.rpc.Status, as the protocol wants it."""
    answer = _answer(kind, status, protobuf.Status(code=RPC_CODES.get(status, 2), message=said))
    answer.headers.update(headers)
    return answer
