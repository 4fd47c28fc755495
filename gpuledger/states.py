"""The states of the book, in order of precedence: the first whose predicate holds is booked.

A predicate is SQL over the facts of one cell, which `analytics.booking` computes:
out_of_service, in_repair, powered_down (what the owner says of the place) · allocated, covered,
lost, sick, node_down, node_drained, reserved_for_upkeep (what is known of place and node) ·
active, evidence (what telemetry says) · occupied, scheduler_fresh, job_just_ended (a process stayed
while nothing was allocated) · starting, ending, stalled, idle, low, throttled (sustained
conditions) · kept, demanded, unfit (what placing the waiting jobs says of free time).
Definitions and thresholds: docs/ledger.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gpuledger.config import Settings
from gpuledger.errors import nearest


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


EXCLUDED = "EXCLUDED"
# The promise of the book: its states add up to owned GPU-seconds within 0.01 %.
CLOSES_WITHIN = 1e-4
# Above this share of unknown time shares are told as ranges, and somebody should look.
UNKNOWN_WITHIN = 0.02
UNAVAILABLE, OCCUPIED, UNOCCUPIED = "UNAVAILABLE", "OCCUPIED", "UNOCCUPIED"

STATES: tuple[State, ...] = (
    State(
        "off_ledger",
        EXCLUDED,
        "owned, but not in service yet or no more",
        "finance",
        "#eceff1",
        "out_of_service",
    ),
    State(
        "fault",
        UNAVAILABLE,
        "device lost or sick, node down or in repair, and no work on it",
        "hardware operations",
        "#b3261e",
        "(lost OR sick OR node_down OR in_repair) AND NOT (allocated AND active)",
    ),
    State(
        "maintenance",
        UNAVAILABLE,
        "node drained or reserved for upkeep, and no job on it",
        "platform",
        "#8d6e63",
        "(node_drained OR reserved_for_upkeep) AND NOT allocated",
    ),
    State(
        "rogue",
        OCCUPIED,
        "in use by a process that the scheduler does not know",
        "security",
        "#d81b60",
        "NOT allocated AND occupied AND scheduler_fresh AND NOT job_just_ended",
    ),
    State(
        "unattributed",
        OCCUPIED,
        "in use, but nobody knows yet by whom",
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
        "stalled",
        OCCUPIED,
        "allocated and busy by the counters, but nothing moves any more",
        "job owner",
        "#ff7043",
        "allocated AND stalled",
        recoverable=1.0,
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
        "throttled",
        OCCUPIED,
        "allocated and at work, but slowed down by heat or power",
        "hardware operations",
        "#9e9d24",
        "allocated AND throttled",
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
        "NOT (covered OR powered_down)",
    ),
    State(
        "held",
        UNOCCUPIED,
        "free, but kept for somebody",
        "team lead",
        "#5c6bc0",
        "kept",
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
        "stranded",
        UNOCCUPIED,
        "free, but nothing that runs here fits",
        "scheduler admin",
        "#6d4c41",
        "unfit",
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
ACTIVE = ("productive", "underused", "throttled")
FREE = ("held", "free_demand", "stranded", "free_surplus")

# What is said beside the state of a cell, joined by commas in the order of the alphabet.
FLAGS = ("degraded", "leaked", "mem_held", "peer_fault", "powered_down", "serving_warm")
# Of a fault, the gravest first; of a stall or idleness; what MIG shapes cannot reach.
FAULTS = ("device_lost", "xid", "ecc", "remap", "nvlink", "node_down", "repair")
PEER_FAULT, MIG_SHAPE = "peer_fault", "mig_shape"


class LedgerSettings(Settings):
    """Thresholds of the states; section `[ledger]`."""

    startup_s: Annotated[
        int, "time a job may take to show first activity, where none was learned"
    ] = 600
    startup_most_s: Annotated[int, "learned times count up to this"] = 1500
    teardown_s: Annotated[int, "time after the last process that still counts as tear-down"] = 120
    idle_after_min: Annotated[int, "covered minutes that idleness needs"] = 5
    idle_active_ratio: Annotated[float, "share of active time up to which a GPU is idle"] = 0.05
    idle_floor_ratio: Annotated[
        float, "not idle above so many times the power that the GPU draws doing nothing"
    ] = 1.15
    held_memory_ratio: Annotated[float, "share of its memory from which an idle GPU holds it"] = 0.1
    low_after_min: Annotated[int, "minutes over which low use is averaged"] = 15
    low_ratio: Annotated[float, "SM activity (else utilization) below which use is low"] = 0.25
    low_power_ratio: Annotated[
        float, "grade B: share of the power limit below which use is low"
    ] = 0.40
    stalled_after_min: Annotated[int, "minutes in which nothing may move before a job stalls"] = 10
    stalled_busy_min: Annotated[int, "minutes before them in which work shows that it stopped"] = 15
    stalled_util_ratio: Annotated[float, "utilization from which a GPU claims to be busy"] = 0.9
    stalled_sm_ratio: Annotated[float, "SM activity below which it is not"] = 0.1
    stalled_pipe_ratio: Annotated[float, "memory and FP pipe activity below which it is not"] = 0.02
    stalled_power_ratio: Annotated[float, "share of the power limit below which it is not"] = 0.35
    stalled_traffic: Annotated[
        float, "bytes per second over PCIe and NVLink below which nothing moves"
    ] = 50e6
    throttled_ratio: Annotated[float, "share of the time that heat or power must slow down"] = 0.5
    process_after_min: Annotated[int, "minutes a process without allocation must stay"] = 2
    leaked_s: Annotated[int, "time after a job in which a process may be left over from it"] = 300
    system_users: Annotated[
        list[str], "users whose processes occupy nothing, e.g. of health checks"
    ] = msgspec.field(
        default_factory=lambda: ["dcgm", "nvidia-dcgm", "nvidia-persistenced", "gdm", "xorg"]
    )
    sick_h: Annotated[int, "hours after which an error that nobody closed is over"] = 24
    peer_fault_s: Annotated[int, "time after a fault in which its job may suffer"] = 900
    min_cover_ratio: Annotated[float, "share of a minute that must be covered by samples"] = 0.5
    # Agents name every open allocation again at least every 10 minutes.
    unnamed_s: Annotated[int, "an open allocation that nobody named for so long has ended"] = 1500
    provisional_h: Annotated[int, "hours until a cell closes"] = 24
    pools: Annotated[
        dict[str, dict[str, Any]], 'thresholds of single pools, as [ledger.pools."NAME"]'
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for pool, changed in self.pools.items():
            for key in changed:
                if key not in BY_POOL:
                    raise ValueError(f"pool '{pool}' cannot set '{key}'{nearest(key, BY_POOL)}")
            self.of_pool(pool)

    def of_pool(self, pool: str) -> LedgerSettings:
        """The thresholds that hold in one pool."""
        common = {name: getattr(self, name) for name in BY_POOL}
        return msgspec.convert({**common, **self.pools.get(pool, {})}, LedgerSettings, strict=False)

    def by_pool(self) -> Mapping[str, LedgerSettings]:
        """The thresholds of every pool that has some of its own."""
        return {pool: self.of_pool(pool) for pool in sorted(self.pools)}


# The rest is not about what a GPU did, or about more than one pool.
BY_POOL = tuple(
    name
    for name in LedgerSettings.__struct_fields__
    if name not in {"pools", "system_users", "sick_h", "peer_fault_s", "unnamed_s", "provisional_h"}
)


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
