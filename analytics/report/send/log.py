"""What was delivered, so that a restart sends nothing twice.

A delivery is a list of turns (`gpuledger.turns`): one that begins (`sending`), one that says how it
ended. Of several senders one begins. What began and has no end long after was under way when a
service ended: nobody knows whether it arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.report.send.outcome import FAILED, SENDING, UNSURE, Outcome
from gpuledger import turns
from gpuledger.catalogue import ReportDelivery
from gpuledger.identity import hash64
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.store import Store

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
# Longer than any run holds on to what it began.
UNDER_WAY = timedelta(minutes=30)
MANAGEMENT, TEAM = "management", "team/"


@dataclass(frozen=True)
class Delivery:
    """One thing for one recipient: `what` is `management` or `team/<name>`."""

    week: str
    edition: int
    what: str
    channel: str
    target: str

    @property
    def delivery_id(self) -> int:
        """The same for the same thing, also after a restart."""
        return hash64(
            "\n".join((self.week, str(self.edition), self.what, self.channel, self.target))
        )

    @property
    def team(self) -> str:
        """Whose part it is; empty = everything."""
        return self.what.removeprefix(TEAM) if self.what.startswith(TEAM) else ""


@dataclass(frozen=True)
class Turn:
    """Where one delivery stands."""

    turn: int
    state: str
    reason: str
    at: datetime
    due: datetime

    def is_due(self, now: datetime, *, again: bool = False) -> bool:
        """Whether it is to be sent now; `again`: whatever became of it, but for one under way."""
        if self.state == SENDING:
            return False
        return again or (self.state == FAILED and self.due <= now)

    @property
    def tries(self) -> int:
        """How often it was begun."""
        return (self.turn + 1) // 2


def standing(reader: Reader, week: str) -> dict[int, Turn]:
    """The last turn of every delivery of a week. StoreError."""
    return {row.pop("delivery_id"): Turn(**row) for row in reader.select(_STANDING, week=week)}


def begin(store: Store, delivery: Delivery, before: Turn | None, now: datetime) -> Turn | None:
    """Begin the next try; None where somebody else did. StoreError."""
    return _take(store, delivery, before, Outcome(SENDING), now, FOREVER)


def end(
    store: Store, delivery: Delivery, begun: Turn, outcome: Outcome, now: datetime, attempts: int
) -> Turn | None:
    """Write down how a try ended; one that failed is tried again later, up to `attempts` times."""
    again = outcome.state == FAILED and begun.tries < attempts
    due = now + min(FIRST_WAIT * 2 ** (begun.tries - 1), LONGEST_WAIT) if again else FOREVER
    return _take(store, delivery, begun, outcome, now, due)


def close_lost(
    store: Store, deliveries: Mapping[int, Delivery], turns: Mapping[int, Turn], now: datetime
) -> dict[int, Turn]:
    """The turns; what began long ago and never ended becomes `unsure`."""
    out = dict(turns)
    for identifier, turn in turns.items():
        delivery = deliveries.get(identifier)
        if delivery and turn.state == SENDING and now - turn.at >= UNDER_WAY:
            lost = Outcome(UNSURE, "the service ended while it was sent: it may have arrived")
            out[identifier] = _take(store, delivery, turn, lost, now, FOREVER) or turn
    return out


def _take(
    store: Store,
    delivery: Delivery,
    before: Turn | None,
    outcome: Outcome,
    now: datetime,
    due: datetime,
) -> Turn | None:
    turn = before.turn + 1 if before else 1
    row = ReportDelivery(
        delivery_id=delivery.delivery_id,
        turn=turn,
        decision=turns.decision(),
        week=delivery.week,
        edition=delivery.edition,
        what=delivery.what,
        channel=delivery.channel,
        target=delivery.target,
        state=outcome.state,
        reason=outcome.reason,
        at=now,
        due=due,
        version=turns.version(now),
    )
    token = f"delivery/{row.delivery_id}/{turn}"
    kept = turns.take(store, row, token, _KEPT, id=row.delivery_id, turn=turn)
    if kept["decision"] != row.decision:
        return None
    return Turn(turn, outcome.state, outcome.reason, now, due)


def listed(reader: Reader, week: str) -> list[dict[str, Any]]:
    """Deliveries of a week as they stand, for people. StoreError."""
    return reader.select(_LISTED, week=week)


_LAST = """
SELECT delivery_id, max(d.turn) AS turn, argMax(d.state, d.turn) AS state,
  argMax(d.reason, d.turn) AS reason, argMax(d.at, d.turn) AS at, argMax(d.due, d.turn) AS due
FROM (SELECT delivery_id, turn, toString(state) AS state, reason, at, due
  FROM report_deliveries FINAL WHERE week = {week:String}) AS d
GROUP BY delivery_id
"""
_STANDING = f"SELECT * FROM ({_LAST}) ORDER BY delivery_id"
_LISTED = f"""
SELECT k.edition AS edition, k.what AS what, k.channel AS channel, k.target AS target,
  l.state AS state, intDiv(l.turn + 1, 2) AS tries, l.reason AS reason, l.at AS at
FROM ({_LAST}) AS l
INNER JOIN (SELECT delivery_id, edition, toString(what) AS what, toString(channel) AS channel,
  target FROM report_deliveries FINAL WHERE week = {{week:String}} AND turn = 1) AS k
  ON k.delivery_id = l.delivery_id
ORDER BY edition, what, channel, target
"""
_KEPT = """
SELECT decision FROM report_deliveries FINAL
WHERE delivery_id = {id:UInt64} AND turn = {turn:UInt32}
"""
