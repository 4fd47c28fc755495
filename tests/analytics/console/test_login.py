"""Who gets in: a token in a form, a link that works once, and the way out."""

from __future__ import annotations

import pytest

from analytics.access.caller import Caller, Role
from analytics.access.guard import COOKIE
from analytics.service import Service
from tests.analytics.console.world import ADMIN, logged_in, secret
from tests.analytics.web import TOKEN, client

OURS = {"Sec-Fetch-Site": "same-origin"}


def test_a_token_becomes_a_session_and_never_the_cookie(service: Service) -> None:
    browser = client(service, **OURS)
    answer = browser.post("/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in answer.headers["set-cookie"]
    assert browser.get("/waste").status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "é" * 50, TOKEN + "x"])
def test_a_token_of_nobody_opens_nothing(service: Service, token: str) -> None:
    browser = client(service, **OURS)
    answer = browser.post("/login", data={"token": token})
    assert answer.status_code == 401
    assert "This token opens nothing" in answer.text
    assert COOKIE not in browser.cookies


def test_the_token_of_the_collectors_does_not_log_in(service: Service) -> None:
    service.ingest_token = "of the collectors"
    answer = client(service, **OURS).post("/login", data={"token": "of the collectors"})
    assert answer.status_code == 401
    assert "opens nothing" in answer.text or "only sends rows" in answer.text


def test_another_site_logs_nobody_in(service: Service) -> None:
    foreign = client(service, **{"Sec-Fetch-Site": "cross-site"})
    assert foreign.post("/login", data={"token": TOKEN}).status_code == 403


def test_a_link_works_once(service: Service) -> None:
    link = f"/login?key={service.logins.new(Caller('vera', Role.VIEWER))}"
    browser = client(service)
    assert browser.get(link).headers["location"] == "/"
    assert "vera" in browser.get("/").text
    again = client(service).get(link)
    assert again.status_code == 401
    assert "used already" in again.text


def test_the_form_is_open_and_tells_nothing(service: Service) -> None:
    page = client(service).get("/login")
    assert page.status_code == 200
    assert "<nav" not in page.text
    assert "Find" not in page.text


def test_who_is_not_known_is_led_to_the_form(service: Service) -> None:
    answer = client(service, Accept="text/html").get("/waste")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_who_logs_out_is_out(service: Service) -> None:
    browser = logged_in(service, ADMIN)
    fields = {"form": secret(service, browser)}
    assert browser.post("/logout", data=fields).headers["location"] == "/login"
    browser.cookies.clear()
    assert browser.get("/waste").status_code == 401


def test_styles_and_script_are_kept_by_the_browser_and_open(service: Service) -> None:
    browser = client(service)
    page = browser.get("/login").text
    for ending, kind in ((".css", "text/css"), (".js", "text/javascript")):
        path = next(p for p in page.split('"') if p.startswith("/static/") and p.endswith(ending))
        answer = browser.get(path)
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/console.css").status_code == 404
    assert browser.get("/static/..%2fpaper.py").status_code in {401, 404}
