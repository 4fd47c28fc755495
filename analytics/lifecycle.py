"""What becomes of findings and recommendations from tick to tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpuledger.catalogue import Finding
from gpuledger.store import Store


def keep_ids(store: Store, findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with the id of the stored episode that they overlap."""
    subjects = sorted({f.subject for f in findings})
    stored = store.select(
        "SELECT finding_id, kind, subject, since, until FROM v_findings"
        " WHERE subject IN {subjects:Array(String)} ORDER BY since, finding_id",
        subjects=subjects,
    )
    for finding in findings:
        for old in stored:
            same = (old["kind"], old["subject"]) == (finding.kind, finding.subject)
            if same and old["since"] <= finding.until and old["until"] >= finding.since:
                finding.finding_id = old["finding_id"]
                break
    return list(findings)


def close_findings(store: Store, seen: Iterable[int], version: int) -> None:
    """Close the open findings that no detector reports any more."""
    store.command(
        f"INSERT INTO findings SELECT * REPLACE (0 AS open, {version} AS version)"
        f" FROM findings FINAL WHERE open = 1 AND finding_id NOT IN ({_ids(seen)})"
    )


def expire_recommendations(store: Store, seen: Iterable[int], version: int) -> None:
    """Expire the proposals whose reason has gone."""
    store.command(
        f"INSERT INTO recommendations SELECT * REPLACE ('expired' AS status, {version} AS version)"
        f" FROM recommendations FINAL WHERE status = 'proposed'"
        f" AND recommendation_id NOT IN ({_ids(seen)})"
    )


def _ids(ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ids))) or "0"
