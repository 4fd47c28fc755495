"""What people decide through the API: as on the command line, by whom it may, and written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from analytics.access.caller import Caller, Role
from analytics.routes.described import example_of
from analytics.routes.plans import EXAMPLE, PlanAnswer
from gpuledger.catalogue import TABLES
from gpuledger.store import Store
from tests.analytics.routes.filled import LEAD, filled
from tests.analytics.web import TOKEN, client, is_problem
from tests.analytics.world import HOSTILE
from tests.conftest import empty


@pytest.fixture(scope="module")
def whole(engine: Store) -> Iterator[Any]:
    """A service over a filled store, and the advice in it as it was."""
    empty(engine)
    service = filled(engine)
    yield service, engine.parquet("SELECT * FROM recommendations FINAL")
    empty(engine)


@pytest.fixture
def service(whole: Any) -> Iterator[Any]:
    """The service; what a test decides is taken back after it."""
    service, advice = whole
    yield service
    for table in ("recommendations", "recommendation_events", "audit_log", "report_notes"):
        service.store.command(f"TRUNCATE TABLE {table}")
    names = [c.stored for c in TABLES["recommendations"].fields]
    service.store.insert_parquet("recommendations", names, advice)


@pytest.fixture
def api(service: Any) -> Any:
    return client(service, Authorization=f"Bearer {TOKEN}")


def as_caller(service: Any, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client whose token is somebody's."""

    async def by_token(*_: str) -> Caller:
        return caller

    monkeypatch.setattr(service, "by_token", by_token)
    return client(service, Authorization="Bearer theirs")


def audited(service: Any) -> list[dict[str, Any]]:
    return list(
        service.store.select(
            "SELECT who, action, subject, before, after FROM audit_log ORDER BY ts"
        )
    )


def test_a_recommendation_is_snoozed_then_accepted_and_both_are_written_down(
    service: Any, api: Any
) -> None:
    (row,) = api.get("/v1/recommendations").json()
    one = row["recommendation_id"]
    snoozed = api.post(f"/v1/recommendations/{one[:8]}/snooze", json={"until": "3d"}).json()
    assert (snoozed["status"], snoozed["by"], snoozed["recommendation_id"]) == (
        "snoozed",
        LEAD,
        one,
    )
    assert api.get("/v1/recommendations").json() == []
    assert api.post(f"/v1/recommendations/{one}/accept").json()["status"] == "accepted"
    whole = api.get(f"/v1/recommendations/{one}").json()
    assert [step["status"] for step in whole["life"]] == ["snoozed", "accepted"]
    assert whole["finding"]["finding_id"] == row["finding_id"]
    told = [(r["who"], r["action"], r["subject"]) for r in audited(service)]
    assert told == [(LEAD, "recommendation.snooze", one), (LEAD, "recommendation.accept", one)]
    assert json.loads(audited(service)[1]["before"]) == {"status": "snoozed"}


@pytest.mark.parametrize(
    ("step", "body", "status"),
    [
        ("dismiss", {"until": "7d", "reason": " "}, 400),
        ("dismiss", {"until": "7d"}, 422),
        ("dismiss", {"until": "2020-01-01", "reason": "x"}, 400),
        ("snooze", {"until": "soon"}, 400),
        ("snooze", {"until": "99999d"}, 400),
        ("snooze", {"until": "7d", "unknown": 1}, 422),
    ],
)
def test_a_decision_that_makes_no_sense_changes_nothing(
    service: Any, api: Any, step: str, body: dict[str, Any], status: int
) -> None:
    (row,) = api.get("/v1/recommendations").json()
    path = f"/v1/recommendations/{row['recommendation_id']}"
    assert is_problem(api.post(f"{path}/{step}", json=body), status)
    assert api.get("/v1/recommendations").json() == [row]
    assert audited(service) == []


def test_what_there_is_not_is_404_and_what_is_over_is_409(api: Any) -> None:
    (row,) = api.get("/v1/recommendations").json()
    path = f"/v1/recommendations/{row['recommendation_id']}"
    assert is_problem(api.post("/v1/recommendations/ffff/accept"), 404)
    assert api.post(f"{path}/dismiss", json={"until": "7d", "reason": "no"}).status_code == 200
    assert is_problem(api.post(f"{path}/accept"), 409)
    for nothing in ("/v1/jobs/nothing", "/v1/nodes/nothing", "/v1/findings/zz"):
        assert is_problem(api.get(nothing), 404)
    assert is_problem(api.get("/v1/reports/2020-W01"), 404)


