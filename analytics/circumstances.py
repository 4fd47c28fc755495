"""What is known around a loss: learned floors, and faults on the nodes of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.evidence import CONFIDENCE, HARDWARE, PEER_FAULT, UNLEARNED
from gpuledger.store import Store

# How long before an episode a fault may lie that explains it (design: `stalled`).
BEFORE = timedelta(minutes=15)


@dataclass(frozen=True)
class Circumstances:
    """What was learned: GPUs whose draw with an idle context is known."""

    floors: frozenset[int]

    def confidence(self, row: Mapping[str, Any]) -> float:
        """Confidence by evidence grade, lower while some GPU's idle draw is not learned."""
        base = CONFIDENCE[row["grade"]]
        rests_on_power = row["grade"] in {"A", "B"}
        unlearned = rests_on_power and not self.floors.issuperset(row["gpu_ids"])
        return round(base * UNLEARNED, 2) if unlearned else base


def known(store: Store) -> Circumstances:
    """What was learned so far."""
    floors = store.select("SELECT gpu_id FROM v_power_floors WHERE context_watts IS NOT NULL")
    return Circumstances(frozenset(r["gpu_id"] for r in floors))


def is_peer_fault(row: Mapping[str, Any]) -> bool:
    """Whether an episode began with a fault on a node of the job, as the book has it.

    A fault that came into hours of idleness did not cause them.
    """
    first = row["held_up_from"]
    return first is not None and bool(first - row["since"] <= BEFORE)


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


def after(told: Mapping[str, Any]) -> str:
    """In a summary, what a finding that is billed to hardware rests on."""
    return ", after a fault on a node of the job" if told["cause"] == PEER_FAULT else ""


def faulty_nodes(store: Store, job: str, since: datetime, until: datetime) -> list[str]:
    """Nodes of a job with a fault in the episode, or shortly before it, earliest first."""
    rows = store.select(_FAULTS_SQL, job=job, since=since - BEFORE, until=until)
    return [r["node"] for r in rows]


def gpus_of(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """All GPUs of some episodes, each once."""
    return sorted({g for row in rows for g in row["gpu_ids"]})


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
