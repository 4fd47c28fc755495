"""Evaluates the rules, moves their alerts on, and has told what people must hear.

The engine remembers nothing: where alerts stand and who was told is read from the store at every
tick, so that a restart neither loses an alert nor tells it twice. Of several services over one
store, the one that holds the lease evaluates.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.cost import prices
from alerts.history import is_failure, is_told, standing
from alerts.notify import Heartbeat
from alerts.rule import Condition, Rule, condition
from alerts.tell import Teller
from alerts.transition import RESOLVED, resolved, transition
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import AlertState
from gpuledger.errors import StoreError
from gpuledger.lease import Lease
from gpuledger.service import Reader
from gpuledger.store import Store

LOG = logging.getLogger("gpuledger.alerts")
# A tick that comes a little early is the one that a rule waits for.
EARLY = timedelta(seconds=5)

Key = tuple[str, str]


@dataclass(frozen=True)
class Ticked:
    """What one evaluation did: alerts by state, notes of what was told and not, failed rules.

    `standby` where another service evaluates: nothing was done.
    """

    states: dict[str, int]
    told: int
    untold: int
    failed: tuple[str, ...]
    standby: bool = False


class Engine:
    """One evaluation of the rules at each tick; single-threaded, like the runner that calls it."""

    def __init__(
        self,
        store: Store,
        rules: Sequence[Rule],
        teller: Teller,
        *,
        lease: Lease | None = None,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._store = store
        self._rules = tuple(rules)
        self._teller = teller
        self._lease = lease
        self._heartbeat = heartbeat
        # Rules of days are asked again after a restart, which changes nothing.
        self._asked: dict[str, datetime] = {}

    def tick(self, now: datetime) -> Ticked:
        """Evaluate, write down where alerts stand, and tell. StoreError where the store is away.

        What could not be handed over is written down too, and tried again at a later tick.
        """
        now = from_milliseconds(to_milliseconds(now))
        if self._lease and not self._lease.hold(now):
            return Ticked({}, 0, 0, (), standby=True)
        before = {(a.rule, a.subject): a for a in standing(self._store, now)}
        after, failed = self._evaluate(before, now)
        self._store.insert_rows(list(after.values()))
        stand = before | after
        told, untold = self._tell(list(stand.values()), now)
        if self._heartbeat:
            self._heartbeat.beat()
        return Ticked(dict(Counter(a.state for a in stand.values())), told, untold, failed)

    def _evaluate(
        self, before: Mapping[Key, AlertState], now: datetime
    ) -> tuple[dict[Key, AlertState], tuple[str, ...]]:
        """New states of every rule that was asked; alerts of the others stay as they are."""
        seen: list[tuple[Rule, dict[str, Condition]]] = []
        failed: list[str] = []
        for rule in self._rules:
            if not self._is_asked(rule, now):
                continue
            try:
                seen.append((rule, look(self._store, rule, now)))
                self._asked[rule.name] = now
            except StoreError as e:
                LOG.warning("rule %s could not be asked: %s", rule.name, e)
                failed.append(rule.name)
        names = {rule.name for rule in self._rules}
        # Nobody would ever end the alerts of a rule that was turned off, renamed or taken away.
        after = {
            key: resolved(alert, now)
            for key, alert in before.items()
            if alert.rule not in names and alert.state != RESOLVED
        }
        for rule, conditions in self._priced(seen, now):
            after |= moved(rule, before, conditions, now)
        return after, tuple(failed)

    def _is_asked(self, rule: Rule, now: datetime) -> bool:
        last = self._asked.get(rule.name)
        return last is None or now < last or now - last + EARLY >= timedelta(seconds=rule.every_s)

    def _priced(
        self, seen: Sequence[tuple[Rule, dict[str, Condition]]], now: datetime
    ) -> list[tuple[Rule, dict[str, Condition]]]:
        """The conditions with what they cost; prices are asked for only where GPUs are lost."""
        if not any(c.gpus for _, found in seen for c in found.values()):
            return list(seen)
        known = prices(self._store, now)
        return [(rule, {s: known.priced(c) for s, c in found.items()}) for rule, found in seen]

    def _tell(self, alerts: Sequence[AlertState], now: datetime) -> tuple[int, int]:
        """Note each message as soon as it was sent: a kill in between repeats that one alone."""
        told = untold = 0
        for notes in self._teller.tell(alerts, now):
            self._store.insert_rows(notes)
            told += sum(is_told(note.outcome) for note in notes)
            untold += sum(is_failure(note.outcome) for note in notes)
        return told, untold


def look(reader: Reader, rule: Rule, now: datetime) -> dict[str, Condition]:
    """Subjects for which the condition holds at that moment. StoreError."""
    rows = reader.select(rule.sql, now=now)
    return {str(r["subject"]): condition(rule, r) for r in rows if rule.holds(r["value"])}


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
