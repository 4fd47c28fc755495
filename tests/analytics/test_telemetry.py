"""Own traces and logs, as a real OTLP receiver hears them."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.runner import NamedStep, Runner
from analytics.service import Service
from analytics.telemetry import CLOSE_WITHIN_S, Telemetry, TelemetrySettings
from analytics.watch import Watch
from gpuledger.config import Config
from gpuledger.errors import ConfigError, StoreError
from gpuledger.store import Store
from tests.analytics.spans import Received, receiver
from tests.analytics.web import BEARER, TOKEN, client, make_service
from tests.analytics.world import at

SECRET = "value-of-a-question"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def watched(service: Service, endpoint: str, **settings: object) -> Watch:
    """The service's watch, with telemetry that goes there."""
    told = {"endpoint": endpoint, **settings}
    telemetry = Telemetry(Config({"telemetry": told}).section("telemetry", TelemetrySettings))
    service.watch = Watch(telemetry.open(), service.watch.figures)
    service.store.watch = service.reader.watch = service.watch.question
    return service.watch


@pytest.fixture
def logging_information() -> Iterator[None]:
    """The root logger lets through what a service logs."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    yield
    root.setLevel(before)


@pytest.fixture
def heard(store: Store, logging_information: None) -> Iterator[Received]:
    """What a receiver hears of a request that belongs to a trace, and of one that fails."""
    with receiver() as (endpoint, received):
        service = make_service(store)
        watch = watched(service, endpoint)
        known = client(service, **BEARER)
        context = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine-0001"}
        known.post("/v1/sql", json={"sql": f"SELECT '{SECRET}' AS a"}, headers=context)
        known.get("/v1/nothing/of/the/kind")
        watch.telemetry.close()
        yield received


def test_a_request_is_a_span_by_its_routes_template(heard: Received) -> None:
    [span] = [s for s in heard.spans() if s.get("http.route") == "/v1/sql"]
    assert span["name"] == "POST"
    assert span["http.response.status_code"] == 200
    assert span["gpuledger.role"] == "admin"
    assert span["gpuledger.request_id"] == "mine-0001"
    assert (span["trace"], span["parent"]) == (TRACE, PARENT)
    assert heard.services() == {"gpuledger-serve"}


def test_a_question_is_a_span_within_its_request(heard: Received) -> None:
    spans = heard.spans()
    [request] = [s for s in spans if s.get("http.route") == "/v1/sql"]
    [question] = [s for s in spans if s["name"] == "query" and s["trace"] == TRACE]
    assert question["parent"] == request["id"]
    assert question["gpuledger.query.class"] == "ad-hoc"
    assert question["db.response.returned_rows"] == 1


def test_a_path_of_no_route_is_not_told(heard: Received) -> None:
    routes = {s["http.route"] for s in heard.spans() if "http.route" in s}
    assert routes == {"/v1/sql", "unmatched"}


def test_neither_tokens_nor_questions_leave_the_process(heard: Received) -> None:
    assert TOKEN.encode() not in heard.raw
    assert SECRET.encode() not in heard.raw
    assert b"of/the/kind" not in heard.raw


def test_log_lines_belong_to_their_trace_and_request(heard: Received) -> None:
    [line] = [n for n in heard.lines() if n.get("route") == "/v1/sql"]
    assert (line["trace"], line["request_id"]) == (TRACE, "mine-0001")
    assert (line["status"], line["caller"], line["level"]) == (200, "owner", "INFO")


def test_every_step_of_a_tick_is_a_span_within_it(store: Store) -> None:
    with receiver() as (endpoint, received):
        watch = watched(make_service(store), endpoint)
        steps = [NamedStep("alerts", lambda _: None)]
        Runner(store, Config(), steps, watch).tick(at(180))
        watch.telemetry.close()
        spans = received.spans()
    [tick] = [s for s in spans if s["name"] == "tick"]
    within = {s["name"] for s in spans if s["parent"] == tick["id"]}
    assert {"booking", "detectors", "advisors", "alerts"} <= within
    [booking] = [s for s in spans if s["name"] == "booking"]
    assert any(s["name"] == "query" and s["parent"] == booking["id"] for s in spans)


def test_a_step_that_fails_tells_its_kind_and_not_its_words(store: Store) -> None:
    def fail(_: datetime) -> None:
        raise StoreError(SECRET)

    with receiver() as (endpoint, received):
        watch = watched(make_service(store), endpoint)
        with pytest.raises(StoreError, match=SECRET), watch.step("alerts"):
            fail(datetime.now(UTC))
        watch.telemetry.close()
        [span] = received.spans()
    assert (span["error.type"], span["gpuledger.step.outcome"]) == ("StoreError", "failed")
    assert SECRET.encode() not in received.raw


def test_nothing_is_traced_where_the_ratio_is_zero(store: Store) -> None:
    """Nor does a stranger's header change that."""
    with receiver() as (endpoint, received):
        service = make_service(store)
        watch = watched(service, endpoint, sample_ratio=0)
        context = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        client(service, **BEARER).get("/readyz", headers=context)
        watch.telemetry.close()
        assert received.spans() == []


def test_a_header_of_the_file_goes_with_each_export(store: Store, tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer of the receiver\n")
    with receiver() as (endpoint, received):
        service = make_service(store)
        watch = watched(service, endpoint, headers_file=str(tmp_path / "headers"))
        client(service).get("/healthz")
        watch.telemetry.close()
        assert received.headers["authorization"] == "Bearer of the receiver"


def test_without_an_endpoint_the_sdk_is_not_even_loaded() -> None:
    code = (
        "import sys; from analytics.telemetry import Telemetry;"
        " Telemetry().open().close();"
        " print([n for n in sys.modules if n.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("wrong", ["host:4318", "grpc://host:4317", "http://", "/v1/traces"])
def test_an_endpoint_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"endpoint '{wrong}'")):
        Config({"telemetry": {"endpoint": wrong}}).section("telemetry", TelemetrySettings)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), ("no colon\n", "a line is `name: value`")]
)
def test_a_file_of_headers_that_cannot_be_used_is_told(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "headers"
    if content is not None:
        path.write_text(content)
    settings = TelemetrySettings(endpoint="http://127.0.0.1:1", headers_file=str(path))
    with pytest.raises(ConfigError, match=said):
        Telemetry(settings).open()


def test_a_receiver_that_is_gone_costs_no_request_and_does_not_hold_up_the_end(
    store: Store,
) -> None:
    service = make_service(store)
    watch = watched(service, "http://127.0.0.1:1", timeout_s=5)
    assert client(service).get("/healthz").status_code == 200
    began = time.monotonic()
    watch.telemetry.close()
    assert time.monotonic() - began < 2 * CLOSE_WITHIN_S


def test_a_receiver_that_takes_nothing_is_told_of_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    watch = watched(make_service(store), "http://127.0.0.1:1", timeout_s=5)
    library = logging.getLogger("opentelemetry.exporter.otlp")
    for _ in range(3):
        library.error("Failed to export\nspans")
    watch.telemetry.close()
    told = [r.getMessage() for r in caplog.records if r.name == "analytics.telemetry"]
    assert told == ["telemetry is not taken by its receiver: Failed to export spans"]
