"""What pages show is what the store has, escaped, and only to those whom it concerns."""

from __future__ import annotations

import html
import re

import pytest

from analytics.access.caller import Caller
from analytics.console.paper import MENU
from analytics.service import Service
from tests.analytics.console.world import (
    BLUE_JOB,
    BLUE_LEAD,
    CALLERS,
    OPERATOR,
    RED_JOB,
    RED_LEAD,
    VIEWER,
    advice_of,
    logged_in,
    parsed,
    text_of,
)
from tests.analytics.web import BEARER, client
from tests.analytics.world import HOSTILE

PAGES = (
    *(path for path, _ in MENU),
    *("/fleet?by=rack", "/fleet?by=node&state=fault", "/fragmentation?plan=true"),
    *("/jobs/c/1", f"/jobs/{RED_JOB}", "/nodes/c/n0", "/nodes/n1", "/search?q=c/", "/search"),
    *(f"/recommendations/{advice_of(RED_JOB)}", "/recommendations?status=dismissed"),
    *("/alerts?ended=true", "/reports/2026-W10", "/exemptions?everything=true"),
    *("/tokens?everything=true", "/audit?who=root", "/?since=24h", "/waste?since=30d"),
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_foreign_and_has_no_script_or_style_in_it(
    service: Service, path: str
) -> None:
    answer = logged_in(service).get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "private, no-store"
    for tag, attributes in parsed(answer.text).elements:
        assert tag != "style"
        assert tag != "script" or (attributes.get("src") or "").startswith("/static/")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("path", ["/waste", "/jobs/c/2", "/search?q=c/2", "/search?q=<script"])
def test_a_hostile_name_is_text_and_shown_in_full(service: Service, path: str) -> None:
    page = logged_in(service).get(path)
    words = parsed(page.text)
    assert HOSTILE in "".join(words.found)
    assert not [a for t, a in words.elements if t == "script" and "src" not in a]


def test_a_hostile_question_is_told_back_as_text(service: Service) -> None:
    page = logged_in(service).get("/search", params={"q": HOSTILE})
    assert page.status_code == 200
    assert html.escape(HOSTILE, quote=False) in page.text or "&#39;xss" not in page.text
    assert "<script>alert" not in page.text


def test_the_overview_shows_the_hours_and_worth_of_every_state(service: Service) -> None:
    text = text_of(service, "/")
    # Six GPUs for an hour, two of them idle, at 3 EUR.
    assert re.search(r"productive allocated and at work nobody 1 17% EUR 3 A", text)
    assert re.search(r"alloc idle allocated and doing nothing job owner 2 33% EUR 6 A", text)
    assert re.search(r"All 6 100%", text)
    assert f"End {RED_JOB} and free 1 idle GPU" in text
    assert f"{RED_JOB} has held idle GPUs" in text
    assert "570.1" in text


def test_the_overview_has_all_four_success_metrics_once_they_are_known(service: Service) -> None:
    browser = logged_in(service)
    assert 'data-part="/success#success"' in browser.get("/").text
    assert browser.get("/success").status_code == 200
    text = browser.get("/").text
    assert "data-part" not in text
    for metric in (
        "GPU availability",
        "Resource utilization",
        "Workload execution",
        "Management overhead",
    ):
        assert metric in text
    assert "No change is shown" in text


def test_waste_adds_up_from_job_to_team_and_says_what_to_do(service: Service) -> None:
    text = text_of(service, "/waste")
    assert "Together 2 GPU-h could be won back" in text
    assert re.search(r"red 1 GPU-h EUR 3.*bea 1 GPU-h", text)
    assert re.search(r"blue 1 GPU-h EUR 3.*carl 1 GPU-h", text)
    assert f"End {BLUE_JOB} and free 1 idle GPU" in text


def test_every_gpu_is_a_cell_of_the_map_in_the_colour_of_its_state(service: Service) -> None:
    page = logged_in(service).get("/fleet").text
    shown = re.findall(r'<i class="s-(\w+)"></i>', page)
    assert shown == [
        *("productive", "alloc_idle", "free_surplus", "fault"),
        *("alloc_idle", "stranded"),
    ]
    assert 'aria-label="n1: 1 alloc idle, 1 stranded"' in page


def test_a_state_can_stand_out_in_the_map(service: Service) -> None:
    page = logged_in(service).get("/fleet?state=fault").text
    assert page.count('<i class="s-fault"></i>') == 1
    assert page.count(' off"></i>') == 5


def test_the_card_of_a_node_tells_job_owner_since_when_and_evidence(service: Service) -> None:
    told = logged_in(service).get("/fleet/details", params={"node": "c/n0"}).json()
    rows = {row[0]: row for row in told["rows"]}
    assert told["columns"] == ["GPU", "state", "job", "owner", "since", "evidence"]
    assert rows["1"][1:4] == ["alloc idle", f"{HOSTILE} {RED_JOB}", "bea, red"]
    assert rows["1"][4:] == ["03-02 10:00 UTC (1 h)", "grade A"]
    assert rows["2"][1:4] == ["free surplus", "–", "–"]


def test_a_node_that_nobody_has_is_not_found(service: Service) -> None:
    browser = logged_in(service)
    assert browser.get("/fleet/details", params={"node": "c/none"}).status_code == 404
    answer = browser.get("/nodes/c/n7")
    assert answer.status_code in {400, 404}
    assert "There is no node" in answer.text


def test_who_sees_one_team_only_sees_no_other_in_the_map(service: Service) -> None:
    page = logged_in(service, BLUE_LEAD).get("/fleet").text
    assert page.count("s-others") >= 2
    told = logged_in(service, BLUE_LEAD).get("/fleet/details", params={"node": "c/n0"}).text
    assert "bea" not in told
    assert "red" not in told


@pytest.mark.parametrize("path", PAGES)
def test_no_page_tells_a_lead_of_another_team(service: Service, path: str) -> None:
    answer = logged_in(service, BLUE_LEAD).get(path)
    assert answer.status_code in {200, 400, 403, 404}
    if answer.status_code == 200:
        assert "bea" not in answer.text
        assert "alert(" not in answer.text
        assert f"End {RED_JOB}" not in answer.text


def test_a_job_page_says_what_it_did_and_what_would_help(service: Service) -> None:
    text = text_of(service, f"/jobs/{BLUE_JOB}")
    assert "Job notebook" in text
    assert "Used 1 GPU-h EUR 3" in text
    assert f"End {BLUE_JOB} and free 1 idle GPU" in text
    assert "Save what is there and end the job." in text


def test_a_job_that_waits_says_why(service: Service) -> None:
    text = text_of(service, "/jobs/c/4")
    assert "State pending waits for Resources" in text
    assert "it has no GPU yet" in text


def test_a_job_is_found_by_its_number_and_offers_an_exemption(service: Service) -> None:
    page = logged_in(service, VIEWER).get("/jobs/3").text
    assert 'href="/exemptions?subject=c%2F3"' in page


def test_a_node_page_names_its_gpus_and_who_holds_them(service: Service) -> None:
    text = text_of(service, "/nodes/c/n1")
    assert re.search(r"0 NVIDIA H100 alloc idle c/3 carl", text)
    assert "570.1" in text


def test_fragmentation_tells_the_largest_job_that_fits(service: Service) -> None:
    text = text_of(service, "/fragmentation")
    assert "Largest job that could start now on big" in text
    assert "In crumbs (F)" in text


def test_moves_are_planned_only_when_asked_for(service: Service) -> None:
    assert "Plan the moves now" in text_of(service, "/fragmentation")
    text = text_of(service, "/fragmentation?plan=true")
    assert re.search(r"(Worth it|Not advised|No moves):", text)
    assert "no plan beats" in text


def test_a_limited_caller_is_offered_no_plan(service: Service) -> None:
    text = text_of(service, "/fragmentation?plan=true", RED_LEAD)
    assert "Largest job that could start now" in text
    assert "Moves that would free the most" not in text


@pytest.mark.parametrize("asked", ["c/3", "3", "notebook", "n1", "c/n1", "carl"])
def test_one_box_finds_jobs_nodes_and_users(service: Service, asked: str) -> None:
    text = text_of(service, f"/search?q={asked}")
    assert "No job, node or user" not in text
    assert re.search(r"c/3|n1 c, 2 GPUs|carl 1 job", text)


def test_what_nobody_is_named_is_said_so(service: Service) -> None:
    assert "No job, node or user is named so" in text_of(service, "/search?q=zzz")


def test_an_alert_tells_what_it_is_about(service: Service) -> None:
    text = text_of(service, "/alerts")
    assert re.search(rf"warning firing {RED_JOB} has held idle GPUs", text)


def test_data_quality_tells_what_the_book_knows(service: Service) -> None:
    text = text_of(service, "/quality")
    assert re.search(r"Unknown time 0%", text)
    assert re.search(r"With a price 100%", text)
    assert "Lowest grade A" in text


def test_the_weeks_of_the_book_have_reports_to_read(service: Service) -> None:
    browser = logged_in(service)
    assert "2026-W10" in browser.get("/reports").text
    answer = browser.get("/reports/2026-W10/read")
    assert answer.status_code == 200
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_lead_reads_the_part_of_the_own_team_alone(service: Service) -> None:
    browser = logged_in(service, BLUE_LEAD)
    assert "team blue" in browser.get("/reports/2026-W10/team?team=blue").text
    assert browser.get("/reports/2026-W10/team?team=red").status_code == 403
    assert browser.get("/reports/2026-W10/read").status_code == 403


@pytest.mark.parametrize("caller", CALLERS, ids=lambda c: c.role.value + "".join(c.teams))
def test_what_a_caller_may_not_open_is_not_in_the_menu(service: Service, caller: Caller) -> None:
    browser = logged_in(service, caller)
    links = [a["href"] for t, a in parsed(browser.get("/").text).elements if t == "a"]
    for path, _ in MENU:
        assert (path in links) == (browser.get(path).status_code == 200), path


def test_the_tokens_are_for_admins(service: Service) -> None:
    assert logged_in(service, OPERATOR).get("/tokens").status_code == 403
    assert logged_in(service, OPERATOR).get("/audit").status_code == 403


def test_an_error_is_a_page_in_words(service: Service) -> None:
    browser = logged_in(service)
    for path, status, words in (
        ("/?since=soon", 400, "Since soon: write 7d"),
        ("/fleet?by=racks", 400, "did you mean &#39;rack&#39;?"),
        ("/recommendations?status=dismised", 400, "did you mean &#39;dismissed&#39;?"),
        ("/recommendations/zzzz", 404, "No recommendation begins with"),
        ("/alerts?ended=perhaps", 422, "Ended: Input should be a valid boolean"),
        ("/reports/monday", 400, "monday"),
    ):
        answer = browser.get(path)
        assert answer.status_code == status, path
        assert words in answer.text, path
        assert answer.headers["content-type"].startswith("text/html")
        assert "<nav" in answer.text


def test_pages_answer_a_bearer_token_as_well(service: Service) -> None:
    assert client(service, **BEARER).get("/waste").status_code == 200
