"""What the book should say: the simulator's own labels, in the states of the ledger.

Tests compare the booked states with this. It knows no rule of `analytics` and reads no telemetry.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from collector.simulation.free import unallocated
from collector.simulation.model import Job, Label, Phases, World

STATES = (
    "fault",
    "rogue",
    "startup_teardown",
    "alloc_unknown",
    "alloc_idle",
    "underused",
    "productive",
    "unalloc_unknown",
    "free_demand",
    "free_surplus",
)
# A pause this long is idleness, a shorter one belongs to the work; so much start-up is granted.
IDLE_AFTER_S, STARTUP_S = 300, 600

Interval = tuple[float, float]
Spans = list[tuple[float, float, str]]


def truth(world: World, since: datetime, until: datetime) -> dict[str, Any]:
    """GPU-seconds of each state in [since, until) and the jobs that are open and idle at its end.

    Keys: `gpu_seconds` (state to seconds; they add up to what is owned), `by_job` (job id to
    state to seconds) and `idle_jobs` (job_id, user, team, gpus, idle_since), longest first.
    """
    window = float(world.seconds(since)), float(world.seconds(until))
    totals = dict.fromkeys(STATES, 0.0)
    by_job = {}
    for job in (job for job in world.jobs if job.places and _cut((job.start_s, job.end_s), window)):
        by_job[world.job_id(job.plan)] = seconds = _booked(world, job, window)
        for state, value in seconds.items():
            totals[state] += value
    for state, value in unallocated(world, window).items():
        totals[state] += value
    return {"gpu_seconds": totals, "by_job": by_job, "idle_jobs": _idle_jobs(world, window[1])}


def labelled(job: Job) -> Spans:
    """A job's time from start to end by state: since, until, state; without missing telemetry."""
    if job.phases is None:
        return []
    return [
        (job.start_s + since, job.start_s + until, state)
        for since, until, state in _runs(job.phases, job.end_s - job.start_s)
    ]


def _runs(phases: Phases, length_s: float) -> Iterator[tuple[float, float, str]]:
    """Phases as states: pauses joined first, then judged by their length."""
    borders = [*phases.starts.tolist(), length_s]
    kinds = [_kind(Label(label)) for label in phases.labels.tolist()]
    first, work = 0, "productive"
    for i in range(1, len(kinds) + 1):
        if i == len(kinds) or kinds[i] != kinds[first]:
            kind, since_s, until_s = kinds[first], borders[first], borders[i]
            if kind in {"productive", "underused"}:
                work = kind
            yield from _judged(kind, since_s, until_s, work)
            first = i


def _kind(label: Label) -> str:
    match label:
        case Label.STARTUP | Label.TEARDOWN:
            return "startup_teardown"
        case Label.DIP | Label.IDLE | Label.BLIP:
            return "pause"
        case Label.UNDERUSED:
            return "underused"
        case Label.BUSY:
            return "productive"


def _judged(
    kind: str, since_s: float, until_s: float, work: str
) -> Iterator[tuple[float, float, str]]:
    if kind == "startup_teardown" and until_s - since_s > STARTUP_S:
        yield since_s, since_s + STARTUP_S, kind
        yield since_s + STARTUP_S, until_s, "alloc_idle"
    elif kind == "pause":
        yield since_s, until_s, "alloc_idle" if until_s - since_s >= IDLE_AFTER_S else work
    else:
        yield since_s, until_s, kind


def _booked(world: World, job: Job, window: Interval) -> dict[str, float]:
    """GPU-seconds of one job inside the window; where its node's agent is silent: unknown."""
    out: dict[str, float] = {}
    for node, _ in job.places:
        silent = [(t.since_s, t.until_s) for t in world.silent if t.node == node]
        for since_s, until_s, state in labelled(job):
            span = max(since_s, window[0]), min(until_s, window[1])
            unknown = sum(_cut(span, s) for s in silent)
            for name, seconds in ((state, _length(span) - unknown), ("alloc_unknown", unknown)):
                if seconds > 0:
                    out[name] = out.get(name, 0.0) + seconds
    return out


def _length(span: Interval) -> float:
    return max(0.0, span[1] - span[0])


def _cut(span: Interval, other: Interval) -> float:
    """Seconds that two intervals share."""
    return _length((max(span[0], other[0]), min(span[1], other[1])))


def _idle_jobs(world: World, now_s: float) -> list[dict[str, Any]]:
    """Jobs that hold GPUs at that second and have done nothing for IDLE_AFTER_S or longer."""
    out = []
    for job in world.jobs:
        if job.start_s <= now_s < job.end_s:
            out += [
                _idle_job(world, job, since_s)
                for since_s, until_s, state in labelled(job)
                if state == "alloc_idle" and since_s + IDLE_AFTER_S <= now_s < until_s
            ]
    return sorted(out, key=lambda row: (row["idle_since"], row["job_id"]))


def _idle_job(world: World, job: Job, since_s: float) -> dict[str, Any]:
    return {
        "job_id": world.job_id(job.plan),
        "user": job.plan.user,
        "team": job.plan.team,
        "gpus": job.plan.gpus,
        "idle_since": world.at(since_s),
    }
