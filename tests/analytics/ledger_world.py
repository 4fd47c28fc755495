"""Histories to book: what schedulers, agents and owners could have said in a few hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from gpuledger.catalogue import Allocation, Asset, FreeState, GpuSample, NodeState, SourceRun
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
    " booked_hours ledger_1m ledger_1h accounts_1h accounts_1d free_blocks"
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


def wish(owner: Asset, since: datetime, until: datetime) -> FreeState:
    """Waiting work would fill the GPU."""
    return FreeState(gpu_id=owner.gpu_id, valid_from=since, valid_to=until, state="free_demand")


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


def samples(owner: Asset, first_minute: int, phases: list[Phase]) -> list[GpuSample]:
    """The rows of phases that follow each other from a minute after START on."""
    rows = []
    for phase in phases:
        for minute in range(first_minute, first_minute + phase.minutes):
            rows += [_sample(owner, minute, end, phase) for end in phase.grain.ends_s]
        first_minute += phase.minutes
    return rows


# Whatever else the catalogue knows was not read.
UNREAD = {c.name: None for c in GpuSample.table.columns if c.default is REQUIRED}


def _sample(owner: Asset, minute: int, end_s: int, phase: Phase) -> GpuSample:
    interval_s = phase.grain.interval_s
    told = {
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
            [s for i, s in enumerate(told) if i % 3],
            told[::3],
        ]
        for rows in tables:
            store.insert_rows(rows)


# Levels on both sides of the thresholds and on them; no mix of 15 of the first has a mean of 0.25.
SM = (0.0137, 0.1003, 0.2499, 0.25, 0.9311, 0.9311, None, None)
UTIL = (0.01, 0.10, 0.25, 0.93, 0.93, None)
ACTIVE = (0.0, 0.0, 0.01, 0.05, 0.06, 0.4, 1.0, 1.0, None)
POWER = (100.0, 280.0, 650.0, 650.0, None)
LIMIT = (700.0, 700.0, 700.0, None)
PROCESSES = (None, 0, 0, 1, 1, 3)
LOST = (None, 0.0, 0.0, 0.0, 0.0, 0.0, 0.49, 0.5, 1.0)
LENGTHS = (1, 1, 2, 3, 4, 5, 6, 10, 14, 15, 16, 20, 25)

WILD = st.builds(
    Phase,
    minutes=st.sampled_from(LENGTHS),
    grain=st.sampled_from(GRAINS),
    active=st.sampled_from(ACTIVE),
    sm=st.sampled_from(SM),
    util=st.sampled_from(UTIL),
    power=st.sampled_from(POWER),
    limit=st.sampled_from(LIMIT),
    processes=st.sampled_from(PROCESSES),
    lost=st.sampled_from(LOST),
)
# Long enough for every sustained condition, with readings of one grade.
STEADY = st.builds(
    Phase,
    minutes=st.sampled_from((4, 9, 14, 15, 16, 25)),
    active=st.sampled_from((0.0, 0.05, 0.06, 1.0, 1.0, 1.0)),
    sm=st.sampled_from((0.0137, 0.1003, 0.2499, 0.25, 0.9311, None, None)),
    util=st.sampled_from((0.01, 0.10, 0.25, 0.93)),
    power=st.sampled_from((100.0, 280.0, 650.0, None)),
    processes=st.sampled_from((0, 1, 1)),
)
PHASES = st.one_of(WILD, STEADY)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One to four GPUs on one or two nodes for one to three hours."""
    hours = draw(st.sampled_from((1, 1, 2, 3)))
    until = at(60 * hours - draw(st.sampled_from((0, 0, 17))))
    nodes = ["n0", "n1"][: draw(st.integers(1, 2))]
    gpus = [
        draw(_assets(slot, nodes[slot % len(nodes)], hours)) for slot in range(draw(_count(1, 4)))
    ]
    return History(
        until=until,
        assets=gpus,
        allocations=[a for i, g in enumerate(gpus) for a in draw(_allocations(g, i, hours, until))],
        node_states=[s for node in nodes for s in draw(_statements(node, hours))],
        telemetry=[draw(_telemetry(g, hours)) for g in gpus],
        runs=draw(_runs(until)),
        free_states=[w for g in gpus for w in draw(_wishes(g, hours))],
    )


