"""The idle board against the demo's truth."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import (
    END,
    HELD,
    HOURS,
    IDLE,
    NEAR,
    PRICE,
    START,
    Pairs,
    Rows,
    Told,
)

BOARD = "idle"
WASTED = ("alloc_idle", "stalled", "underused")


def _found(told: Told, *kinds: str) -> Rows:
    return [
        f
        for f in told.rows("findings")
        if f["kind"] in kinds and f["since"] <= END and f["until"] >= START
    ]


def _loose(told: Told, **of: str) -> float:
    return sum(c.loose for c in told.some(*WASTED, **of) if c.is_theirs)


@about(BOARD, "Held, but idle or underused")
def held(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    held_up = told.hours(*IDLE, cause="peer_fault")
    yield "idle", row["idle_gpu_hours"] + held_up, near(told.happened("alloc_idle"), NEAR)
    yield "underused", row["underused_gpu_hours"], near(told.happened("underused"), NEAR)
    yield "to win back", row["loose_gpu_hours"], near(_loose(told))
    yield "worth", row["loose_value"], near(_loose(told) * PRICE)


@about(BOARD, "In the last booked minute")
def now(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    idle = told.true["idle_jobs"]
    yield "idle GPUs", row["alloc_idle"], near(float(sum(job["gpus"] for job in idle)))
    yield "jobs that hold them", row["idle_jobs"], len(idle)
    yield "underused", row["underused"], near(float(Counter(told.last.values())["underused"]))


@about(BOARD, "GPUs held and not used over time")
def over_time(told: Told, rows: Rows) -> Pairs:
    yield "points", len(rows), HOURS
    for state in ("alloc_idle", "underused"):
        yield state, total(rows, state), near(told.happened(state), NEAR)


@about(BOARD, "Is it getting better? Idle share by team")
def shares(told: Told, rows: Rows) -> Pairs:
    days = sorted({r["time"] for r in rows})
    yield "days", len(days), 3
    for team in ("vision", "language"):
        for day in days[:2]:
            cells = [c for c in told.some(team=team) if c.hour.date() == day.date()]
            idle = sum(c.hours for c in cells if c.state in IDLE)
            known = sum(c.hours for c in cells if c.state in HELD)
            row = one(rows, team=team, time=day)
            yield f"{team} on {day:%d}", row["idle_ratio"], near(idle / known)


@about(BOARD, "Who holds them now")
def holders(told: Told, rows: Rows) -> Pairs:
    shown = {r["job"]: r for r in rows if r["kind"] in {"idle", "notebook"}}
    yield "jobs", set(shown), {job["job_id"] for job in told.true["idle_jobs"]}
    for job in told.true["idle_jobs"]:
        row = shown[job["job_id"]]
        yield "user", row["user"], job["user"]
        yield "GPUs", row["gpus"], job["gpus"]
        lasted = (END - job["idle_since"]).total_seconds()
        # An episode goes on over short work: it may have begun before it idled last.
        yield "for", row["lasts_seconds"] > lasted - 900, True


@about(BOARD, "Owners over the whole range")
def owners(told: Told, rows: Rows) -> Pairs:
    def wasted(user: str) -> float:
        return _loose(told, user=user)

    user, hours = told.best("user", wasted)
    yield "first", rows[0]["user"], user
    yield "to win back", rows[0]["loose_gpu_hours"], near(hours)
    yield "idle", rows[0]["idle_gpu_hours"], near(told.hours(*IDLE, user=user))
    yield "worth", rows[0]["loose_value"], near(hours * PRICE)


@about(BOARD, "Chronic: the same again and again")
def chronic(told: Told, rows: Rows) -> Pairs:
    names = {j.plan.number: j.plan.name for j in told.world.jobs}
    by_habit: dict[Any, Rows] = {}
    for finding in _found(told, "idle"):
        name = names[int(finding["subject"].split("/")[-1])]
        by_habit.setdefault((finding["user"], name), []).append(finding)
    habits = {h: f for h, f in by_habit.items() if len({x["since"].date() for x in f}) > 1}
    yield "habits", {(r["user"], r["name"]) for r in rows}, set(habits)
    first = habits[rows[0]["user"], rows[0]["name"]]
    yield "times", rows[0]["episodes"], len(first)
    hours = sum(f["gpu_seconds"] for f in first) / 3600
    yield "hours", rows[0]["found_gpu_hours"], near(hours)


@about(BOARD, "Why: GPU-hours by cause")
def causes(told: Told, rows: Rows) -> Pairs:
    shown = {r["why"]: r["found_gpu_hours"] for r in rows}
    found = _found(told, "idle", "underused")
    everything = sum(f["gpu_seconds"] for f in found) / 3600
    yield "all causes", sum(shown.values()), near(everything)
    held_ = sum(f["gpu_seconds"] for f in found if f["cause"] == "memory_held") / 3600
    yield "memory held", shown["idle: memory held"], near(held_)
    yield "most of what idled", held_, near(told.happened("alloc_idle"), 0.2)


@about(BOARD, "Notebooks and sessions that hold GPUs")
def notebooks(told: Told, rows: Rows) -> Pairs:
    yield "rows", len(rows), min(20, len(_found(told, "notebook")))
    sessions = {
        told.world.job_id(j.plan) for j in told.world.jobs if j.plan.partition == "interactive"
    }
    yield "only sessions", {r["job"] for r in rows} - sessions, set()
    idle = {job["job_id"] for job in told.true["idle_jobs"]}
    yield "of now", {r["job"] for r in rows if r["still"] == "now"}, idle & sessions


@about(BOARD, "Jobs that use only some of their GPUs")
def partial(told: Told, rows: Rows) -> Pairs:
    dead = told.planted["dead"]
    (row,) = rows
    yield "job", row["job"], dead.subject
    yield "hours", row["hours"], near(6.0)
    yield "worth", row["worth"], near(6 * PRICE)
    yield "name", row["name"], told.job(dead.subject).plan.name


@about(BOARD, "Underused: busy, but with little")
def underused(told: Told, rows: Rows) -> Pairs:
    found = _found(told, "underused", "overprovisioned", "low_efficiency")
    yield "rows", len(rows), min(20, len(found))
    open_ = [f for f in found if f["open"]]
    yield "of now", sum(r["still"] == "now" for r in rows), min(20, len(open_))
    largest = max(f["gpu_seconds"] for f in open_ or found) / 3600
    yield "costliest first", rows[0]["hours"], near(largest)


@about(BOARD, "What to do: reclaim and right-size")
def actions(told: Told, rows: Rows) -> Pairs:
    reclaims = [r for r in rows if r["kind"] == "reclaim"]
    idle = told.true["idle_jobs"]
    yield "jobs to end", len(reclaims), len(idle)
    ended = {r["command"].split()[-1] for r in reclaims}
    yield "which", ended, {job["job_id"].split("/")[-1] for job in idle}
