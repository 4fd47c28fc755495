"""The ingest sink against a real listener that answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lz4.frame  # type: ignore[import-untyped,unused-ignore]
import pytest

import gpuledger
from collector.sink import TAKEN, Reply, Verdict
from collector.sinks.ingest import IngestSink, compression
from gpuledger import envelope
from gpuledger.errors import ConfigError, StoreError
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
    paths: list[str] = field(default_factory=list)
    # To an envelope, where it differs; `None` in place of a body: as many good parts as came.
    envelope_status: int = 200
    answer: bytes | None = None

    def answers(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body for what was posted."""
        if path != envelope.PATH:
            return self.status, b"because\nof this"
        if self.answer is not None:
            return self.envelope_status, self.answer
        parts = [{"status": 200}] * len(envelope.unseal(lz4.frame.decompress(body)))
        return self.envelope_status, json.dumps({"parts": parts}).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    told = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.path, told.got = self.path, dict(self.headers)
            told.body = self.rfile.read(int(self.headers["Content-Length"]))
            told.paths.append(self.path)
            status, answer = told.answers(self.path, told.body)
            self.send_response(status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

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


def entry(sequence: int, table: str = "t", size: int = 3) -> Entry:
    block = Block(1, bytes([sequence]) * size)
    return Entry(sequence, table, f"uuid/{table}/{sequence}", 0.0, (block,))


ROUND = (entry(3, "a"), entry(2, "b"), entry(1, "a"))


def outcomes(door: IngestSink) -> list[Reply | StoreError]:
    return [reply for _, reply in door.send_all(iter(ROUND))]


def test_a_round_travels_in_one_envelope(service: Service) -> None:
    assert outcomes(sink(service)) == [TAKEN] * 3
    assert service.paths == ["/v1/ingest"]
    assert service.got["Content-Type"] == envelope.CONTENT_TYPE
    assert service.got["Authorization"] == "Bearer secret"
    parts = envelope.unseal(lz4.frame.decompress(service.body))
    assert [(p.table, p.key, p.schema, p.body) for p in parts] == [
        (e.table, e.token, gpuledger.__version__, e.body) for e in ROUND
    ]


def test_a_single_entry_needs_no_envelope(service: Service) -> None:
    ((_, reply),) = sink(service).send_all([entry(1)])
    assert (reply, service.paths) == (TAKEN, ["/v1/ingest/t"])


def test_what_is_large_travels_in_several(service: Service) -> None:
    entries = [entry(n, size=1 << 20) for n in range(1, 11)]
    assert [r for _, r in sink(service).send_all(entries)] == [TAKEN] * 10
    assert service.paths == ["/v1/ingest"] * 3


def test_entries_are_read_only_when_it_is_their_turn(service: Service) -> None:
    read = []

    def reading() -> Iterator[Entry]:
        for n in range(1, 11):
            read.append(n)
            yield entry(n, size=3 << 20)

    next(sink(service).send_all(reading()))
    assert len(read) == 2


def test_each_part_has_its_verdict_and_one_that_waits_holds_up_no_other(service: Service) -> None:
    parts = [{"status": 503, "detail": "no room"}, {"status": 400, "detail": "x"}, {"status": 200}]
    service.answer = json.dumps({"parts": parts}).encode()
    waits, rejected, taken = outcomes(sink(service))
    assert isinstance(waits, StoreError)
    assert "no room" in str(waits)
    assert isinstance(rejected, Reply)
    assert rejected.verdict is Verdict.REJECTED
    assert taken is TAKEN


@pytest.mark.parametrize("status", [403, 409, 429, 503])
def test_a_service_that_holds_is_asked_no_more(service: Service, status: int) -> None:
    service.envelope_status, service.headers = status, {"Retry-After": "7"}
    (reply,) = outcomes(sink(service))
    assert isinstance(reply, Reply)
    assert (reply.verdict, reply.after_s) == (Verdict.HOLD, 7.0)


@pytest.mark.parametrize("status", [404, 405])
def test_an_old_service_gets_them_one_by_one_from_then_on(service: Service, status: int) -> None:
    service.envelope_status = status
    door = sink(service)
    assert outcomes(door) == outcomes(door) == [TAKEN] * 3
    assert service.paths.count("/v1/ingest") == 1


def test_an_old_service_that_knows_the_collector_at_its_old_door_only_is_found_out(
    service: Service,
) -> None:
    service.envelope_status = 401
    door = sink(service)
    assert outcomes(door) == outcomes(door) == [TAKEN] * 3
    assert service.paths.count("/v1/ingest") == 1


def test_a_collector_that_nobody_knows_goes_on_asking_with_envelopes(service: Service) -> None:
    service.status = service.envelope_status = 401
    door = sink(service)
    for _ in range(2):
        reply = next(iter(outcomes(door)))
        assert isinstance(reply, Reply)
        assert reply.verdict is Verdict.HOLD
    assert service.paths.count("/v1/ingest") == 2


def test_an_old_service_is_tried_again_after_an_hour(service: Service) -> None:
    now = [NOW]
    door = IngestSink(service.url, "secret", lambda: now[0])
    service.envelope_status = 404
    outcomes(door)
    now[0] += 3601
    service.envelope_status = 200
    assert outcomes(door) == [TAKEN] * 3
    assert service.paths[-1] == "/v1/ingest"


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_an_envelope_that_is_refused_or_fails_is_sent_one_by_one(
    service: Service, status: int
) -> None:
    service.envelope_status = status
    door = sink(service)
    assert outcomes(door) == outcomes(door) == [TAKEN] * 3
    assert service.paths.count("/v1/ingest") == 2


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b'{"parts": 7}', b'{"parts": [{"status": 200}]}', b'{"parts": [{}]}']
)
def test_an_answer_that_says_nothing_keeps_every_entry(service: Service, answer: bytes) -> None:
    service.answer = answer
    assert [type(reply) for reply in outcomes(sink(service))] == [StoreError] * 3


