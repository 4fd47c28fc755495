"""What passes the guard: logins by cookie, requests of our own pages, and what it counts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.access import keys
from analytics.access.caller import OWNER, Caller, NotKnown, Role, may_decide
from analytics.access.guard import COOKIE, Guard
from analytics.access.issue import Office, Wanted
from analytics.access.keys import Keys
from analytics.access.refused import KEPT, Refusals
from analytics.access.sessions import SESSION_LIVES_S, Sessions
from analytics.access.trust import certificates
from analytics.app import create_app
from analytics.service import Service
from gpuledger.config import Config
from gpuledger.errors import ConfigError, StoreError
from gpuledger.store import Store
from tests.analytics.intakes import intake
from tests.analytics.web import BEARER, TOKEN, TestClient, client, is_problem, make_service

NOBODY: Any = None
HOST = "gpuledger.test"
ADA = Caller("ada", Role.VIEWER)
QUESTION = {"sql": "SELECT 1 AS one"}


def logged_in(service: Service, caller: Caller = OWNER) -> TestClient:
    """A browser with a login of that caller."""
    browser = client(service)
    browser.cookies.set(COOKIE, service.sessions.begin(caller), domain=HOST)
    return browser


def test_the_cookie_is_no_token(store: Store) -> None:
    service = make_service(store)
    browser = client(service)
    answer = browser.get(f"/login?key={service.logins.new()}")
    cookie = answer.cookies[COOKIE]
    assert TOKEN not in answer.headers["set-cookie"]
    assert is_problem(client(service, Authorization=f"Bearer {cookie}").get("/v1/ledger"), 401)
    thief = client(service, Cookie=f"{COOKIE}={TOKEN}")
    assert is_problem(thief.get("/v1/ledger"), 401)


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_the_cookie_goes_only_over_tls_where_there_is_tls(
    store: Store, scheme: str, secure: bool
) -> None:
    service = make_service(store)
    browser = TestClient(create_app(service), base_url=f"{scheme}://{HOST}", follow_redirects=False)
    told = browser.get(f"/login?key={service.logins.new()}").headers["set-cookie"].lower()
    assert ("secure" in told) is secure
    assert "httponly" in told
    assert "samesite=strict" in told


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": f"https://{HOST}"}, 403),
        ({"Origin": f"https://{HOST}"}, 200),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": f"https://{HOST}.evil.test"}, 403),
        ({"Origin": f"https://evil.test@{HOST}:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
def test_a_change_by_cookie_comes_from_our_own_pages(
    store: Store, headers: dict[str, str], status: int
) -> None:
    browser = logged_in(make_service(store))
    assert browser.post("/v1/sql", json=QUESTION, headers=headers).status_code == status


def test_reading_by_cookie_and_changing_by_token_need_no_page_of_ours(store: Store) -> None:
    service = make_service(store)
    assert logged_in(service).get("/v1/ledger").status_code == 200
    program = client(service, Origin="https://evil.test", **BEARER)
    assert program.post("/v1/sql", json=QUESTION).status_code == 200


def test_a_login_ends_by_time_and_by_logging_out() -> None:
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    first, second = sessions.begin(ADA), sessions.begin(ADA)
    assert first != second
    sessions.end(first)
    assert sessions.find(first) is None
    found = sessions.find(second)
    assert found
    assert found.caller == ADA
    now[0] = SESSION_LIVES_S + 1
    assert sessions.find(second) is None


def test_logins_do_not_pile_up() -> None:
    sessions = Sessions(clock=lambda: 0.0, most=100)
    first = sessions.begin(ADA)
    for _ in range(100):
        last = sessions.begin(ADA)
    assert sessions.find(first) is None
    assert sessions.find(last)


def test_a_login_ends_with_the_token_it_was_made_with(store: Store) -> None:
    now = [0.0]
    service = make_service(store)
    service.keys = Keys(store, clock=lambda: now[0])
    issued = Office(store).create(OWNER, Wanted("lea", "viewer", "1d"))
    caller = Caller("lea", Role.VIEWER, token_id=issued.told["token_id"])
    browser = logged_in(service, caller)
    assert browser.get("/v1/ledger").status_code == 200
    Office(store).revoke(OWNER, issued.told["token_id"])
    now[0] += keys.FRESH_S
    assert browser.get("/v1/ledger").status_code == 401
    service.keys.close()


def test_a_login_ends_with_the_issuers_token(store: Store) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    service = make_service(store)
    browser = logged_in(service, Caller("oidc:ada", Role.VIEWER, ends_at=past))
    assert browser.get("/v1/ledger").status_code == 401


def test_nobody_who_wants_a_page_is_sent_to_the_login(store: Store) -> None:
    service = make_service(store)
    browser = client(service, Accept="text/html,*/*")
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert browser.get("/v1/ledger").status_code == 401
    assert browser.post("/").status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head_wants_what_get_wants(store: Store, method: str) -> None:
    service = make_service(store)
    assert client(service).request(method, "/v1/ledger").status_code == 401


def test_a_token_opens_the_api_and_is_told_in_the_list(store: Store, tmp_path: Path) -> None:
    with intake(tmp_path / "journal", store) as one:
        service = make_service(store, intake=one)
        service.keys = Keys(store)
        admin = client(service, **BEARER)
        made = admin.post("/v1/tokens", json={"role": "ingest", "cluster": "a", "node": "n"})
        assert made.status_code == 200
        assert made.headers["cache-control"] == "no-store"
        token = made.json()["token"]
        node = client(service, Authorization=f"Bearer {token}")
        known = {"Idempotency-Key": "a"}
        assert is_problem(node.post("/v1/ingest/nowhere", headers=known), 404)
        assert is_problem(node.get("/v1/ledger"), 403)
        (row,) = admin.get("/v1/tokens").json()
        assert (row["name"], row["state"], row["role"]) == ("a/n", "good", "ingest")
        assert token not in str(row)
        path = f"/v1/tokens/{row['token_id']}"
        assert admin.post(f"{path}/rotate", json={"grace": "0s"}).json()["replaces"]
        assert is_problem(admin.delete(path), 409)
        assert is_problem(admin.delete("/v1/tokens/none"), 404)
        assert is_problem(admin.post("/v1/tokens", json={"role": "boss"}), 400)
        service.keys.close()


def test_the_audit_is_read_page_by_page(store: Store) -> None:
    admin = client(make_service(store), **BEARER)
    for name in ("one", "two", "three"):
        made = admin.post("/v1/tokens", json={"role": "viewer", "name": name})
        assert made.status_code == 200
    first = admin.get("/v1/audit?limit=2")
    told = [(e["who"], e["action"], e["address"]) for e in first.json()]
    assert told == [("owner", "token.create", "testclient")] * 2
    rest = admin.get(first.links["next"]["url"]).json()
    assert len(rest) == 1
    ids = {e["subject"] for e in (*first.json(), *rest)}
    assert ids == {t["token_id"] for t in admin.get("/v1/tokens").json()}
    assert admin.get("/v1/audit?action=token.revoke").json() == []


class _Broken:
    """A doorkeeper that cannot find out who somebody is, or may not."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def by_token(self, *_: str) -> Caller | None:
        raise self.error

    async def by_cookie(self, *_: str) -> None:
        """Nobody."""

    def by_certificate(self, *_: Any) -> None:
        """Nobody."""


