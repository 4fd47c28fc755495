"""What one receiver must hear of one alert now, and what waits: decided from the past alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
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
    """What to do: nothing, write a note, or tell: at once, in a summary, again, that it is over."""

    NOTHING = "nothing"
    NOTE = "note"
    PAGE = "page"
    SUMMARY = "summary"
    AGAIN = "again"
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
    """Alerts that explain others: what they mute is not told while they fire.

    They mute what is no worse than they are and began no earlier; never one another.
    """

    def __init__(self, alerts: Iterable[AlertState], rules: Mapping[str, Rule]) -> None:
        self._by_place: dict[tuple[str, ...], list[AlertState]] = {}
        self._names: set[tuple[str, ...]] = set()
        self._muting = {rule.name for rule in rules.values() if rule.mutes}
        for alert in alerts:
            rule = rules.get(alert.rule)
            if rule and rule.mutes and alert.fired != FOREVER:
                labels = labels_of(alert)
                # Two absent labels would be equal: an alert of the fleet would mute all others.
                if all(labels.get(name) for name in rule.mutes):
                    self._names.add(rule.mutes)
                    self._by_place.setdefault(_place(rule.mutes, labels), []).append(alert)

    def of(self, alert: AlertState) -> list[AlertState]:
        """The alerts that mute this one for whoever was told of them.

        One that is over stays muted if it ended while the other one fired.
        """
        if alert.rule in self._muting:
            return []
        labels = labels_of(alert)
        return [
            other
            for names in sorted(self._names)
            for other in self._by_place.get(_place(names, labels), [])
            if _explains(other, alert)
        ]


def _place(names: tuple[str, ...], labels: Mapping[str, str]) -> tuple[str, ...]:
    return (*names, *(labels.get(name, "") for name in names))


def _explains(other: AlertState, alert: AlertState) -> bool:
    if other.fired > alert.fired or severity_of(other).rank < severity_of(alert).rank:
        return False
    return other.state == FIRING or (alert.state == RESOLVED and alert.resolved <= other.resolved)


@dataclass(frozen=True)
class Judge:
    """Decides by hours, history and what mutes.

    `told` is when users last heard of a rule, `routed` who hears of which rule and subject.
    """

    timing: Timing
    past: History
    mutes: Mutes
    told: Mapping[tuple[str, str], datetime]
    routed: Collection[tuple[str, str, str]]
    now: datetime

    def verdict(self, alert: AlertState, target: Target) -> Verdict:
        """What that receiver must hear of the alert now."""
        if self.past.heard(alert, FIRING, target.key):
            return self._again(alert, target) or self._end(alert, target)
        if muting := self._muting(alert, target):
            return Verdict(Due.NOTE, f"{MUTED}: {muting.rule} of {muting.subject} explains it")
        severity = severity_of(alert)
        if at := self._repeats(alert, target, severity):
            return Verdict(Due.NOTE, f"{REPEATED}: told of this rule on {at:%Y-%m-%d}")
        if alert.state == RESOLVED and self._was_repeat(alert, target):
            return NOTHING
        if self.timing.is_summarised(severity):
            return self._summarised(alert, target)
        return self._paged(alert, target, FIRING, Due.PAGE)

    def _summarised(self, alert: AlertState, target: Target) -> Verdict:
        if alert.fired >= self.timing.last_summary(self.now):
            return self._waits("summary", self.timing.next_summary(self.now))
        return self._paged(alert, target, FIRING, Due.SUMMARY)

    def _muting(self, alert: AlertState, target: Target) -> AlertState | None:
        """What mutes the alert for that receiver, who was told of it or is told now."""
        for other in self.mutes.of(alert):
            if self.past.heard(other, FIRING, target.key):
                return other
            heard_now = (other.rule, other.subject, target.key) in self.routed
            if heard_now and self.verdict(other, target).due in {Due.PAGE, Due.SUMMARY}:
                return other
        return None

    def _again(self, alert: AlertState, target: Target) -> Verdict | None:
        """What lasts is told again at the hour of the summary once the days have gone by."""
        past, days = self.past.of(alert, FIRING, target.key), self.timing.repeat_days
        if not past or not days or alert.state != FIRING:
            return None
        since = self.timing.last_summary(self.now)
        if past.heard_at > since - timedelta(days=days):
            return None
        if target.is_user and self._told_within(alert, target):
            return None
        return self._paged(alert, target, FIRING, Due.AGAIN)

    def _was_repeat(self, alert: AlertState, target: Target) -> bool:
        """Whether all that waited was the days between repeats: what ended meanwhile is no news."""
        past = self.past.of(alert, FIRING, target.key)
        return past is not None and past.last.startswith(REPEATED)

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
        return self._told_within(alert, target)

    def _told_within(self, alert: AlertState, target: Target) -> datetime | None:
        at = self.told.get((alert.rule, target.key))
        days = timedelta(days=self.timing.repeat_days)
        return at if at and self.now - at < days else None

    def _waits(self, what: str, until: datetime) -> Verdict:
        wall = until.astimezone(self.timing.zone)
        return Verdict(Due.NOTE, f"{WAITS}: {what}, until {wall:%Y-%m-%d %H:%M %Z}")
