"""The demo's small world as its simulator and its raw rows tell it, and boards asked about it."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collector.simulation.model import Job, World
from collector.simulation.truth import truth
from dashboards import build
from dashboards.macros import expand
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.cli.demo import CONFIGURATION, Demo
from gpuledger.identity import alloc_id
from gpuledger.store import Store

NODES, DAYS, SEED = 4, 2, 3
END = datetime(2026, 11, 20, 4, tzinfo=UTC)
START = END - timedelta(days=DAYS)
HOURS = 24 * DAYS
POOL = "demo/NVIDIA H100 80GB HBM3"
SETTINGS = tomllib.loads(CONFIGURATION)
PRICE, KWH_PRICE = SETTINGS["prices"]["capacity_value"], SETTINGS["prices"]["energy_price"]
PUE, CARBON = SETTINGS["energy"]["pue"], SETTINGS["energy"]["carbon_kg_per_kwh"]
IDLE = ("alloc_idle", "stalled")
FREE = ("held", "free_demand", "stranded", "free_surplus")
AT_WORK = ("productive", "underused", "throttled")
UNKNOWN = ("alloc_unknown", "unalloc_unknown", "unattributed")
HELD = (*AT_WORK, *IDLE, "startup_teardown", "rogue")
# What counts as won back of an hour in these states (docs/ledger.md).
LOOSE = {"alloc_idle": 1.0, "stalled": 1.0, "free_demand": 1.0, "stranded": 1.0, "underused": 0.5}
# A free GPU lacks others beside it: a request for few would take it.
TAKEN = ("gpu_count_on_node", "topology_island")
# The book knows minutes, the truth seconds (tests/test_truth.py).
NEAR = 0.03

Rows = list[dict[str, Any]]
# What a value is, what the panel shows, and what is true.
Pairs = Iterator[tuple[str, Any, Any]]


@dataclass(frozen=True)
class Cell:
    """An hour of one GPU in one state, added up from the raw minutes; `joules` as kWh."""

    hour: datetime
    node: str
    slot: int
    job: str
    user: str
    team: str
    name: str
    state: str
    cause: str
    grade: str
    hours: float
    kwh: float

    @property
    def is_theirs(self) -> bool:
        """Whether its team answers for it: not what a fault of another GPU held up."""
        return self.cause != "peer_fault"

    @property
    def loose(self) -> float:
        """GPU-hours of it that could be won back."""
        return self.hours * LOOSE.get(self.state, 0.0)


@dataclass(frozen=True)
class Told:
    """The world, its truth, its booked minutes added up in Python, and whom boards are asked."""

    store: Store
    world: World
    true: dict[str, Any]
    cells: tuple[Cell, ...]
    # Free whole GPUs by minute and node, and the state of each GPU in the last minute.
    free: dict[datetime, dict[str, int]]
    last: dict[tuple[str, int], str]
    planted: dict[str, Any] = field(default_factory=dict)

    def ask(self, board: str, title: str, **chosen: Sequence[str]) -> Rows:
        """Rows that a panel shows over the demo's range."""
        panel = next(p for p in build.boards()[board].panels if p.title == title)
        point_s = panel.point_s(START, END)
        return self.store.select(expand(panel.sql, START, END, point_s, chosen))

    def rows(self, table: str) -> Rows:
        """Raw rows of a table, in base units."""
        return self.store.select(f"SELECT * FROM v_{table}")

    def some(self, *states: str, **of: str) -> list[Cell]:
        """Cells in these states (none: all) of a job, team, user, node …"""
        return [
            c
            for c in self.cells
            if (not states or c.state in states)
            and all(getattr(c, name) == value for name, value in of.items())
        ]

    def hours(self, *states: str, **of: str) -> float:
        """GPU-hours of them."""
        return sum(c.hours for c in self.some(*states, **of))

    def loose(self, **of: str) -> float:
        """GPU-hours of them that could be won back."""
        return sum(c.loose for c in self.some(**of))

    def kwh(self, *states: str, **of: str) -> float:
        """Energy of them."""
        return sum(c.kwh for c in self.some(*states, **of))

    def best(self, by: str, value: Callable[..., float]) -> tuple[str, float]:
        """The name of that kind with the largest value, and it."""
        names = sorted({getattr(c, by) for c in self.cells} - {""})
        found = max(names, key=lambda name: (value(**{by: name}), [-ord(x) for x in name]))
        return found, value(**{by: found})

    def happened(self, *states: str) -> float:
        """GPU-hours of states by the simulator's truth."""
        return float(sum(self.true["gpu_seconds"][s] for s in states)) / 3600

    @property
    def owned(self) -> float:
        """GPU-hours owned."""
        return float(len(self.world.places) * HOURS)

    @property
    def started(self) -> list[tuple[Job, int]]:
        """Jobs that started within the range, with the seconds that they had waited."""
        return [
            (job, max(0, int(job.start_s // 1) - job.plan.eligible_s))
            for job in self.world.jobs
            if 0 <= job.start_s <= self.world.span_s
        ]

    @property
    def waiting(self) -> list[Job]:
        """Jobs that were handed in and have not started at the end."""
        end_s = self.world.span_s
        return [j for j in self.world.jobs if j.plan.submit_s <= end_s < j.start_s]

    def running(self, job: Job) -> bool:
        """Whether it holds its GPUs at the end."""
        return job.start_s <= self.world.span_s < job.end_s

    @property
    def idle_job(self) -> dict[str, Any]:
        """The job that has idled longest and still holds its GPUs."""
        found: dict[str, Any] = self.true["idle_jobs"][0]
        return found

    def job(self, job_id: str) -> Job:
        """A job of the world by its id."""
        return next(j for j in self.world.jobs if self.world.job_id(j.plan) == job_id)


def quantile(values: Iterable[float], level: float) -> float:
    """The value that this share of the others lies under."""
    ordered = sorted(values)
    return ordered[int(level * len(ordered))]


def size_class(gpus: int) -> str:
    """How people call jobs of that size."""
    if gpus <= 1:
        return "1 GPU"
    return "2-4 GPUs" if gpus <= 4 else "5-8 GPUs" if gpus <= 8 else "over 8 GPUs"


def build_told(store: Store, home: Path) -> Told:
    """The demo of a few nodes, made as `gpuledger demo` makes it."""
    demo = Demo(home, store)
    with demo.progress():
        world = demo.simulate(SEED, NODES, START, END)
        demo.analyse(END)
    cells, free, last = _read(store, world)
    told = Told(store, world, truth(world, START, END), cells, free, last)
    _plant(told)
    return told


def _read(store: Store, world: World) -> tuple[tuple[Cell, ...], Any, Any]:
    """The raw minutes, added up."""
    places = {world.gpu_id(n, s): (world.node_name(n), s) for n, s in world.places}
    owners = {
        alloc_id(world.job_id(j.plan), 0, world.gpu_id(*place)): j
        for j in world.jobs
        for place in j.places
    }
    sums: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0])
    free: dict[datetime, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    last: dict[tuple[str, int], tuple[float, str]] = {}
    for r in store.select(_MINUTES):
        node, slot = places[r["gpu_id"]]
        given = r["alloc_id"]
        key = (r["minute"].replace(minute=0), node, slot, given, r["state"], r["cause"], r["grade"])
        sums[key][0] += r["gpu_ms"] / 3.6e6
        sums[key][1] += (r["energy_mj"] or 0) / 3.6e9
        free.setdefault(r["minute"], defaultdict(int))
        if r["state"] in FREE[1::2] or (r["state"] == "stranded" and r["cause"] in TAKEN):
            free[r["minute"]][node] += r["gpu_ms"]
        if r["minute"] == END - timedelta(minutes=1):
            last[node, slot] = max(last.get((node, slot), (0.0, "")), (r["gpu_ms"], r["state"]))
    whole = {at: {n: ms // 60_000 for n, ms in by.items()} for at, by in free.items()}
    cells = tuple(
        _cell(world, *key[:3], owners.get(key[3]), *key[4:], *value) for key, value in sums.items()
    )
    return cells, whole, {place: state for place, (_, state) in last.items()}


def _cell(world: World, hour: datetime, node: str, slot: int, job: Job | None, *rest: Any) -> Cell:
    plan = job.plan if job else None
    owner = (world.job_id(plan), plan.user, plan.team, plan.name) if plan else ("", "", "", "")
    return Cell(hour, node, slot, *owner, *rest)


_MINUTES = """
SELECT gpu_id, minute, alloc_id, toString(state) AS state, toString(cause) AS cause,
  toString(grade) AS grade, gpu_ms, energy_mj FROM ledger_1m ORDER BY minute, gpu_id
"""


def _plant(told: Told) -> None:
    """What so few nodes do not do in two days: a rank that is dead, and a move that would help."""
    job = max(told.world.jobs, key=lambda j: (told.running(j), len(j.places), j.plan.number))
    dead = Finding(
        finding_id=1,
        kind="partial_idle",
        subject=told.world.job_id(job.plan),
        user=job.plan.user,
        team=job.plan.team,
        pool=POOL,
        since=END - timedelta(hours=6),
        until=END,
        open=1,
        gpus=1,
        gpu_seconds=6 * 3600,
        capacity_value=6 * PRICE,
        cash_avoidable=None,
        currency="USD",
        grade="B",
        owner="job owner",
        cause="dead_rank",
        confidence_ratio=0.9,
        action="Look at rank 3.",
        summary="one of its GPUs did nothing",
        evidence="",
        version=1,
    )
    move = Recommendation(
        recommendation_id=0xABCDEF0123456789,
        finding_id=1,
        kind="repack",
        subject=f"demo/{POOL}",
        status="proposed",
        title="Move two jobs to free a node",
        command="scontrol requeue 1",
        gain_gpu_hours=48.0,
        gain_low_gpu_hours=12.0,
        gain_high_gpu_hours=60.0,
        gain_capacity_value=48 * PRICE,
        gain_cash_avoidable=None,
        currency="USD",
        horizon_seconds=86_400,
        confidence_ratio=0.8,
        because="two halves make a whole",
        created=END,
        version=1,
    )
    told.store.insert_rows([dead])
    told.store.insert_rows([move])
    told.planted.update(dead=dead, move=move)