def _count(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most)


def _seconds(hours: int) -> st.SearchStrategy[int]:
    """A second from before START to the end; the ends of minutes and hours are frequent."""
    last = hours * 3600
    return st.one_of(
        st.integers(-MARGIN_MIN * 60, last),
        st.integers(0, hours * 60).map(lambda m: m * 60),
        st.integers(0, hours).map(lambda h: h * 3600),
    )


@st.composite
def _assets(draw: st.DrawFn, slot: int, node: str, hours: int) -> Asset:
    """Mostly owned all the time; sometimes from or until some minute."""
    edges = st.one_of(st.none(), st.none(), st.none(), st.integers(0, hours * 60))
    first, last = draw(edges), draw(edges)
    since = LONG_AGO if first is None else at(first)
    until = FOREVER if last is None else max(at(last), since)
    return asset(slot, node, since, until)


@st.composite
def _telemetry(draw: st.DrawFn, owner: Asset, hours: int) -> Telemetry:
    """A few phases again and again, from before the first hour to after the last one."""
    phases = draw(st.lists(PHASES, min_size=2, max_size=8))
    length = sum(p.minutes for p in phases)
    times = -(-(60 * hours + 2 * MARGIN_MIN) // length)
    return Telemetry(owner, -MARGIN_MIN, phases * times)


@st.composite
def _allocations(
    draw: st.DrawFn, owner: Asset, number: int, hours: int, until: datetime
) -> list[Allocation]:
    """Overlapping, back to back, open ended, of no length."""
    out: list[Allocation] = []
    for i in range(draw(_count(0, 5))):
        follows = bool(out) and out[-1].valid_to < FOREVER and draw(st.booleans())
        since = out[-1].valid_to if follows else START + timedelta(seconds=draw(_seconds(hours)))
        length_s = draw(st.sampled_from((None, 0, 1, 59, 60, 100, 599, 600, 601, 1800, 4321)))
        end = FOREVER if length_s is None else since + timedelta(seconds=length_s)
        stale_s = draw(st.sampled_from((0, UNNAMED_S, UNNAMED_S + 1, 2 * UNNAMED_S)))
        out.append(
            allocation(
                owner,
                1 + 10 * number + i,
                since,
                end,
                share_milli=draw(st.sampled_from((1000, 1000, 1000, 700, 500, 333))),
                source=draw(st.sampled_from(("slurm", "process", "kubernetes", "dcgm-exporter"))),
                seen_at=until - timedelta(seconds=stale_s),
            )
        )
    return out


@st.composite
def _statements(draw: st.DrawFn, node: str, hours: int) -> list[NodeState]:
    """Statements that end, or hold until a later one replaces them."""
    begins = draw(st.lists(_seconds(hours), max_size=4, unique=True))
    out = []
    for second in begins:
        since = START + timedelta(seconds=second)
        length_s = draw(st.sampled_from((None, 20, 90, 1000, 4000)))
        out.append(
            statement(
                node,
                draw(st.sampled_from(("up", "up", "down", "drained"))),
                since,
                FOREVER if length_s is None else since + timedelta(seconds=length_s),
            )
        )
    return out


@st.composite
def _runs(draw: st.DrawFn, until: datetime) -> list[SourceRun]:
    """Readings of schedulers and nodes, some of them failed."""
    out = []
    for source, node in TELLERS:
        for _ in range(draw(_count(0, 2))):
            back_s = draw(st.sampled_from((0, 60, 300)))
            failures = draw(st.sampled_from((0, 0, 1)))
            out.append(run(source, until - timedelta(seconds=back_s), failures, node))
    return out


@st.composite
def _wishes(draw: st.DrawFn, owner: Asset, hours: int) -> list[FreeState]:
    """Stretches in which waiting work would fill the GPU, each within one hour."""
    out = []
    for _ in range(draw(_count(0, 2))):
        hour = draw(_count(0, hours - 1))
        first, last = sorted(draw(st.tuples(st.integers(0, 3600), st.integers(0, 3600))))
        if first < last:
            out.append(wish(owner, *(at(60 * hour) + timedelta(seconds=s) for s in (first, last))))
    return out
