"""A made-up fleet of 64 GPUs over two weeks, as a manager might meet it; for looking at pages."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, WEEK, Fleet

TEAMS = ("vision", "language", "robotics", "genomics")
NAMES = ("pretrain-7b", "segmentation-sweep", "policy-rl", "fold-batch", "notebook")
# State and weight of allocated hours, by team: some teams work, some sit.
HABITS = {
    "vision": (("productive", 6), ("underused", 3), ("alloc_idle", 2)),
    "language": (("productive", 15), ("underused", 1), ("startup_teardown", 1)),
    "robotics": (("productive", 4), ("alloc_idle", 5), ("underused", 2)),
    "genomics": (("productive", 8), ("alloc_idle", 1), ("alloc_unknown", 1)),
}
FREE = (("free_surplus", 5), ("free_demand", 3), ("maintenance", 1), ("fault", 1))


def build(store: Store, gpus: int = 64, *, priced: bool = True, weeks: int = 2) -> None:
    """Booked weeks up to the end of 2026-W47."""
    random, fleet = Random(47), Fleet(store)
    fleet.gpus(gpus)
    if priced:
        fleet.price(2.4)
    for gpu in range(gpus):
        _gpu(fleet, random, gpu, MONDAY - (weeks - 1) * WEEK)
    _advice(fleet)
    for day in range(12):
        fleet.alert(f"n{day % 5:02d}", MONDAY - timedelta(days=5) + timedelta(days=day, hours=3))
    fleet.write()


def _gpu(fleet: Fleet, random: Random, gpu: int, at) -> None:  # type: ignore[no-untyped-def]
    while at < MONDAY + WEEK:
        left = round((MONDAY + WEEK - at) / HOUR)
        length = min(left, random.choice((3, 8, 12, 30)))
        weekend = at.weekday() >= 5
        if random.random() < (0.45 if weekend else 0.16):
            fleet.hours(gpu, _pick(random, FREE), at, length, watts=70.0)
        else:
            _run(fleet, random, gpu, at, length)
        at += length * HOUR


def _run(fleet: Fleet, random: Random, gpu: int, at, length: int) -> None:  # type: ignore[no-untyped-def]
    team = TEAMS[(gpu // 8) % 4] if random.random() < 0.7 else random.choice(TEAMS)
    state, name = _pick(random, HABITS[team]), random.choice(NAMES)
    job_id = f"alpha/{len(fleet.rows)}"
    wait = timedelta(minutes=random.choice((0, 1, 4, 20, 90, 400)))
    size = random.choice((1, 1, 1, 4, 8, 16))
    fleet.job(job_id, team, name, submitted=at - wait, started=at, gpus_per_node=size)
    watts = {"productive": 560.0, "underused": 210.0}.get(state, 90.0)
    fleet.hours(gpu, state, at, length, job_id, watts=watts)


def _pick(random: Random, choices: tuple[tuple[str, int], ...]) -> str:
    return random.choices([c for c, _ in choices], [w for _, w in choices])[0]


def _advice(fleet: Fleet) -> None:
    fleet.recommend(
        "End notebook sessions of team robotics after two idle hours",
        412.0,
        team="robotics",
        created=MONDAY + HOUR,
        because="38 sessions held a GPU for a median of 9 hours after their last kernel.",
        command="scontrol update JobId=4711 TimeLimit=120",
    )
    fleet.recommend(
        "Move the segmentation sweep of team vision to half a GPU each",
        186.5,
        created=MONDAY + HOUR,
        because="Its 24 jobs use 11% of the multiprocessors and 9 GiB of memory.",
    )
    fleet.recommend(
        "Raise the priority of 8-GPU jobs on Mondays",
        95.0,
        team="",
        created=MONDAY + HOUR,
        because="310 free GPU-hours stood beside waiting 8-GPU jobs.",
    )
    _earlier(fleet)
    fleet.recommend(
        "Shorten time limits of team genomics", 12.0, team="genomics", created=MONDAY + HOUR
    )
    fleet.job(
        "alpha/w1", "language", submitted=MONDAY + timedelta(days=6), gpus_per_node=8, nodes=4
    )


def _earlier(fleet: Fleet) -> None:
    """What was decided on in the week before, in all ways that a decision can go."""
    for title, gain in (("End the old sweep of team vision", 96.0), ("Pack team genomics", 88.0)):
        fleet.recommend(title, gain, created=MONDAY - WEEK, team=title.split()[-1])
        fleet.decide(title, "accepted", MONDAY + timedelta(hours=5))
    fleet.decide("End the old sweep of team vision", "applied", MONDAY + timedelta(days=1), 2)
    fleet.decide("End the old sweep of team vision", "measured", MONDAY + timedelta(days=6), 3)
    fleet.outcome("End the old sweep of team vision", 71.0, MONDAY + timedelta(days=6))
    fleet.recommend("Lower the quota of team language", 60.0, "quota", created=MONDAY - WEEK)
    fleet.decide(
        "Lower the quota of team language", "dismissed", MONDAY + HOUR, reason="deadline, says bob"
    )
