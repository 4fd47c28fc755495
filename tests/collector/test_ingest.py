"""The ingest sink against a real listener that answers as told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lz4.frame  # type: ignore[import-untyped,unused-ignore]
import pytest

import gpuledger
from collector.sink import Verdict
from collector.sinks.ingest import IngestSink, compression
from gpuledger.errors import StoreError
from gpuledger.spool import Block, Entry

ENTRY = Entry(7, "gpu_samples", "uuid/gpu_samples/7", 0.0, (Block(1, b"abc"), Block(2, b"def")))
NOW = 1_800_000_000.0


@dataclass
class Service:
    """What the listener answers, and what it was sent."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    path: str = ""
    got: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@pytest.fixture
def service() -> Iterator[Service]:
    told = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.path, told.got = self.path, dict(self.headers)
            told.body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"because\nof this")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def sink(service: Service) -> IngestSink:
    return IngestSink(service.url + "/", "secret", lambda: NOW)


def test_an_entry_travels_with_its_token_and_the_nodes_identity(service: Service) -> None:
    door = sink(service)
    assert door.send(ENTRY).verdict is Verdict.TAKEN
    door.close()
    assert service.path == "/v1/ingest/gpu_samples"
    assert service.got["Idempotency-Key"] == "uuid/gpu_samples/7"
    assert service.got["Authorization"] == "Bearer secret"
    assert service.got["X-Gpuledger-Schema"] == gpuledger.__version__
    assert service.got["Content-Encoding"] == "lz4"
    assert lz4.frame.decompress(service.body) == b"abcdef"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.REJECTED),
        (422, Verdict.REJECTED),
        (413, Verdict.TOO_LARGE),
        (401, Verdict.HOLD),
        (403, Verdict.HOLD),
        (409, Verdict.HOLD),
        (429, Verdict.HOLD),
        (503, Verdict.HOLD),
    ],
)
def test_each_answer_has_its_verdict(service: Service, status: int, verdict: Verdict) -> None:
    service.status = status
    reply = sink(service).send(ENTRY)
    assert reply.verdict is verdict
    assert f"answered {status}: because of this" in reply.reason


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2000 08:00:30 GMT", 0.0),
        ("soon", 60.0),
        ("999999999999", 600.0),
        ("9" * 400, 600.0),
        ("Fri, 15 Jan 2100 08:00:30 GMT", 600.0),
    ],
)
def test_retry_after_is_honoured(service: Service, retry_after: str, seconds: float) -> None:
    service.status, service.headers = 503, {"Retry-After": retry_after}
    assert sink(service).send(ENTRY).after_s == seconds


@pytest.mark.parametrize("status", [500, 502, 404, 302])
def test_an_answer_that_says_nothing_about_the_entry_keeps_it(
    service: Service, status: int
) -> None:
    service.status = status
    with pytest.raises(StoreError, match=str(status)):
        sink(service).send(ENTRY)


def test_nobody_there_keeps_the_entry() -> None:
    door = IngestSink("http://127.0.0.1:9", "secret", lambda: NOW)
    with pytest.raises(StoreError, match="cannot be reached"):
        door.send(ENTRY)


def test_without_lz4_nothing_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lz4.frame", None)
    encoding, compress = compression()
    assert (encoding, compress(b"abc")) == ("identity", b"abc")
