"""The table of `alerts.transition`, row by row, with a clock that only the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.rule import Condition, Owner, Rule, Severity
from alerts.transition import transition
from gpuledger.catalogue import AlertState
from gpuledger.schema import FOREVER
from gpuledger.units import SECOND

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SEEN = Condition("s", 5.0, {"alertname": "R"}, {"summary": "s is 5 s"})
AGO = timedelta(seconds=60)


def rule(for_s: float) -> Rule:
    return Rule(
        name="R",
        help="help",
        sql="SELECT 1",
        labels=(),
        threshold=1.0,
        unit=SECOND,
        for_s=for_s,
        severity=Severity.INFO,
        owner=Owner.PLATFORM,
        measure="idle",
        summary="{subject}",
        runbook="r.md",
    )


def stood(state: str, **times: datetime) -> AlertState:
    values = {"since": NOW - AGO, "fired": FOREVER, "resolved": FOREVER} | times
    return AlertState(
        rule="R",
        subject="s",
        state=state,
        value=2.0,
        labels="{}",
        annotations="{}",
        version=1,
        **values,
    )


PENDING = stood("pending")
FIRING = stood("firing", fired=NOW - AGO)
RESOLVED = stood("resolved", fired=NOW - AGO, resolved=NOW - AGO)


@pytest.mark.parametrize(
    ("for_s", "before", "holds", "state"),
    [
        (90, None, True, "pending"),
        (0, None, True, "firing"),
        (90, RESOLVED, True, "pending"),
        (0, RESOLVED, True, "firing"),
        (90, None, False, None),
        (90, RESOLVED, False, None),
        (90, PENDING, True, "pending"),
        (60, PENDING, True, "firing"),
        (60, PENDING, False, "resolved"),
        (60, FIRING, True, "firing"),
        (60, FIRING, False, "resolved"),
        # A rule whose patience was raised does not call a firing alert back.
        (900, FIRING, True, "firing"),
    ],
)
def test_the_table(for_s: float, before: AlertState | None, holds: bool, state: str | None) -> None:
    after = transition(rule(for_s), before, SEEN if holds else None, NOW)
    assert (after and after.state) == state


def test_waiting_starts_when_the_condition_begins_to_hold() -> None:
    after = transition(rule(90), None, SEEN, NOW)
    assert after
    assert (after.since, after.fired, after.resolved) == (NOW, FOREVER, FOREVER)
    again = transition(rule(90), RESOLVED, SEEN, NOW)
    assert again
    assert (again.since, again.fired, again.resolved) == (NOW, FOREVER, FOREVER)


def test_firing_keeps_its_beginning_and_shows_the_new_value() -> None:
    after = transition(rule(60), FIRING, SEEN, NOW)
    assert after
    assert (after.since, after.fired) == (FIRING.since, FIRING.fired)
    assert after.value == 5.0
    assert after.annotations == '{"summary": "s is 5 s"}'


def test_labels_stay_as_they_were_while_an_alert_lasts() -> None:
    after = transition(rule(60), FIRING, SEEN, NOW)
    assert after
    assert after.labels == FIRING.labels


def test_resolving_leaves_the_earlier_state_alone() -> None:
    after = transition(rule(60), FIRING, None, NOW)
    assert after
    assert (after.resolved, after.fired, after.value) == (NOW, FIRING.fired, FIRING.value)
    assert FIRING.state == "firing"
    assert FIRING.resolved == FOREVER
