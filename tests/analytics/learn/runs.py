"""Runs of a job that recurs day by day, as the scheduler and the accounts tell them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from analytics.book import Span
from gpuledger.catalogue import AccountDay, AccountHour
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.learn.test_demand import account

HOUR = timedelta(hours=1)
TODAY = Span(world.START - timedelta(hours=10), world.START + timedelta(hours=14))


def run(
    day: int,
    *,
    active: float = 3.0,
    idle: float = 1.0,
    unseen: float = 0.0,
    name: str = "",
    state: str = "completed",
    grade: str = "A",
) -> list[Row]:
    """A run on that day, the 20th being today, of so many GPU-hours."""
    started = world.START + timedelta(days=day - 20)
    name = name or f"nightly-{day}"
    job = world.job(f"{name}@{day}", name=name, state=state, gpus=4, started=started)
    job.ended = started + HOUR
    hours = []
    for told, gpus in (("productive", active), ("alloc_idle", idle), ("alloc_unknown", unseen)):
        row = account(10 + 24 * (day - 20), told, gpus)
        row.job, row.job_name, row.user, row.model = job.job_id, name, job.user, world.MODEL
        row.energy_joules, row.grade = gpus * 3600 * 300, grade
        hours += [row] if gpus else []
    return [job, *hours]


def write(store: Store, *runs: list[Row]) -> None:
    """Write the rows of these runs, hours also as days."""
    rows = [row for rows in runs for row in rows]
    world.write(store, [*rows, *(day_of(r) for r in rows if isinstance(r, AccountHour))])


def day_of(hour: AccountHour) -> AccountDay:
    """The same in the accounts of days."""
    values = {name: value for name, value in hour.values().items() if name != "hour"}
    return AccountDay(**values, day=hour.hour.replace(hour=0))


def history(count: int = 10) -> list[list[Row]]:
    """So many runs on the days before, all much alike: 4 GPU-hours, three quarters at work."""
    return [run(day, active=3.0 + 0.01 * (day % 3)) for day in range(20 - count, 20)]


def going_on(**told: Any) -> list[Row]:
    """Today's run, which has not ended."""
    rows = run(20, state="running", **told)
    rows[0].ended = FOREVER  # type: ignore[attr-defined] # the first is the job
    return rows