def test_a_team_owner_decides_on_its_own_teams_advice_alone(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Caller("eve", Role.TEAM_OWNER, teams=("blue",))
    own = Caller("adam", Role.TEAM_OWNER, teams=(HOSTILE,))
    (row,) = service.store.select("SELECT hex(recommendation_id) AS id FROM recommendations")
    path = f"/v1/recommendations/{row['id'].lower()}/accept"
    eve = as_caller(service, theirs, monkeypatch)
    assert eve.get("/v1/recommendations").json() == []
    assert is_problem(eve.post(path), 404)
    assert audited(service) == []
    assert as_caller(service, own, monkeypatch).post(path).json()["by"] == "adam"


def test_a_viewer_of_a_team_sees_its_jobs_alone_in_every_form(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = as_caller(service, Caller("v", Role.VIEWER, teams=("blue",)), monkeypatch)
    assert {r["team"] for r in viewer.get("/v1/jobs").json()} == {"blue"}
    for form in ("text/csv", "application/x-ndjson"):
        told = viewer.get("/v1/jobs", headers={"Accept": form}).text
        assert "blue" in told
        assert "<script>" not in told
    assert {r["user"] for r in viewer.get("/v1/ledger?by=user").json()} <= {None, ""}
    assert is_problem(viewer.get("/v1/jobs/c%2F2"), 404)
    assert is_problem(viewer.get("/v1/reports"), 403)
    assert is_problem(viewer.post("/v1/plans", json={"at": "now"}), 403)


def test_an_exemption_is_asked_for_approved_by_the_lead_and_ended(service: Any, api: Any) -> None:
    asked = api.post(
        "/v1/exemptions", json={"subject": "c/102", "reason": "warm", "until": "7d"}
    ).json()
    assert (asked["owner"], asked["state"]) == (LEAD, "waits for approval")
    assert api.post("/v1/exemptions/approve", json={"subject": "c/102"}).json()["state"] == "holds"
    assert [r["state"] for r in api.get("/v1/exemptions").json() if r["subject"] == "c/102"] == [
        "holds"
    ]
    assert api.post("/v1/exemptions/end", json={"subject": "c/102"}).json()["state"] == "ended"
    assert [r["action"] for r in audited(service)] == [
        *("exemption.ask", "exemption.approve", "exemption.end")
    ]
    assert is_problem(api.post("/v1/exemptions/end", json={"subject": "c/102"}), 404)
    assert is_problem(
        api.post("/v1/exemptions", json={"subject": "c/9", "reason": "x", "until": "7d"}), 404
    )


def test_who_leads_no_team_approves_nothing(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = as_caller(service, Caller("olga", Role.OPERATOR), monkeypatch)
    assert is_problem(operator.post("/v1/exemptions/approve", json={"subject": "c/101"}), 400)


def test_a_report_has_every_form_and_a_week_that_is_not_over_has_no_draft(api: Any) -> None:
    path = "/v1/reports/2026-W10"
    forms = {"application/json": "{", "text/html": "<!", "text/markdown": "**"}
    for form, start in forms.items():
        answer = api.get(path, headers={"Accept": form})
        assert answer.headers["content-type"].startswith(form)
        assert answer.text.lstrip().startswith(start)
    etag = api.get(path).headers["etag"]
    assert api.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert is_problem(api.post(f"{path}/draft", json={}), 409)
    assert is_problem(api.post(f"{path}/release", json={}), 409)
    assert is_problem(api.get("/v1/reports/2026-W99"), 400)
    note = api.post(f"{path}/notes", json={"team": "blue", "text": "fine"})
    assert note.json() == {"week": "2026-W10", "team": "blue", "text": "fine"}


def test_a_plan_is_made_of_an_instance_one_at_a_time(service: Any, api: Any) -> None:
    made = api.post("/v1/plans", json={"instance": EXAMPLE}).json()
    PlanAnswer.model_validate(made)
    assert made["moves"] == [{"pod": "p", "to": "b", "gpu_ids": [1]}]
    assert made["after"]["slots"]["4"] == 1
    service.planning.acquire()
    busy = api.post("/v1/plans", json={"instance": EXAMPLE})
    assert is_problem(busy, 503)
    assert busy.headers["retry-after"] == "10"
    service.planning.release()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"instance": EXAMPLE, "at": "now"}, 400),
        ({"instance": {"nodes": 1}}, 400),
        ({"instance": EXAMPLE, "objective": "more"}, 400),
        ({"instance": EXAMPLE, "time_limit_seconds": 1e9}, 422),
        ({"instance": EXAMPLE, "time_limit_seconds": 0}, 422),
        ({"instance": EXAMPLE, "max_moves": -1}, 422),
        ({"at": "2100-01-01"}, 400),
    ],
)
def test_a_plan_of_nonsense_is_refused_and_the_place_is_free_again(
    service: Any, api: Any, body: dict[str, Any], status: int
) -> None:
    assert is_problem(api.post("/v1/plans", json=body), status)
    assert not service.planning.locked()


def test_a_plan_of_the_fleet_says_when_it_is_of(api: Any) -> None:
    made = api.post("/v1/plans", json={"at": "now", "time_limit_seconds": 1}).json()
    assert made["at"] == "2026-03-02T13:00:00Z"
    assert made["offered"] is False


def test_examples_are_answers_of_their_model() -> None:
    assert example_of(PlanAnswer)["moves"] == [{"pod": "p", "to": "b", "gpu_ids": [1]}]
