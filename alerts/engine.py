"""Evaluates the rules, moves their alerts on, and hands over what people must hear.

The engine remembers nothing: where alerts stand and who was told is read from the store at every
tick, so that a restart neither loses an alert nor tells it twice.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.notify import ACCEPTED, REFRESH_S, Alertmanager, Notify
from alerts.rule import Condition, Rule, condition
from alerts.settings import AlertSettings, Mode
from alerts.transition import changed_at, is_due, transition
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import AlertState, Notification
from gpuledger.errors import ConfigError, StoreError, nearest
from gpuledger.plugins import discover
from gpuledger.store import Store

LOG = logging.getLogger("gpuledger.alerts")
# A message that nobody took within a day is of no use any more.
REMEMBERED = timedelta(days=1)
REFRESHED, SHADOWED = "refreshed", "shadow: nobody was told"

Key = tuple[str, str]
Told = Mapping[tuple[str, str, str], datetime]

STATES_SQL = """
SELECT * FROM v_alert_states WHERE state != 'resolved' OR resolved >= {since:DateTime64(3, 'UTC')}
"""
TOLD_SQL = """
SELECT rule, subject, state, max(ts) AS at FROM notifications
WHERE channel = {channel:String} AND outcome IN {heard:Array(String)}
  AND ts >= {since:DateTime64(3, 'UTC')}
GROUP BY rule, subject, state
"""


@dataclass(frozen=True)
class Ticked:
    """What one evaluation did: alerts by state, messages handed over and not, rules that failed."""

    states: dict[str, int]
    told: int
    untold: int
    failed: tuple[str, ...]


class Engine:
    """One evaluation of every rule at each tick; single-threaded, like the runner that calls it."""

    def __init__(
        self, store: Store, rules: Sequence[Rule], notify: Notify, mode: Mode = Mode.SHADOW
    ) -> None:
        self._store = store
        self._rules = tuple(rules)
        self._notify = notify
        self._mode = mode

    def tick(self, now: datetime) -> Ticked:
        """Evaluate, write down where alerts stand, and tell. StoreError where the store is away.

        What could not be handed over is written down too, and tried again at the next tick.
        """
        now = from_milliseconds(to_milliseconds(now))
        before = self._standing(now)
        after, failed = self._evaluate(before, now)
        self._store.insert_rows(list(after.values()))
        standing = before | after
        messages = self._tell(list(standing.values()), now)
        self._store.insert_rows(messages)
        heard = sum(m.outcome in {ACCEPTED, REFRESHED} for m in messages)
        untold = 0 if self._mode is Mode.SHADOW else len(messages) - heard
        return Ticked(dict(Counter(a.state for a in standing.values())), heard, untold, failed)

    def _standing(self, now: datetime) -> dict[Key, AlertState]:
        rows = self._store.select(STATES_SQL, since=now - REMEMBERED)
        return {(row["rule"], row["subject"]): AlertState(**row) for row in rows}

    def _evaluate(
        self, before: Mapping[Key, AlertState], now: datetime
    ) -> tuple[dict[Key, AlertState], tuple[str, ...]]:
        """New states of every rule that could be asked; alerts of the others stay as they are."""
        after: dict[Key, AlertState] = {}
        failed: list[str] = []
        for rule in self._rules:
            try:
                seen = self._ask(rule, now)
            except StoreError as e:
                LOG.warning("rule %s could not be asked: %s", rule.name, e)
                failed.append(rule.name)
                continue
            after |= moved(rule, before, seen, now)
        return after, tuple(failed)

    def _ask(self, rule: Rule, now: datetime) -> dict[str, Condition]:
        """Subjects for which the condition holds."""
        rows = self._store.select(rule.sql, now=now)
        return {str(r["subject"]): condition(rule, r) for r in rows if rule.holds(r["value"])}

    def _tell(self, standing: Sequence[AlertState], now: datetime) -> list[Notification]:
        told = self._told(standing)
        refresh_s = REFRESH_S if self._mode is Mode.PAGE else None
        due = [a for a in standing if is_due(a, _at(told, a), now, refresh_s)]
        if not due:
            return []
        outcome = self._notify.send(due, now) if self._mode is Mode.PAGE else SHADOWED
        return [self._message(alert, _at(told, alert), outcome, now) for alert in due]

    def _told(self, standing: Sequence[AlertState]) -> Told:
        """When each state of these alerts was last handed over."""
        if not standing:
            return {}
        rows = self._store.select(
            TOLD_SQL,
            channel=self._channel,
            heard=[ACCEPTED, REFRESHED, SHADOWED],
            since=min(map(changed_at, standing)),
        )
        return {(r["rule"], r["subject"], r["state"]): r["at"] for r in rows}

    def _message(
        self, alert: AlertState, told_at: datetime | None, outcome: str, now: datetime
    ) -> Notification:
        again = told_at is not None and told_at >= changed_at(alert)
        return Notification(
            ts=now,
            rule=alert.rule,
            subject=alert.subject,
            state=alert.state,
            channel=self._channel,
            # Only the first counts as a page; see `measures.PAGES`.
            outcome=REFRESHED if again and outcome == ACCEPTED else outcome,
        )

    @property
    def _channel(self) -> str:
        return self._notify.channel if self._mode is Mode.PAGE else Mode.SHADOW.value


def moved(
    rule: Rule, before: Mapping[Key, AlertState], seen: Mapping[str, Condition], now: datetime
) -> dict[Key, AlertState]:
    """New states of one rule's alerts: of those that stood, and of those that were seen."""
    subjects = {subject for name, subject in before if name == rule.name} | set(seen)
    out = {}
    for subject in sorted(subjects):
        key = (rule.name, subject)
        after = transition(rule, before.get(key), seen.get(subject), now)
        if after:
            out[key] = after
    return out


def _at(told: Told, alert: AlertState) -> datetime | None:
    return told.get((alert.rule, alert.subject, alert.state))


def make_engine(store: Store, settings: AlertSettings) -> Engine:
    """The engine over every rule there is, as the section `[alerts]` says.

    ConfigError for the threshold of a rule that there is not.
    """
    known = {rule.name: rule for rule in discover("alerts.rules", Rule).values()}
    for name in settings.thresholds:
        if name not in known:
            raise ConfigError(f"[alerts] thresholds: unknown rule '{name}'{nearest(name, known)}")
    rules = [
        replace(rule, threshold=settings.thresholds.get(name, rule.threshold))
        for name, rule in known.items()
    ]
    notify = Alertmanager(settings.alertmanager_url, timeout_s=settings.timeout_s)
    return Engine(store, rules, notify, settings.mode)
