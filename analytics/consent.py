"""What was agreed to: nobody is told to change a job or service with an approved exemption.

Findings about them stay, apart: with cause `exempt`, the reason, and until when. This is the one
rule for every detector. What is not the owner's to change (broken hardware, storage, the queue) is
no idleness that somebody could agree to, and is told all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from analytics.book import Span
from analytics.evidence import EXEMPT, OWNER
from gpuledger.catalogue import Finding
from gpuledger.rows import changed
from gpuledger.store import Store

SERVICE = "service/"
Row = Mapping[str, Any]


def honoured(store: Store, findings: Iterable[Finding], span: Span) -> list[Finding]:
    """The findings in their order; those that were agreed to say so instead of what to do.

    An open finding was agreed to if an exemption holds at the end of the span, an ended one if it
    held when the finding ended.
    """
    found = list(findings)
    mine = [f for f in found if f.owner == OWNER]
    if not mine:
        return found
    first = min(f.until for f in mine)
    exemptions = store.select(_EXEMPTIONS_SQL, first=first, last=span.until)
    if not exemptions:
        return found
    services = _services(store, exemptions, first)
    return [_honoured(f, exemptions, services, span) for f in found]


def _honoured(
    finding: Finding, exemptions: Sequence[Row], services: Mapping[str, set[str]], span: Span
) -> Finding:
    if finding.owner != OWNER:
        return finding
    subjects = {finding.subject} | services.get(finding.subject, set())
    at = span.until if finding.open else finding.until
    agreed = next((e for e in exemptions if _holds(e, subjects, finding.kind, at)), None)
    return changed(finding, **_told(agreed)) if agreed else finding


def _holds(exemption: Row, subjects: set[str], kind: str, at: datetime) -> bool:
    return bool(
        exemption["subject"] in subjects
        and exemption["valid_from"] <= at < exemption["valid_to"]
        and (not exemption["kinds"] or kind in exemption["kinds"].split(","))
    )


def _told(exemption: Row) -> dict[str, str]:
    return {
        "cause": EXEMPT,
        "owner": exemption["owner"],
        "action": (
            f"Nothing until {exemption['valid_to']:%Y-%m-%d %H:%M} UTC: {exemption['reason']}"
            f" (approved by {exemption['approved_by']})."
        ),
    }


def _services(store: Store, exemptions: Sequence[Row], since: datetime) -> dict[str, set[str]]:
    """Services with exemptions, as these name them, by what findings name: replica or service."""
    names = [e["subject"] for e in exemptions if e["subject"].startswith(SERVICE)]
    if not names:
        return {}
    out: dict[str, set[str]] = {}
    for row in store.select(_SERVICES_SQL, names=names, since=since):
        for subject in (f"{row['cluster']}/{row['name']}", *row["jobs"]):
            out.setdefault(subject, set()).add(row["name"])
    return out


_EXEMPTIONS_SQL = """
SELECT subject, kinds, reason, owner, approved_by, valid_from, valid_to FROM v_exemptions
WHERE approved_by != '' AND valid_from <= {last:DateTime64(3, 'UTC')}
  AND valid_to > {first:DateTime64(3, 'UTC')}
ORDER BY valid_to DESC, subject, valid_from"""
_SERVICES_SQL = f"""
SELECT s.cluster AS cluster, s.name AS name,
  arraySort(groupUniqArrayIf(j.job_id, startsWith(j.name, s.jobs))) AS jobs
FROM (SELECT cluster, concat('{SERVICE}', service) AS name, jobs FROM v_services
  WHERE name IN {{names:Array(String)}}) AS s
LEFT JOIN (SELECT job_id, cluster, name FROM jobs FINAL
  WHERE ended >= {{since:DateTime64(3, 'UTC')}}) AS j ON j.cluster = s.cluster
GROUP BY cluster, name ORDER BY cluster, name"""
