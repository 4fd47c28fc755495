"""A small cluster to book and to look at: builders of rows with numbers that one can check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from analytics import accounts
from gpuledger.batch import by_table
from gpuledger.catalogue import (
    Allocation,
    Asset,
    BookedHour,
    Cell,
    CellHour,
    Gpu,
    GpuSample,
    Job,
    NodeState,
    Price,
)
from gpuledger.identity import alloc_id, asset_id, gpu_id, job_id
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store

CLUSTER = "c"
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
MODEL = "NVIDIA H100"
PRICE, ENERGY_PRICE = 3.0, 0.25
HOSTILE = "<script>alert('x')</script>{{7*7}} \"; DROP TABLE jobs; -- \\"


def at(minute: float) -> datetime:
    """The instant that many minutes after START."""
    return START + timedelta(minutes=minute)


def write(store: Store, rows: Iterable[Row]) -> None:
    """Insert rows of any tables; what is booked is added up as the ledger does."""
    rows = list(rows)
    for batch in by_table(rows):
        store.insert(batch)
    for day in sorted({r.hour.date() for r in rows if isinstance(r, CellHour)}):
        accounts.write(store, [day])


def gpu(slot: int, node: str = "n0") -> int:
    """The id of a GPU of this cluster."""
    return gpu_id(CLUSTER, node, slot)


def asset(slot: int, node: str = "n0", *, model: str = MODEL, since: datetime = START) -> Asset:
    """An owned GPU."""
    return Asset(
        gpu_id=gpu(slot, node),
        asset_id=asset_id(CLUSTER, node, slot),
        cluster=CLUSTER,
        node=node,
        slot=slot,
        model=model,
        pool="big",
        valid_from=since,
        version=1,
    )


def card(slot: int, node: str = "n0", *, seen: datetime = START, model: str = MODEL) -> Gpu:
    """A GPU as an agent's inventory names it."""
    return Gpu(
        gpu_id=gpu(slot, node),
        cluster=CLUSTER,
        node=node,
        slot=slot,
        uuid=f"GPU-{node}-{slot}",
        model=model,
        memory_bytes=None,
        seen_at=seen,
        version=1,
    )


def node_state(
    node: str = "n0",
    state: str = "up",
    since: datetime = START,
    until: datetime = FOREVER,
    *,
    gpus: int = 4,
    cpus: int = 0,
    memory_gib: int | None = None,
    pools: str = "",
) -> NodeState:
    """What the scheduler says of a node."""
    return NodeState(
        cluster=CLUSTER,
        node=node,
        scheduler="slurm",
        state=state,
        pools=pools,
        gpus=gpus,
        gpu_model="h100",
        cpu_milli=1000 * cpus,
        memory_bytes=None if memory_gib is None else memory_gib << 30,
        valid_from=since,
        valid_to=until,
        seen_at=since,
        version=1,
    )


def job(
    native: str = "1",
    *,
    state: str = "running",
    reason: str = "",
    gpus: int = 1,
    nodes: int = 1,
    cpus: int = 0,
    memory_gib: int | None = None,
    name: str = "train",
    user: str = "ana",
    team: str = "vision",
    pool: str = "",
    priority: int = 0,
    eligible: datetime = START,
    started: datetime = FOREVER,
    ended: datetime = FOREVER,
    ends_by: datetime = FOREVER,
    version: int = 1,
) -> Job:
    """A job, by default one that asks for one GPU and nothing else."""
    return Job(
        job_id=job_id(CLUSTER, native),
        cluster=CLUSTER,
        name=name,
        user=user,
        team=team,
        pool=pool,
        state=state,
        reason=reason,
        nodes=nodes,
        gpus_per_node=gpus,
        cpu_milli=1000 * cpus,
        memory_bytes=None if memory_gib is None else memory_gib << 30,
        priority=priority,
        submitted=START,
        eligible=eligible,
        started=started,
        ended=ended,
        ends_by=ends_by,
        seen_at=START,
        version=version,
    )


