"""What people decide on pages: who may, what is kept, and what the audit tells of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from analytics import book, exemptions
from analytics.access.caller import Caller
from analytics.report import remarks, snapshot
from analytics.service import Service
from gpuledger.store import Store
from tests.analytics.console.world import (
    ADMIN,
    BLUE_JOB,
    BLUE_LEAD,
    OPERATOR,
    RED_JOB,
    RED_LEAD,
    VIEWER,
    advice_of,
    logged_in,
    secret,
    seed,
    sent,
)
from tests.analytics.web import BEARER, client, make_service

WEEK = "2026-W10"
ADVICE = f"/recommendations/{advice_of(RED_JOB)}"


@pytest.fixture
def service(store: Store) -> Service:
    seed(store)
    return make_service(store)


def status_of(service: Service) -> str:
    """Where the advice about the job of the red team stands."""
    return str(book.recommendation(service.store, advice_of(RED_JOB))["status"])


def entries(service: Service) -> list[tuple[str, str]]:
    """Who did what, by the audit."""
    rows = service.store.select("SELECT who, action FROM audit_log ORDER BY ts, action")
    return [(r["who"], r["action"]) for r in rows]


def test_a_lead_dismisses_with_a_reason_and_an_end(service: Service) -> None:
    browser = logged_in(service, RED_LEAD)
    text = sent(browser, ADVICE, step="dismissed", reason="a <b>demo</b>", until="7d")
    assert "It is dismissed now until" in text
    row = book.recommendation(service.store, advice_of(RED_JOB))
    (step,) = row["life"]
    assert (step["by"], step["reason"]) == ("rita", "a <b>demo</b>")
    assert timedelta(days=6) < step["until"] - datetime.now(UTC) < timedelta(days=7)
    assert "a &lt;b&gt;demo&lt;/b&gt;" in text
    assert entries(service) == [("rita", "recommendation.dismiss")]
    after = service.store.value("SELECT after FROM audit_log")
    assert json.loads(after)["reason"] == "a <b>demo</b>"


def test_a_life_from_proposed_to_applied(service: Service) -> None:
    browser = logged_in(service, OPERATOR)
    assert "It is snoozed now until" in sent(browser, ADVICE, step="snoozed", until="12h")
    assert "It is accepted now." in sent(browser, ADVICE, step="accepted")
    assert "It is applied now." in sent(browser, ADVICE, step="applied", reason="by hand")
    assert status_of(service) == "applied"
    assert [action for _, action in entries(service)] == [
        *("recommendation.snooze", "recommendation.accept", "recommendation.applied"),
    ]


def test_a_message_is_said_once(service: Service) -> None:
    browser = logged_in(service, RED_LEAD)
    assert "It is accepted now." in sent(browser, ADVICE, step="accepted")
    assert "It is accepted now." not in browser.get(ADVICE).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"step": "dismissed", "reason": "", "until": "7d"}, "a dismissal needs a reason"),
        ({"step": "dismissed", "reason": "x", "until": ""}, "a dismissal ends"),
        ({"step": "dismissed", "reason": "x", "until": "2020-01-01"}, "is not in the future"),
        ({"step": "snoozed", "until": "500d"}, "a snooze lasts 366 days at most"),
        ({"step": "snoozed", "until": "soon"}, "--until soon"),
        ({"step": "measured"}, "there is no step &#39;measured&#39;"),
        ({}, "there is no step"),
    ],
)
def test_a_step_that_makes_no_sense_changes_nothing(
    service: Service, fields: dict[str, str], said: str
) -> None:
    text = sent(logged_in(service, RED_LEAD), ADVICE, **fields)
    assert "Nothing was changed:" in text
    assert said in text
    assert status_of(service) == "proposed"
    assert entries(service) == []


@pytest.mark.parametrize("caller", [VIEWER, BLUE_LEAD], ids=["viewer", "other lead"])
def test_who_may_not_decide_is_offered_nothing_and_refused(
    service: Service, caller: Caller
) -> None:
    browser = logged_in(service, caller)
    page = browser.get(ADVICE)
    assert "<h2>Decide</h2>" not in page.text
    token = secret(service, browser)
    answer = browser.post(ADVICE, data={"step": "accepted", "form": token})
    assert answer.status_code in {403, 404}
    assert status_of(service) == "proposed"


def test_an_admin_may_decide_for_every_team(service: Service) -> None:
    assert "It is accepted now." in sent(logged_in(service, ADMIN), ADVICE, step="accepted")


@pytest.mark.parametrize("form", ["", "wrong", "é"])
def test_a_form_without_the_secret_of_its_login_is_refused(service: Service, form: str) -> None:
    answer = logged_in(service).post(ADVICE, data={"step": "accepted", "form": form})
    assert answer.status_code == 403
    assert status_of(service) == "proposed"


def test_the_secret_of_another_login_opens_nothing(service: Service) -> None:
    other = logged_in(service)
    token = secret(service, other)
    answer = logged_in(service).post(ADVICE, data={"step": "accepted", "form": token})
    assert answer.status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_form_from_another_site_is_refused(service: Service, site: str) -> None:
    browser = logged_in(service)
    token = secret(service, browser)
    answer = browser.post(
        ADVICE, data={"step": "accepted", "form": token}, headers={"Sec-Fetch-Site": site}
    )
    assert answer.status_code == 403
    assert status_of(service) == "proposed"


def test_a_body_that_is_no_form_is_refused(service: Service) -> None:
    browser = logged_in(service)
    assert browser.post(ADVICE, json={"step": "accepted"}).status_code == 415
    large = browser.post(ADVICE, data={"reason": "x" * 70_000})
    assert large.status_code == 413
    many = browser.post(ADVICE, data={f"f{n}": "x" for n in range(100)})
    assert many.status_code == 400


def test_a_program_with_a_token_needs_no_secret_of_a_form(service: Service) -> None:
    answer = client(service, **BEARER).post(ADVICE, data={"step": "accepted"})
    assert answer.status_code == 303
    assert status_of(service) == "accepted"


def test_a_lead_agrees_to_the_exemption_that_a_researcher_asks_for(service: Service) -> None:
    asked = sent(
        logged_in(service, VIEWER), "/exemptions", subject=RED_JOB, reason="a demo", until="7d"
    )
    assert "waits for approval" in asked
    assert ">Approve<" not in asked
    lead = logged_in(service, RED_LEAD)
    assert ">Approve<" in lead.get("/exemptions").text
    assert "c/2: approved." in sent(lead, "/exemptions/decide", subject=RED_JOB, step="approve")
    (row,) = exemptions.listed(service.store, datetime.now(UTC))
    assert (row["approved_by"], row["state"]) == ("rita", "holds")
    assert "c/2: ended." in sent(lead, "/exemptions/decide", subject=RED_JOB, step="end")
    assert [action for _, action in entries(service)] == [
        *("exemption.ask", "exemption.approve", "exemption.end"),
    ]


def test_no_lead_agrees_for_another_team(service: Service) -> None:
    sent(logged_in(service), "/exemptions", subject=RED_JOB, reason="a demo", until="7d")
    browser = logged_in(service, BLUE_LEAD)
    assert "a demo" not in browser.get("/exemptions").text
    token = secret(service, browser)
    fields = {"subject": RED_JOB, "step": "approve", "form": token}
    assert browser.post("/exemptions/decide", data=fields).status_code == 403


def test_nobody_asks_for_a_job_that_the_caller_does_not_see(service: Service) -> None:
    browser = logged_in(service, BLUE_LEAD)
    text = sent(browser, "/exemptions", subject=RED_JOB, reason="x", until="7d")
    assert "there is no job" in text
    text = sent(browser, "/exemptions", subject=BLUE_JOB, reason="x", until="7d")
    assert "waits for approval" in text


def test_a_lead_remarks_on_a_week_until_it_is_released(service: Service) -> None:
    sent(logged_in(service, RED_LEAD), f"/reports/{WEEK}/remark", team="red", text="we moved")
    (note,) = remarks.of_week(service.store, WEEK)
    assert (note.team, note.text) == ("red", "we moved")
    boss = logged_in(service, OPERATOR)
    assert "is not booked to its end yet" in sent(boss, f"/reports/{WEEK}/draft")
    assert "has no draft" in sent(boss, f"/reports/{WEEK}/release", early="yes")
    assert snapshot.latest(service.store, WEEK) is None
    assert entries(service) == [("rita", "report.note")]


def test_a_lead_remarks_for_the_own_team_alone_and_releases_nothing(service: Service) -> None:
    browser = logged_in(service, BLUE_LEAD)
    token = secret(service, browser)
    fields = {"team": "red", "text": "no", "form": token}
    assert browser.post(f"/reports/{WEEK}/remark", data=fields).status_code == 403
    assert browser.post(f"/reports/{WEEK}/release", data=fields).status_code == 403
    assert remarks.of_week(service.store, WEEK) == ()


def test_a_token_is_made_shown_once_and_taken_back(service: Service) -> None:
    browser = logged_in(service)
    page = sent(browser, "/tokens", name="ada", role="viewer", expires="30d", teams="")
    assert "gpl_" in page
    listed = browser.get("/tokens").text
    assert "ada" in listed
    assert "gpl_" not in listed
    token_id = service.store.value("SELECT token_id FROM api_tokens")
    assert "takes over from" in sent(browser, f"/tokens/{token_id}/rotate", grace="1d")
    assert "opens nothing any more" in sent(browser, f"/tokens/{token_id}/revoke")
    assert "No token was made" in sent(browser, "/tokens", name="x", role="king", expires="1d")
    actions = [action for _, action in entries(service)]
    assert actions == ["token.create", "token.rotate", "token.revoke"]
    assert "token.rotate" in browser.get("/audit").text


def test_only_admins_make_tokens(service: Service) -> None:
    browser = logged_in(service, OPERATOR)
    token = secret(service, browser)
    fields = {"name": "x", "role": "admin", "expires": "never", "form": token}
    assert browser.post("/tokens", data=fields).status_code == 403
    assert service.store.value("SELECT count() FROM api_tokens") == 0
