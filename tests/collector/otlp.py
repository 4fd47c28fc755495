"""A real OTLP receiver, over HTTP and over gRPC, that keeps what it was sent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc

Request = metrics_service_pb2.ExportMetricsServiceRequest
Reply = metrics_service_pb2.ExportMetricsServiceResponse


class Received:
    """Requests as they came, with their headers; `arrived` is set by the first."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.headers: dict[str, str] = {}
        self.arrived = threading.Event()

    def take(self, request: Any, headers: dict[str, str]) -> None:
        self.requests.append(request)
        self.headers = headers
        self.arrived.set()

    def resource(self) -> dict[str, str]:
        found = self.requests[-1].resource_metrics[0].resource.attributes
        return {a.key: a.value.string_value for a in found}

    def points(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Attributes and value of every point of a metric in the last request."""
        metric = self.metric(name)
        data = getattr(metric, metric.WhichOneof("data")) if metric else None
        return [
            (
                {a.key: a.value.string_value for a in point.attributes},
                getattr(point, point.WhichOneof("value")),
            )
            for point in (data.data_points if data else ())
        ]

    def metric(self, name: str) -> Any:
        return next((m for m in self._metrics() if m.name == name), None)

    def names(self) -> set[str]:
        return {m.name for m in self._metrics()}

    def _metrics(self) -> Iterator[Any]:
        for resource in self.requests[-1].resource_metrics:
            for scope in resource.scope_metrics:
                yield from scope.metrics


@contextmanager
def over_http() -> Iterator[tuple[str, Received]]:
    """Address of a receiver and what it gets."""
    received = Received()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {k.lower(): v for k, v in self.headers.items()}
            received.take(Request.FromString(body), headers | {"path": self.path})
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(Reply().SerializeToString())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/metrics", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def over_grpc() -> Iterator[tuple[str, Received]]:
    """The same for gRPC."""
    received = Received()

    class Servicer(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the service
            received.take(request, dict(context.invocation_metadata()))
            return Reply()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", received
    finally:
        server.stop(None).wait()
