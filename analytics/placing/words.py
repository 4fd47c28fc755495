"""Words of schedulers that placement goes by: why jobs wait, what they insist on, what nodes offer.

Slurm's reasons are those of its manual (squeue, "job reason codes"); Kubernetes' are the ones that
`gpuledger.kubernetes_names` and the cluster agent store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gpuledger import waits

# Demand is work refused for capacity: Slurm's words for it. Dependency, hold, begin time, array
# throttle and a user's own limit are not (design: demand).
CAPACITY_REASONS = ("", "None", "Resources", "Priority")
ADMISSION = waits.ADMISSION
QUOTA_SQL = waits.QUOTA_SQL

# Conditions of a node that no pod tolerates by itself; of other taints nobody says who does.
_REPELLING = ("NoSchedule", "NoExecute")
_OF_NODES = "node.kubernetes.io/"
_SHARES = ("shard=", "gpu.shared=")
_ALTERNATIVES = frozenset("|[]()*")


@dataclass(frozen=True)
class Constraints:
    """Words that a node must have, the only nodes that will do, and those that will not."""

    words: frozenset[str]
    on: frozenset[str]
    off: frozenset[str]


def is_admission(reason: str) -> bool:
    """Whether a job waits to be let in by its queue."""
    return reason == ADMISSION


def listed(joined: str) -> frozenset[str]:
    """The parts between commas."""
    return frozenset(p for p in joined.split(",") if p)


def constraints(told: str) -> Constraints:
    """Constraints of a job as they are stored.

    Alternatives and conditions other than 'has this' bind nothing: to wrongly say that a job fits
    nowhere is worse than to let it in somewhere too much.
    """
    found: dict[str, set[str]] = {"on": set(), "not": set(), "": set()}
    for part in listed(told):
        prefix, colon, name = part.partition(":")
        if colon and prefix in found:
            found[prefix].add(name)
        elif part != "exclusive" and " " not in part and _ALTERNATIVES.isdisjoint(part):
            found[""].update(w for w in part.split("&") if w)
    return Constraints(*(frozenset(found[name]) for name in ("", "on", "not")))


def known(wanted: Iterable[str], labels: Iterable[frozenset[str]]) -> frozenset[str]:
    """Wanted words of which the nodes of a cluster tell at all whether they have them."""
    told = frozenset().union(*labels)
    names = {label.partition("=")[0] for label in told if "=" in label}
    return frozenset(w for w in wanted if w in told or ("=" in w and w.partition("=")[0] in names))


def repels(taints: str) -> bool:
    """Whether a node's own condition keeps work away."""
    return any(
        taint.startswith(_OF_NODES) and taint.rpartition(":")[2] in _REPELLING
        for taint in listed(taints)
    )


def offers_shares(shares: str) -> bool:
    """Whether parts of the node's GPUs can be had."""
    return any(offer.startswith(_SHARES) for offer in listed(shares))
