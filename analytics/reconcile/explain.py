"""Differences by reason: what is named, how much of it, and what nobody can explain.

A difference is theirs minus ours, in GPU-seconds. Reasons are worked out job by job (or group by
group) from both sides' figures, never from the difference itself, so that the rest is honest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# Two periods of the scheduler's snapshots: ends may be told that much apart.
SNAPSHOT_S = 60.0

REASONS = {
    "unknown_job": "jobs unknown to us",
    "no_allocation": "jobs of which nobody told us the GPUs",
    "only_ours": "allocations that only we know",
    "unowned": "in use, but allocated to nobody",
    "gpu_count": "another number of GPUs than they say",
    "times": "beginnings and ends told up to a snapshot apart",
    "share": "MIG and shared GPUs count by their share",
    "overlap": "GPUs given to several at once count once",
    "outside_inventory": "on GPUs outside the asset list",
    "node_state": "allocated, but booked as fault, maintenance or off the ledger",
    "rounding": "their figures are rounded",
    "not_listed": "owned by us, not on the list",
    "not_owned": "on the list, not owned by us",
    "dates": "owned from or until another time",
}


@dataclass(frozen=True)
class Part:
    """A piece of the difference: theirs minus ours, of one subject."""

    reason: str
    gpu_seconds: float
    subject: str


@dataclass(frozen=True)
class Ours:
    """What we know of one job or group within the window, in GPU-seconds.

    `told`: allocated by the clock; `weighted`: by the shares given; `listed`: of that on owned
    GPUs; `occupied` and `unavailable`: as booked. `gpus`: different ones.
    """

    told: float = 0.0
    weighted: float = 0.0
    listed: float = 0.0
    occupied: float = 0.0
    unavailable: float = 0.0
    gpus: int = 0
    jobs: int = 0
    shared: bool = False
    known: bool = False


@dataclass(frozen=True)
class Theirs:
    """What they say of one job or group within the window; `seconds` is its time by the clock."""

    gpu_seconds: float
    gpus: int = 0
    seconds: float = 0.0
    rounding_s: float = 0.0
    runs: int = 1


@dataclass
class Explained:
    """Both totals, the differences by reason, and what is left."""

    against: str
    theirs: float
    ours: float
    parts: list[Part] = field(default_factory=list)

    @property
    def unexplained(self) -> float:
        """GPU-seconds of difference that no reason covers."""
        return self.theirs - self.ours - sum(p.gpu_seconds for p in self.parts)

    @property
    def unexplained_ratio(self) -> float | None:
        """The rest as a share of the larger total; None where there is nothing at all."""
        whole = max(self.theirs, self.ours)
        return abs(self.unexplained) / whole if whole else None


def explain(
    against: str, theirs: Mapping[str, Theirs], ours: Mapping[str, Ours], total: float
) -> Explained:
    """Compare subject by subject. `total` is all that we book as occupied, owners or not."""
    found = Explained(against, sum(t.gpu_seconds for t in theirs.values()), total)
    for subject in sorted({*theirs, *ours}):
        one, other = theirs.get(subject), ours.get(subject, Ours())
        parts = only_ours(subject, other) if one is None else differences(subject, one, other)
        found.parts += [p for p in parts if p.gpu_seconds]
    unowned = total - sum(o.occupied for o in ours.values())
    if abs(unowned) > 1e-6:
        found.parts.append(Part("unowned", -unowned, ""))
    return found


def only_ours(subject: str, ours: Ours) -> Iterator[Part]:
    """What they do not know at all."""
    yield Part("only_ours", -ours.occupied, subject)


def differences(subject: str, theirs: Theirs, ours: Ours) -> Iterator[Part]:
    """Step by step from what they say to what is booked; what no step covers is left out."""
    if not ours.told:
        reason = "no_allocation" if ours.known else "unknown_job"
        yield Part(reason, theirs.gpu_seconds - ours.occupied, subject)
        return
    yield from _of_telling(subject, theirs, ours)
    yield Part("share", ours.told - ours.weighted, subject)
    yield Part("outside_inventory", ours.weighted - ours.listed, subject)
    yield Part("node_state", ours.unavailable, subject)
    if ours.shared:
        yield Part("overlap", ours.listed - ours.occupied - ours.unavailable, subject)


def _of_telling(subject: str, theirs: Theirs, ours: Ours) -> Iterator[Part]:
    """Between what they say and what we were told: rounding, number of GPUs, times."""
    rest = theirs.gpu_seconds - ours.told
    if theirs.gpus and ours.gpus and theirs.gpus != ours.gpus:
        counted = (theirs.gpus - ours.gpus) * theirs.seconds
        yield Part("gpu_count", counted, subject)
        rest -= counted
    rounded = max(-theirs.rounding_s, min(theirs.rounding_s, rest))
    yield Part("rounding", rounded, subject)
    rest -= rounded
    most = SNAPSHOT_S * max(theirs.gpus, ours.gpus) * max(theirs.runs, 1)
    if abs(rest) <= most:
        yield Part("times", rest, subject)


def by_reason(parts: Iterable[Part]) -> list[dict[str, object]]:
    """Reason, GPU-hours, how many subjects, and the one with most, largest first."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.reason, []).append(part)
    rows: list[dict[str, object]] = []
    for reason, group in sorted(groups.items(), key=lambda g: -abs(_sum(g[1]))):
        most = max(group, key=lambda p: abs(p.gpu_seconds))
        rows.append(
            {
                "reason": reason,
                "gpu_hours": _sum(group) / 3600,
                "subjects": len(group),
                "example": most.subject or None,
                "means": REASONS[reason],
            }
        )
    return rows


def _sum(parts: Iterable[Part]) -> float:
    return sum(p.gpu_seconds for p in parts)