def given(
    native: str,
    slot: int,
    node: str = "n0",
    *,
    since: datetime = START,
    until: datetime = FOREVER,
    source: str = "slurm",
) -> Allocation:
    """A GPU given to a job."""
    return Allocation(
        gpu_id=gpu(slot, node),
        alloc_id=alloc_id(job_id(CLUSTER, native), 0, gpu(slot, node)),
        job_id=job_id(CLUSTER, native),
        cluster=CLUSTER,
        node=node,
        valid_from=since,
        valid_to=until,
        source=source,
        seen_at=FOREVER,
        version=1,
    )


def price(model: str = MODEL) -> Price:
    """What the GPUs of this cluster are worth."""
    return Price(
        model=model,
        capacity_value=PRICE,
        energy_price=ENERGY_PRICE,
        currency="EUR",
        valid_from=START - timedelta(days=1),
        version=1,
    )


def samples(
    slot: int,
    first: int,
    count: int,
    *,
    node: str = "n0",
    active: float = 1.0,
    processes: int = 1,
) -> list[GpuSample]:
    """Minutes in which a GPU tells the same, from a minute after START on."""
    minutes = range(first, first + count)
    return [_sample(slot, node, at(m + 1), active, processes) for m in minutes]


def _sample(slot: int, node: str, ts: datetime, active: float, processes: int) -> GpuSample:
    return GpuSample.known(
        ts=ts,
        interval_seconds=60,
        cluster=CLUSTER,
        node=node,
        slot=slot,
        gpu_id=gpu(slot, node),
        uuid=f"GPU-{node}-{slot}",
        utilization_ratio=0.9 * active,
        memory_utilization_ratio=None,
        sm_active_ratio=0.9 * active,
        tensor_active_ratio=None,
        dram_active_ratio=None,
        active_seconds=60 * active,
        lost_seconds=0,
        memory_used_bytes=None,
        memory_total_bytes=None,
        power_watts=360.0,
        power_limit_watts=700.0,
        energy_joules=None,
        temperature_celsius=None,
        memory_temperature_celsius=None,
        sm_clock_hertz=None,
        memory_clock_hertz=None,
        throttle_reasons=0,
        processes=processes,
    )


def cells(
    state: str,
    minutes: Iterable[int],
    slot: int = 0,
    node: str = "n0",
    *,
    native: str = "",
    grade: str = "A",
) -> list[Cell]:
    """Booked minutes of a GPU, all in one state, at 360 W."""
    alloc = alloc_id(job_id(CLUSTER, native), 0, gpu(slot, node)) if native else 0
    return [
        Cell(
            cluster=CLUSTER,
            gpu_id=gpu(slot, node),
            minute=at(m),
            alloc_id=alloc,
            state=state,
            grade=grade,
            intensity_ratio=None,
            gpu_seconds=60,
            energy_joules=60 * 360,
        )
        for m in minutes
    ]


def booked(cells: Sequence[Cell], until: datetime) -> list[Row]:
    """The cells, their hours, and the signature that says until when they are booked."""
    hours: dict[tuple[int, datetime, int, str, str], CellHour] = {}
    for c in cells:
        hour = c.minute.replace(minute=0)
        total = hours.setdefault(
            (c.gpu_id, hour, c.alloc_id, c.state, c.grade),
            CellHour(
                cluster=c.cluster,
                gpu_id=c.gpu_id,
                hour=hour,
                alloc_id=c.alloc_id,
                state=c.state,
                grade=c.grade,
                gpu_seconds=0,
                energy_joules=0,
            ),
        )
        total.gpu_seconds += c.gpu_seconds
        total.energy_joules = (total.energy_joules or 0) + (c.energy_joules or 0)
    first = min(c.minute for c in cells).replace(minute=0)
    signed = [first + timedelta(hours=i) for i in range(-(-(until - first) // timedelta(hours=1)))]
    return [*cells, *hours.values(), *(_signature(h, until) for h in signed)]


def _signature(hour: datetime, until: datetime) -> BookedHour:
    return BookedHour(
        hour=hour,
        fingerprint=1,
        booked_until=min(hour + timedelta(hours=1), until),
        owned_seconds=0,
        booked_at=until,
        version=1,
    )
