from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.notify import Alertmanager
from alerts.rules.job_idle_gpu import rule as idle_rule
from alerts.rules.telemetry_stale import rule as stale_rule
from alerts.tell import ThroughAlertmanager
from gpuledger.catalogue import AlertState
from gpuledger.measures import PAGES
from gpuledger.store import Store
from tests.alerts.world import alert
from tests.components.alertmanager import Alertmanager as RealAlertmanager
from tests.components.fixtures import or_skip
from tests.components.process import wait_until
from tests.deploy.files import DEPLOY

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = {r.name: r for r in (idle_rule, stale_rule)}


class Post:
    """Takes what Alertmanager would, while it is open."""

    def __init__(self) -> None:
        self.outcome = "accepted"
        self.taken: list[list[Mapping[str, Any]]] = []

    def send(self, alerts: Sequence[Mapping[str, Any]]) -> str:
        if self.outcome == "accepted":
            self.taken.append(list(alerts))
        return self.outcome

    def last(self) -> dict[str, str]:
        """Subject to end of the last request; the watchdog left out."""
        told = [a for a in self.taken[-1] if a["labels"]["alertname"] != "Watchdog"]
        return {a["labels"]["subject"]: a["endsAt"][11:16] for a in told}


@pytest.fixture
def post() -> Post:
    return Post()


def tick(store: Store, post: Any, now: datetime, *alerts: AlertState) -> list[tuple[str, str]]:
    """State and outcome of what was noted, which is written down."""
    if alerts:
        store.insert_rows(list(alerts))
    out = []
    for notes in ThroughAlertmanager(store, RULES, post).tell(alerts, now):
        store.insert_rows(notes)
        out += [(n.state, n.outcome) for n in notes]
    return out


def test_the_watchdog_is_told_even_when_nothing_is_wrong(store: Store, post: Post) -> None:
    assert tick(store, post, NOON) == []
    assert [a["labels"]["alertname"] for a in post.taken[0]] == ["Watchdog"]


def test_a_firing_alert_is_said_at_every_tick_and_noted_once(store: Store, post: Post) -> None:
    assert tick(store, post, NOON, alert(NOON)) == [("firing", "accepted")]
    assert tick(store, post, NOON + MINUTE, alert(NOON)) == []
    assert post.last() == {"alpha/1": "12:11"}


def test_an_end_is_noted_once_and_said_again_for_a_while(store: Store, post: Post) -> None:
    tick(store, post, NOON, alert(NOON))
    over = alert(NOON, resolved=NOON + MINUTE)
    assert tick(store, post, NOON + MINUTE, over) == [("resolved", "accepted")]
    assert tick(store, post, NOON + 6 * MINUTE, over) == []
    assert post.last() == {"alpha/1": "12:01"}
    tick(store, post, NOON + 7 * MINUTE, over)
    assert post.last() == {}


def test_while_it_is_away_the_failure_is_noted_once_an_hour(store: Store, post: Post) -> None:
    post.outcome = "cannot be reached"
    for minute in (0, 1, 30, 59, 60):
        tick(store, post, NOON + minute * MINUTE, alert(NOON))
    rows = store.select("SELECT outcome, count() AS n FROM notifications GROUP BY outcome")
    assert rows == [{"outcome": "cannot be reached", "n": 2}]


def test_an_hour_away_loses_nothing_and_doubles_nothing(store: Store, post: Post) -> None:
    goes_on = alert(NOON, "alpha/on", job="alpha/on")
    fires = alert(NOON, "alpha/over", job="alpha/over")
    passed = alert(NOON, "alpha/over", resolved=NOON + 30 * MINUTE, job="alpha/over")
    post.outcome = "cannot be reached"
    for minute in range(0, 60, 10):
        now = NOON + minute * MINUTE
        tick(store, post, now, goes_on, passed if minute >= 30 else fires)
    post.outcome = "accepted"
    back = NOON + 60 * MINUTE
    assert sorted(tick(store, post, back, goes_on, passed)) == [
        ("firing", "accepted"),
        ("firing", "accepted"),
        ("resolved", "accepted"),
    ]
    # What was over by then is told as well, and stands long enough to be heard.
    assert post.last() == {"alpha/on": "13:10", "alpha/over": "13:10"}
    assert tick(store, post, back + MINUTE, goes_on, passed) == []
    assert post.last() == {"alpha/on": "13:11"}
    assert store.value(f"SELECT {PAGES.sql} FROM v_notifications") == 2


def test_an_alert_that_comes_back_pages_again(store: Store, post: Post) -> None:
    tick(store, post, NOON, alert(NOON))
    tick(store, post, NOON + MINUTE, alert(NOON, resolved=NOON + MINUTE))
    again = alert(NOON + 10 * MINUTE)
    assert tick(store, post, NOON + 10 * MINUTE, again) == [("firing", "accepted")]


