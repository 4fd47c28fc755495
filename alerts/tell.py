"""Those who tell: nobody (shadow), or Alertmanager, which then decides who hears it.

Each is asked at every tick what is to be told of the alerts that stand, and gives back what became
of it, to be written down at once: what was told and not yet written when we died is told again,
under the same labels or number, and never lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from alerts.history import ACCEPTED, SHADOWED, History, history, noted, number
from alerts.message import group_of
from alerts.notify import Notify, payload, watchdog
from alerts.rule import Rule
from alerts.transition import FIRING, RESOLVED
from gpuledger.catalogue import AlertState, Notification
from gpuledger.schema import FOREVER
from gpuledger.store import Store

# An end that lies ahead of Alertmanager's clock is no end to it; said again, it is.
# Prometheus repeats it for 15 minutes (rules/alerting.go, resolvedRetention).
END_REPEATED = timedelta(minutes=5)
ALERTMANAGER = "alertmanager"

Told = list[Notification]


class Teller(Protocol):
    """Somebody who knows whom to tell."""

    def tell(self, alerts: Sequence[AlertState], now: datetime) -> Iterator[Told]:
        """Tell what is due of these alerts; what became of it, message by message. StoreError."""
        ...


class Shadow:
    """Tells nobody, and says so once for each state of an alert."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tell(self, alerts: Sequence[AlertState], now: datetime) -> Iterator[Told]:
        """Notes of what would have been told."""
        past = history(self._store, alerts, now)
        fired = [a for a in alerts if a.fired != FOREVER]
        yield [
            noted(a, now, SHADOWED, channel="shadow")
            for a in fired
            if not past.heard(a, a.state, "shadow")
        ]


class ThroughAlertmanager:
    """Tells Alertmanager what fires at every tick, and for a while what ended.

    Only news are noted. One POST may come twice: to Alertmanager the labels are the alert.
    """

    def __init__(self, store: Store, rules: Mapping[str, Rule], sender: Notify) -> None:
        self._store = store
        self._rules = rules
        self._sender = sender

    def tell(self, alerts: Sequence[AlertState], now: datetime) -> Iterator[Told]:
        """Post, and note what is new."""
        past = history(self._store, alerts, now)
        due = [a for a in alerts if a.fired != FOREVER and _is_posted(a, past, now)]
        late = {id(a) for a in due if _is_late(a, past)}
        bodies = [payload(a, now, late=id(a) in late) for a in due]
        outcome = self._sender.send([watchdog(now), *bodies])
        messages = self._numbers(due)
        notes = [
            noted(a, now, outcome, channel=ALERTMANAGER, message=messages[id(a)], state=state)
            for a in due
            for state in ((FIRING, RESOLVED) if id(a) in late else (a.state,))
            if not past.heard(a, state, ALERTMANAGER)
        ]
        yield [n for n in notes if outcome == ACCEPTED or past.is_news(n)]

    def _numbers(self, due: Sequence[AlertState]) -> dict[int, int]:
        """The number of each alert's group: Alertmanager folds by the same labels."""
        groups: dict[tuple[str, ...], list[AlertState]] = {}
        for alert in due:
            groups.setdefault(group_of(alert, self._rules), []).append(alert)
        return {id(a): number(key, [a]) for key, told in groups.items() for a in told}


def _is_posted(alert: AlertState, past: History, now: datetime) -> bool:
    if alert.state == FIRING or _is_late(alert, past):
        return True
    told = past.of(alert, FIRING, ALERTMANAGER)
    if told and told.last_at >= alert.resolved:
        return False  # told late, with its end: that must not be cut short
    unheard = not past.heard(alert, RESOLVED, ALERTMANAGER)
    return unheard or now - alert.resolved <= END_REPEATED


def _is_late(alert: AlertState, past: History) -> bool:
    """Whether it was over before anybody heard of it: Alertmanager tells nobody of an end alone."""
    return alert.state == RESOLVED and not past.heard(alert, FIRING, ALERTMANAGER)