def test_a_service_that_fails_keeps_every_entry(service: Service) -> None:
    service.status = service.envelope_status = 500
    assert [type(reply) for reply in outcomes(sink(service))] == [StoreError] * 3


def test_nobody_there_is_found_out_once_for_all() -> None:
    door = IngestSink("http://127.0.0.1:9", "secret", lambda: NOW)
    replies = outcomes(door)
    assert len(set(map(id, replies))) == 1
    assert [type(reply) for reply in replies] == [StoreError] * 3


def test_the_word_to_pause_is_heard_with_each_answer(service: Service) -> None:
    heard: list[tuple[str | None, int]] = []
    sink = IngestSink(
        service.url, "t", lambda: NOW, hear=lambda value, status: heard.append((value, status))
    )
    sink.send(ENTRY)
    service.headers["X-Gpuledger-Pause"] = "900"
    sink.send(ENTRY)
    sink.close()
    assert heard == [(None, 200), ("900", 200)]


def test_a_token_that_was_replaced_is_shown_within_a_minute(service: Service) -> None:
    now, words = [NOW], ["second"]
    sink = IngestSink(service.url, "first", lambda: now[0], fresh=lambda: words[-1])
    shown = []
    for passed_s in (0.0, 59.0, 2.0):
        now[0] += passed_s
        sink.send(ENTRY)
        shown.append(service.got["Authorization"])
    sink.close()
    assert shown == ["Bearer first", "Bearer first", "Bearer second"]


def test_a_token_that_cannot_be_read_now_stays(service: Service) -> None:
    def gone() -> str:
        raise ConfigError("no such file")

    now = [NOW]
    sink = IngestSink(service.url, "first", lambda: now[0], fresh=gone)
    now[0] += 120.0
    sink.send(ENTRY)
    sink.close()
    assert service.got["Authorization"] == "Bearer first"
