from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.engine import Engine, look
from alerts.history import ACCEPTED, noted
from alerts.notify import Heartbeat
from alerts.rule import Rule
from alerts.rules.job_idle_gpu import rule as idle_rule
from alerts.tell import Shadow, Told
from gpuledger.catalogue import AlertState, Rate
from gpuledger.errors import StoreError
from gpuledger.lease import Lease
from gpuledger.store import Store
from tests.alerts.world import Answers, finding

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENT = replace(idle_rule, for_s=120.0)


class Mailbox:
    """Is told of everything that stands, and takes what fires."""

    def __init__(self) -> None:
        self.outcome = ACCEPTED
        self.asked: list[list[tuple[str, str]]] = []

    def tell(self, alerts: Sequence[AlertState], now: datetime) -> Iterator[Told]:
        self.asked.append([(a.subject, a.state) for a in alerts])
        for alert in alerts:
            yield [noted(alert, now, self.outcome, channel="mailbox")]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def telling(store: Store, mailbox: Mailbox, *rules: Rule) -> Engine:
    return Engine(store, rules or (idle_rule,), mailbox)


def idle(store: Store, job: str = "alpha/1", *, open: int = 1, minutes: int = 20) -> None:
    since = START - timedelta(minutes=20)
    until = since + timedelta(minutes=minutes)
    store.insert_rows([finding(job, since=since, until=until, open=open)])


def states(store: Store) -> dict[str, str]:
    rows = store.select("SELECT subject, state FROM v_alert_states ORDER BY subject")
    return {row["subject"]: row["state"] for row in rows}


def test_nothing_wrong_and_nobody_told(store: Store, mailbox: Mailbox) -> None:
    ticked = telling(store, mailbox).tick(START)
    assert (ticked.states, ticked.told, ticked.untold, ticked.failed) == ({}, 0, 0, ())
    assert mailbox.asked == [[]]


def test_pending_then_firing_then_resolved(store: Store, mailbox: Mailbox) -> None:
    engine = telling(store, mailbox, PATIENT)
    idle(store)
    for minute, state in ((0, "pending"), (1, "pending"), (2, "firing")):
        engine.tick(START + minute * MINUTE)
        assert states(store) == {"alpha/1": state}
    idle(store, open=0)
    engine.tick(START + 3 * MINUTE)
    assert states(store) == {"alpha/1": "resolved"}
    [row] = store.select("SELECT since, fired, resolved FROM v_alert_states")
    assert list(row.values()) == [START, START + 2 * MINUTE, START + 3 * MINUTE]


