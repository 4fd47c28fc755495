"""The HTTP service: who may ask, and what answers and errors look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.access.rules import OPEN
from analytics.app import create_app, sends
from analytics.service import COOKIE, KEY_LIVES_S, LoginLinks, Service
from gpuledger.errors import StoreError
from gpuledger.store import Store
from tests.analytics.intakes import intake
from tests.analytics.web import BEARER, TOKEN, client, idle_cluster, is_problem, make_service
from tests.analytics.world import PRICE

# Never asked anything: what is refused must be refused before the store is touched.
NOBODY: Any = None


def guarded_routes() -> Iterator[tuple[str, str]]:
    """Method and path of every route of the application that wants a token."""
    app = create_app(Service(store=NOBODY, reader=NOBODY, runner=NOBODY, token=TOKEN))
    for route in flat(app.routes):
        for method in sorted(route.methods):
            if (method, route.path) not in OPEN:
                yield method, route.path.replace("{table}", "gpu_samples")


def flat(routes: Iterable[Any]) -> Iterator[Any]:
    """Routes, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from flat(included.routes) if included else [route]


GUARDED = sorted(guarded_routes())


def nobody() -> Service:
    return Service(store=NOBODY, reader=NOBODY, runner=NOBODY, token=TOKEN)


def test_the_walk_over_the_routes_sees_them_all() -> None:
    paths = {path for _, path in GUARDED}
    assert {"/", "/metrics", "/openapi.json", "/v1/sql", "/v1/ingest/gpu_samples"} <= paths
    assert not paths & {path for _, path in OPEN}


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}é".encode("latin-1")},
        {"Cookie": f"{COOKIE}=wrong"},
        {"Cookie": f"{COOKIE}="},
    ],
    ids=["nothing", "wrong", "basic", "empty", "not ascii", "wrong cookie", "empty cookie"],
)
def test_every_route_wants_our_token(method: str, path: str, headers: Any) -> None:
    answer = client(nobody()).request(method, path, headers=headers, content=b"{")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert method == "HEAD" or is_problem(answer, 401)


def test_a_sender_without_our_token_is_told_which_one_to_use() -> None:
    sender = client(nobody(), Authorization="Bearer wrong")
    said = sender.post("/v1/ingest/gpu_samples").json()["detail"]
    assert "GPULEDGER_INGEST_TOKEN" in said
    assert "GPULEDGER_TOKEN_FILE" in said
    assert "login link" in sender.get("/v1/ledger").json()["detail"]


def test_a_batch_without_rows_is_refused_in_words_that_doctor_knows(
    store: Store, tmp_path: Path
) -> None:
    headers = {"Idempotency-Key": "doctor", **BEARER}
    with intake(tmp_path / "journal", store) as one:
        door = client(make_service(store, intake=one))
        answer = door.post("/v1/ingest/source_runs", headers=headers)
    assert is_problem(answer, 400)


def test_not_even_what_exists_is_told_without_a_token() -> None:
    assert is_problem(client(nobody()).get("/v1/nothing"), 401)


def test_no_byte_of_a_strangers_body_is_read() -> None:
    def body() -> Iterator[bytes]:
        read.append(1)
        yield b"x" * 100

    read: list[int] = []
    answer = client(nobody()).post("/v1/ingest/gpu_samples", content=body())
    assert answer.status_code == 401


def test_the_collectors_token_opens_their_door_and_no_other(store: Store) -> None:
    service = make_service(store)
    service.ingest_token = "of the collectors"
    collector = client(service, Authorization="Bearer of the collectors")
    assert is_problem(collector.post("/v1/ingest/nowhere", headers={"Idempotency-Key": "a"}), 404)
    for method, path in GUARDED:
        if not sends(path):
            assert collector.request(method, path).status_code == 403


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_load_balancers_need_no_token(store: Store, path: str) -> None:
    assert client(make_service(store)).get(path).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_our_token_opens_the_door(store: Store, scheme: str) -> None:
    known = client(make_service(store), Authorization=f"{scheme} {TOKEN}")
    assert known.get("/v1/ledger").status_code == 200


def test_a_login_link_becomes_a_cookie_and_works_once(store: Store) -> None:
    service = make_service(store)
    link = f"/login?key={service.logins.new()}"
    browser = client(service)
    answer = browser.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.get("/").status_code == 200
    assert client(service).get(link).status_code == 401


@pytest.mark.parametrize("query", ["?key=", "?key=wrong"])
def test_a_login_link_that_nobody_gave_opens_nothing(store: Store, query: str) -> None:
    service = make_service(store)
    service.logins.new()
    assert client(service).get(f"/login{query}").status_code == 401