def test_while_nobody_can_be_known_senders_come_again_and_are_not_refused() -> None:
    for error, status in ((StoreError("away"), 503), (NotKnown("it is over"), 401)):
        guard = Guard(NOBODY, _Broken(error))
        asking = TestClient(guard, headers={"Authorization": "Bearer gpl_a_b"})
        answer = asking.post("/v1/ingest/gpu_samples")
        assert is_problem(answer, status)
        assert answer.json()["detail"] == str(error)
        assert ("retry-after" in answer.headers) is (status == 503)


def test_refusals_are_counted_and_the_last_are_kept_without_a_row(store: Store) -> None:
    service = make_service(store)
    app = create_app(service)
    asking = TestClient(app, base_url=f"https://{HOST}")
    for _ in range(KEPT + 5):
        asking.get("/v1/ledger", headers={"Authorization": "Bearer of a stranger"})
    refusals: Refusals = app.state.refusals
    assert refusals.counts == {401: KEPT + 5}
    assert len(refusals.last) == KEPT
    assert refusals.last[-1].path == "/v1/ledger"
    assert "stranger" not in str(refusals.last)
    assert store.value("SELECT count() FROM audit_log") == 0


def test_a_flood_of_refusals_is_a_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = Refusals(clock=lambda: now[0])
    with caplog.at_level(logging.WARNING, "gpuledger.access"):
        for _ in range(100):
            refusals.note(401, "", "10.0.0.1", "GET", "/a\nb")
        now[0] += 1
        refusals.note(403, "lea", "10.0.0.1", "GET", "/c")
    first, second = (r.getMessage() for r in caplog.records)
    assert first == r"refused 401: 'GET' '/a\nb' from 10.0.0.1"
    assert second == "refused 403: 'GET' '/c' from 10.0.0.1, lea (and 99 before)"


