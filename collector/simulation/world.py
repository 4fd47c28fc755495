"""One simulated cluster and everything that happens on it, from a seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np

from collector.simulation.behaviour import phases
from collector.simulation.model import Job, Stray, Trouble, World
from collector.simulation.people import USERS
from collector.simulation.scheduler import Fault, Scheduler
from collector.simulation.workload import plans
from gpuledger.errors import ConfigError

__all__ = ["Job", "Stray", "Trouble", "World", "simulate"]

MINUTE_S = 60
TROUBLE_STREAM, SILENCE_STREAM, STRAY_STREAM = 2, 5, 6
CANDIDATES = 400

Interval = tuple[float, float]


def simulate(
    seed: int,
    nodes: int,
    start: datetime,
    end: datetime,
    cluster: str = "demo",
    gpus_per_node: int = 8,
) -> World:
    """The world of these arguments: the same ones give the same world, to the byte.

    Start and end are whole minutes with a time zone. ConfigError otherwise.
    """
    _check(nodes, start, end, gpus_per_node)
    world = World(seed, nodes, start, end, cluster, gpus_per_node)
    outcome = Scheduler(world, plans(world), _faults(world)).play()
    jobs = (job for job in outcome.jobs.values() if job.end_s > 0)
    world = replace(
        world,
        jobs=tuple(sorted((_acted(seed, j) for j in jobs), key=lambda j: j.plan.number)),
        lost=tuple(outcome.lost),
        down=tuple(outcome.down),
    )
    world = replace(world, silent=tuple(_silence(world)))
    return replace(world, strays=tuple(_strays(world)))


def _check(nodes: int, start: datetime, end: datetime, gpus_per_node: int) -> None:
    if nodes < 1 or gpus_per_node < 1:
        raise ConfigError("a simulated cluster needs at least one node with one GPU")
    for name, at in (("start", start), ("end", end)):
        if at.tzinfo is None or at.second or at.microsecond:
            raise ConfigError(f"{name} of a simulation must be a whole minute with a time zone")
    if end <= start:
        raise ConfigError("a simulation must end after its start")


def _acted(seed: int, job: Job) -> Job:
    return replace(job, phases=phases(seed, job)) if job.places else job


def _minutes(seconds: float) -> int:
    """Whole minutes, at least two, in seconds: agents notice troubles by the minute."""
    return max(2, round(seconds / MINUTE_S)) * MINUTE_S


def _faults(world: World) -> list[Fault]:
    """A node down for 9 h of a week; three GPUs lost, the last one for good.

    Lengths are shares of the world's length, so that short worlds show every state too.
    """
    rng = np.random.default_rng([world.seed, TROUBLE_STREAM])
    span_s = world.span_s

    def between(low: float, high: float) -> int:
        return _minutes(float(rng.uniform(low, high)) * span_s)

    out = []
    for begin, length in (((0.08, 0.14), (0.25, 0.32)), ((0.5, 0.6), (0.3, 0.38))):
        since_s = between(*begin)
        out.append(Fault(since_s, since_s + between(*length)))
    since_s = between(0.2, 0.4)
    out.append(Fault(since_s, since_s + between(0.05, 0.057), whole_node=True))
    out.append(Fault(span_s - between(0.03, 0.05), span_s + 30 * 86_400))
    return out


def _silence(world: World) -> Iterator[Trouble]:
    """An agent says nothing for 2 h of a week, on a node where jobs run and a GPU is free."""
    rng = np.random.default_rng([world.seed, SILENCE_STREAM])
    length_s = _minutes(world.span_s / 84)
    free = _free(world)
    best, best_score = None, -1.0
    for _ in range(CANDIDATES):
        node = int(rng.integers(world.nodes))
        since_s = _minutes(float(rng.uniform(0.1, 0.85)) * world.span_s)
        idle_s = sum(
            _overlap(interval, since_s, since_s + length_s)
            for slot in range(world.gpus_per_node)
            for interval in free[node, slot]
        )
        share = idle_s / (length_s * world.gpus_per_node)
        score = min(share, 0.2) if share < 0.7 else 0.0
        if score > best_score and not _troubled(world, node, (since_s, since_s + length_s)):
            best, best_score = Trouble(node, -1, since_s, since_s + length_s), score
    if best:
        yield best


def _strays(world: World) -> Iterator[Stray]:
    """Someone logs in and uses a free GPU without asking the scheduler, for 1 h of a week."""
    rng = np.random.default_rng([world.seed, STRAY_STREAM])
    length_s = _minutes(world.span_s / 168)
    margin_s = min(15 * MINUTE_S, length_s)
    room = [
        (place, since_s)
        for place, intervals in _free(world).items()
        for since_s, until_s in intervals
        if until_s - since_s >= length_s + 2 * margin_s
        and not _troubled(world, place[0], (since_s, until_s))
    ]
    if room:
        (node, slot), since_s = room[int(rng.integers(len(room)))]
        begin_s = -(-int(since_s + margin_s) // MINUTE_S) * MINUTE_S
        user = USERS[int(rng.integers(len(USERS)))].name
        yield Stray(node, slot, begin_s, begin_s + length_s, user)


def _free(world: World) -> dict[tuple[int, int], list[Interval]]:
    """When each GPU is not allocated."""
    taken: dict[tuple[int, int], list[Interval]] = {place: [] for place in world.places}
    for job in world.jobs:
        for place in job.places:
            taken[place].append((job.start_s, job.end_s))
    return {place: list(_gaps(sorted(busy), world.span_s)) for place, busy in taken.items()}


def _gaps(busy: Iterable[Interval], span_s: int) -> Iterator[Interval]:
    """What sorted, disjoint intervals leave of [0, span_s)."""
    now_s = 0.0
    for since_s, until_s in busy:
        if min(since_s, span_s) > now_s:
            yield now_s, min(since_s, span_s)
        now_s = max(now_s, until_s)
    if now_s < span_s:
        yield now_s, span_s


def _troubled(world: World, node: int, interval: Interval) -> bool:
    """Whether something else is wrong with the node, or one of its GPUs, in that time."""
    return any(
        trouble.node == node and _overlap((trouble.since_s, trouble.until_s), *interval) > 0
        for trouble in (*world.down, *world.lost, *world.silent)
    )


def _overlap(interval: Interval, since_s: float, until_s: float) -> float:
    return max(0.0, min(interval[1], until_s) - max(interval[0], since_s))
