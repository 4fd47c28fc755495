"""What becomes of findings and recommendations from tick to tick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gpuledger.catalogue import Finding
from gpuledger.store import Store


def keep_ids(store: Store, findings: Sequence[Finding], since: datetime) -> list[Finding]:
    """The findings, with the id of the stored episode that they overlap.

    Without those that a span from `since` on shows cut short: what is stored of them stays.
    """
    subjects = sorted({f.subject for f in findings})
    stored = store.select(
        "SELECT finding_id, kind, subject, since, until FROM v_findings"
        " WHERE subject IN {subjects:Array(String)} ORDER BY since, finding_id",
        subjects=subjects,
    )
    kept = []
    for finding in findings:
        old = next((o for o in stored if _same(finding, o)), None)
        if old and old["since"] < since:
            continue
        if old:
            # An episode that fell apart leaves its id to its largest part.
            stored.remove(old)
            finding.finding_id = old["finding_id"]
        kept.append(finding)
    return kept


def _same(finding: Finding, old: Mapping[str, Any]) -> bool:
    named = (old["kind"], old["subject"]) == (finding.kind, finding.subject)
    return named and old["since"] <= finding.until and old["until"] >= finding.since


# In a SELECT with REPLACE, WHERE would see the replaced value: hence the inner questions.


def close_findings(store: Store, seen: Iterable[int], version: int) -> None:
    """Close the open findings that no detector reports any more."""
    store.command(
        f"INSERT INTO findings SELECT * REPLACE (0 AS open, {version} AS version) FROM"
        f" (SELECT * FROM findings FINAL WHERE open = 1 AND finding_id NOT IN ({_ids(seen)}))"
    )


def expire_recommendations(store: Store, seen: Iterable[int], version: int) -> None:
    """Expire the proposals whose reason has gone."""
    store.command(
        f"INSERT INTO recommendations SELECT * REPLACE ('expired' AS status, {version} AS version)"
        f" FROM (SELECT * FROM recommendations FINAL WHERE status = 'proposed'"
        f" AND recommendation_id NOT IN ({_ids(seen)}))"
    )


def _ids(ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ids))) or "0"