def test_every_login_link_is_another() -> None:
    links = LoginLinks()
    assert links.new() != links.new()


@pytest.mark.parametrize(("waited_s", "good"), [(0, True), (KEY_LIVES_S + 1, False)])
def test_a_login_link_is_worth_nothing_once_it_is_old(waited_s: float, good: bool) -> None:
    now = [100.0]
    links = LoginLinks(clock=lambda: now[0])
    key = links.new()
    now[0] += waited_s
    assert (links.use(key) is not None) is good


class _Gone(Store):
    """A store that does not answer."""

    def __init__(self) -> None:
        """Nothing to connect to."""

    def value(self, *_: Any, **__: Any) -> Any:
        raise StoreError("the store is gone")


def test_a_store_that_is_gone_is_a_problem_to_come_back_with_later() -> None:
    service = Service(store=_Gone(), reader=_Gone(), runner=NOBODY, token=TOKEN)
    for path in ("/readyz", "/v1/ledger"):
        answer = client(service, **BEARER).get(path)
        assert is_problem(answer, 503)
        assert answer.json()["detail"] == "the store is gone"
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/v1/ledger?since=soon", 400, "since soon"),
        ("/v1/ledger?since=99999999999d", 400, "since 99999999999d"),
        ("/v1/ledger?by=teams", 400, "did you mean 'team'?"),
        ("/v1/ledger?by=", 400, "unknown dimension ''"),
        ("/v1/ledger?sinc=7d", 400, "unknown parameter 'sinc'; did you mean 'since'?"),
        ("/v1/findings?limit=0", 422, "query.limit"),
        ("/v1/findings?limit=many", 422, "query.limit"),
        ("/v1/nothing", 404, "Not Found"),
        ("/v1/sql", 405, "Method Not Allowed"),
    ],
)
def test_a_wrong_question_is_a_problem_that_says_what_is_wrong(
    store: Store, path: str, status: int, detail: str
) -> None:
    idle_cluster(store)
    answer = client(make_service(store), **BEARER).get(path)
    assert is_problem(answer, status)
    assert detail in answer.json()["detail"]


@pytest.fixture
def answers(store: Store) -> Any:
    """What a known client is answered over a cluster in which a job idles."""
    idle_cluster(store)
    known = client(make_service(store), **BEARER)
    return lambda path: known.get(path).raise_for_status().json()


def test_the_ledger_adds_up_and_has_its_worth(answers: Any) -> None:
    rows = answers("/v1/ledger?since=7d&by=state")
    assert sum(r["gpu_hours"] for r in rows) == pytest.approx(6)
    assert sum(r["share"] for r in rows) == pytest.approx(1, abs=1e-5)
    assert sum(r["capacity_value"] for r in rows) == pytest.approx(6 * PRICE)
    assert {r["currency"] for r in rows} == {"EUR"}


def test_the_ledger_is_split_by_what_is_asked_for(answers: Any) -> None:
    rows = answers("/v1/ledger?since=60m&by=job,node")
    assert {(r["job"], r["node"], r["gpu_hours"]) for r in rows} == {
        ("c/1", "n0", 1.0),
        ("c/2", "n0", 1.0),
    }


def test_findings_and_recommendations_are_what_was_found(answers: Any) -> None:
    (finding,) = answers("/v1/findings")
    (advice,) = answers("/v1/recommendations")
    assert (finding["subject"], finding["open"], finding["gpus"]) == ("c/2", True, 1)
    assert finding["until"] == "2026-03-02T13:00:00Z"
    assert advice["finding_id"] == finding["finding_id"]
    assert answers("/v1/findings?open_only=false") == [finding]
    assert answers("/v1/recommendations?status=expired") == []


def test_an_empty_store_has_empty_answers(store: Store) -> None:
    known = client(make_service(store), **BEARER)
    for path in ("/v1/ledger", "/v1/findings", "/v1/recommendations"):
        assert known.get(path).json() == []


def test_the_description_of_the_api_is_valid_and_names_every_route_for_programs(
    store: Store,
) -> None:
    document = client(make_service(store), **BEARER).get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    described = {re.sub(r"\{.*?\}", "{}", path) for path in document["paths"]}
    for _, path in GUARDED:
        shape = re.sub(r"\{.*?\}", "{}", path.replace("gpu_samples", "{table}"))
        assert not path.startswith("/v1/") or shape in described
    assert {"/healthz", "/metrics", "/readyz"} <= described
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]
            assert {"200", "204"} & set(operation["responses"])
    assert all(ref in document["components"]["schemas"] for ref in _references(document))


def _references(node: Any) -> Iterator[str]:
    """Names of the schemas that a document points at."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix("#/components/schemas/")
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _references(child)
