"""A real OTLP receiver for traces and logs that keeps what it was sent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

KINDS = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
}


class Received:
    """Requests by their path, and the headers of the last."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.raw = b""
        self._requests: dict[str, list[Any]] = {path: [] for path in KINDS}

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self._requests[path].append(KINDS[path].FromString(body))
        self.headers, self.raw = headers, self.raw + body

    def spans(self) -> list[dict[str, Any]]:
        """Name, trace, parent and attributes of every span, as they ended."""
        return [
            {
                "name": span.name,
                "trace": span.trace_id.hex(),
                "id": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                "kind": span.kind,
                **_attributes(span),
            }
            for request in self._requests["/v1/traces"]
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def lines(self) -> list[dict[str, Any]]:
        """Text, trace and attributes of every log line."""
        return [
            {
                "body": line.body.string_value,
                "trace": line.trace_id.hex(),
                "level": line.severity_text,
                **_attributes(line),
            }
            for request in self._requests["/v1/logs"]
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for line in scope.log_records
        ]

    def services(self) -> set[str]:
        """What the senders call themselves."""
        requests = self._requests["/v1/traces"]
        found = (r.resource for request in requests for r in request.resource_spans)
        return {_attributes(resource)["service.name"] for resource in found}


def _attributes(told: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in told.attributes}


@contextmanager
def receiver() -> Iterator[tuple[str, Received]]:
    """Address of a receiver and what it gets."""
    received = Received()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
