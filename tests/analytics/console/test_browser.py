"""The console in a real browser: each task of each user, the keyboard, both colour schemes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from analytics import book
from analytics.access.caller import Caller
from analytics.access.guard import COOKIE
from analytics.access.keys import Keys
from analytics.app import create_app
from analytics.console.paper import MENU
from analytics.service import Service
from gpuledger.store import Store
from tests.analytics.console.world import (
    ADMIN,
    BLUE_JOB,
    BLUE_LEAD,
    RED_JOB,
    RED_LEAD,
    VIEWER,
    advice_of,
    seed,
)
from tests.analytics.web import TOKEN, make_service
from tests.analytics.world import HOSTILE
from tests.components.fixtures import or_skip, skipping
from tests.components.pages import PHONE, chromium, graves, opened, served
from tests.components.process import wait_until
from tests.conftest import empty

ADDRESSES = (
    *(path for path, _ in MENU),
    *("/success", f"/jobs/{RED_JOB}", "/nodes/c/n0", f"/recommendations/{advice_of(RED_JOB)}"),
    *("/fragmentation?plan=true", "/reports/2026-W10", "/search?q=c/", "/recommendations/zzzz"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with or_skip(chromium()) as found:
        yield found


@pytest.fixture(scope="module")
def service(engine: Store) -> Iterator[Service]:
    empty(engine)
    seed(engine)
    made = make_service(engine)
    made.keys = Keys(engine)
    yield made
    made.keys.close()
    empty(engine)


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    with served(create_app(service)) as found:
        yield found


@contextmanager
def known(
    browser: Browser, service: Service, url: str, caller: Caller = ADMIN, **given: object
) -> Iterator[Page]:
    """A page of somebody who is logged in; nothing on it may fail or be refused."""
    with ExitStack() as stack:
        page = stack.enter_context(opened(browser, url, **given))
        cookie = {"name": COOKIE, "value": service.sessions.begin(caller), "url": url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        wrong: list[str] = []
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("console", lambda m: wrong.append(m.text) if "Content Security" in m.text else None)
        page.on("dialog", lambda d: wrong.append(d.message))
        yield page
        assert wrong == []


def test_an_engineer_finds_idle_gpus_their_owner_and_the_command(
    browser: Browser, service: Service, url: str
) -> None:
    with opened(browser, url) as page:
        page.goto("/waste")
        expect(page).to_have_url(f"{url}/login")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.get_by_role("link", name="Waste by owner").click()
        page.locator("summary", has_text="red").click()
        expect(page.locator("summary", has_text="bea")).to_be_visible()
        expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
        page.get_by_role("link", name=f"End {RED_JOB} and free 1 idle GPU").click()
        expect(page.get_by_label("Commands", exact=True)).to_have_text(f"scancel {RED_JOB}")
        page.get_by_role("link", name=RED_JOB, exact=True).click()
        expect(page.get_by_role("heading", name=f"Job {HOSTILE}")).to_be_visible()


def test_an_engineer_sees_why_a_free_gpu_fits_no_job_and_asks_for_moves(
    browser: Browser, service: Service, url: str
) -> None:
    with known(browser, service, url) as page:
        page.goto("/fragmentation")
        expect(page.get_by_text("Largest job that could start now")).to_be_visible()
        page.get_by_role("link", name="Plan the moves now").click()
        expect(page.get_by_text("no plan beats")).to_be_visible()


def test_the_map_tells_of_a_node_to_the_mouse_and_to_the_keyboard(
    browser: Browser, service: Service, url: str
) -> None:
    with known(browser, service, url) as page:
        page.goto("/fleet")
        page.locator("a[aria-label^='n0'] i").nth(1).hover()
        expect(page.locator("#card tr.on")).to_contain_text("bea, red")
        page.mouse.move(0, 0)
        page.locator("a[aria-label^='n0']").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("a[aria-label^='n1']")).to_be_focused()
        expect(page.locator("#card")).to_contain_text("carl, blue")
        page.keyboard.press("Escape")
        expect(page.locator("#card")).to_be_hidden()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Node n1")).to_be_visible()


def test_a_researcher_finds_the_own_job_and_asks_for_an_exemption(
    browser: Browser, service: Service, url: str
) -> None:
    with known(browser, service, url, VIEWER) as page:
        page.goto("/")
        page.get_by_label("Job, node or user").fill("notebook")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name=BLUE_JOB).click()
        expect(page.get_by_text("What would make it better")).to_be_visible()
        page.get_by_role("link", name="ask for an exemption").click()
        page.get_by_label("Why it may idle").fill("a demo on Friday")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("the lead of its team approves it")
        expect(page.get_by_role("cell", name="a demo on Friday")).to_be_visible()


def test_a_lead_dismisses_and_snoozes_what_is_the_own_teams_alone(
    browser: Browser, service: Service, url: str
) -> None:
    with known(browser, service, url, BLUE_LEAD) as page:
        page.goto("/recommendations")
        expect(page.get_by_text(f"End {RED_JOB}")).to_have_count(0)
        page.get_by_role("link", name=f"End {BLUE_JOB}").click()
        page.get_by_role("button", name="Snooze").click()
        expect(page.get_by_role("status")).to_contain_text("It is snoozed now until")
        dismiss = page.locator("form", has=page.get_by_role("heading", name="Dismiss"))
        dismiss.get_by_role("button").click()
        # The reason is required: the browser sends nothing.
        expect(page.get_by_role("status")).to_contain_text("It is snoozed now")
        dismiss.get_by_label("Reason").fill("it is a demo")
        dismiss.get_by_role("button").click()
        expect(page.get_by_role("status")).to_contain_text("It is dismissed now until")
    assert book.recommendation(service.store, advice_of(BLUE_JOB))["status"] == "dismissed"


def test_a_manager_reads_the_report_of_a_week(browser: Browser, service: Service, url: str) -> None:
    with known(browser, service, url, VIEWER) as page:
        page.goto("/reports")
        page.get_by_role("link", name="2026-W10").click()
        page.get_by_role("link", name="Read the report").click()
        expect(page.locator("h1").first).to_be_visible()
        assert "2026-W10" in (page.locator("body").text_content() or "")


def test_a_data_person_gets_a_token_and_asks_the_api(
    browser: Browser, service: Service, url: str
) -> None:
    with known(browser, service, url) as page:
        page.goto("/tokens")
        page.get_by_label("Who has it").fill("data")
        page.get_by_role("button", name="Make it").click()
        token = page.get_by_label("Token", exact=True).text_content() or ""
        bearer = {"Authorization": f"Bearer {token}"}
        context = browser.new_context(base_url=url, extra_http_headers=bearer)
        # A service that is busy knows a new token after some seconds.
        wait_until(lambda: context.request.get("/v1/ledger").ok, 30, "the token opens the book")
        assert "productive" in context.request.get("/v1/ledger").text()
        context.close()


def test_a_decision_by_keyboard_alone(browser: Browser, service: Service, url: str) -> None:
    with known(browser, service, url, RED_LEAD) as page:
        page.goto("/recommendations")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        advice = page.get_by_role("link", name=f"End {RED_JOB}")
        to(page, advice)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        to(page, page.get_by_role("button", name="Accept"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("It is accepted now.")


def to(page: Page, element: object) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(60):
        if element.evaluate("e => e === document.activeElement"):  # type: ignore[attr-defined]
            return
        page.keyboard.press("Tab")
    pytest.fail("Tab never gets there")


def test_without_script_pages_work_and_decide(browser: Browser, service: Service, url: str) -> None:
    with known(browser, service, url, ADMIN, java_script_enabled=False) as page:
        page.goto("/success")
        expect(page.get_by_text("Resource utilization")).to_be_visible()
        page.goto(f"/recommendations/{advice_of(RED_JOB)}")
        page.get_by_role("link", name="Fleet").click()
        page.locator("a[aria-label^='n0']").click()
        expect(page.get_by_role("heading", name="Node n0")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"{url}/login")


def test_what_takes_seconds_comes_after_the_page(
    browser: Browser, service: Service, url: str
) -> None:
    with known(browser, service, url) as page:
        page.goto("/")
        expect(page.get_by_text("Management overhead")).to_be_visible()


def test_rows_are_filtered_as_one_writes(browser: Browser, service: Service, url: str) -> None:
    with known(browser, service, url) as page:
        page.goto("/waste")
        page.get_by_label("Filter teams").fill("blue")
        expect(page.locator("[data-row]:visible")).to_have_count(1)
        expect(page.locator("[data-filter] output")).to_have_text("1 of 2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(
    browser: Browser, service: Service, url: str, scheme: str
) -> None:
    found = {}
    with known(browser, service, url, ADMIN, color_scheme=scheme) as page, skipping():
        for path in ADDRESSES:
            page.goto(path)
            found[path] = graves(page)
    with opened(browser, url, color_scheme=scheme) as page, skipping():
        page.goto("/login")
        found["/login"] = graves(page)
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_no_page_is_wider_than_a_phone(browser: Browser, service: Service, url: str) -> None:
    wide = []
    with known(browser, service, url, ADMIN, viewport=PHONE) as page:
        for path in ADDRESSES:
            page.goto(path)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(path)
    assert wide == []


def test_times_are_told_in_the_readers_own_too(
    browser: Browser, service: Service, url: str
) -> None:
    with known(browser, service, url, ADMIN, timezone_id="Asia/Tokyo") as page:
        page.goto("/nodes/c/n1")
        cell = page.get_by_role("row", name=re.compile("driver")).get_by_role("cell").first
        expect(cell).to_contain_text("2026-03-02 10:30 UTC")
        expect(cell).to_contain_text("7:30")
