"""Tells people without Alertmanager: who, when, folded into how many messages, and once.

A try is noted right after it was made. Killed in between, we send the message again with the same
number in its last line (and in the header X-Gpuledger-Message of mails): at least once, never lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from alerts import message as words
from alerts.due import Due, Judge, Mutes
from alerts.history import ACCEPTED, SUMMARISED, History, history, noted, told_users
from alerts.message import Message, severity_of
from alerts.receivers import Receivers
from alerts.routing import Routing, Target, routing
from alerts.rule import Rule
from alerts.tell import Told
from alerts.timing import Timing
from alerts.transition import FIRING, RESOLVED
from gpuledger.catalogue import AlertState, Notification
from gpuledger.schema import FOREVER
from gpuledger.store import Store

# The next tick waits for us: what is left when this is over is told then.
BUDGET_S = 30.0
NOBODY = "nobody to tell: no receiver of that owner, nor of the platform"


class Door(Protocol):
    """Somebody who takes messages to an address."""

    def send(self, target: Target, message: Message) -> str:
        """`accepted`, or in one line why not; never an error of its own."""
        ...


@dataclass
class Basket:
    """What one receiver must hear now, and all that it is or was told of."""

    target: Target
    known: list[AlertState] = field(default_factory=list)
    due: dict[Due, list[AlertState]] = field(default_factory=dict)

    def messages(self, rules: Mapping[str, Rule], now: datetime) -> Iterator[tuple[Due, Message]]:
        """Worst first; to a user all at once, since the same rule is not told again for days."""
        key, pages = self.target.key, self.due.get(Due.PAGE, [])
        if pages and self.target.is_user:
            yield Due.PAGE, words.page((key,), pages, key)
        elif pages:
            for group, alerts in words.folded(pages, self.known, rules):
                yield Due.PAGE, words.page(group, alerts, key)
        if over := self.due.get(Due.END):
            yield Due.END, words.ended(over, key, rules)
        if lasting := self.due.get(Due.AGAIN):
            yield Due.AGAIN, words.again(lasting, key, now)
        if quiet := self.due.get(Due.SUMMARY):
            yield Due.SUMMARY, words.summary(quiet, key)


class Direct:
    """Tells every owner at their own address, as hours and history allow."""

    def __init__(
        self,
        store: Store,
        rules: Mapping[str, Rule],
        receivers: Receivers,
        door: Door,
        timing: Timing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._rules = rules
        self._receivers = receivers
        self._door = door
        self._timing = timing
        self._clock = clock

    def tell(self, alerts: Sequence[AlertState], now: datetime) -> Iterator[Told]:
        """Send what is due; what became of it after each message, then of what waits."""
        ends = self._clock() + BUDGET_S
        past = history(self._store, alerts, now)
        baskets, notes = self._baskets(alerts, past, now)
        planned = [(b, *m) for b in baskets for m in b.messages(self._rules, now)]
        planned.sort(key=lambda p: -max(severity_of(a).rank for a in p[2].alerts))
        for basket, due, message in planned:
            if self._clock() > ends:
                break
            yield self._sent(basket.target, due, message, now)
        yield [note for note in notes if past.is_news(note)]

    def _baskets(
        self, alerts: Sequence[AlertState], past: History, now: datetime
    ) -> tuple[list[Basket], Told]:
        """What is due by receiver, and notes on what is not."""
        told = told_users(self._store, now, self._timing.repeat_days)
        baskets: dict[str, Basket] = {}
        notes: Told = []
        routed = list(self._routed(alerts, now, notes))
        hearing = {(alert.rule, alert.subject, target.key) for alert, target in routed}
        judge = Judge(self._timing, past, Mutes(alerts, self._rules), told, hearing, now)
        for alert, target in routed:
            basket = baskets.setdefault(target.key, Basket(target))
            basket.known.append(alert)
            verdict = judge.verdict(alert, target)
            if verdict.due is Due.NOTE:
                state = RESOLVED if past.heard(alert, FIRING, target.key) else FIRING
                notes.append(_note(alert, now, verdict.why, target, state=state))
            elif verdict.due is not Due.NOTHING:
                basket.due.setdefault(verdict.due, []).append(alert)
        return list(baskets.values()), notes

    def _routed(
        self, alerts: Sequence[AlertState], now: datetime, notes: Told
    ) -> Iterator[tuple[AlertState, Target]]:
        routes: Routing = routing(self._store, self._receivers, now)
        for alert in alerts:
            if alert.fired == FOREVER:
                continue
            targets = routes.targets(alert)
            if not targets:
                notes.append(noted(alert, now, NOBODY, channel="none", state=FIRING))
            yield from ((alert, target) for target in targets)

    def _sent(self, target: Target, due: Due, message: Message, now: datetime) -> Told:
        outcome = self._door.send(target, message)
        if outcome == ACCEPTED and due in {Due.SUMMARY, Due.AGAIN}:
            outcome = SUMMARISED
        out: Told = []
        for alert in message.alerts:
            states = [RESOLVED] if due is Due.END else [FIRING]
            if alert.state == RESOLVED and due is Due.PAGE and outcome == ACCEPTED:
                states.append(RESOLVED)  # the message said that it is over
            out += [
                _note(alert, now, outcome, target, state=state, message=message.number)
                for state in states
            ]
        return out


def _note(
    alert: AlertState,
    now: datetime,
    outcome: str,
    target: Target,
    *,
    state: str,
    message: int = 0,
) -> Notification:
    return noted(
        alert,
        now,
        outcome,
        channel=target.address.partition(":")[0],
        receiver=target.key,
        message=message,
        state=state,
    )
