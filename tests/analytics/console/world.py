"""A book of two teams written by hand, and clients that are logged in as one or another."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

from analytics.access.caller import Caller, Role
from analytics.access.guard import COOKIE
from analytics.job_teams import JobTeams
from analytics.service import Service
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import AlertState, Change, Finding, Recommendation, Team
from gpuledger.identity import hash64
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.web import TestClient, client
from tests.analytics.world import (
    HOSTILE,
    START,
    asset,
    at,
    booked,
    cells,
    given,
    job,
    node_state,
    price,
    write,
)

ADMIN = Caller("root", Role.ADMIN)
OPERATOR = Caller("olga", Role.OPERATOR)
VIEWER = Caller("vera", Role.VIEWER)
RED, BLUE = "red", "blue"
RED_LEAD = Caller("rita", Role.TEAM_OWNER, (RED,))
BLUE_LEAD = Caller("bob", Role.TEAM_OWNER, (BLUE,))
CALLERS = (ADMIN, OPERATOR, VIEWER, RED_LEAD, BLUE_LEAD)
END = at(60)
RED_JOB, BLUE_JOB, WORKING = "c/2", "c/3", "c/1"
# State of each GPU in the hour: node, slot, state, job.
GPUS = (
    ("n0", 0, "productive", "1"),
    ("n0", 1, "alloc_idle", "2"),
    ("n0", 2, "free_surplus", ""),
    ("n0", 3, "fault", ""),
    ("n1", 0, "alloc_idle", "3"),
    ("n1", 1, "stranded", ""),
)


def seed(store: Store) -> None:
    """An hour of six GPUs, two of which idle in a job of each team, with finding and advice."""
    hour = [c for node, slot, *of in GPUS for c in _cells(node, slot, *of)]
    write(store, [*_facts(), *booked(hour, END), *_verdicts()])
    JobTeams(store).write(END)


def _cells(node: str, slot: int, state: str, native: str) -> list[Row]:
    return [*cells(state, range(60), slot, node, native=native)]


def _facts() -> list[Row]:
    lead = {"valid_from": START - timedelta(days=9), "kind": "account", "version": 1}
    return [
        *(asset(slot, node) for node, slot, *_ in GPUS),
        *(node_state(n, gpus=4) for n in ("n0", "n1")),
        price(),
        job("1", user="ana", team=RED, started=at(0)),
        job("2", name=HOSTILE, user="bea", team=RED, started=at(0)),
        job("3", name="notebook", user="carl", team=BLUE, started=at(0)),
        job("4", name="waits", user="ana", team=RED, state="pending", reason="Resources"),
        *(given(native, slot, node) for node, slot, _, native in GPUS if native),
        *(Team(name=t, team=t, lead=who, **lead) for t, who in ((RED, "rita"), (BLUE, "bob"))),
        Change(ts=at(30), cluster="c", node="n1", kind="driver", before="570.1", after="580.2"),
    ]


def _verdicts() -> list[Row]:
    return [
        *_advice(RED_JOB, RED, "bea", 10.0),
        *_advice(BLUE_JOB, BLUE, "carl", 4.0),
        AlertState(
            rule="JobIdleGPU",
            subject=RED_JOB,
            state="firing",
            since=at(20),
            fired=at(30),
            value=1,
            labels=json.dumps({"severity": "warning", "team": RED}),
            annotations=json.dumps({"summary": f"{RED_JOB} has held idle GPUs"}),
            version=1,
        ),
    ]


def _advice(subject: str, team: str, user: str, hours: float) -> list[Row]:
    whose = {"subject": subject, "team": team, "user": user, "version": to_milliseconds(END)}
    worth = {"currency": "EUR"}
    return [
        Finding(
            finding_id=hash64(subject),
            kind="idle",
            since=at(0),
            until=END,
            open=1,
            gpus=1,
            gpu_seconds=3600,
            capacity_value=3.0,
            cash_avoidable=None,
            grade="A",
            action="Save what is there and end the job.",
            confidence_ratio=0.9,
            summary=f"{subject} holds 1 GPU and does not use it",
            evidence="SELECT 1",
            **whose,
            **worth,
        ),
        Recommendation(
            recommendation_id=hash64(f"reclaim/{subject}"),
            finding_id=hash64(subject),
            kind="reclaim",
            status="proposed",
            title=f"End {subject} and free 1 idle GPU",
            command=f"scancel {subject}",
            undo=f"scontrol requeue {subject}",
            resources=json.dumps({subject: hours}),
            gain_gpu_hours=hours,
            gain_capacity_value=3 * hours,
            gain_cash_avoidable=None,
            gain_low_gpu_hours=1.0,
            gain_high_gpu_hours=2 * hours,
            gain_wait_seconds=None,
            gain_wait_low_seconds=None,
            gain_wait_high_seconds=None,
            horizon_seconds=7 * 86_400,
            confidence_ratio=0.9,
            because=f"{subject} did nothing for an hour",
            created=at(10),
            **whose,
            **worth,
        ),
    ]


def advice_of(subject: str) -> str:
    """The id of the recommendation about a job."""
    return f"{hash64(f'reclaim/{subject}'):016x}"


def logged_in(service: Service, caller: Caller = ADMIN) -> TestClient:
    """A browser of somebody who logged in; forms are told to come from our own pages."""
    found = client(service, **{"Sec-Fetch-Site": "same-origin"})
    found.cookies.set(COOKIE, service.sessions.begin(caller))
    return found


def secret(service: Service, browser: TestClient) -> str:
    """What the forms of this login must bring with them."""
    session = service.sessions.find(browser.cookies[COOKIE])
    assert session
    return session.form_token


def sent(browser: TestClient, path: str, **fields: str) -> str:
    """Send a form of ours, follow to the page after it, and return its text."""
    found = re.search(r'name="form" value="([^"]+)"', browser.get("/reports").text)
    assert found
    fields["form"] = found[1]
    return browser.post(path, data=fields, follow_redirects=True).text


class Words(HTMLParser):
    """Text and elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def parsed(text: str) -> Words:
    words = Words()
    words.feed(text)
    return words


def text_of(service: Service, path: str, caller: Caller = ADMIN) -> str:
    """The text of a page, without elements, in single spaces."""
    answer = logged_in(service, caller).get(path)
    assert answer.status_code == 200, answer.text
    return " ".join(" ".join(parsed(answer.text).found).split())
