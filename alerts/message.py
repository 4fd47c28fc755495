"""Messages: which alerts are told in one, and in which words.

Plain text throughout: whoever shows it as HTML escapes it. Names come from users and are given
whole; only control characters are taken out, and a title is cut.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from unicodedata import category

from alerts.history import number
from alerts.rule import Rule, Severity
from alerts.transition import RESOLVED
from gpuledger.catalogue import AlertState

# More than five of one rule within a minute are one message that counts them (a storm).
STORM_OVER, STORM_WITHIN = 5, timedelta(seconds=60)
LISTED = 20
LATE_H = 1.0
LONGEST_TITLE = 120
TURNING = {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))}


@dataclass(frozen=True)
class Message:
    """One message: the alerts that it tells, its words, and a number that repeats keep."""

    title: str
    body: str
    alerts: tuple[AlertState, ...]
    number: int

    @property
    def reference(self) -> str:
        """The number as people and mail filters see it."""
        return f"{self.number:016x}"


def severity_of(alert: AlertState) -> Severity:
    """The severity that its labels say; a warning where they say none that we know."""
    told = labels_of(alert).get("severity", "")
    return Severity(told) if told in {*Severity} else Severity.WARNING


def labels_of(alert: AlertState) -> dict[str, str]:
    """Its labels."""
    return dict(json.loads(alert.labels))


def group_of(alert: AlertState, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """What it folds by: the values of its rule's group, or the rule where it has none of them."""
    rule, labels = rules.get(alert.rule), labels_of(alert)
    found = [f"{name} {labels[name]}" for name in (rule.group if rule else ()) if labels.get(name)]
    return tuple(found) or (alert.rule,)


def folded(
    due: Sequence[AlertState], known: Iterable[AlertState], rules: Mapping[str, Rule]
) -> list[tuple[tuple[str, ...], list[AlertState]]]:
    """Alerts by what they fold to: a rule where it storms, else their group; worst first.

    `known` are all that the receiver is told or was: a storm may have begun a moment ago.
    """
    stormy = storms(due, known)
    groups: dict[tuple[str, ...], list[AlertState]] = defaultdict(list)
    for alert in due:
        storm = alert.rule in stormy
        groups[("storm", alert.rule) if storm else group_of(alert, rules)].append(alert)
    return sorted(groups.items(), key=lambda g: (-max(severity_of(a).rank for a in g[1]), g[0]))


def storms(due: Sequence[AlertState], known: Iterable[AlertState]) -> set[str]:
    """Rules of which more alerts fired within a minute than anybody wants to read one by one."""
    newest: dict[str, datetime] = {}
    for alert in due:
        newest[alert.rule] = max(alert.fired, newest.get(alert.rule, alert.fired))
    counts: dict[str, int] = defaultdict(int)
    for alert in {(a.rule, a.subject): a for a in (*known, *due)}.values():
        at = newest.get(alert.rule)
        if at and at - STORM_WITHIN <= alert.fired <= at:
            counts[alert.rule] += 1
    return {rule for rule, count in counts.items() if count > STORM_OVER}


def page(group: tuple[str, ...], alerts: Sequence[AlertState], to: str) -> Message:
    """What is told at once."""
    first, more = alerts[0], len(alerts) - 1
    worst = max(map(severity_of, alerts), key=lambda s: s.rank)
    if not more:
        title = f"[{worst.value}] {first.rule}: {first.subject}"
    elif group[0] == "storm":
        title = f"[{worst.value}] {len(alerts)} × {first.rule}"
    else:
        title = f"[{worst.value}] {len(alerts)} alerts: {', '.join(group)}"
    return _message(title, _listed(alerts), alerts, ("page", *group), to)


def summary(alerts: Sequence[AlertState], to: str) -> Message:
    """What can wait, once a day: by rule, the most frequent first."""
    by_rule: dict[str, list[AlertState]] = defaultdict(list)
    for alert in alerts:
        by_rule[alert.rule].append(alert)
    parts = sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = [line for name, told in parts for line in (f"{name}: {len(told)}", *_listed(told), "")]
    title = f"gpuledger: {_counted(len(alerts))} since the last summary"
    return _message(title, lines[:-1], alerts, ("summary",), to)


def again(alerts: Sequence[AlertState], to: str, now: datetime) -> Message:
    """What was told days ago and still fires; another message than the one before."""
    title = f"gpuledger: {_counted(len(alerts))} still firing"
    return _message(title, _listed(alerts, again=True), alerts, ("again", f"{now:%Y-%m-%d}"), to)


def ended(alerts: Sequence[AlertState], to: str, rules: Mapping[str, Rule]) -> Message:
    """That alerts which were told are over, and whether that means that they are mended."""
    one = len(alerts) == 1
    what = f"{alerts[0].rule}: {alerts[0].subject}" if one else _counted(len(alerts))
    unseen = [not_mended(a, rules.get(a.rule)) for a in alerts]
    lines = [
        f"{a.rule}: {a.subject}, from {_at(a.fired)} to {_at(a.resolved)}{why and f': {why}'}"
        for a, why in zip(alerts, unseen, strict=True)
    ]
    how = "no longer seen" if all(unseen) else "ended"
    return _message(f"[{how}] {what}", _cut(lines), alerts, ("ended",), to)


def not_mended(alert: AlertState, rule: Rule | None) -> str:
    """Why an alert is over though nothing told that it was mended; empty where something did."""
    if rule is None:
        return "no longer looked at, its rule is off"
    seen_h = (alert.resolved - alert.since) / timedelta(hours=1)
    # Events may come late: what stood for nearly the whole time was not mended in it.
    if rule.fades_h and seen_h >= rule.fades_h - LATE_H:
        return f"no longer seen for {rule.fades_h / 24:g} days; nothing told that it was mended"
    return ""


def _message(
    title: str, lines: Sequence[str], alerts: Sequence[AlertState], key: tuple[str, ...], to: str
) -> Message:
    # The same for all who hear of it: one page counts once.
    found = number(key, alerts)
    last = f"To {to}. Message {found:016x}: gpuledger alerts status"
    body = "\n".join(map(_plain, (*lines, "", last)))
    return Message(_short(_plain(title)), body, tuple(alerts), found)


def _listed(alerts: Sequence[AlertState], *, again: bool = False) -> list[str]:
    worst_first = sorted(alerts, key=lambda a: (-(a.cost_per_hour or 0), a.rule, a.subject))
    lines = [_line(alert, again=again) for alert in worst_first]
    read = sorted({json.loads(a.annotations).get("runbook", "") for a in alerts} - {""})
    return [*_cut(lines), *(f"What to do: {page}" for page in read)]


def _line(alert: AlertState, *, again: bool = False) -> str:
    told = json.loads(alert.annotations)
    parts = [str(told.get("summary") or alert.subject)]
    if alert.cost_per_hour:
        parts.append(f"{alert.cost_per_hour:.2f} {alert.currency} an hour")
    if alert.state == RESOLVED:
        parts.append(f"over since {_at(alert.resolved)}")
    elif again:
        parts.append(f"since {_at(alert.fired)}")
    return f"- {'; '.join(parts)}"


def _cut(lines: Sequence[str]) -> list[str]:
    left = len(lines) - LISTED
    return [*lines[:LISTED], *([f"… and {left} more"] if left > 0 else [])]


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _counted(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"


def _plain(line: str) -> str:
    """Without control characters: a line break in a title would be a header of a mail.

    Nor such as turn the direction of reading: with them a name looks like another one.
    """
    return "".join(" " if _is_control(c) else c for c in line)


def _is_control(c: str) -> bool:
    return category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in TURNING


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
