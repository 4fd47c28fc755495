"""The words of the simulation: submissions, jobs, behaviours and troubles.

Times are whole seconds since the world's start; negative ones lie in the warm-up before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from hashlib import sha256
from uuid import UUID

import numpy as np
import numpy.typing as npt

from gpuledger import identity

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEVER = math.inf


class Label(IntEnum):
    """What a job truly does in a phase; only the truth and the telemetry's levels know it."""

    STARTUP = 0
    BUSY = 1
    DIP = 2
    IDLE = 3
    BLIP = 4
    UNDERUSED = 5
    TEARDOWN = 6


class Behaviour(StrEnum):
    """Kinds of work."""

    TRAINING = "training"
    INFERENCE = "inference"
    STARVED = "starved"
    NOTEBOOK = "notebook"
    ABANDONED = "abandoned"


# Columns of a phase's signals. SM to ACTIVE and MEMORY are ratios, PROCESS counts.
SM, UTILIZATION, TENSOR, DRAM, ACTIVE, MEMORY, PROCESS = range(7)
SIGNALS = 7


@dataclass(frozen=True)
class Phases:
    """What one job does, in order.

    `starts` are seconds since the job's start, the first is 0; `signals` has a row for each phase
    and the columns above.
    """

    starts: Floats
    labels: Ints
    signals: Floats


@dataclass(frozen=True)
class Plan:
    """A submission: what was asked for, and what would run if nothing came between.

    `work_s` is how long a notebook or an abandoned job works before it only holds its GPUs;
    `latest_end_s` is when its user closes it at the latest; faults leave `kept` jobs alone.
    """

    number: int
    name: str
    user: str
    team: str
    partition: str
    behaviour: Behaviour
    nodes: int
    gpus_per_node: int
    submit_s: int
    eligible_s: int
    hold_reason: str
    priority: int
    duration_s: int
    limit_s: int
    outcome: str
    work_s: float = NEVER
    latest_end_s: float = NEVER
    kept: bool = False

    @property
    def gpus(self) -> int:
        """GPUs asked for in total."""
        return self.nodes * self.gpus_per_node

    @property
    def order(self) -> tuple[int, int, int]:
        """Place in the queue: priority, then eligible time, then number."""
        return -self.priority, self.eligible_s, self.number


@dataclass(frozen=True)
class Job:
    """A submission and what became of it; `start_s` and `end_s` are NEVER while unknown."""

    plan: Plan
    start_s: float = NEVER
    end_s: float = NEVER
    places: tuple[tuple[int, int], ...] = ()
    state: str = "pending"
    phases: Phases | None = None


@dataclass(frozen=True)
class Trouble:
    """Something wrong with a node, or with one of its GPUs, from when to when."""

    node: int
    slot: int
    since_s: int
    until_s: float


@dataclass(frozen=True)
class Stray:
    """A process on a GPU that no allocation covers."""

    node: int
    slot: int
    since_s: int
    until_s: int
    user: str


@dataclass(frozen=True)
class World:
    """Everything that happens on the cluster in [start, end), decided by the arguments alone.

    `lost` names GPUs that fell off the bus, `down` nodes, `silent` agents; for nodes the slot
    is -1. Jobs that ended before the start are not listed.
    """

    seed: int
    nodes: int
    start: datetime
    end: datetime
    cluster: str = "demo"
    gpus_per_node: int = 8
    jobs: tuple[Job, ...] = ()
    lost: tuple[Trouble, ...] = ()
    down: tuple[Trouble, ...] = ()
    silent: tuple[Trouble, ...] = ()
    strays: tuple[Stray, ...] = ()

    @property
    def span_s(self) -> int:
        """Length in seconds."""
        return round((self.end - self.start).total_seconds())

    @property
    def places(self) -> list[tuple[int, int]]:
        """Node and slot of every GPU."""
        return [(n, s) for n in range(self.nodes) for s in range(self.gpus_per_node)]

    def at(self, seconds: float) -> datetime:
        """The instant that many seconds after the start, UTC."""
        return (self.start + timedelta(seconds=seconds)).astimezone(UTC)

    def seconds(self, at: datetime) -> int:
        """Whole seconds from the start to that instant."""
        return math.floor((at - self.start).total_seconds())

    def node_name(self, node: int) -> str:
        """Name of the node with that number."""
        return f"gpu{node + 1:03d}"

    def gpu_id(self, node: int, slot: int) -> int:
        """The GPU's key in every table."""
        return identity.gpu_id(self.cluster, self.node_name(node), slot)

    def uuid(self, node: int, slot: int) -> str:
        """The card's UUID as NVML would give it."""
        text = f"{self.seed}/{self.cluster}/{node}/{slot}"
        return f"GPU-{UUID(bytes=sha256(text.encode()).digest()[:16])}"

    def job_id(self, plan: Plan) -> str:
        """The job's key in every table."""
        return identity.job_id(self.cluster, plan.number)
