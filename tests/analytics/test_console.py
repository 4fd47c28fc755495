"""The start page: numbers for people, safe whatever jobs are called."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from analytics.report import release
from gpuledger.store import Store
from tests.analytics.report.office import DRAFTED, W47, accounts, quick
from tests.analytics.web import BEARER, booked_hour, client, idle_cluster, make_service
from tests.analytics.world import HOSTILE, at


class _Page(HTMLParser):
    """Elements and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [a for a, _ in attrs if a.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(store: Store, report_html: str = "") -> _Page:
    service = make_service(store, report_html=report_html)
    answer = client(service, **BEARER).get("/")
    assert answer.status_code == 200
    return _Page(answer.text)


def test_the_page_shows_the_week_the_hours_and_what_they_are_worth(store: Store) -> None:
    idle_cluster(store)
    text = page(store).text
    assert "2026-03-02 10:00 to 2026-03-02 13:00 UTC" in text
    assert re.search(r"All owned time\s*6\.0\s*100\.0 %\s*18 EUR", text)
    assert "alloc idle" in text


def test_the_page_shows_what_to_do_with_its_command(store: Store) -> None:
    idle_cluster(store)
    assert "scancel 2" in page(store).text


def test_a_hostile_job_name_is_text_and_nothing_else(store: Store) -> None:
    idle_cluster(store)
    shown = page(store)
    assert HOSTILE in shown.text
    assert "script" not in shown.tags


def test_a_page_of_a_machine_without_a_gpu_says_so(store: Store) -> None:
    text = page(store).text
    assert "No GPU owned: nothing was booked yet." in text
    assert "Nothing to recommend now." in text


def test_without_a_price_the_page_says_so(store: Store) -> None:
    booked_hour(store)
    text = page(store).text
    assert "no price" in text
    assert "EUR" not in text


def test_the_page_may_run_no_script_and_load_nothing(store: Store) -> None:
    known = client(make_service(store, report_html="<p>week</p>"), **BEARER)
    for path in ("/", "/weekly-report.html"):
        policy = known.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy


def test_the_report_is_linked_only_where_there_is_one(store: Store) -> None:
    assert "Weekly report" not in page(store).text
    assert "Weekly report" in page(store, "<p>the week</p>").text
    service = make_service(store, report_html="<p>the week</p>")
    assert client(service, **BEARER).get("/weekly-report.html").text == "<p>the week</p>"


def test_the_span_of_the_page_is_a_week_at_most(store: Store) -> None:
    booked_hour(store)
    assert f"{at(0):%Y-%m-%d %H:%M} to {at(60):%Y-%m-%d %H:%M} UTC" in page(store).text


def test_the_report_released_last_is_shown(store: Store) -> None:
    service = make_service(store)
    asking = client(service, **BEARER)
    assert asking.get("/weekly-report.html").status_code == 404
    accounts(store)
    release.draft(store, quick(), W47, "ada", DRAFTED)
    assert asking.get("/weekly-report.html").status_code == 404
    release.release(store, quick(), W47, "ada", DRAFTED)
    answer = asking.get("/weekly-report.html")
    assert answer.status_code == 200
    assert W47 in answer.text