def test_a_restart_goes_on(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    telling(store, mailbox, PATIENT).tick(START)
    telling(store, mailbox, PATIENT).tick(START + 2 * MINUTE)
    [row] = store.select("SELECT since, fired FROM v_alert_states")
    assert list(row.values()) == [START, START + 2 * MINUTE]


def test_what_was_told_and_what_was_not_is_counted_and_written_down(
    store: Store, mailbox: Mailbox
) -> None:
    idle(store)
    engine = telling(store, mailbox)
    assert engine.tick(START).told == 1
    mailbox.outcome = "cannot be reached"
    assert engine.tick(START + MINUTE).untold == 1
    rows = store.select("SELECT channel, outcome FROM notifications ORDER BY ts")
    assert [tuple(r.values()) for r in rows] == [
        ("mailbox", "accepted"),
        ("mailbox", "cannot be reached"),
    ]


def test_what_was_told_is_written_down_before_the_next_message(
    store: Store, mailbox: Mailbox
) -> None:
    class Dies(Mailbox):
        def tell(self, alerts: Sequence[AlertState], now: datetime) -> Iterator[Told]:
            yield [noted(alerts[0], now, ACCEPTED, channel="mailbox")]
            raise StoreError("gone")

    idle(store)
    with pytest.raises(StoreError):
        telling(store, Dies()).tick(START)
    assert store.value("SELECT count() FROM notifications") == 1


def test_a_rule_that_cannot_be_asked_leaves_its_alerts_and_other_rules_alone(
    store: Store, mailbox: Mailbox
) -> None:
    idle(store)
    telling(store, mailbox).tick(START)
    broken = replace(idle_rule, sql="SELECT nonsense FROM v_findings")
    other = replace(idle_rule, name="Other")
    ticked = telling(store, mailbox, broken, other).tick(START + MINUTE)
    assert ticked.failed == ("JobIdleGPU",)
    assert ticked.states == {"firing": 2}


def test_the_alerts_of_a_rule_that_is_off_end(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    telling(store, mailbox).tick(START)
    telling(store, mailbox, replace(idle_rule, name="Other")).tick(START + MINUTE)
    rows = store.select("SELECT rule, state FROM v_alert_states ORDER BY rule")
    assert [tuple(r.values()) for r in rows] == [("JobIdleGPU", "resolved"), ("Other", "firing")]
    assert ("alpha/1", "resolved") in mailbox.asked[-1]


def test_a_rule_of_days_is_asked_when_its_time_has_come(store: Store, mailbox: Mailbox) -> None:
    engine = telling(store, mailbox, replace(idle_rule, every_s=3600.0))
    engine.tick(START)
    idle(store)
    assert engine.tick(START + 59 * MINUTE).states == {}
    assert engine.tick(START + 60 * MINUTE).states == {"firing": 1}
    idle(store, open=0)
    assert engine.tick(START + 61 * MINUTE).states == {"firing": 1}


def test_an_alert_says_what_it_costs(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    rate = Rate(
        cluster="alpha",
        node="n1",
        pool="big",
        model="H200",
        capacity_value=2.5,
        energy_price=None,
        pue=None,
        carbon_per_kwh=None,
        cash_rate=None,
        avoidable_rate=None,
        currency="EUR",
        valid_from=START - timedelta(days=1),
        version=1,
    )
    store.insert_rows([rate])
    telling(store, mailbox).tick(START)
    [row] = store.select("SELECT gpus, cost_per_hour, currency FROM v_alert_states")
    assert row == {"gpus": 1.0, "cost_per_hour": 2.5, "currency": "EUR"}


def test_looking_finds_the_subjects_for_which_the_condition_holds(store: Store) -> None:
    idle(store, "alpha/1")
    idle(store, "alpha/4", minutes=10)
    assert set(look(store, idle_rule, START)) == {"alpha/1"}


def test_of_two_services_one_evaluates(store: Store, mailbox: Mailbox) -> None:
    idle(store)
    first = Engine(store, [idle_rule], mailbox, lease=Lease(store, "alerts", 180, "a"))
    second = Engine(store, [idle_rule], mailbox, lease=Lease(store, "alerts", 180, "b"))
    assert not first.tick(START).standby
    assert second.tick(START).standby
    assert len(mailbox.asked) == 1
    # The first one is gone: the second goes on where it stopped.
    assert second.tick(START + 4 * MINUTE).states == {"firing": 1}


def test_shadow_records_once_and_tells_nobody(store: Store) -> None:
    idle(store)
    engine = Engine(store, [idle_rule], Shadow(store))
    for minute in range(3):
        ticked = engine.tick(START + minute * MINUTE)
    assert states(store) == {"alpha/1": "firing"}
    assert (ticked.states, ticked.told, ticked.untold) == ({"firing": 1}, 0, 0)
    idle(store, open=0)
    engine.tick(START + 3 * MINUTE)
    rows = store.select("SELECT state, channel, outcome FROM notifications ORDER BY ts")
    assert [tuple(r.values()) for r in rows] == [
        ("firing", "shadow", "shadow: nobody was told"),
        ("resolved", "shadow", "shadow: nobody was told"),
    ]


def test_each_tick_that_came_through_is_a_heartbeat(store: Store, mailbox: Mailbox) -> None:
    with Answers() as answers:
        engine = Engine(
            store, [idle_rule], mailbox, heartbeat=Heartbeat(f"{answers.url}/ping", timeout_s=2)
        )
        engine.tick(START)
        store.command("RENAME TABLE notifications TO elsewhere")
        try:
            idle(store)
            with pytest.raises(StoreError):
                engine.tick(START + MINUTE)
        finally:
            store.command("RENAME TABLE elsewhere TO notifications")
        assert [path for path, _ in answers.asked] == ["/ping"]
