"""What a tick makes of proposals: calibrated, silent where muted, and as people decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from analytics.life import events
from analytics.life.decide import restate
from analytics.life.events import (
    DISMISSED,
    EXPIRED,
    PROPOSED,
    SNOOZED,
    US,
    Standing,
    Step,
)
from analytics.outcomes import calibrate
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Recommendation
from gpuledger.rows import changed
from gpuledger.store import Store

HIDDEN = (DISMISSED, SNOOZED)


@dataclass(frozen=True)
class Settled:
    """Proposals as they are stored, the statuses they have now, and steps that a tick takes."""

    rows: list[Recommendation]
    woken: list[Recommendation]


def settle(store: Store, proposals: Sequence[Recommendation], now: datetime) -> None:
    """Store what advisors propose, as people decided on it; expire what they no longer propose.

    What was accepted stays as it was promised. What was dismissed or snoozed comes back when that
    ends. StoreError.
    """
    told = {p.recommendation_id: p for p in proposals}
    standings = events.standings(store)
    settled = _settled(told, standings, events.muted(store, now), now)
    ratios = calibrate.ratios(store)
    version = to_milliseconds(now)
    store.insert_rows(
        [changed(calibrate.calibrated(p, ratios), version=version) for p in settled.rows]
    )
    back = Step(PROPOSED, US, now, "its time is over")
    events.take_all(
        store,
        [(events.row_of(p), standings[p.recommendation_id], back) for p in settled.woken],
    )
    over = {p.recommendation_id for p in settled.woken}
    over |= _expire(store, {p.recommendation_id for p in settled.rows}, now)
    restate(store, dict(_decided(standings, over)))


def _settled(
    told: Mapping[int, Recommendation],
    standings: Mapping[int, Standing],
    muted: Mapping[int, Step],
    now: datetime,
) -> Settled:
    out = Settled([], [])
    for identifier, proposal in told.items():
        standing = standings.get(identifier)
        status = standing.step.status if standing else PROPOSED
        if standing and status in HIDDEN:
            over = standing.step.until <= now
            out.rows.append(changed(proposal, status=PROPOSED if over else status))
            out.woken.extend([proposal] if over else [])
        elif status in {PROPOSED, EXPIRED} and events.mutes(events.row_of(proposal)) not in muted:
            out.rows.append(changed(proposal, status=PROPOSED))
    return out


def _decided(standings: Mapping[int, Standing], over: set[int]) -> Iterator[tuple[int, str]]:
    """Where decisions stand that a tick at the same time may have written over."""
    for identifier, standing in standings.items():
        if standing.step.status not in {PROPOSED, EXPIRED} and identifier not in over:
            yield identifier, standing.step.status


def _expire(store: Store, seen: set[int], now: datetime) -> set[int]:
    """Let proposals, and snoozed ones, whose reason has gone expire; which ones these are."""
    rows = store.select(
        "SELECT recommendation_id, kind, subject, about, toString(status) AS status"
        " FROM v_recommendations WHERE status IN ('proposed', 'snoozed')"
    )
    gone = {r["recommendation_id"]: r for r in rows if r["recommendation_id"] not in seen}
    standings = events.standings(store, gone)
    over = Step(EXPIRED, US, now, "its reason has gone")
    snoozed = [i for i, s in standings.items() if s.step.status == SNOOZED]
    events.take_all(store, [(gone[i], standings[i], over) for i in snoozed])
    expired = {
        i
        for i in gone
        if i not in standings or standings[i].step.status in {PROPOSED, EXPIRED, SNOOZED}
    }
    restate(store, dict.fromkeys(expired, EXPIRED))
    return expired
