"""From what stood and what was seen to what stands now: pending → firing → resolved.

| stood | condition | stands |
|---|---|---|
| nothing or resolved | holds | pending, or firing where `for_s` is 0 |
| nothing or resolved | does not hold | as before |
| pending | holds | pending until it has held for `for_s`, then firing |
| pending | does not hold | resolved, without ever having fired |
| firing | holds | firing |
| firing | does not hold | resolved |
"""

from __future__ import annotations

import json
from datetime import datetime

from alerts.rule import Condition, Rule
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import AlertState
from gpuledger.schema import FOREVER

PENDING, FIRING, RESOLVED = "pending", "firing", "resolved"


def transition(
    rule: Rule, before: AlertState | None, seen: Condition | None, now: datetime
) -> AlertState | None:
    """The state to write down; None where nothing is new.

    `seen` is None when the condition does not hold.
    """
    standing = before if before and before.state != RESOLVED else None
    if seen:
        return _holding(rule, standing, seen, now)
    return resolved(standing, now) if standing else None


def _holding(rule: Rule, standing: AlertState | None, seen: Condition, now: datetime) -> AlertState:
    since = standing.since if standing else now
    fired = standing.fired if standing else FOREVER
    if fired == FOREVER and (now - since).total_seconds() >= rule.for_s:
        fired = now
    return AlertState(
        rule=rule.name,
        subject=seen.subject,
        state=PENDING if fired == FOREVER else FIRING,
        since=since,
        fired=fired,
        value=seen.value,
        gpus=seen.gpus,
        cost_per_hour=seen.cost_per_hour,
        currency=seen.currency,
        # The first labels stay: an alert with other labels is another alert to Alertmanager.
        labels=standing.labels if standing else _json(seen.labels),
        annotations=_json(seen.annotations),
        version=to_milliseconds(now),
    )


def resolved(standing: AlertState, now: datetime) -> AlertState:
    """The state of an alert that is over."""
    values = vars(standing) | {"state": RESOLVED, "resolved": now, "version": to_milliseconds(now)}
    return AlertState(**values)


def _json(words: dict[str, str]) -> str:
    return json.dumps(words, sort_keys=True)
