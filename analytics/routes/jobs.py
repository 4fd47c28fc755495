"""Jobs: the list, and all that is known of one."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from analytics import closer
from analytics.routes.answers import TheAsk, TheOne
from analytics.routes.described import (
    AT,
    COMMON,
    Answer,
    Cluster,
    Kind,
    Pool,
    Since,
    State,
    Team,
    Until,
    User,
    filters,
    listing,
    route_id,
    shown,
    single,
)
from analytics.routes.paging import TIME, Key
from analytics.routes.spans import ALWAYS, span_now, within

router = APIRouter(
    prefix="/v1", tags=["jobs"], responses=COMMON, generate_unique_id_function=route_id
)
SOURCE = "SELECT * FROM v_jobs"
KEYS = (Key("submitted", TIME, falls=True), Key("job_id"))


class Job(Answer):
    """A job as its scheduler tells it."""

    job_id: str = shown("c1/1042")
    cluster: str | None = shown("c1")
    name: str | None = shown("train-resnet")
    user: str | None = shown("ada")
    team: str | None = shown("vision")
    pool: str | None = shown("h100")
    kind: str | None = shown("batch")
    state: str | None = shown("running")
    reason: str | None = shown(None, "what it waits for")
    nodes: int = shown(1)
    gpus_per_node: int = shown(8)
    submitted: datetime | None = shown(AT)
    eligible: datetime | None = shown(AT)
    started: datetime | None = shown(AT)
    ended: datetime | None = shown(None)
    ends_by: datetime | None = shown(AT, "by its time limit")


class StateHours(Answer):
    """GPU-hours in one state."""

    state: str = shown("productive")
    gpu_hours: float = shown(60.5)
    capacity_value: float | None = shown(151.0)
    cash_avoidable: float | None = shown(12.0)
    energy_kwh: float | None = shown(38.1)
    grade: str | None = shown("A")
    currency: str | None = shown("EUR")


class ShortFinding(Answer):
    """A finding about it."""

    kind: str = shown("idle")
    subject: str | None = shown("c1/1042")
    cause: str | None = shown("notebook_left_open")
    since: datetime | None = shown(AT)
    until: datetime | None = shown(AT)
    open: bool = shown(example=True)
    gpu_seconds: float = shown(91200.0)
    grade: str | None = shown("A")
    summary: str | None = shown("job 1042 of ada holds 8 GPUs and uses none since 08:00")
    action: str | None = shown("end the job, or let it end when idle")


class Progress(Answer):
    """What a job's training hook tells."""

    goodput_ratio: float | None = shown(0.93)
    data_wait_ratio: float | None = shown(0.04)
    checkpoint_ratio: float | None = shown(0.01)
    ranks: int | None = shown(8)
    steps: int | None = shown(12000)
    last_step: int | None = shown(12000)
    last_checkpoint: datetime | None = shown(AT)
    lost_gpu_seconds: float | None = shown(0.0)


class WholeJob(Job):
    """What a job asked for, got and did with it, and what would make it better."""

    gpus: int = shown(8)
    on: list[str] = shown(["n17"], "nodes")
    wait_seconds: float | None = shown(412.0)
    gpu_hours: float | None = shown(62.0)
    energy_kwh: float | None = shown(38.4)
    capacity_value: float | None = shown(155.0)
    cash_avoidable: float | None = shown(12.1)
    currency: str | None = shown("EUR")
    busiest_sm_ratio: float | None = shown(0.71)
    sm_active_ratio: float | None = shown(0.55)
    work: str | None = shown("training")
    framework: str | None = shown("pytorch")
    states: list[StateHours]
    findings: list[ShortFinding]
    progress: Progress | None = shown(None)


@router.get("/jobs", **listing(Job, one=("get_job", "job_id")))
def get_jobs(
    ask: TheAsk,
    cluster: Cluster = "",
    pool: Pool = "",
    team: Team = "",
    user: User = "",
    state: State = "",
    kind: Kind = "",
    since: Since = "",
    until: Until = "",
) -> Response:
    """Jobs, the latest submitted first; `since` and `until` are about when that was."""
    given = filters(cluster=cluster, pool=pool, team=team, user=user, state=state, kind=kind)
    if not (since or until):
        return ask.table(Job, SOURCE, KEYS, given)
    span = span_now(since or ALWAYS, until)
    return ask.table(
        Job,
        SOURCE,
        KEYS,
        given,
        within("submitted"),
        since=span.since,
        until=span.until,
    )


@router.get("/jobs/{job_id:path}", **single(WholeJob, 404))
def get_job(ask: TheOne, job_id: str) -> Response:
    """One job: its number, or `cluster/number` where clusters share numbers."""
    found = closer.job(ask.store, job_id)
    return ask.one(lambda: {name: found[name] for name in WholeJob.model_fields})