def test_what_was_told_and_not_written_down_is_told_again_under_the_same_labels(
    store: Store, post: Post
) -> None:
    store.insert_rows([alert(NOON)])
    teller = ThroughAlertmanager(store, RULES, post)
    next(teller.tell([alert(NOON)], NOON))  # killed here
    tick(store, post, NOON + MINUTE, alert(NOON))
    first, second = (next(a for a in t if "subject" in a["labels"]) for t in post.taken)
    assert (first["labels"], first["startsAt"]) == (second["labels"], second["startsAt"])


def test_alerts_that_fold_are_one_page(store: Store, post: Post) -> None:
    told = [alert(NOON, f"alpha/n{n}", rule="TelemetryStale", cluster="alpha") for n in range(4)]
    tick(store, post, NOON, *told)
    assert store.value(f"SELECT {PAGES.sql} FROM v_notifications") == 1


def put_silence(url: str, now: datetime, **matchers: str) -> None:
    body = {
        "matchers": [
            {"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in matchers.items()
        ],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "tests",
        "comment": "planned work",
    }
    request = urllib.request.Request(
        f"{url}/api/v2/silences",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).close()


def held(real: RealAlertmanager) -> dict[str, dict[str, Any]]:
    """Alerts that it holds for firing, by subject."""
    return {a["labels"].get("subject", "Watchdog"): a for a in real.alerts()}


def state_of(real: RealAlertmanager, subject: str) -> Callable[[], bool]:
    return lambda: held(real)[subject]["status"]["state"] == "suppressed"


def test_a_real_alertmanager_hears_fires_repeats_and_ends(
    store: Store, alertmanager: RealAlertmanager
) -> None:
    now = datetime.now(UTC)
    fires = alert(now - 3 * MINUTE, "alpha/real")
    real = Alertmanager(alertmanager.url)
    assert tick(store, real, now - 2 * MINUTE, fires) == [("firing", "accepted")]
    wait_until(lambda: "alpha/real" in held(alertmanager), 10, "the alert")
    first = held(alertmanager)["alpha/real"]
    assert first["labels"]["owner"] == "platform"
    assert "Watchdog" in held(alertmanager)

    tick(store, real, now - MINUTE, fires)
    assert [s for s in held(alertmanager) if s == "alpha/real"] == ["alpha/real"]
    assert str(held(alertmanager)["alpha/real"]["endsAt"]) > str(first["endsAt"])

    over = alert(now - 3 * MINUTE, "alpha/real", resolved=now)
    assert tick(store, real, now, over) == [("resolved", "accepted")]
    wait_until(lambda: "alpha/real" not in held(alertmanager), 10, "the end")


def test_a_real_alertmanager_keeps_a_silence(store: Store, alertmanager: RealAlertmanager) -> None:
    now = datetime.now(UTC)
    put_silence(alertmanager.url, now - MINUTE, alertname="JobIdleGPU", subject="alpha/quiet")
    tick(store, Alertmanager(alertmanager.url), now, alert(now, "alpha/quiet"))
    wait_until(lambda: "alpha/quiet" in held(alertmanager), 10, "the alert")
    wait_until(state_of(alertmanager, "alpha/quiet"), 10, "the silence")


def test_the_shipped_inhibition_hides_what_a_silent_node_explains(
    store: Store, tmp_path: Path
) -> None:
    shipped = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    now = datetime.now(UTC)
    place = {"cluster": "alpha", "node": "n1"}
    silent = alert(now, "alpha/n1", rule="TelemetryStale", **place)
    explained = alert(now, "alpha/7", **place)
    other = alert(now, "alpha/8", cluster="alpha", node="n2")
    worse = alert(now, "worse", severity="critical", **place)
    theirs = alert(now, "theirs", owner="hardware", **place)
    with or_skip(RealAlertmanager(tmp_path, inhibit=shipped["inhibit_rules"])) as real:
        tick(store, Alertmanager(real.url), now, silent, explained, other, worse, theirs)
        wait_until(lambda: len(held(real)) == 6, 10, "the alerts")
        wait_until(state_of(real, "alpha/7"), 10, "the inhibition")
        for shown in ("alpha/8", "worse", "theirs"):
            assert not state_of(real, shown)()
        assert not state_of(real, "Watchdog")()


def test_hostile_names_reach_a_real_alertmanager_whole(
    store: Store, alertmanager: RealAlertmanager
) -> None:
    name = 'alpha/<script>alert("1")</script> \U0001f600 ' + "x" * 300
    now = datetime.now(UTC)
    tick(store, Alertmanager(alertmanager.url), now, alert(now, name))
    wait_until(lambda: name in held(alertmanager), 10, "the alert")
