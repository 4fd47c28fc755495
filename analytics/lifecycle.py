"""What becomes of findings and recommendations from tick to tick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from analytics.book import Span
from analytics.life import applied, events
from analytics.life import settle as settling
from analytics.life.decide import restate
from analytics.life.events import ACCEPTED, APPLIED, US, Standing, Step
from analytics.outcomes import judge
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.store import Store


def keep_ids(store: Store, findings: Sequence[Finding], since: datetime) -> list[Finding]:
    """The findings, with the id of the stored episode that they overlap.

    Without those that a span from `since` on shows cut short: what is stored of them stays.
    """
    if not findings:
        return []
    stored: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in store.select(_STORED_SQL, since=min(f.since for f in findings)):
        stored[row["kind"], row["subject"]].append(row)
    kept = []
    for finding in findings:
        same = stored[finding.kind, finding.subject]
        old = next((o for o in same if _overlap(finding, o)), None)
        if old and old["since"] < since:
            continue
        if old:
            # An episode that fell apart leaves its id to its largest part.
            same.remove(old)
            finding.finding_id = old["finding_id"]
        kept.append(finding)
    return kept


def older(store: Store, span: Span) -> Span | None:
    """What has to be looked at again from before the span: subjects of episodes that reach into it.

    Few subjects go on for long, and the rest must not be read again because of them.
    """
    rows = store.select(
        "SELECT subject, min(since) AS began FROM v_findings"
        " WHERE since < {since:DateTime64(3, 'UTC')}"
        " AND (open = 1 OR until >= {since:DateTime64(3, 'UTC')})"
        " GROUP BY subject ORDER BY subject",
        since=span.since,
    )
    if not rows:
        return None
    began = min(r["began"] for r in rows).replace(second=0, microsecond=0)
    return Span(began, span.until, tuple(r["subject"] for r in rows))


def _overlap(finding: Finding, old: Mapping[str, Any]) -> bool:
    return bool(old["since"] <= finding.until and old["until"] >= finding.since)


_STORED_SQL = """
SELECT finding_id, kind, subject, since, until FROM v_findings
WHERE until >= {since:DateTime64(3, 'UTC')} ORDER BY since, finding_id
"""

# In a SELECT with REPLACE, WHERE would see the replaced value: hence the inner questions.


def close_findings(store: Store, seen: Iterable[int], version: int) -> None:
    """Close the open findings that no detector reports any more."""
    store.command(
        f"INSERT INTO findings SELECT * REPLACE (0 AS open, {version} AS version) FROM"
        f" (SELECT * FROM findings FINAL WHERE open = 1 AND finding_id NOT IN ({_ids(seen)}))"
    )


def settle(store: Store, proposals: Sequence[Recommendation], now: datetime) -> None:
    """Store what advisors propose, as people decided on it; then see what was carried out.

    What was accepted and shows its sign is applied, and what was applied long enough ago gets its
    outcome. StoreError.
    """
    settling.settle(store, proposals, now)
    for row in _standing(store, ACCEPTED):
        seen = applied.sign(store, row, row["at"], now)
        if seen:
            _step(store, row, Step(APPLIED, US, now, seen))
    for row in _standing(store, APPLIED):
        outcome = judge.outcome(store, row, now)
        if outcome:
            store.insert_rows([outcome])
            _step(store, row, Step(outcome.status, US, now, outcome.reason))


def _standing(store: Store, status: str) -> list[dict[str, Any]]:
    """Recommendations of that status, each with the time (`at`) and number (`turn`) of its step."""
    return store.select(_STANDING_SQL, status=status)


def _step(store: Store, row: Mapping[str, Any], step: Step) -> None:
    before = Standing(row["turn"], step)
    events.take_all(store, [(row, before, step)])
    restate(store, {row["recommendation_id"]: step.status})


_STANDING_SQL = """
SELECT r.*, e.turn AS turn, e.at AS at, e.accepted AS accepted FROM v_recommendations AS r
INNER JOIN (SELECT recommendation_id, max(s.turn) AS turn,
    argMax(toString(s.status), s.turn) AS last, argMax(s.at, s.turn) AS at,
    minIf(s.at, s.status = 'accepted') AS accepted
  FROM (SELECT recommendation_id, turn, status, at FROM recommendation_events FINAL) AS s
  GROUP BY recommendation_id) AS e ON e.recommendation_id = r.recommendation_id
WHERE e.last = {status:String} ORDER BY e.at, r.recommendation_id
"""


def _ids(ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ids))) or "0"
