"""The states of the book, in order of precedence: the first whose predicate holds is booked.

A predicate is SQL over the facts of one cell, which `analytics.ledger` computes:
allocated, covered, lost, node_down, node_drained (what is known of the place) · active, evidence
(what telemetry says) · occupied (a process stayed while nothing was allocated) · starting, ending,
idle, low (sustained conditions) · demanded (the waiting queue would fill it).
Definitions and thresholds: docs/ledger.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from gpuledger.config import Settings


@dataclass(frozen=True)
class State:
    """One state: what it means, who can act on it, how it looks, and when it holds."""

    name: str
    group: str
    help: str
    who: str
    colour: str
    predicate: str
    recoverable: float = 0.0

    @property
    def title(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ")


UNAVAILABLE, OCCUPIED, UNOCCUPIED = "UNAVAILABLE", "OCCUPIED", "UNOCCUPIED"

STATES: tuple[State, ...] = (
    State(
        "fault",
        UNAVAILABLE,
        "device lost or node down, and no work on it",
        "hardware operations",
        "#b3261e",
        "(lost OR node_down) AND NOT (allocated AND active)",
    ),
    State(
        "maintenance",
        UNAVAILABLE,
        "node drained by its scheduler, and no job on it",
        "platform",
        "#8d6e63",
        "node_drained AND NOT allocated",
    ),
    State(
        "unattributed",
        OCCUPIED,
        "in use, but no allocation covers it",
        "platform",
        "#8e24aa",
        "NOT allocated AND occupied",
    ),
    State(
        "startup_teardown",
        OCCUPIED,
        "allocated; work has not begun yet, or has just ended",
        "job owner",
        "#90caf9",
        "allocated AND covered AND (starting OR ending)",
    ),
    State(
        "alloc_unknown",
        OCCUPIED,
        "allocated; nobody saw what it did",
        "platform",
        "#bdbdbd",
        "allocated AND NOT (covered AND evidence)",
    ),
    State(
        "alloc_idle",
        OCCUPIED,
        "allocated and doing nothing",
        "job owner",
        "#ef6c00",
        "allocated AND idle",
        recoverable=1.0,
    ),
    State(
        "underused",
        OCCUPIED,
        "allocated, and most of it unused",
        "job owner",
        "#f9c74f",
        "allocated AND low",
        recoverable=0.5,
    ),
    State(
        "productive",
        OCCUPIED,
        "allocated and at work",
        "nobody",
        "#2e7d32",
        "allocated",
    ),
    State(
        "unalloc_unknown",
        UNOCCUPIED,
        "not allocated; nobody saw it",
        "platform",
        "#9e9e9e",
        "NOT covered",
    ),
    State(
        "free_demand",
        UNOCCUPIED,
        "free, although waiting work would fit",
        "scheduler admin",
        "#00838f",
        "demanded",
        recoverable=1.0,
    ),
    State(
        "free_surplus",
        UNOCCUPIED,
        "free, and no waiting work fits",
        "capacity planner",
        "#b2dfdb",
        "true",
    ),
)

BY_NAME = {state.name: state for state in STATES}

# Who knows too little to say more leaves the denominator of activity (design: derived numbers).
UNKNOWN = ("alloc_unknown", "unalloc_unknown", "unattributed")
ACTIVE = ("productive", "underused")
FREE = ("free_demand", "free_surplus")


class LedgerSettings(Settings):
    """Thresholds of the states; section `[ledger]`."""

    startup_s: Annotated[int, "time a job may take to show first activity"] = 600
    teardown_s: Annotated[int, "time after the last process that still counts as tear-down"] = 120
    idle_after_min: Annotated[int, "covered minutes that idleness needs"] = 5
    idle_active_ratio: Annotated[float, "share of active time up to which a GPU is idle"] = 0.05
    low_after_min: Annotated[int, "minutes over which low use is averaged"] = 15
    low_ratio: Annotated[float, "SM activity (else utilization) below which use is low"] = 0.25
    low_power_ratio: Annotated[
        float, "grade B: share of the power limit below which use is low"
    ] = 0.40
    process_after_min: Annotated[int, "minutes a process without allocation must stay"] = 2
    min_cover_ratio: Annotated[float, "share of a minute that must be covered by samples"] = 0.5
    # Agents name every open allocation again at least every 10 minutes.
    unnamed_s: Annotated[int, "an open allocation that nobody named for so long has ended"] = 1500
    provisional_h: Annotated[int, "hours until a cell closes"] = 24


def in_list(names: tuple[str, ...]) -> str:
    """`('a', 'b')` for SQL."""
    return "(" + ", ".join(f"'{n}'" for n in names) + ")"


def group_of(group: str) -> tuple[str, ...]:
    """Names of the states of one group."""
    return tuple(s.name for s in STATES if s.group == group)


def recoverable_factor(column: str = "state") -> str:
    """SQL: the share of a state's GPU-seconds that could be won back."""
    pairs = ", ".join(f"{column} = '{s.name}', {s.recoverable}" for s in STATES if s.recoverable)
    return f"multiIf({pairs}, 0.)"
