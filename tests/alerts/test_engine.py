from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.engine import Engine, make_engine
from alerts.rule import Rule
from alerts.rules.job_idle_gpu import rule as idle_rule
from alerts.settings import AlertSettings, Mode
from gpuledger.catalogue import AlertState
from gpuledger.store import Store
from tests.alerts.world import finding

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENT = replace(idle_rule, for_s=120.0)


class Mailbox:
    """Takes messages while it is open."""

    channel = "alertmanager"

    def __init__(self) -> None:
        self.outcome = "accepted"
        self.sent: list[list[tuple[str, str]]] = []

    def send(self, alerts: Sequence[AlertState], now: datetime) -> str:
        assert all(a.fired <= now for a in alerts)
        self.sent.append([(a.subject, a.state) for a in alerts])
        return self.outcome


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def paging(store: Store, mailbox: Mailbox, *rules: Rule) -> Engine:
    return Engine(store, rules or (idle_rule,), mailbox, Mode.PAGE)


def idle(store: Store, job: str = "alpha/1", *, open: int = 1, minutes: int = 20) -> None:
    since = START - timedelta(minutes=20)
    until = since + timedelta(minutes=minutes)
    store.insert_rows([finding(job, since=since, until=until, open=open)])


def states(store: Store) -> dict[str, str]:
    rows = store.select("SELECT subject, state FROM v_alert_states ORDER BY subject")
    return {row["subject"]: row["state"] for row in rows}


def outcomes(store: Store) -> list[tuple[Any, ...]]:
    rows = store.select("SELECT state, channel, outcome FROM notifications ORDER BY ts, subject")
    return [tuple(row.values()) for row in rows]


def test_nothing_wrong_and_nobody_told(store: Store, mailbox: Mailbox) -> None:
    ticked = paging(store, mailbox).tick(START)
    assert (ticked.states, ticked.told, ticked.untold, ticked.failed) == ({}, 0, 0, ())
    assert mailbox.sent == []


def test_pending_then_firing_then_resolved(store: Store, mailbox: Mailbox) -> None:
    engine = paging(store, mailbox, PATIENT)
    idle(store)
    for minute, state in ((0, "pending"), (1, "pending"), (2, "firing")):
        engine.tick(START + minute * MINUTE)
        assert states(store) == {"alpha/1": state}
    idle(store, open=0)
    engine.tick(START + 3 * MINUTE)
    assert states(store) == {"alpha/1": "resolved"}
    assert mailbox.sent == [[("alpha/1", "firing")], [("alpha/1", "resolved")]]
    [row] = store.select("SELECT since, fired, resolved FROM v_alert_states")
    assert list(row.values()) == [START, START + 2 * MINUTE, START + 3 * MINUTE]


def test_what_ended_before_it_fired_was_never_told(store: Store, mailbox: Mailbox) -> None:
    engine = paging(store, mailbox, PATIENT)
    idle(store)
    engine.tick(START)
    idle(store, open=0)
    engine.tick(START + MINUTE)
    assert states(store) == {"alpha/1": "resolved"}
    assert mailbox.sent == []


def test_a_restart_goes_on_and_pages_nobody_twice(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    paging(store, mailbox, PATIENT).tick(START)
    paging(store, mailbox, PATIENT).tick(START + 2 * MINUTE)
    assert mailbox.sent == [[("alpha/1", "firing")]]
    paging(store, mailbox, PATIENT).tick(START + 2 * MINUTE + timedelta(seconds=10))
    assert len(mailbox.sent) == 1
    [row] = store.select("SELECT since, fired FROM v_alert_states")
    assert list(row.values()) == [START, START + 2 * MINUTE]


def test_a_firing_alert_is_said_again_but_counts_once(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    for minute in range(3):
        paging(store, mailbox).tick(START + minute * MINUTE)
    assert [outcome for _, _, outcome in outcomes(store)] == ["accepted", "refreshed", "refreshed"]


def test_nothing_is_lost_while_alertmanager_is_away(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    mailbox.outcome = "cannot be reached"
    engine = paging(store, mailbox)
    ticked = engine.tick(START)
    assert (ticked.told, ticked.untold) == (0, 1)
    idle(store, open=0)
    engine.tick(START + MINUTE)
    mailbox.outcome = "accepted"
    engine.tick(START + 2 * MINUTE)
    engine.tick(START + 3 * MINUTE)
    assert outcomes(store) == [
        ("firing", "alertmanager", "cannot be reached"),
        ("resolved", "alertmanager", "cannot be reached"),
        ("resolved", "alertmanager", "accepted"),
        ("resolved", "alertmanager", "refreshed"),
    ]


def test_an_alert_that_comes_back_pages_again(store: Store, mailbox: Mailbox) -> None:
    engine = paging(store, mailbox)
    idle(store)
    engine.tick(START)
    idle(store, open=0)
    engine.tick(START + MINUTE)
    again = finding("alpha/1", since=START, until=START + 20 * MINUTE)
    store.insert_rows([again])
    engine.tick(START + 20 * MINUTE)
    assert [outcome for _, _, outcome in outcomes(store)] == ["accepted"] * 3
    assert [batch[0][1] for batch in mailbox.sent] == ["firing", "resolved", "firing"]


def test_shadow_records_and_tells_nobody(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    engine = Engine(store, [idle_rule], mailbox)
    for minute in range(3):
        ticked = engine.tick(START + minute * MINUTE)
    assert mailbox.sent == []
    assert states(store) == {"alpha/1": "firing"}
    assert outcomes(store) == [("firing", "shadow", "shadow: nobody was told")]
    assert (ticked.states, ticked.untold) == ({"firing": 1}, 0)


def test_what_fires_when_shadow_ends_is_told(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    Engine(store, [idle_rule], mailbox).tick(START)
    paging(store, mailbox).tick(START + MINUTE)
    assert mailbox.sent == [[("alpha/1", "firing")]]


def test_a_rule_that_cannot_be_asked_leaves_its_alerts_and_other_rules_alone(
    store: Store, mailbox: Mailbox
) -> None:
    idle(store)
    engine = paging(store, mailbox)
    engine.tick(START)
    broken = replace(idle_rule, sql="SELECT nonsense FROM v_findings")
    other = replace(idle_rule, name="Other")
    ticked = paging(store, mailbox, broken, other).tick(START + MINUTE)
    assert ticked.failed == ("JobIdleGPU",)
    assert ticked.states == {"firing": 2}


def test_alerts_of_many_subjects_are_one_message(store: Store, mailbox: Mailbox) -> None:
    for job in ("alpha/1", "alpha/2", "alpha/3"):
        idle(store, job)
    idle(store, "alpha/4", minutes=10)
    ticked = paging(store, mailbox).tick(START)
    assert len(mailbox.sent) == 1
    assert ticked.told == 3
    assert "alpha/4" not in states(store)


def test_the_engine_is_made_from_the_section_and_every_rule(store: Store) -> None:
    idle(store)
    ticked = make_engine(store, AlertSettings()).tick(START)
    assert (ticked.states, ticked.failed) == ({"firing": 1}, ())
    assert outcomes(store)[0][1] == "shadow"
