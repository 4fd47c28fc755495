"""What people submit: a week has busy working hours, long nights and a quiet weekend.

Shares are GPU-hours asked for per GPU-hour owned; shapes follow what published traces of GPU
clusters agree on: most jobs are small and short, most GPU-hours belong to few large ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from collector.simulation.model import NEVER, Behaviour, Floats, Plan, World
from collector.simulation.people import PROJECTS, TEAM_PRIORITY, TEAM_WEIGHT, USERS, User

HOUR_S = 3_600
WARM_UP_S = 96 * HOUR_S
WORKLOAD_STREAM = 1
FIRST_NUMBER, NUMBERS_SINCE, NUMBERS_PER_NODE_DAY = 480_001, datetime(2026, 1, 1, tzinfo=UTC), 16
LIMITS_H = (1, 2, 4, 8, 12, 24, 48, 72, 120)
# The only outcomes that a user or the program decides; faults end jobs too.
OUTCOMES = (("completed", 0.80), ("failed", 0.08), ("cancelled", 0.07), ("timeout", 0.05))


@dataclass(frozen=True)
class Mix:
    """One kind of work: how much of the cluster it asks for, in which sizes, for how long."""

    behaviour: Behaviour
    partition: str
    share: float
    sizes: tuple[tuple[int, float], ...]
    median_h: float
    sigma: float
    longest_h: float
    weekend: float
    night: float


MIXES = (
    Mix(
        Behaviour.TRAINING,
        "batch",
        0.53,
        ((1, 0.30), (2, 0.2), (4, 0.24), (8, 0.2), (16, 0.045), (32, 0.015)),
        2.2,
        0.9,
        36,
        weekend=0.4,
        night=0.5,
    ),
    Mix(
        Behaviour.INFERENCE,
        "batch",
        0.08,
        ((1, 0.6), (2, 0.4)),
        7,
        0.7,
        48,
        weekend=0.5,
        night=0.4,
    ),
    Mix(
        Behaviour.STARVED,
        "batch",
        0.12,
        ((1, 0.4), (2, 0.3), (4, 0.2), (8, 0.1)),
        3.5,
        0.8,
        30,
        weekend=0.5,
        night=0.4,
    ),
    Mix(
        Behaviour.NOTEBOOK,
        "interactive",
        0.068,
        ((1, 0.7), (2, 0.3)),
        9,
        0.8,
        60,
        weekend=0.25,
        night=0.1,
    ),
    Mix(
        Behaviour.ABANDONED,
        "batch",
        0.048,
        ((2, 0.3), (4, 0.4), (8, 0.3)),
        9,
        0.5,
        40,
        weekend=0.5,
        night=0.4,
    ),
)


@dataclass(frozen=True)
class Held:
    """A job that is still open at the end and does nothing: what the demo's advice is about."""

    user: str
    name: str
    gpus: int
    idle_h: float
    worked_h: float

    @property
    def behaviour(self) -> Behaviour:
        """Large ones are trainings that nobody released, small ones notebooks."""
        return Behaviour.ABANDONED if self.gpus > 2 else Behaviour.NOTEBOOK


# Hours are for a week and longer; shorter worlds shrink them. As many as fit in HELD_SHARE.
HELD = (
    Held("okafor", "sft-8b-final", 8, 31, 9),
    Held("linh", "notebook", 2, 52, 4),
    Held("pvolkov", "notebook", 1, 76, 3),
    Held("dmoreau", "notebook", 2, 19, 6),
    Held("gweiss", "notebook", 1, 27, 5),
    Held("rpatel", "detr-eval", 4, 13, 6),
    Held("ysato", "notebook", 1, 8, 2),
)
HELD_SHARE = 0.13
HELD_PRIORITY = 9_000


def plans(world: World) -> list[Plan]:
    """Every submission from the warm-up to the end, numbered in the order of submission."""
    rng = np.random.default_rng([world.seed, WORKLOAD_STREAM])
    drawn = [plan for mix in MIXES for plan in _of_mix(world, mix, rng)]
    drawn += _held(world)
    drawn.sort(key=lambda plan: (plan.submit_s, plan.user, plan.gpus))
    first = _first_number(world)
    return [replace(plan, number=first + i) for i, plan in enumerate(drawn)]


