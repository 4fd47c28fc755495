"""Pages of a service that has booked nothing yet, and of one with a report from its start."""

from __future__ import annotations

import re

import pytest

from analytics.console.paper import MENU
from gpuledger.store import Store
from tests.analytics.console.world import text_of
from tests.analytics.web import BEARER, client, make_service


@pytest.mark.parametrize("path", [path for path, _ in MENU])
def test_an_empty_store_has_pages_that_say_why_they_are_empty(store: Store, path: str) -> None:
    text = text_of(make_service(store), path)
    assert re.search(r"[Nn]othing|[Nn]o (GPU|alert|week|other)|Nobody|There is no token", text)


def test_the_report_of_the_start_is_shown(store: Store) -> None:
    shown = client(make_service(store, report_html="<p>the week</p>"), **BEARER)
    assert shown.get("/weekly-report.html").text == "<p>the week</p>"


def test_without_a_report_the_page_says_how_to_make_one(store: Store) -> None:
    answer = client(make_service(store), **BEARER).get("/weekly-report.html")
    assert answer.status_code == 404
    assert "gpuledger report weekly" in answer.text
