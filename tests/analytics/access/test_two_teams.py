"""What a team owner is told by every route: of the own team, and not a word of the other one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from analytics.access.caller import Caller, Role
from analytics.access.guard import COOKIE
from analytics.access.rules import RULES, WHOLE
from gpuledger.store import Store
from tests.analytics.access.two_teams import NUMBERS, OTHER, OWN, fill
from tests.analytics.routes.filled import Alerts
from tests.analytics.web import BEARER, TestClient, client, make_service
from tests.analytics.world import CLUSTER
from tests.conftest import empty

LEAD = Caller("lea", Role.TEAM_OWNER, (OWN,))
FORMS = ("application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet")
# What every dimension of a list tells, where it has dimensions.
MORE = {
    "/v1/ledger": "?by=team,user,job,state",
    "/v1/findings": "?open_only=false",
    "/fleet/details": "?node=c/n0",
}
READ = sorted(p for (m, p), role in RULES.items() if m == "GET" and role is Role.VIEWER)
OPEN_TO_LEADS = [p for p in READ if ("GET", p) not in WHOLE and p != "/openapi.json"]
PLAIN = [p for p in OPEN_TO_LEADS if "{" not in p]
# Lists about what a team has: a list that told nothing at all would keep every secret.
TELLING = {
    *("/v1/ledger", "/v1/findings", "/v1/recommendations", "/v1/outcomes", "/v1/jobs"),
    *("/v1/exemptions", "/v1/quotas", "/v1/teams"),
}


@pytest.fixture(scope="module")
def service(engine: Store) -> Iterator[Any]:
    """A service over the work of two teams, for tests that only read."""
    empty(engine)
    fill(engine)
    made = make_service(engine)
    made.alerts = Alerts()
    yield made
    empty(engine)


@pytest.fixture(scope="module")
def lead(service: Any) -> TestClient:
    """The browser of the owner of one of them."""
    browser = client(service)
    browser.cookies.set(COOKIE, service.sessions.begin(LEAD), domain="gpuledger.test")
    return browser


@pytest.fixture(scope="module")
def admin(service: Any) -> TestClient:
    return client(service, **BEARER)


def told(answer: Any) -> str:
    """All that an answer says, whatever form it has."""
    if answer.headers.get("content-type", "").startswith(FORMS[3]):
        return str(pq.read_table(io.BytesIO(answer.content)).to_pylist())
    return str(answer.text)


def forms(path: str) -> tuple[str, ...]:
    return FORMS if path.startswith("/v1/") else ("text/html",)


def names(text: str, team: str) -> bool:
    return team in text.lower() or NUMBERS[team] in text


def test_there_is_something_of_both_to_be_told(admin: TestClient) -> None:
    for path in sorted(TELLING):
        text = admin.get(path + MORE.get(path, "")).text
        assert names(text, OWN), path
        assert names(text, OTHER), path


@pytest.mark.parametrize("path", PLAIN)
def test_no_list_and_no_page_tells_of_another_team(lead: TestClient, path: str) -> None:
    for form in forms(path):
        answer = lead.get(path + MORE.get(path, ""), headers={"Accept": form})
        assert answer.status_code in {200, 303, 406}, answer.text
        text = told(answer)
        assert not names(text, OTHER), text
        if path in TELLING:
            assert names(text, OWN)


def places(admin: TestClient, team: str) -> dict[str, str]:
    """What names something of a team in a path."""
    number = f"{CLUSTER}/{NUMBERS[team]}"
    (found,) = (r for r in admin.get("/v1/findings").json() if r["subject"] == number)
    listed = admin.get("/v1/recommendations").json()
    (advice,) = (r for r in listed if r["subject"] == number)
    return {
        "{finding_id}": found["finding_id"],
        "{recommendation_id}": advice["recommendation_id"],
        "{identifier}": advice["recommendation_id"],
        "{job_id:path}": number,
        "{job:path}": number,
        "{team:path}": team,
        "{node:path}": "n0",
        "{week}": "2026-W10",
    }


def at_place(path: str, found: dict[str, str]) -> str:
    for name, value in found.items():
        path = path.replace(name, value)
    assert "{" not in path, f"say what stands for it in places(): {path}"
    return path


@pytest.mark.parametrize("path", [p for p in OPEN_TO_LEADS if "{" in p])
def test_one_of_another_team_is_not_there(lead: TestClient, admin: TestClient, path: str) -> None:
    asked = at_place(path, places(admin, OTHER))
    answer = lead.get(f"{asked}?team={OTHER}" if path.endswith("/team") else asked)
    # The page may repeat what was asked for, and nothing else.
    text = answer.text.replace(asked, "").replace(OTHER, "", 0)
    if OTHER in asked or NUMBERS[OTHER] in asked or "team" in path:
        assert answer.status_code in {403, 404}, text
    assert f"{OTHER}-" not in text, text


@pytest.mark.parametrize(
    "path", ["/v1/findings/{finding_id}", "/v1/recommendations/{recommendation_id}"]
)
def test_one_of_the_own_team_is_there(lead: TestClient, admin: TestClient, path: str) -> None:
    answer = lead.get(at_place(path, places(admin, OWN)))
    assert answer.status_code == 200
    assert names(answer.text, OWN)


@pytest.mark.parametrize("path", sorted(p for m, p in WHOLE if m == "GET"))
def test_what_is_about_everybody_is_refused(lead: TestClient, path: str) -> None:
    assert lead.get(path.replace("{week}", "2026-W10")).status_code == 403


@pytest.mark.parametrize("form", ["rows", "parquet"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM v_jobs",
        "SELECT * FROM jobs FINAL",
        "SELECT team, user, job, sum(seconds) FROM v_ledger_1m GROUP BY ALL",
        "SELECT * FROM v_findings",
        "SELECT * FROM (SELECT * FROM v_recommendations)",
        "SELECT * FROM v_teams UNION ALL SELECT * FROM v_teams",
        "SELECT * FROM v_quotas SETTINGS additional_table_filters = {}",
    ],
)
def test_sql_tells_of_the_own_team_or_is_refused(lead: TestClient, sql: str, form: str) -> None:
    answer = lead.post(
        "/v1/sql",
        json={"sql": sql, "format": form},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code in {200, 400, 403}
    text = (
        str(pq.read_table(io.BytesIO(answer.content)).to_pylist())
        if (form == "parquet" and answer.status_code == 200)
        else answer.text
    )
    assert not names(text, OTHER), text


@pytest.mark.parametrize("verb", ["accept", "applied", "dismiss", "snooze"])
def test_nobody_decides_for_another_team(
    lead: TestClient, admin: TestClient, store_untouched: Any, verb: str
) -> None:
    other = places(admin, OTHER)["{recommendation_id}"]
    answer = lead.post(
        f"/v1/recommendations/{other}/{verb}",
        json={"reason": "x", "until": "7d"}
        if verb == "dismiss"
        else {"until": "7d"}
        if verb == "snooze"
        else {"reason": "x"}
        if verb == "applied"
        else None,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code in {403, 404}, answer.text
    assert not names(answer.text.replace(other, ""), OTHER)
    store_untouched()


@pytest.fixture
def store_untouched(engine: Store) -> Any:
    """Fails where a decision or an entry of the audit was written."""

    def check() -> None:
        for table in ("recommendation_events", "audit_log"):
            assert engine.value(f"SELECT count() FROM {table}") == 0

    return check


@pytest.mark.parametrize("verb", ["approve", "end"])
def test_nobody_exempts_for_another_team(lead: TestClient, verb: str) -> None:
    answer = lead.post(
        f"/v1/exemptions/{verb}",
        json={"subject": f"{CLUSTER}/{NUMBERS[OTHER]}"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code in {403, 404}, answer.text


def test_the_own_advice_is_decided_on_and_written_down(lead: TestClient, admin: TestClient) -> None:
    own = places(admin, OWN)["{recommendation_id}"]
    answer = lead.post(
        f"/v1/recommendations/{own}/accept", headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 200, answer.text
    (entry,) = admin.get("/v1/audit").json()
    assert (entry["who"], entry["role"]) == ("lea", "team-owner")
    assert entry["action"] == "recommendation.accept"
    assert entry["subject"] == own
    assert OWN not in (entry["before"] or "")
