"""What one receiver must hear of one alert now, and what waits: decided from the past alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from alerts.history import MUTED, REPEATED, WAITS, History
from alerts.message import labels_of, severity_of
from alerts.routing import Target
from alerts.rule import Owner, Rule, Severity
from alerts.timing import Timing, is_retried
from alerts.transition import FIRING, RESOLVED
from gpuledger.catalogue import AlertState
from gpuledger.schema import FOREVER


class Due(Enum):
    """What to do: nothing, write a note, or tell at once, in a summary, or that it is over."""

    NOTHING = "nothing"
    NOTE = "note"
    PAGE = "page"
    SUMMARY = "summary"
    END = "end"


@dataclass(frozen=True)
class Verdict:
    """What to do with one alert for one receiver; why, where it is not told."""

    due: Due
    why: str = ""


NOTHING = Verdict(Due.NOTHING)
# Whose work begins when an alert ends: users and teams are not told that theirs is over.
HEAR_ENDS = (Owner.PLATFORM, Owner.HARDWARE)


class Mutes:
    """Alerts that explain others: what they mute is not told while they fire."""

    def __init__(self, alerts: Iterable[AlertState], rules: Mapping[str, Rule]) -> None:
        self._by_place: dict[tuple[str, ...], list[AlertState]] = {}
        self._names: set[tuple[str, ...]] = set()
        for alert in alerts:
            rule = rules.get(alert.rule)
            if rule and rule.mutes and alert.fired != FOREVER:
                labels = labels_of(alert)
                # Two absent labels would be equal: an alert of the fleet would mute all others.
                if all(labels.get(name) for name in rule.mutes):
                    self._names.add(rule.mutes)
                    self._by_place.setdefault(_place(rule.mutes, labels), []).append(alert)

    def of(self, alert: AlertState) -> AlertState | None:
        """The alert that mutes this one; None where none does.

        One that is over stays muted if it fired while the other one did.
        """
        labels = labels_of(alert)
        for names in sorted(self._names):
            for other in self._by_place.get(_place(names, labels), []):
                if other.rule != alert.rule and _explains(other, alert):
                    return other
        return None


def _place(names: tuple[str, ...], labels: Mapping[str, str]) -> tuple[str, ...]:
    return (*names, *(labels.get(name, "") for name in names))


def _explains(other: AlertState, alert: AlertState) -> bool:
    if other.state == FIRING:
        return alert.state == FIRING or other.fired <= alert.resolved
    return alert.state == RESOLVED and other.fired <= alert.resolved <= other.resolved


@dataclass(frozen=True)
class Judge:
    """Decides by hours, history and what mutes; `told` is when users last heard of a rule."""

    timing: Timing
    past: History
    mutes: Mutes
    told: Mapping[tuple[str, str], datetime]
    now: datetime

    def verdict(self, alert: AlertState, target: Target) -> Verdict:
        """What that receiver must hear of the alert now."""
        if self.past.heard(alert, FIRING, target.key):
            return self._end(alert, target)
        if muting := self.mutes.of(alert):
            return Verdict(Due.NOTE, f"{MUTED}: {muting.rule} of {muting.subject} explains it")
        severity = severity_of(alert)
        if at := self._repeats(alert, target, severity):
            return Verdict(Due.NOTE, f"{REPEATED}: told of this rule on {at:%Y-%m-%d}")
        if self.timing.is_summarised(severity):
            if alert.fired >= self.timing.last_summary(self.now):
                return self._waits("summary", self.timing.next_summary(self.now))
            return self._tried(alert, target, FIRING, Due.SUMMARY)
        return self._paged(alert, target, FIRING, Due.PAGE)

    def _end(self, alert: AlertState, target: Target) -> Verdict:
        if alert.state != RESOLVED or self.past.heard(alert, RESOLVED, target.key):
            return NOTHING
        owner = json.loads(alert.labels).get("owner", "")
        if owner not in HEAR_ENDS or not self.past.paged(alert, target.key):
            return NOTHING
        return self._paged(alert, target, RESOLVED, Due.END)

    def _paged(self, alert: AlertState, target: Target, state: str, due: Due) -> Verdict:
        if until := self.timing.quiet_until(severity_of(alert), self.now):
            return self._waits("quiet hours", until)
        return self._tried(alert, target, state, due)

    def _tried(self, alert: AlertState, target: Target, state: str, due: Due) -> Verdict:
        past = self.past.of(alert, state, target.key)
        if past and not is_retried(past.failures, past.last_at, self.now):
            return NOTHING
        return Verdict(due)

    def _repeats(self, alert: AlertState, target: Target, severity: Severity) -> datetime | None:
        """When the user was told of that rule within the days of grace; of the worst, always."""
        if not target.is_user or severity is Severity.CRITICAL:
            return None
        at = self.told.get((alert.rule, target.key))
        days = timedelta(days=self.timing.repeat_days)
        return at if at and self.now - at < days else None

    def _waits(self, what: str, until: datetime) -> Verdict:
        wall = until.astimezone(self.timing.zone)
        return Verdict(Due.NOTE, f"{WAITS}: {what}, until {wall:%Y-%m-%d %H:%M %Z}")