def _first_number(world: World) -> int:
    """Later worlds count on from higher numbers, so a job id is not met twice in one store."""
    days = max(0, (world.start - NUMBERS_SINCE).days)
    return FIRST_NUMBER + days * NUMBERS_PER_NODE_DAY * world.nodes


def _of_mix(world: World, mix: Mix, rng: np.random.Generator) -> Iterator[Plan]:
    sizes = _sizes(world, mix)
    mean_gpus = sum(gpus * share for gpus, share in sizes)
    mean_h = mix.median_h * math.exp(mix.sigma**2 / 2)
    per_hour = mix.share * world.nodes * world.gpus_per_node / (mean_gpus * mean_h)
    profile = per_hour * _profile(world, mix)
    counts = rng.poisson(profile)
    for hour, count in enumerate(counts):
        for _ in range(int(count)):
            submit_s = hour * HOUR_S - WARM_UP_S + int(rng.integers(HOUR_S))
            yield _plan(world, mix, sizes, submit_s, rng)


def _sizes(world: World, mix: Mix) -> list[tuple[int, float]]:
    """Sizes that leave most of the cluster to others, with shares that add up to 1."""
    most = max(world.gpus_per_node, world.nodes * world.gpus_per_node // 6)
    fitting = [(gpus, share) for gpus, share in mix.sizes if gpus <= most]
    total = sum(share for _, share in fitting)
    return [(gpus, share / total) for gpus, share in fitting]


def _profile(world: World, mix: Mix) -> Floats:
    """Relative rate of submissions for each hour; its mean over a full week is 1."""
    hours = (WARM_UP_S + world.span_s) // HOUR_S + 1
    first = world.start - timedelta(seconds=WARM_UP_S)
    week = np.array([_hour_weight(mix, day, hour) for day in range(7) for hour in range(24)])
    at = first.weekday() * 24 + first.hour
    return np.asarray((week / week.mean())[(at + np.arange(hours)) % 168], dtype=np.float64)


def _hour_weight(mix: Mix, day: int, hour: int) -> float:
    """Working hours are 8-19 UTC; evenings still see people who start a run for the night."""
    clock = 1.0 if 8 <= hour < 19 else (0.8 if 19 <= hour < 22 else 1) * mix.night
    return clock * (mix.weekend if day >= 5 else 1.0)


def _plan(
    world: World,
    mix: Mix,
    sizes: list[tuple[int, float]],
    submit_s: int,
    rng: np.random.Generator,
) -> Plan:
    user = _user(rng)
    gpus = sizes[int(rng.choice(len(sizes), p=[share for _, share in sizes]))][0]
    drawn_s = float(mix.median_h * HOUR_S * rng.lognormal(0, mix.sigma))
    duration_s = round(min(max(drawn_s, 360.0), mix.longest_h * HOUR_S))
    outcome, run_s, limit_s = _outcome(mix, duration_s, rng)
    reason, eligible_s = _hold(mix, submit_s, rng)
    idles = mix.behaviour in {Behaviour.NOTEBOOK, Behaviour.ABANDONED}
    return Plan(
        number=0,
        name=_name(mix, user, rng),
        user=user.name,
        team=user.team,
        partition=mix.partition,
        behaviour=mix.behaviour,
        nodes=-(-gpus // world.gpus_per_node),
        gpus_per_node=min(gpus, world.gpus_per_node),
        submit_s=submit_s,
        eligible_s=eligible_s,
        hold_reason=reason,
        priority=_priority(mix.partition, user.team, gpus),
        duration_s=run_s,
        limit_s=limit_s,
        outcome=outcome,
        work_s=_work_s(mix, run_s, rng),
        latest_end_s=world.span_s - float(rng.uniform(600, 3 * HOUR_S)) // 1 if idles else NEVER,
    )


def _user(rng: np.random.Generator) -> User:
    weights = np.array([TEAM_WEIGHT[user.team] for user in USERS])
    return USERS[int(rng.choice(len(USERS), p=weights / weights.sum()))]


def _name(mix: Mix, user: User, rng: np.random.Generator) -> str:
    projects = PROJECTS[user.team]
    project = projects[int(rng.integers(len(projects)))]
    match mix.behaviour:
        case Behaviour.NOTEBOOK:
            return "notebook"
        case Behaviour.INFERENCE:
            return f"{project}-serve"
        case _:
            return f"{project}-{int(rng.integers(1, 40)):02d}"


def _priority(partition: str, team: str, gpus: int) -> int:
    """Interactive first; then fair share and size, as Slurm's multifactor plugin weighs them."""
    return (
        (5_000 if partition == "interactive" else 1_000) + TEAM_PRIORITY[team] + 60 * min(gpus, 16)
    )


def _outcome(mix: Mix, duration_s: int, rng: np.random.Generator) -> tuple[str, int, int]:
    """How the job ends, after how many seconds, and its time limit in seconds."""
    shares = [share for _, share in OUTCOMES]
    outcome = OUTCOMES[int(rng.choice(len(OUTCOMES), p=shares))][0]
    asked_h = duration_s / HOUR_S * float(rng.uniform(1.3, 3))
    limit_s = HOUR_S * next((h for h in LIMITS_H if h >= asked_h), LIMITS_H[-1])
    if mix.behaviour in {Behaviour.NOTEBOOK, Behaviour.ABANDONED}:
        return "cancelled", duration_s, LIMITS_H[-1] * HOUR_S
    if outcome == "timeout":
        hours = max(1, round(duration_s / HOUR_S))
        return outcome, hours * HOUR_S, hours * HOUR_S
    part = {"failed": rng.uniform(0.02, 0.5), "cancelled": rng.uniform(0.1, 0.9)}.get(outcome, 1.0)
    return outcome, max(90, round(duration_s * float(part))), limit_s


def _hold(mix: Mix, submit_s: int, rng: np.random.Generator) -> tuple[str, int]:
    """Why some jobs cannot start at first although there were room, and from when they can."""
    if mix.partition == "interactive" or rng.uniform() > 0.07:
        return "", submit_s
    reason = "Dependency" if rng.uniform() < 0.6 else "QOSMaxGRESPerUser"
    return reason, submit_s + round(float(rng.uniform(0.5, 9)) * HOUR_S)


def _work_s(mix: Mix, run_s: int, rng: np.random.Generator) -> float:
    """An abandoned training works for the smaller part of its time."""
    share = float(rng.uniform(0.15, 0.4))
    return round(run_s * share) if mix.behaviour is Behaviour.ABANDONED else NEVER


def _held(world: World) -> list[Plan]:
    """The open idle jobs, as many as take no more than HELD_SHARE of the cluster."""
    room = HELD_SHARE * world.nodes * world.gpus_per_node
    out = []
    for held in HELD:
        if held.gpus <= min(room, world.gpus_per_node):
            room -= held.gpus
            out.append(_held_plan(world, held))
    return out


def _held_plan(world: World, held: Held) -> Plan:
    scale = min(1.0, world.span_s / (7 * 24 * HOUR_S))
    idle_s, worked_s = (
        max(900.0, hours * scale * HOUR_S) for hours in (held.idle_h, held.worked_h)
    )
    submit_s = round(world.span_s - idle_s - worked_s)
    large = held.behaviour is Behaviour.ABANDONED
    return Plan(
        number=0,
        name=held.name,
        user=held.user,
        team=next(user.team for user in USERS if user.name == held.user),
        partition="batch" if large else "interactive",
        behaviour=held.behaviour,
        nodes=1,
        gpus_per_node=held.gpus,
        submit_s=submit_s,
        eligible_s=submit_s,
        hold_reason="",
        priority=HELD_PRIORITY,
        duration_s=30 * 24 * HOUR_S,
        limit_s=30 * 24 * HOUR_S,
        outcome="timeout",
        work_s=round(worked_s),
        kept=True,
    )
