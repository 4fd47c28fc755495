"""The executive board against the demo's truth."""

from __future__ import annotations

from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import (
    AT_WORK,
    HELD,
    NEAR,
    PRICE,
    UNKNOWN,
    Pairs,
    Rows,
    Told,
    quantile,
    size_class,
)

BOARD = "executive"


@about(BOARD, "GPU availability")
def availability(told: Told, rows: Rows) -> Pairs:
    largest = [max([0, *at.values()]) for at in told.free.values()]
    for gpus, name in ((1, "1 GPU"), (2, "2 GPUs"), (4, "4 GPUs"), (8, "8 GPUs")):
        yield name, rows[0][name], near(sum(n >= gpus for n in largest) / len(largest))


@about(BOARD, "Resource utilization")
def utilization(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    productive = told.happened("productive") / told.owned
    yield "utilization", row["utilization_ratio"], near(productive, NEAR)
    yield "activity", row["activity_ratio"], near(told.hours(*AT_WORK) / told.hours(*HELD))
    yield "unknown", row["unknown_ratio"], near(told.hours(*UNKNOWN) / told.owned)


@about(BOARD, "Workload execution")
def execution(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    waits = [waited for _, waited in told.started]
    yield "jobs", row["jobs_started"], len(waits)
    yield "median", row["wait_p50_seconds"], near(quantile(waits, 0.5), least=1)
    yield "90 %", row["wait_p90_seconds"], near(quantile(waits, 0.9), least=1)


@about(BOARD, "Management overhead")
def overhead(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "nobody was told in shadow", row["pages_per_1000_gpu_hours"], None
    lasted = [(a["resolved"] - a["fired"]).total_seconds() for a in _over(told)]
    yield "troubles that ended", len(lasted), len(_ended(told))
    yield "time to resolve", row["resolve_p50_seconds"], near(quantile(lasted, 0.5))


def _over(told: Told) -> Rows:
    return [a for a in told.rows("alert_states") if a["state"] == "resolved"]


def _ended(told: Told) -> list[float]:
    troubles = (*told.world.down, *told.world.lost)
    return [t.until_s for t in troubles if t.until_s < told.world.span_s]


@about(BOARD, "The book: every GPU in exactly one state")
def book(told: Told, rows: Rows) -> Pairs:
    for state in ("productive", "alloc_idle", "fault"):
        yield state, total(rows, state), near(told.happened(state), NEAR, 1)
    everything = sum(total(rows, name) for name in rows[0] if name != "time")
    yield "all states", everything, near(told.owned)


@about(BOARD, "Recoverable GPU-hours")
def recoverable(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    met = row["recoverable_gpu_hours"] + row["slack_gpu_hours"]
    yield "recoverable and slack", met, near(told.loose())
    yield "worth", row["loose_value"], near(told.loose() * PRICE)
    yield "in dollars", row["currency"], "USD"


@about(BOARD, "Utilization, allocation and healthy hardware over time")
def trend(told: Told, rows: Rows) -> Pairs:
    mean = total(rows, "utilization_ratio") / len(rows)
    yield "mean utilization", mean, near(told.happened("productive") / told.owned, NEAR)
    healthy = 1 - told.happened("fault") / told.owned
    yield "mean health", total(rows, "availability_ratio") / len(rows), near(healthy, NEAR)


@about(BOARD, "Queue wait by size class")
def queue(told: Told, rows: Rows) -> Pairs:
    for name in ("1 GPU", "2-4 GPUs", "5-8 GPUs"):
        waits = [waited for job, waited in told.started if size_class(job.plan.gpus) == name]
        row = one(rows, size_class=name)
        yield f"{name}: median", row["wait_p50_seconds"], near(quantile(waits, 0.5), least=1)
        yield f"{name}: 90 %", row["wait_p90_seconds"], near(quantile(waits, 0.9), least=1)


def _wasted(by: str, told: Told, rows: Rows) -> Pairs:
    name, hours = told.best(by, told.loose)
    first = rows[0]
    yield f"most wasteful {by}", first[by], name
    yield "hours to win back", first["loose_gpu_hours"], near(hours)
    yield "their worth", first["loose_value"], near(hours * PRICE)
    yield "of all it had", first["gpu_hours"], near(told.hours(**{by: name}))


@about(BOARD, "Top waste by team")
def teams(told: Told, rows: Rows) -> Pairs:
    return _wasted("team", told, rows)


@about(BOARD, "Top waste by user")
def users(told: Told, rows: Rows) -> Pairs:
    return _wasted("user", told, rows)


@about(BOARD, "Top waste by job")
def jobs(told: Told, rows: Rows) -> Pairs:
    return _wasted("job", told, rows)


@about(BOARD, "What to do next")
def actions(told: Told, rows: Rows) -> Pairs:
    open_ = [r for r in told.rows("recommendations") if r["status"] == "proposed"]
    gains = sorted((r["gain_gpu_hours"] for r in open_), reverse=True)[:10]
    yield "gains", [r["gain_gpu_hours"] for r in rows], gains
    # What the simulator knows to idle is to be ended.
    reclaimed = {r["command"].split()[-1] for r in rows if r["kind"] == "reclaim"}
    idle = {j["job_id"].split("/")[-1] for j in told.true["idle_jobs"]}
    yield "idle jobs", reclaimed, idle
    yield "the planted move", one(rows, kind="repack")["gain_gpu_hours"], 48.0
