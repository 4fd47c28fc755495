"""Histories to book: what schedulers, agents and owners could have said in a few hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gpuledger.catalogue import (
    Allocation,
    Asset,
    AssetState,
    FreeState,
    GpuEvent,
    GpuHealth,
    GpuSample,
    Job,
    JobStat,
    NodeState,
    PowerFloor,
    ProcessSample,
    Reservation,
    Service,
    SourceRun,
    StartupTime,
)
from gpuledger.identity import asset_id, gpu_id
from gpuledger.schema import FOREVER, REQUIRED, Row
from gpuledger.states import LedgerSettings
from gpuledger.store import Store

CLUSTER = "c"
START = datetime(2025, 3, 4, 10, tzinfo=UTC)
LONG_AGO = START - timedelta(days=1)
# Telemetry begins before the first hour and goes on after the last one.
MARGIN_MIN = 30
TABLES = (
    "assets allocations node_states gpu_samples gpu_samples_1m source_runs free_states jobs"
    " booked_hours ledger_1m ledger_1h accounts_1h accounts_1d free_blocks asset_states gpu_events"
    " gpu_health_samples gpu_health_samples_1m reservations services job_stats power_floors"
    " startup_times process_samples occupancy slice_samples slice_samples_1m"
)
OF_NODES = ("nvml", "pod_resources", "dcgm-exporter")
TELLERS = [("slurm", "head"), *((r, n) for r in OF_NODES for n in ("n0", "n1"))]
# How long nobody may name an open allocation.
UNNAMED_S = LedgerSettings().unnamed_s


def wipe(store: Store) -> None:
    """Empty the tables that a history fills or a booking writes."""
    for name in TABLES.split():
        store.command(f"TRUNCATE TABLE {name}")


def at(minute: float) -> datetime:
    """The instant that many minutes after START."""
    return START + timedelta(minutes=minute)


def asset(
    slot: int,
    node: str = "n0",
    since: datetime = LONG_AGO,
    until: datetime = FOREVER,
    *,
    version: int = 1,
) -> Asset:
    """An owned GPU."""
    return Asset(
        gpu_id=gpu_id(CLUSTER, node, slot),
        asset_id=asset_id(CLUSTER, node, slot),
        cluster=CLUSTER,
        node=node,
        slot=slot,
        valid_from=since,
        valid_to=until,
        version=version,
    )


def allocation(
    owner: Asset,
    alloc_id: int,
    since: datetime,
    until: datetime = FOREVER,
    *,
    share_milli: int = 1000,
    source: str = "slurm",
    seen_at: datetime = FOREVER,
    version: int = 1,
) -> Allocation:
    """A GPU given to a job."""
    return Allocation(
        gpu_id=owner.gpu_id,
        alloc_id=alloc_id,
        job_id=f"{CLUSTER}/{alloc_id}",
        cluster=CLUSTER,
        node=owner.node,
        share_milli=share_milli,
        valid_from=since,
        valid_to=until,
        source=source,
        seen_at=seen_at,
        version=version,
    )


def statement(node: str, state: str, since: datetime, until: datetime = FOREVER) -> NodeState:
    """What the scheduler says of a node."""
    return NodeState(
        cluster=CLUSTER,
        node=node,
        scheduler="slurm",
        state=state,
        gpus=4,
        memory_bytes=None,
        valid_from=since,
        valid_to=until,
        seen_at=since,
        version=1,
    )


def run(source: str, ts: datetime, failures: int = 0, node: str = "head") -> SourceRun:
    """The agent's account of one reading of a scheduler, or of a node's own processes."""
    return SourceRun(
        ts=ts,
        interval_seconds=60,
        cluster=CLUSTER,
        node=node,
        source=source,
        runs=1,
        failures=failures,
        rows=1,
        duration_seconds=0.1,
    )


def wish(
    owner: Asset, since: datetime, until: datetime, state: str = "free_demand", cause: str = ""
) -> FreeState:
    """What placing the waiting work says of a free GPU."""
    return FreeState(
        gpu_id=owner.gpu_id, valid_from=since, valid_to=until, state=state, cause=cause
    )


def standing(owner: Asset, state: str, since: datetime, until: datetime = FOREVER) -> AssetState:
    """What the owner says of a place."""
    return AssetState(gpu_id=owner.gpu_id, state=state, valid_from=since, valid_to=until, version=1)


def event(owner: Asset, ts: datetime, kind: str, recovery: str = "", code: int = 0) -> GpuEvent:
    """Something that happened to a GPU; what asks for a recovery is the hardware's."""
    return GpuEvent(
        ts=ts,
        cluster=owner.cluster,
        node=owner.node,
        slot=owner.slot,
        gpu_id=owner.gpu_id,
        kind=kind,
        code=code,
        cause="hardware" if recovery else "",
        recovery=recovery,
    )


def health(owner: Asset, minute: int, **values: float) -> GpuHealth:
    """One reading of a card's health, of the minute that begins so many after START."""
    unread: dict[str, Any] = {
        c.name: None for c in GpuHealth.table.columns if c.default is REQUIRED
    }
    told = {
        "ts": at(minute + 1),
        "interval_seconds": 60,
        "cluster": owner.cluster,
        "node": owner.node,
        "slot": owner.slot,
        "gpu_id": owner.gpu_id,
        "uuid": owner.asset_id,
    }
    return GpuHealth(**{**unread, **told, **values})


def upkeep(node: str, since: datetime, until: datetime) -> Reservation:
    """Nodes that are kept for maintenance."""
    return Reservation(
        cluster=CLUSTER,
        reservation=f"upkeep {node} {since}",
        scheduler="slurm",
        nodes=node,
        flags="MAINT,SPEC_NODES",
        valid_from=since,
        valid_to=until,
        seen_at=since,
        version=1,
    )