@pytest.mark.parametrize(
    ("names", "suffix", "node"),
    [
        (("n1.example.com", "other"), ".example.com", "n1"),
        (("n1",), "", "n1"),
        (("n1.evil.com",), ".example.com", ""),
        ((".example.com",), ".example.com", ""),
        ((), "", ""),
    ],
)
def test_a_certificate_names_its_node(names: tuple[str, ...], suffix: str, node: str) -> None:
    section = {"cluster": "alpha", "suffix": suffix}
    caller = certificates(Config({"certificates": section})).whose(names)
    assert (caller.node if caller else "") == node
    assert certificates(Config({})).whose(names) is None


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, "/v1/ingest/nowhere", 404),
        ({}, "/v1/sql", 403),
        ({"Origin": "https://evil.test"}, "/v1/ingest/nowhere", 401),
        ({"Authorization": "Bearer wrong"}, "/v1/ingest/nowhere", 401),
    ],
)
def test_a_certificate_opens_the_doors_for_senders_alone(
    store: Store, tmp_path: Path, headers: dict[str, str], path: str, status: int
) -> None:
    with intake(tmp_path / "journal", store) as one:
        service = make_service(store, intake=one)
        service.certificates = certificates(Config({"certificates": {"cluster": "alpha"}}))
        app = create_app(service)

        async def shown(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "client_certificate": ("n1",)}, receive, send)

        node = TestClient(shown, base_url=f"https://{HOST}", headers=headers)
        answer = node.post(path, headers={"Idempotency-Key": "a"}, json=QUESTION)
        assert is_problem(answer, status)


@pytest.mark.parametrize(
    ("caller", "team", "may"),
    [
        (Caller("x", Role.ADMIN), "red", True),
        (Caller("x", Role.OPERATOR), "", True),
        (Caller("x", Role.TEAM_OWNER, ("red", "blue")), "blue", True),
        (Caller("x", Role.TEAM_OWNER, ("red",)), "blue", False),
        (Caller("x", Role.TEAM_OWNER, ("red",)), "", False),
        (Caller("x", Role.TEAM_OWNER, ("red",)), None, False),
        (Caller("x", Role.VIEWER, ("red",)), "red", False),
        (Caller("x", Role.INGEST), "red", False),
    ],
)
def test_who_decides_on_what(caller: Caller, team: str | None, may: bool) -> None:
    assert may_decide(caller, {"team": team}) is may


@pytest.mark.parametrize("teams", [(), ("",)])
def test_a_team_owner_without_a_team_is_none(teams: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="needs a team"):
        Caller("x", Role.TEAM_OWNER, teams)
