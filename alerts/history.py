"""Who was told of what, read from the store: the memory of everybody who tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.transition import FIRING, RESOLVED
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import AlertState, Notification
from gpuledger.identity import hash64
from gpuledger.schema import FOREVER
from gpuledger.store import Store

# Outcomes after which nobody need be told of the same state again.
ACCEPTED, SUMMARISED = "accepted", "summarised"
SHADOWED = "shadow: nobody was told"
# Outcomes of what is not due yet, of what is not told because something else says it, and of what
# a user was told of another subject not long ago.
WAITS, MUTED, REPEATED = "waits", "muted", "not repeated"
# How long an alert that ended is kept in mind: its message may still be on its way.
REMEMBERED = timedelta(days=2)

_STANDING = """
SELECT * FROM v_alert_states WHERE state != 'resolved' OR resolved >= {since:DateTime64(3, 'UTC')}
"""
_HISTORY = f"""
SELECT n.rule AS rule, n.subject AS subject, n.state AS state,
  if(n.receiver = '', n.channel, n.receiver) AS told,
  maxIf(n.ts, {{heard}}) AS heard_at, countIf({{heard}}) > 0 AS heard,
  countIf(n.outcome = '{ACCEPTED}') > 0 AS paged,
  countIf(NOT ({{heard}}) AND NOT ({{waiting}})) AS failures, max(n.ts) AS last_at,
  argMax(n.outcome, n.ts) AS last
FROM v_notifications AS n
INNER JOIN ({_STANDING}) AS a ON a.rule = n.rule AND a.subject = n.subject
WHERE n.ts >= a.fired AND n.ts >= {{first}} AND (n.state = 'firing' OR n.ts >= a.resolved)
GROUP BY rule, subject, state, told
"""
_HEARD = f"n.outcome IN ('{ACCEPTED}', '{SUMMARISED}', '{SHADOWED}')"
_WAITING = " OR ".join(f"startsWith(n.outcome, '{word}')" for word in (WAITS, MUTED, REPEATED))
_TOLD_OF = f"""
SELECT rule, receiver, max(ts) AS at FROM v_notifications
WHERE ts >= {{since:DateTime64(3, 'UTC')}} AND ts < {{now:DateTime64(3, 'UTC')}}
  AND startsWith(receiver, 'user/') AND state = '{FIRING}'
  AND outcome IN ('{ACCEPTED}', '{SUMMARISED}')
GROUP BY rule, receiver
"""


def is_told(outcome: str) -> bool:
    """Whether somebody outside has it now."""
    return outcome in {ACCEPTED, SUMMARISED}


def is_failure(outcome: str) -> bool:
    """Whether it should have been told and was not."""
    aside = (WAITS, MUTED, REPEATED, SHADOWED)
    return not is_told(outcome) and not outcome.startswith(aside)


@dataclass(frozen=True)
class Past:
    """What became of telling one state of one alert to one receiver, since it fired."""

    heard: bool
    heard_at: datetime
    paged: bool
    failures: int
    last_at: datetime
    last: str


@dataclass(frozen=True)
class History:
    """Past by rule, subject, state and receiver."""

    past: Mapping[tuple[str, str, str, str], Past]

    def of(self, alert: AlertState, state: str, receiver: str) -> Past | None:
        """What became of that state of the alert; None where nothing was tried yet."""
        return self.past.get((alert.rule, alert.subject, state, receiver))

    def heard(self, alert: AlertState, state: str, receiver: str) -> bool:
        """Whether the receiver need not be told of that state any more."""
        past = self.of(alert, state, receiver)
        return past is not None and past.heard

    def paged(self, alert: AlertState, receiver: str) -> bool:
        """Whether the receiver was told at once that it fires, not in a summary."""
        past = self.of(alert, FIRING, receiver)
        return past is not None and past.paged

    def is_news(self, message: Notification) -> bool:
        """Whether that outcome is worth a row: the same one again within the hour is none.

        Nor is what waits for the same reason as before, however long.
        """
        key = (message.rule, message.subject, message.state, message.receiver or message.channel)
        past = self.past.get(key)
        hour = timedelta(hours=1)
        if past is None or past.last != message.outcome:
            return True
        return is_failure(message.outcome) and message.ts - past.last_at >= hour


def standing(store: Store, now: datetime) -> list[AlertState]:
    """Alerts that are pending or firing, or ended not long ago. StoreError."""
    return [AlertState(**row) for row in store.select(_STANDING, since=now - REMEMBERED)]


def history(store: Store, alerts: Sequence[AlertState], now: datetime) -> History:
    """What was told of these alerts since they fired. StoreError."""
    fired = [a.fired for a in alerts if a.fired != FOREVER]
    if not fired:
        return History({})
    sql = (
        _HISTORY.replace("{heard}", _HEARD)
        .replace("{waiting}", _WAITING)
        .replace("{first}", "{first:DateTime64(3, 'UTC')}")
    )
    rows = store.select(sql, since=now - REMEMBERED, first=min(fired))
    return History(
        {
            (r["rule"], r["subject"], r["state"], r["told"]): Past(
                heard=bool(r["heard"]),
                heard_at=r["heard_at"],
                paged=bool(r["paged"]),
                failures=r["failures"],
                last_at=r["last_at"],
                last=r["last"],
            )
            for r in rows
        }
    )


def told_users(store: Store, now: datetime, days: float) -> dict[tuple[str, str], datetime]:
    """When each user was last told of each cause within these days, by rule and receiver."""
    rows = store.select(_TOLD_OF, now=now, since=now - timedelta(days=days))
    return {(r["rule"], r["receiver"]): r["at"] for r in rows}


def number(key: Iterable[str], alerts: Iterable[AlertState]) -> int:
    """The number of a message: the same for all who get it, and when it must be sent again."""
    first = min(to_milliseconds(alert.fired) for alert in alerts)
    return hash64("/".join((*key, str(first))))


def noted(
    alert: AlertState,
    now: datetime,
    outcome: str,
    *,
    channel: str,
    receiver: str = "",
    message: int = 0,
    state: str = "",
) -> Notification:
    """The row for one alert of a message; of the state that it is in, if none is said."""
    return Notification(
        ts=now,
        rule=alert.rule,
        subject=alert.subject,
        state=state or (RESOLVED if alert.state == RESOLVED else FIRING),
        channel=channel,
        receiver=receiver,
        message=message,
        outcome=outcome,
    )
