"""What people decide: accept, dismiss, snooze, or say that it was carried out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from analytics.life import events
from analytics.life.events import ACCEPTED, APPLIED, DISMISSED, EXPIRED, PROPOSED, Standing, Step
from gpuledger.errors import ConfigError, Unknown, nearest
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.store import Store

ID_DIGITS = 16
# Candidates for a misspelt id; more would be a scan that no person waits for.
MOST_IDS = 10_000
# Endings that a person can only have by a decision of the kind, and what it must say.
ENDS = {DISMISSED: "a dismissal", events.SNOOZED: "a snooze"}
# What hides for longer is declined, and that needs a reason.
LONGEST_SNOOZE = timedelta(days=366)


@dataclass(frozen=True)
class Decided:
    """A recommendation after a decision."""

    identifier: int
    title: str
    step: Step


def decide(store: Store, beginning: str, step: Step) -> Decided:
    """Take a person's step with the recommendation whose id begins so.

    Said to be applied, a proposal was accepted too. ConfigError for an id that names none or
    several, a step that its life does not have, a dismissal without reason, an end that is past or
    too far ahead, and where somebody else was first.
    """
    _check_said(step)
    row = find(store, beginning)
    identifier = row["recommendation_id"]
    standing = events.standings(store, [identifier]).get(identifier)
    status = status_of(row["status"], standing)
    if step.status == APPLIED and status in {PROPOSED, events.SNOOZED}:
        accepted = replace(step, status=ACCEPTED, reason="", until=FOREVER)
        standing = events.take(store, row, standing, accepted)
        status = ACCEPTED
    events.check(identifier, status, step.status)
    events.take(store, row, standing, step)
    restate(store, {identifier: step.status})
    return Decided(identifier, row["title"], step)


def _check_said(step: Step) -> None:
    if step.status == DISMISSED and not step.reason.strip():
        raise ConfigError("a dismissal needs a reason: give --reason")
    if step.status in ENDS and step.until <= step.at:
        raise ConfigError(f"until {step.until:%Y-%m-%d %H:%M} UTC is not in the future")
    if step.status == events.SNOOZED and step.until - step.at > LONGEST_SNOOZE:
        raise ConfigError(
            f"until {step.until:%Y-%m-%d}: a snooze lasts {LONGEST_SNOOZE.days} days at most;"
            " to decline it, dismiss it with a --reason"
        )


def find(reader: Reader, beginning: str) -> dict[str, Any]:
    """The one recommendation whose id begins so. ConfigError, with the nearest id."""
    lower = beginning.strip().lower()
    rows = reader.select(_FIND, id=lower) if lower else []
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise ConfigError(f"several recommendations begin with '{beginning}': write more of its id")
    known = [r["id"][: max(len(lower), 1)] for r in reader.select(_IDS, most=MOST_IDS)]
    close = nearest(lower, dict.fromkeys(known))
    hint = close or ": see 'gpuledger recommend list'"
    raise Unknown(f"no recommendation begins with '{beginning}'{hint}")


def status_of(stored: str, standing: Standing | None) -> str:
    """The status that counts: a decision outranks what a tick wrote at the same time.

    Whether a proposal stands or expired is what ticks know.
    """
    if standing is None or standing.step.status in {PROPOSED, EXPIRED}:
        return stored if stored in {PROPOSED, EXPIRED} else PROPOSED
    return standing.step.status


def restate(store: Store, statuses: dict[int, str]) -> None:
    """Let the table of recommendations say where these stand."""
    by_status: dict[str, list[int]] = {}
    for identifier, status in statuses.items():
        by_status.setdefault(status, []).append(identifier)
    for status, ids in sorted(by_status.items()):
        listed = ", ".join(map(str, sorted(ids)))
        store.command(
            f"INSERT INTO recommendations SELECT * REPLACE ('{status}' AS status,"
            f" version + 1 AS version) FROM (SELECT * FROM recommendations FINAL"
            f" WHERE recommendation_id IN ({listed}) AND status != '{status}')"
        )


_HEX = f"leftPad(lower(hex(recommendation_id)), {ID_DIGITS}, '0')"
_FIND = f"""
SELECT recommendation_id, kind, subject, about, toString(status) AS status, title
FROM v_recommendations WHERE startsWith({_HEX}, {{id:String}}) LIMIT 2
"""
_IDS = f"""
SELECT {_HEX} AS id FROM v_recommendations
ORDER BY status = 'proposed' DESC, created DESC, id LIMIT {{most:UInt32}}
"""
