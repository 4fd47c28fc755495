"""The queue board against the demo's truth."""

from __future__ import annotations

from collections.abc import Iterable

from collector.simulation.model import Job
from collector.simulation.site import guaranteed
from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import (
    HELD,
    UNKNOWN,
    Pairs,
    Rows,
    Told,
    quantile,
    size_class,
)

BOARD = "queue"
TEAMS = ("vision", "language", "speech", "robotics", "bio", "platform")
OCCUPIED = (*HELD, UNKNOWN[0], UNKNOWN[2])


def _gpus(jobs: Iterable[Job], team: str = "") -> float:
    return float(sum(j.plan.gpus for j in jobs if team in {"", j.plan.team}))


def _waited_s(told: Told, job: Job) -> float:
    """Held jobs were never eligible; those a limit holds wait since they were handed in."""
    now_s = told.world.span_s
    plan = job.plan
    return now_s - (plan.eligible_s if plan.eligible_s <= now_s else plan.submit_s)


@about(BOARD, "Wait of the jobs that started")
def waits(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    waited = [seconds for _, seconds in told.started]
    yield "jobs", row["jobs_started"], len(waited)
    for level, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99")):
        yield name, row[f"wait_{name}_seconds"], near(quantile(waited, level), least=1)


@about(BOARD, "Waiting now")
def now(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "jobs", row["waiting_jobs"], len(told.waiting)
    yield "GPUs", row["waiting_gpus"], _gpus(told.waiting)
    longest = max(_waited_s(told, job) for job in told.waiting)
    yield "longest", row["longest_seconds"], near(longest, least=2)
    eligible = [j for j in told.waiting if j.plan.eligible_s <= told.world.span_s]
    yield "for free GPUs", row["for_gpus"], _gpus(eligible)


@about(BOARD, "Why does my job wait?")
def why(told: Told, rows: Rows) -> Pairs:
    yield "rows", len(rows), min(30, len(told.waiting))
    longest = max(told.waiting, key=lambda job: _waited_s(told, job))
    yield "first", rows[0]["waited_seconds"], near(_waited_s(told, longest), least=2)
    for row in (rows[0], rows[-1]):
        job = told.job(row["job"])
        yield "user", row["user"], job.plan.user
        yield "GPUs", row["gpus"], float(job.plan.gpus)


@about(BOARD, "Wait by size class")
def sizes(told: Told, rows: Rows) -> Pairs:
    for row in rows:
        waited = [s for job, s in told.started if size_class(job.plan.gpus) == row["size_class"]]
        yield row["size_class"], row["wait_p50_seconds"], near(quantile(waited, 0.5), least=1)
        yield row["size_class"], row["wait_p90_seconds"], near(quantile(waited, 0.9), least=1)


@about(BOARD, "Is waiting getting better?")
def trend(told: Told, rows: Rows) -> Pairs:
    for row in (rows[0], rows[-1]):
        waited = [
            s
            for job, s in told.started
            if size_class(job.plan.gpus) == row["size"]
            and told.world.at(job.start_s).date() == row["time"].date()
        ]
        yield row["size"], row["wait_p90_seconds"], near(quantile(waited, 0.9), least=1)


@about(BOARD, "GPUs that jobs waited for")
def demand(told: Told, rows: Rows) -> Pairs:
    minutes = told.rows("demand_1m")
    unmet = sum(m["unmet_seconds"] for m in minutes) / 3600
    yield "GPU-hours", total(rows, "unmet_gpu_hours"), near(unmet)
    # Whoever waits for capacity waits for all of the GPUs that it asks for.
    waited = sum(
        job.plan.gpus * max(0.0, min(job.start_s, told.world.span_s) - max(job.plan.eligible_s, 0))
        for job in told.world.jobs
        if job.plan.eligible_s <= told.world.span_s
    )
    yield "by the world", unmet, near(waited / 3600, 0.05)
    yield "refused", total(rows, "refused_gpu_hours"), near(0.0)


@about(BOARD, "Fair share: used against promised")
def shares(told: Told, rows: Rows) -> Pairs:
    used = {team: told.hours(*OCCUPIED, team=team) for team in TEAMS}
    promised = guaranteed(told.world)
    for team in ("vision", "speech"):
        row = one(rows, team=team)
        yield f"{team}: used", row["used_ratio"], near(used[team] / sum(used.values()))
        share = promised[team] / sum(promised.values())
        yield f"{team}: promised", row["promised_ratio"], near(share)


@about(BOARD, "Wait by team")
def teams(told: Told, rows: Rows) -> Pairs:
    for team in ("vision", "robotics"):
        mine = [(job, s) for job, s in told.started if job.plan.team == team]
        row = one(rows, team=team)
        yield f"{team}: jobs", row["jobs_started"], len(mine)
        waited = sum(job.plan.gpus * s for job, s in mine) / 3600
        yield f"{team}: GPU-hours", row["waited_gpu_hours"], near(waited, 1e-3)


@about(BOARD, "Longest waits of jobs that started")
def longest(told: Told, rows: Rows) -> Pairs:
    job, waited = max(told.started, key=lambda found: found[1])
    yield "first", rows[0]["job"], told.world.job_id(job.plan)
    yield "waited", rows[0]["wait_seconds"], near(waited, least=1)
    yield "GPUs", rows[0]["gpus"], job.plan.gpus


@about(BOARD, "Quota: promised, used, lent and borrowed now")
def quotas(told: Told, rows: Rows) -> Pairs:
    promised = guaranteed(told.world)
    running = [job for job in told.world.jobs if told.running(job)]
    for team in TEAMS:
        row = one(rows, team=team)
        own, used = promised[team] / 1000, _gpus(running, team)
        yield f"{team}: guaranteed", row["guaranteed"], own
        yield f"{team}: used", row["used"], used
        yield f"{team}: waiting", row["waiting"], _gpus(told.waiting, team)
        yield f"{team}: lent", row["lent"], max(own - used, 0.0)
        yield f"{team}: borrowed", row["borrowed"], max(used - own, 0.0)


@about(BOARD, "Starved and borrowing: who waits for what another has")
def pairs(told: Told, rows: Rows) -> Pairs:
    found = [
        f for f in told.rows("findings") if f["kind"] in {"queue_starvation", "quota_borrowing"}
    ]
    yield "rows", len(rows), len(found)
    promised = guaranteed(told.world)
    running = [job for job in told.world.jobs if told.running(job)]
    for row in (r for r in rows if r["kind"] == "queue_starvation" and r["still"] == "now"):
        team = row["team"]
        short = promised[team] / 1000 - _gpus(running, team)
        yield f"{team} lacks", row["gpus"], near(min(short, _gpus(told.waiting, team)), least=1)


@about(BOARD, "What to do: quotas, lending, buying")
def actions(told: Told, rows: Rows) -> Pairs:
    proposed = [
        r
        for r in told.rows("recommendations")
        if r["kind"] in {"quota", "lend", "buy"} and r["status"] == "proposed"
    ]
    yield "titles", {r["title"] for r in rows}, {r["title"] for r in proposed}
    promised = guaranteed(told.world)
    for row in rows:
        _, borrower, _, limit, *_ = row["title"].split()
        kept = int(limit) >= promised[borrower] / 1000
        yield f"{borrower} keeps what is its own", kept, True
        waited = {job.plan.team for job, seconds in told.started if seconds > 0}
        yield f"{row['team']} waited", row["team"] in waited, True
