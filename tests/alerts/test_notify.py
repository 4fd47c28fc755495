from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from alerts.engine import Engine
from alerts.notify import Alertmanager, payload
from alerts.rules.job_idle_gpu import rule
from alerts.settings import Mode
from gpuledger.catalogue import AlertState
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.alerts.world import finding
from tests.components.alertmanager import Alertmanager as RealAlertmanager
from tests.components.process import free_port, wait_until

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def alert(state: str = "firing", resolved: datetime = FOREVER) -> AlertState:
    return AlertState(
        rule="JobIdleGPU",
        subject="alpha/1",
        state=state,
        since=NOW,
        fired=NOW,
        resolved=resolved,
        value=900.0,
        labels='{"alertname": "JobIdleGPU"}',
        annotations='{"summary": "idle"}',
        version=1,
    )


class Answers:
    """A server that gives the answers it was told to, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked: list[tuple[str, object]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, json.loads(body)))
                status = outer.statuses.pop(0) if outer.statuses else 200
                text = b"" if status == 200 else b"what\nis wrong"
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def answers() -> Iterator[Answers]:
    it = Answers()
    thread = threading.Thread(target=it.server.serve_forever, args=(0.01,))
    thread.start()
    yield it
    it.server.shutdown()
    it.server.server_close()
    thread.join()


def sender(url: str) -> Alertmanager:
    return Alertmanager(url, timeout_s=2, sleep=lambda _: None)


def test_a_firing_alert_ends_by_itself_if_we_fall_silent() -> None:
    assert payload(alert(), NOW) == {
        "labels": {"alertname": "JobIdleGPU"},
        "annotations": {"summary": "idle"},
        "startsAt": "2026-03-02T10:00:00+00:00",
        "endsAt": "2026-03-02T10:10:00+00:00",
    }


def test_a_resolved_alert_ended_when_it_did() -> None:
    done = payload(alert("resolved", NOW + timedelta(minutes=5)), NOW + timedelta(hours=1))
    assert done["endsAt"] == "2026-03-02T10:05:00+00:00"


def test_accepted(answers: Answers) -> None:
    assert sender(f"{answers.url}/").send([alert()], NOW) == "accepted"
    assert answers.asked == [("/api/v2/alerts", [payload(alert(), NOW)])]


def test_a_busy_server_is_asked_again(answers: Answers) -> None:
    answers.statuses = [503, 500]
    assert sender(answers.url).send([alert()], NOW) == "accepted"
    assert len(answers.asked) == 3


def test_a_server_that_stays_busy_is_left_for_the_next_tick(answers: Answers) -> None:
    answers.statuses = [503, 503, 503]
    assert sender(answers.url).send([alert()], NOW) == "answered 503: what is wrong (3 tries)"


def test_a_refusal_is_not_repeated(answers: Answers) -> None:
    answers.statuses = [400]
    assert sender(answers.url).send([alert()], NOW) == "refused, 400: what is wrong"
    assert len(answers.asked) == 1


def test_nobody_there() -> None:
    outcome = sender(f"http://127.0.0.1:{free_port()}").send([alert()], NOW)
    assert outcome.startswith("cannot be reached: ")
    assert outcome.endswith("(3 tries)")


def subjects(real: RealAlertmanager) -> dict[str, dict[str, object]]:
    """Alerts that it holds for firing, by subject."""
    return {a["labels"]["subject"]: a for a in real.alerts()}


def test_a_real_alertmanager_hears_fires_repeats_and_ends(
    store: Store, alertmanager: RealAlertmanager
) -> None:
    now = datetime.now(UTC)
    since = now - timedelta(minutes=30)
    job = "alpha/real"
    engine = Engine(store, [rule], Alertmanager(alertmanager.url), Mode.PAGE)

    store.insert_rows([finding(job, since=since, until=now - timedelta(minutes=10))])
    assert engine.tick(now - timedelta(minutes=2)).told == 1
    wait_until(lambda: job in subjects(alertmanager), 10, "the alert")
    held = subjects(alertmanager)[job]
    assert held["labels"] == {
        "alertname": "JobIdleGPU",
        "subject": job,
        "severity": "warning",
        "owner": "job owner",
        "user": "ana",
        "team": "vision",
        "pool": "big",
    }

    assert engine.tick(now - timedelta(minutes=1)).told == 1
    later = subjects(alertmanager)
    assert [subject for subject in later if subject.startswith("alpha/")] == [job]
    assert str(later[job]["endsAt"]) > str(held["endsAt"])

    store.insert_rows([finding(job, since=since, until=now - timedelta(minutes=10), open=0)])
    restarted = Engine(store, [rule], Alertmanager(alertmanager.url), Mode.PAGE)
    assert restarted.tick(now).told == 1
    wait_until(lambda: job not in subjects(alertmanager), 10, "the end")
