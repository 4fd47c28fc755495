"""What is known around a loss: exemptions, learned floors, faults on the nodes of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.book import Span
from analytics.evidence import CONFIDENCE, EXEMPT, HARDWARE, PEER_FAULT, UNLEARNED
from gpuledger.store import Store

# How long before an episode a fault may lie that explains it (design: `stalled`).
BEFORE = timedelta(minutes=15)


@dataclass(frozen=True)
class Circumstances:
    """What was agreed and learned by the end of a span."""

    exempt: Mapping[str, Mapping[str, Any]]
    services: Sequence[Mapping[str, Any]]
    floors: frozenset[int]

    def exemption(self, job: str, name: str, kind: str) -> Mapping[str, Any] | None:
        """The approved exemption of a job, or of the service that it is a replica of."""
        replica_of = [f"service/{s['service']}" for s in self.services if _serves(s, job, name)]
        for subject in (job, *replica_of):
            found = self.exempt.get(subject)
            if found and (not found["kinds"] or kind in found["kinds"].split(",")):
                return found
        return None

    def confidence(self, row: Mapping[str, Any]) -> float:
        """Confidence by evidence grade, lower while some GPU's idle draw is not learned."""
        base = CONFIDENCE[row["grade"]]
        rests_on_power = row["grade"] in {"A", "B"}
        unlearned = rests_on_power and not self.floors.issuperset(row["gpu_ids"])
        return round(base * UNLEARNED, 2) if unlearned else base


def known(store: Store, span: Span) -> Circumstances:
    """What holds at the end of the span."""
    at = {"at": span.until}
    exempt = store.select(_VALID.format(table="exemptions") + " AND approved_by != ''", **at)
    services = store.select(_VALID.format(table="services"), **at)
    floors = store.select("SELECT gpu_id FROM v_power_floors WHERE context_watts IS NOT NULL")
    return Circumstances(
        {r["subject"]: r for r in exempt}, services, frozenset(r["gpu_id"] for r in floors)
    )


def is_peer_fault(row: Mapping[str, Any]) -> bool:
    """Whether the book blames a fault on another node of the job."""
    return PEER_FAULT in row["flags"] or PEER_FAULT in row["causes"]


def billed_to_hardware(nodes: Sequence[str]) -> dict[str, Any]:
    """What a finding tells when broken hardware is to blame: no team pays for it."""
    where = f" on {', '.join(nodes)}" if nodes else " on a node of the job"
    return {
        "cause": PEER_FAULT,
        "owner": HARDWARE,
        "user": "",
        "team": "",
        "action": f"Repair the fault{where}, then start the job again from its last checkpoint.",
    }


def excused(exemption: Mapping[str, Any]) -> dict[str, Any]:
    """What a finding tells about a loss that was agreed to."""
    return {
        "cause": EXEMPT,
        "owner": exemption["owner"],
        "action": (
            f"Nothing until {exemption['valid_to']:%Y-%m-%d %H:%M} UTC: {exemption['reason']}"
            f" (approved by {exemption['approved_by']})."
        ),
    }


def faulty_nodes(store: Store, job: str, since: datetime, until: datetime) -> list[str]:
    """Nodes of a job with a fault in the episode, or shortly before it, earliest first."""
    rows = store.select(_FAULTS_SQL, job=job, since=since - BEFORE, until=until)
    return [r["node"] for r in rows]


def _serves(service: Mapping[str, Any], job: str, name: str) -> bool:
    return job.startswith(f"{service['cluster']}/") and name.startswith(service["jobs"])


def gpus_of(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """All GPUs of some episodes, each once."""
    return sorted({g for row in rows for g in row["gpu_ids"]})


_VALID = (
    "SELECT * FROM v_{table} WHERE valid_from <= {{at:DateTime64(3, 'UTC')}}"
    " AND valid_to > {{at:DateTime64(3, 'UTC')}}"
)
_WHEN = "{since:DateTime64(3, 'UTC')} AND {until:DateTime64(3, 'UTC')}"
_FAULTS_SQL = f"""
WITH places AS (SELECT DISTINCT cluster, node FROM allocations WHERE job_id = {{job:String}})
SELECT node, min(at) AS first FROM (
  SELECT cluster, node, ts AS at FROM gpu_events WHERE ts BETWEEN {_WHEN}
    AND (kind IN ('lost', 'stuck') OR cause = 'hardware')
  UNION ALL
  SELECT cluster, node, valid_from AS at FROM node_states FINAL
  WHERE state = 'down' AND valid_from <= {{until:DateTime64(3, 'UTC')}}
    AND valid_to >= {{since:DateTime64(3, 'UTC')}}
  UNION ALL
  SELECT cluster, node, minute AS at FROM ledger_1m
  WHERE state = 'fault' AND minute BETWEEN {_WHEN})
WHERE (cluster, node) IN places GROUP BY node ORDER BY first, node
"""
