"""Request ids, access lines and own figures."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.figures import MOST_SERIES, Family, Figures
from analytics.problems import problem
from analytics.service import Service
from analytics.telemetry import Access, Telemetry, TelemetrySettings
from analytics.watch import Watch, Watched
from gpuledger import logs
from gpuledger.store import Store
from tests.analytics.intakes import intake
from tests.analytics.web import BEARER, TOKEN, client, is_problem, make_service

NOBODY: Any = None


def nobody() -> Service:
    return Service(store=NOBODY, reader=NOBODY, runner=NOBODY, token=TOKEN)


class Lines(logging.Handler):
    """Access lines as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(json.loads(logs.JsonLines().format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the service logs of its requests."""
    log, handler = logging.getLogger("gpuledger.access"), Lines()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler.found
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def test_a_well_formed_id_is_kept() -> None:
    answer = client(nobody()).get("/healthz", headers={"X-Request-Id": "build-42.a_b"})
    assert answer.headers["x-request-id"] == "build-42.a_b"


@pytest.mark.parametrize(
    "given", [None, "", "short", "x" * 65, "a b c d e f", "abcdefgh\u00e9", "abcd{}[]"]
)
def test_another_one_is_made_where_none_came_that_can_be_used(given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given.encode("latin-1")}
    answer = client(nobody()).get("/healthz", headers=headers)
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


def test_every_request_has_another_id() -> None:
    known = client(nobody())
    assert len({known.get("/healthz").headers["x-request-id"] for _ in range(3)}) == 3


@pytest.mark.parametrize("path", ["/v1/ledger", "/v1/nothing", "/v1/ledger?by=x&y=1"])
def test_a_problem_tells_the_requests_id(path: str) -> None:
    answer = client(nobody()).get(path)
    assert answer.status_code == 401
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_an_error_that_nobody_foresaw_is_a_problem_too(lines: list[dict[str, Any]]) -> None:
    # Nothing is there to be asked, so the route trips over its own feet.
    answer = client(nobody(), **BEARER).get("/v1/ledger")
    assert is_problem(answer, 500)
    assert "NoneType" not in answer.text
    told = next(line for line in lines if "exception" in line)
    assert told["request_id"] == answer.headers["x-request-id"]
    assert "AttributeError" in told["exception"]


def test_a_line_tells_method_route_status_time_and_caller(lines: list[dict[str, Any]]) -> None:
    answer = client(nobody(), **BEARER).get("/openapi.json?secret=1")
    [line] = lines
    assert line.pop("ms") >= 0
    assert line.pop("time")
    assert line == {
        "level": "info",
        "logger": "gpuledger.access",
        "message": line["message"],
        "request_id": answer.headers["x-request-id"],
        "trace_id": "",
        "method": "GET",
        "route": "/openapi.json",
        "status": 200,
        "caller": "owner",
    }
    assert "secret" not in json.dumps(line)


def test_no_line_has_a_token(lines: list[dict[str, Any]]) -> None:
    client(nobody(), **BEARER).get(f"/v1/{TOKEN}")
    client(nobody()).get("/v1/ledger", headers={"Authorization": f"Bearer {TOKEN}x"})
    assert len(lines) >= 2
    assert TOKEN not in json.dumps(lines)


def test_a_line_is_for_what_people_read_and_for_errors(
    lines: list[dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    with intake(tmp_path / "journal", store) as one:
        known = client(make_service(store, intake=one), **BEARER)
        known.get("/healthz")
        known.post("/v1/ingest/gpu_samples", content=b"", headers={"Idempotency-Key": "k"})
        known.get("/openapi.json")
    told = [(line["route"], line["status"]) for line in lines]
    assert told == [("/v1/ingest/{table}", 400), ("/openapi.json", 200)]


@pytest.mark.parametrize(
    ("access", "count"),
    [(Access.ALL, 3), (Access.READING, 2), (Access.ERRORS, 1), (Access.NONE, 0)],
)
def test_a_setting_tells_of_which_requests_lines_are_wanted(
    lines: list[dict[str, Any]], access: Access, count: int
) -> None:
    service = nobody()
    service.watch = Watch(Telemetry(TelemetrySettings(access=access)))
    known = client(service, **BEARER)
    for path in ("/healthz", "/openapi.json", "/v1/nothing"):
        known.get(path)
    assert len(lines) == count


def test_requests_are_counted_by_template_method_and_status() -> None:
    service = nobody()
    known = client(service, **BEARER)
    for path in ("/healthz", "/v1/one/stranger", "/v1/another"):
        known.get(path)
    known.request("BREW", "/healthz")
    client(service).post("/v1/ingest/gpu_samples")
    counted = {
        labels: buckets[-1][1] for labels, buckets, _ in service.watch.figures.requests.told()
    }
    assert counted == {
        ("/healthz", "GET", "200"): 1,
        ("/v1/ingest/{table}", "POST", "401"): 1,
        ("unmatched", "GET", "404"): 2,
        ("unmatched", "other", "405"): 1,
    }


def test_a_stranger_cannot_make_series_without_end() -> None:
    family = Family()
    for i in range(MOST_SERIES + 5):
        family.add((str(i),), 0.1)
    counted = {labels: buckets[-1][1] for labels, buckets, _ in family.told()}
    assert len(counted) == MOST_SERIES + 1
    assert counted["other",] == 5


def test_a_time_is_in_the_first_bucket_that_holds_it() -> None:
    family = Family()
    for seconds in (0.005, 0.3, 99.0):
        family.add(("a",), seconds)
    [(_, buckets, sum_s)] = family.told()
    assert dict(buckets)["0.005"] == 1
    assert dict(buckets)["0.25"] == 1
    assert dict(buckets)["0.5"] == 2
    assert (dict(buckets)["30.0"], dict(buckets)["+Inf"]) == (2, 3)
    assert sum_s == pytest.approx(99.305)


def test_questions_and_steps_are_counted_with_their_outcome() -> None:
    watch = Watch(figures=Figures())
    with watch.question("boards"):
        pass
    with pytest.raises(ValueError, match="no"), watch.question("boards"):
        raise ValueError("no")
    with watch.step("alerts"):
        pass
    assert [labels for labels, _, _ in watch.figures.questions.told()] == [
        ("boards", "failed"),
        ("boards", "ok"),
    ]
    assert [labels for labels, _, _ in watch.figures.steps.told()] == [("alerts", "ok")]


@pytest.mark.anyio
async def test_an_answer_that_breaks_off_is_not_answered_twice(anyio_backend: str) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await problem(404, "gone")(scope, receive, begin_only(send))
        raise RuntimeError("half way")

    def begin_only(send: Any) -> Any:
        async def one(message: Any) -> None:
            if message["type"] == "http.response.start":
                await send(message)

        return one

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Watched(broken, Watch())(scope, NOBODY, send)
    assert [m["type"] for m in sent] == ["http.response.start"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
