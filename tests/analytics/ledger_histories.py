"""Histories drawn by hypothesis, so that every state occurs and every threshold is met."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st

from gpuledger.catalogue import (
    Allocation,
    Asset,
    AssetState,
    FreeState,
    GpuEvent,
    GpuHealth,
    JobStat,
    NodeState,
    ProcessSample,
    Reservation,
    SourceRun,
)
from gpuledger.schema import FOREVER
from tests.analytics.ledger_learned import check, floor, service, startup, stat
from tests.analytics.ledger_world import (
    GRAINS,
    LONG_AGO,
    MARGIN_MIN,
    START,
    TELLERS,
    UNNAMED_S,
    History,
    Phase,
    Telemetry,
    allocation,
    asset,
    at,
    event,
    health,
    job,
    run,
    standing,
    statement,
    upkeep,
    wish,
)

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
    hot=st.sampled_from((None, None, 0.0, 0.49, 0.5, 0.9)),
    memory=st.sampled_from((None, 0.05, 0.1, 0.8)),
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
    hot=st.sampled_from((None, 0.0, 0.9)),
)
# Busy by the counters while nothing moves; and what it is told from.
HUNG = st.builds(
    Phase,
    minutes=st.sampled_from((9, 10, 11, 25)),
    sm=st.sampled_from((0.05, 0.2, None)),
    util=st.sampled_from((0.89, 0.95, 0.95)),
    tensor=st.sampled_from((0.0, 0.0, 0.3, None)),
    dram=st.sampled_from((0.01, 0.01, 0.02, None)),
    power=st.sampled_from((150.0, 150.0, 300.0)),
    pcie=st.sampled_from((1e3, 1e3, 90e6, None)),
)
AT_WORK = st.builds(Phase, minutes=st.sampled_from((5, 14, 20)), pcie=st.just(90e6))
CALM = st.builds(
    Phase,
    minutes=st.sampled_from((4, 15, 25)),
    active=st.just(0.0),
    sm=st.just(0.0),
    util=st.just(0.0),
    power=st.sampled_from((91.0, 93.0, 114.0, 130.0)),
    memory=st.sampled_from((None, 0.05, 0.5)),
)
ONE = st.one_of(WILD, STEADY, HUNG, CALM).map(lambda phase: [phase])
PHASES = st.one_of(ONE, ONE, st.tuples(AT_WORK, HUNG).map(list))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A few GPUs on one or two nodes for one to three hours."""
    hours = draw(st.sampled_from((1, 1, 2, 2, 3)))
    until = at(60 * hours - draw(st.sampled_from((0, 0, 17))))
    nodes = ["n0", "n1"][: draw(st.integers(1, 2))]
    gpus = [
        draw(_assets(slot, nodes[slot % len(nodes)], hours)) for slot in range(draw(_count(2, 8)))
    ]
    given = [a for i, g in enumerate(gpus) for a in draw(_allocations(g, i, hours, until))]
    return History(
        until=until,
        assets=gpus,
        allocations=given,
        node_states=[s for node in nodes for s in draw(_statements(node, hours))],
        telemetry=[draw(_telemetry(g, hours)) for g in gpus],
        runs=draw(_runs(until)),
        free_states=[w for g in gpus for w in draw(_wishes(g, hours))],
        standings=[s for g in gpus for s in draw(_standings(g, hours))],
        events=[e for g in gpus for e in draw(_events(g, hours))],
        health=[h for g in gpus for h in draw(_health(g, hours))],
        upkeep=[r for node in nodes for r in draw(_upkeep(node, hours))],
        jobs=[job(a, draw(st.sampled_from(("train", "serve-chat")))) for a in given],
        services=draw(st.sampled_from(([], [service()]))),
        floors=[
            floor(g, draw(st.sampled_from((80.0, 100.0)))) for g in gpus if draw(st.booleans())
        ],
        startups=draw(st.sampled_from(([], [startup(90.0)], [startup(1200.0)], [startup(9e4)]))),
        stats=[s for a in given for s in draw(_stats(a))],
        processes=[p for g in gpus for p in draw(_checks(g, hours))],
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
    parts = draw(st.lists(PHASES, min_size=2, max_size=8))
    phases = [phase for part in parts for phase in part]
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
    begins = draw(st.lists(_seconds(hours), max_size=3, unique=True))
    out = [statement(node, "up", LONG_AGO)] if draw(_count(0, 2)) else []
    for second in begins:
        since = START + timedelta(seconds=second)
        length_s = draw(st.sampled_from((None, 20, 90, 1000, 4000)))
        out.append(
            statement(
                node,
                draw(st.sampled_from(("up", "up", "up", "down", "drained"))),
                since,
                FOREVER if length_s is None else since + timedelta(seconds=length_s),
            )
        )
    return out


@st.composite
def _runs(draw: st.DrawFn, until: datetime) -> list[SourceRun]:
    """Readings of schedulers and nodes, some of them failed."""
    first = draw(_count(-10, 60))
    minutes = range(first, first + draw(st.sampled_from((0, 60, 190))))
    out = [run("slurm", at(minute)) for minute in minutes if at(minute) <= until]
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
    for hour in draw(st.sets(_count(0, hours - 1))):
        first, last = sorted(draw(st.tuples(st.integers(0, 3600), st.integers(0, 3600))))
        if first < last:
            state, cause = draw(st.sampled_from(PLACED))
            begin, end = (at(60 * hour) + timedelta(seconds=s) for s in (first, last))
            out.append(wish(owner, begin, end, state, cause))
    return out


PLACED = (
    *(("free_demand", ""), ("held", "reservation"), ("stranded", "cpu_ram")),
    ("free_surplus", "too_few"),
)
TROUBLES = (
    *(("lost", "", 0), ("recovered", "", 0), ("xid", "reset GPU", 119), ("xid", "reset GPU", 48)),
    *(("xid", "", 13), ("xid", "restart application", 94), ("recovery", "reset GPU", 0)),
    *(("recovery", "none", 0), ("xid", "NVIDIA's NVLink workflow", 74)),
    ("retirement", "reset GPU", 0x800),
)
HEALTH = (
    *({"recovery_action": 0}, {"recovery_action": 1}, {"remap_pending": 1}, {"remap_failed": 1}),
    {"nvlinks": 18, "nvlinks_up": 17},
)


@st.composite
def _standings(draw: st.DrawFn, owner: Asset, hours: int) -> list[AssetState]:
    """Mostly in service."""
    if draw(_count(0, 3)):
        return []
    states = ("service", "delivered", "repair", "powered_down", "retired")
    first, last = sorted(draw(st.tuples(*[st.integers(0, 60 * hours)] * 2)))
    return [standing(owner, draw(st.sampled_from(states)), at(first), at(last))]


@st.composite
def _events(draw: st.DrawFn, owner: Asset, hours: int) -> list[GpuEvent]:
    """Mostly none; some are from hours before."""
    if draw(_count(0, 2)):
        return []
    told = draw(st.lists(st.tuples(_seconds(hours), st.sampled_from(TROUBLES)), max_size=3))
    early = [event(owner, START - timedelta(hours=20), "lost")] if not draw(_count(0, 9)) else []
    return early + [event(owner, START + timedelta(seconds=s), *what) for s, what in told]


@st.composite
def _health(draw: st.DrawFn, owner: Asset, hours: int) -> list[GpuHealth]:
    """Readings of which some tell of trouble; mostly none."""
    if draw(_count(0, 4)):
        return []
    minutes = draw(st.lists(st.integers(-20, 60 * hours), max_size=6, unique=True))
    return [health(owner, m, **draw(st.sampled_from(HEALTH))) for m in minutes]


@st.composite
def _upkeep(draw: st.DrawFn, node: str, hours: int) -> list[Reservation]:
    if draw(_count(0, 3)):
        return []
    first, last = sorted(draw(st.tuples(_seconds(hours), _seconds(hours))))
    span = (START + timedelta(seconds=s) for s in (first, last))
    return [upkeep(node, *span)] if first < last else []


@st.composite
def _stats(draw: st.DrawFn, given: Allocation) -> list[JobStat]:
    """What was learned of a job, if anything."""
    ago = draw(st.sampled_from((None, None, 5, 120)))
    power = draw(st.sampled_from((0.3, 0.8)))
    return [] if ago is None else [stat(given, given.valid_from - timedelta(minutes=ago), power)]


@st.composite
def _checks(draw: st.DrawFn, owner: Asset, hours: int) -> list[ProcessSample]:
    """Processes of a user who is on the list, and of one who is not."""
    ends = draw(st.lists(st.integers(1, 60 * hours * 6), max_size=2))
    users = st.sampled_from(("dcgm", "eve"))
    seconds = st.sampled_from((10.0, 600.0))
    return [
        check(owner, START + timedelta(seconds=10 * end), draw(users), 7 + i, draw(seconds))
        for i, end in enumerate(ends)
    ]