def job(given: Allocation, name: str = "train") -> Job:
    """The job of an allocation, still running."""
    return Job(
        job_id=given.job_id,
        cluster=CLUSTER,
        name=name,
        user="ana",
        state="running",
        gpus_per_node=1,
        memory_bytes=None,
        submitted=given.valid_from,
        started=given.valid_from,
        seen_at=given.valid_from,
        version=1,
    )


@dataclass(frozen=True)
class Grain:
    """How a minute is covered: rows of `interval_s` that end at these seconds of it."""

    interval_s: int
    ends_s: tuple[int, ...]


SILENT = Grain(10, ())
TENS = Grain(10, (10, 20, 30, 40, 50, 60))
WHOLE = Grain(60, (60,))
HALF = Grain(10, (10, 20, 30))
LESS = Grain(29, (29,))
SCRAPED = Grain(60, (37,))
TWICE = Grain(60, (60, 60))
GRAINS = (WHOLE, WHOLE, WHOLE, TENS, HALF, LESS, SCRAPED, TWICE, SILENT)


@dataclass(frozen=True)
class Phase:
    """Minutes in which a GPU tells the same; ratios, watts and counts, None = no reading."""

    minutes: int
    grain: Grain = WHOLE
    active: float | None = 1.0
    sm: float | None = 0.9311
    util: float | None = 0.93
    power: float | None = 650.0
    limit: float | None = 700.0
    processes: int | None = 1
    lost: float | None = 0.0
    tensor: float | None = None
    dram: float | None = None
    pcie: float | None = None  # bytes per second
    hot: float | None = None  # share of the time that heat slows it down
    memory: float | None = None


def samples(owner: Asset, first_minute: int, phases: list[Phase]) -> list[GpuSample]:
    """The rows of phases that follow each other from a minute after START on."""
    rows = []
    moved = hot = 0.0
    for phase in phases:
        for minute in range(first_minute, first_minute + phase.minutes):
            for end in phase.grain.ends_s:
                moved += (phase.pcie or 0.0) * phase.grain.interval_s
                hot += (phase.hot or 0.0) * phase.grain.interval_s
                rows.append(_sample(owner, minute, end, phase, moved, round(hot, 3)))
        first_minute += phase.minutes
    return rows


CARD_BYTES = 80 * 2**30
# Whatever else the catalogue knows was not read.
UNREAD = {c.name: None for c in GpuSample.table.columns if c.default is REQUIRED}


def _sample(
    owner: Asset, minute: int, end_s: int, phase: Phase, moved: float, hot: float
) -> GpuSample:
    interval_s = phase.grain.interval_s
    told: dict[str, Any] = {
        "ts": at(minute) + timedelta(seconds=end_s),
        "interval_seconds": interval_s,
        "cluster": owner.cluster,
        "node": owner.node,
        "slot": owner.slot,
        "gpu_id": owner.gpu_id,
        "uuid": owner.asset_id,
        "utilization_ratio": phase.util,
        "sm_active_ratio": phase.sm,
        "active_seconds": _part(phase.active, interval_s),
        "lost_seconds": _part(phase.lost, interval_s),
        "power_watts": phase.power,
        "power_limit_watts": phase.limit,
        "processes": phase.processes,
        "tensor_active_ratio": phase.tensor,
        "dram_active_ratio": phase.dram,
        "pcie_receive_bytes": None if phase.pcie is None else moved,
        "thermal_throttle_seconds": None if phase.hot is None else hot,
        "memory_used_bytes": None if phase.memory is None else phase.memory * CARD_BYTES,
        "memory_total_bytes": None if phase.memory is None else CARD_BYTES,
    }
    return GpuSample(**{**UNREAD, **told})


def _part(ratio: float | None, whole: float) -> float | None:
    return None if ratio is None else round(ratio * whole, 3)


@dataclass(frozen=True)
class Telemetry:
    """What one GPU tells from a minute after START on."""

    owner: Asset
    first_minute: int
    phases: list[Phase]

    @property
    def samples(self) -> list[GpuSample]:
        """Its rows."""
        return samples(self.owner, self.first_minute, self.phases)


@dataclass(frozen=True)
class History:
    """Everything that was said, and until when it is booked."""

    until: datetime
    assets: list[Asset] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    node_states: list[NodeState] = field(default_factory=list)
    telemetry: list[Telemetry] = field(default_factory=list)
    runs: list[SourceRun] = field(default_factory=list)
    free_states: list[FreeState] = field(default_factory=list)
    standings: list[AssetState] = field(default_factory=list)
    events: list[GpuEvent] = field(default_factory=list)
    health: list[GpuHealth] = field(default_factory=list)
    upkeep: list[Reservation] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    floors: list[PowerFloor] = field(default_factory=list)
    startups: list[StartupTime] = field(default_factory=list)
    stats: list[JobStat] = field(default_factory=list)
    processes: list[ProcessSample] = field(default_factory=list)

    @property
    def samples(self) -> list[GpuSample]:
        """Every row of telemetry."""
        return [s for t in self.telemetry for s in t.samples]

    def write(self, store: Store) -> None:
        """Insert it; every third sample comes late, so that rollups hold unmerged rows."""
        told = self.samples
        tables: list[Sequence[Row]] = [
            self.assets,
            self.allocations,
            self.node_states,
            self.runs,
            self.free_states,
            self.standings,
            self.events,
            self.health,
            self.upkeep,
            self.jobs,
            self.services,
            self.floors,
            self.startups,
            self.stats,
            self.processes,
            [s for i, s in enumerate(told) if i % 3],
            told[::3],
        ]
        for rows in tables:
            store.insert_rows(rows)
