"""Where recommendations stand, as a list of steps of which each is written once.

A step is a turn of its recommendation (`gpuledger.turns`): of several deciders the first one wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpuledger import turns
from gpuledger.catalogue import Recommendation, RecommendationEvent
from gpuledger.errors import Conflict
from gpuledger.identity import hash64
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.store import Store

PROPOSED, ACCEPTED, DISMISSED, SNOOZED = "proposed", "accepted", "dismissed", "snoozed"
EXPIRED, APPLIED, MEASURED, UNMEASURED = "expired", "applied", "measured", "not_measurable"
# What a person's step is called where it is asked for and written down.
VERBS: Mapping[str, str] = {
    ACCEPTED: "accept",
    DISMISSED: "dismiss",
    SNOOZED: "snooze",
    APPLIED: "applied",
}
# From where to where; a snoozed one is a proposal that hides, and may be decided on all the same.
NEXT: Mapping[str, tuple[str, ...]] = {
    PROPOSED: (ACCEPTED, DISMISSED, SNOOZED, EXPIRED),
    SNOOZED: (PROPOSED, ACCEPTED, DISMISSED, SNOOZED, EXPIRED),
    DISMISSED: (PROPOSED, EXPIRED),
    EXPIRED: (PROPOSED,),
    ACCEPTED: (APPLIED,),
    APPLIED: (MEASURED, UNMEASURED),
    MEASURED: (),
    UNMEASURED: (),
}
US = "gpuledger"


@dataclass(frozen=True)
class Step:
    """Somebody's decision: the status that it leads to, who, why, and until when."""

    status: str
    by: str
    at: datetime
    reason: str = ""
    until: datetime = FOREVER


@dataclass(frozen=True)
class Standing:
    """Where one recommendation stands: how many steps it took, and the last one."""

    turn: int
    step: Step


def mutes(row: Mapping[str, Any]) -> int:
    """What a dismissal is about: the kind of advice and its subject, whatever the finding."""
    return hash64(f"{row['kind']}/{row['about'] or row['subject']}")


def shares(resources: str) -> dict[str, float]:
    """What a gain is made of, to its GPU-hours; empty where nobody said, or not so."""
    try:
        return {k: float(v) for k, v in json.loads(resources or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def standings(reader: Reader, ids: Iterable[int] | None = None) -> dict[int, Standing]:
    """Where recommendations stand that anybody decided on: some, or all. StoreError."""
    some = sorted(ids) if ids is not None else []
    if ids is not None and not some:
        return {}
    rows = reader.select(_STANDINGS, ids=some)
    return {
        r["id"]: Standing(r["turn"], Step(r["status"], r["by"], r["at"], r["reason"], r["until"]))
        for r in rows
    }


def muted(reader: Reader, now: datetime) -> dict[int, Step]:
    """What dismissals mute now: hash of kind and subjects to the dismissal that lasts longest."""
    rows = reader.select(_MUTED, now=now)
    return {r["mutes"]: Step(DISMISSED, r["by"], r["at"], r["reason"], r["until"]) for r in rows}


def take(store: Store, row: Mapping[str, Any], before: Standing | None, step: Step) -> Standing:
    """Take a step from where the recommendation stood. ConfigError where another one was first.

    `row` has its id, kind, subject and `about` as the table of recommendations has them.
    """
    turn = before.turn + 1 if before else 1
    event = _event(row, turn, step)
    kept = turns.take(
        store, event, _token(event), _KEPT, id=event.recommendation_id, turn=event.turn
    )
    if kept["decision"] != event.decision:
        raise Conflict(
            f"recommendation {short(event.recommendation_id)}: {kept['by']} was first, it is"
            f" {kept['status']} since {kept['at']:%Y-%m-%d %H:%M:%S} UTC"
        )
    return Standing(turn, step)


def take_all(store: Store, rows: Sequence[tuple[Mapping[str, Any], Standing | None, Step]]) -> None:
    """What we see ourselves: many steps at once; where somebody was first, theirs holds."""
    for row, before, step in rows:
        event = _event(row, before.turn + 1 if before else 1, step)
        turns.put(store, event, _token(event))


def check(identifier: int, standing: str, status: str) -> None:
    """ConfigError where the life of a recommendation has no such step."""
    if status in NEXT[standing]:
        return
    ways = NEXT[standing]
    may = f"it can only become {' or '.join(ways)}" if ways else "its life is over"
    raise Conflict(f"recommendation {short(identifier)} is {standing}: {may}, not {status}")


def short(identifier: int) -> str:
    """An id as lists print it."""
    return f"{identifier:016x}"[:8]


def row_of(proposal: Recommendation) -> dict[str, Any]:
    """What a step needs to know of a proposal."""
    names = ("recommendation_id", "kind", "subject", "about")
    return {name: proposal.__dict__[name] for name in names}


def _token(event: RecommendationEvent) -> str:
    return f"{event.recommendation_id}/{event.turn}"


def _event(row: Mapping[str, Any], turn: int, step: Step) -> RecommendationEvent:
    return RecommendationEvent(
        recommendation_id=row["recommendation_id"],
        turn=turn,
        decision=turns.decision(),
        status=step.status,
        kind=row["kind"],
        mutes=mutes(row),
        by=step.by,
        reason=step.reason,
        at=step.at,
        until=step.until,
        version=turns.version(step.at),
    )


_STANDINGS = """
SELECT recommendation_id AS id, max(e.turn) AS turn, argMax(e.status, e.turn) AS status,
  argMax(e.by, e.turn) AS by, argMax(e.reason, e.turn) AS reason, argMax(e.at, e.turn) AS at,
  argMax(e.until, e.turn) AS until
FROM (SELECT recommendation_id, turn, toString(status) AS status, toString(by) AS by, reason, at,
  until FROM recommendation_events FINAL
  WHERE empty({ids:Array(UInt64)}) OR recommendation_id IN {ids:Array(UInt64)}) AS e
GROUP BY id ORDER BY id
"""
_MUTED = """
SELECT mutes, argMax(toString(e.by), e.until) AS by, argMax(e.reason, e.until) AS reason,
  argMax(e.at, e.until) AS at, max(e.until) AS until
FROM (SELECT mutes, by, reason, at, until FROM recommendation_events FINAL
  WHERE status = 'dismissed' AND until > {now:DateTime64(3, 'UTC')}) AS e
GROUP BY mutes
"""
_KEPT = """
SELECT decision, toString(by) AS by, toString(status) AS status, at
FROM recommendation_events FINAL
WHERE recommendation_id = {id:UInt64} AND turn = {turn:UInt32}
"""
