"""The job board, asked about the job that idles longest, against the demo's truth."""

from __future__ import annotations

from collector.simulation.model import Job
from tests.dashboards.truth.checks import CHOSEN, about, near, one, total
from tests.dashboards.truth.told import (
    AT_WORK,
    END,
    HELD,
    IDLE,
    NEAR,
    PRICE,
    START,
    Pairs,
    Rows,
    Told,
)

BOARD = "job"
CHOSEN[BOARD] = lambda told: {"job": [told.idle_job["job_id"]]}
MEMORY_BYTES = 80 * (1 << 30)


def _job(told: Told) -> Job:
    return told.job(told.idle_job["job_id"])


def _id(told: Told) -> str:
    return str(told.idle_job["job_id"])


def _gpus(told: Told) -> list[str]:
    return sorted(f"{told.world.node_name(n)} GPU {s}" for n, s in _job(told).places)


@about(BOARD, "The job")
def card(told: Told, rows: Rows) -> Pairs:
    row, job = rows[0], _job(told)
    yield "user", row["user"], job.plan.user
    yield "team", row["team"], job.plan.team
    yield "GPUs", row["gpus"], job.plan.gpus
    waited = max(0.0, job.start_s - job.plan.eligible_s)
    yield "waited", row["wait_seconds"], near(waited, least=1.01)
    yield "ran", row["ran_seconds"], near(told.world.span_s - job.start_s, least=1.01)


@about(BOARD, "What it had and what that was worth")
def cost(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    true = {state: s / 3600 for state, s in told.true["by_job"][_id(told)].items()}
    yield "GPU-hours", row["gpu_hours"], near(sum(true.values()), NEAR)
    yield "idle", row["idle_gpu_hours"], near(true["alloc_idle"], NEAR)
    yield "worth", row["capacity_value"], near(told.hours(job=_id(told)) * PRICE)
    yield "energy", row["energy_kwh"], near(told.kwh(job=_id(told)))


@about(BOARD, "What its GPUs did")
def states(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)
    last = {r["gpu"]: r["state"] for r in rows if r["state"]}
    yield "idle at the end", set(last.values()), {"alloc_idle"}
    idle = [r for r in rows if r["state"] == "alloc_idle"]
    times = sorted({r["time"] for r in rows})
    point_h = (times[1] - times[0]).total_seconds() / 3600
    yield "idle time", len(idle) * point_h, near(told.hours(*IDLE, job=_id(told)), 0.05)


@about(BOARD, "Activity of its GPUs")
def activity(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)
    since = told.idle_job["idle_since"]
    idle = [r["sm_active_ratio"] for r in rows if r["time"] > since]
    yield "since it idles", max(idle), near(0.0, least=0.01)


@about(BOARD, "Power of its GPUs")
def power(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)
    held_h = (told.world.span_s - max(0.0, _job(told).start_s)) / 3600
    mean = total(rows, "power_watts") / len(rows)
    kwh = mean * held_h * len(_gpus(told)) / 1000
    yield "mean is its energy", kwh, near(told.kwh(job=_id(told)), 0.05)


@about(BOARD, "Memory of its GPUs")
def memory(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)
    phases = _job(told).phases
    assert phases is not None
    held = (float(phases.signals[-1, 5]) + 0.007) * MEMORY_BYTES
    yield "at the end", rows[-1]["memory_used_bytes"], near(held, 0.05)


@about(BOARD, "Its hosts")
def hosts(told: Told, rows: Rows) -> Pairs:
    nodes = {told.world.node_name(n) for n, _ in _job(told).places}
    since = told.world.at(max(0.0, _job(told).start_s))
    kept = [r for r in told.rows("host_samples") if r["node"] in nodes and r["ts"] >= since]
    busy = sum(r["cpu_busy_ratio"] for r in kept) / len(kept)
    yield "busy", total(rows, "busy") / len(rows), near(busy, 0.02)
    waits = sum(r["cpu_iowait_ratio"] for r in kept) / len(kept)
    yield "waiting", total(rows, "iowait") / len(rows), near(waits, 0.02)


def _moved(told: Told, table: str, column: str, **of: str) -> float:
    """Bytes each second of the job's nodes, from the ends of their counters."""
    nodes = {told.world.node_name(n) for n, _ in _job(told).places}
    since = told.world.at(max(0.0, _job(told).start_s))
    kept = [
        r
        for r in told.rows(table)
        if r["node"] in nodes and r["ts"] >= since and all(r[k] == v for k, v in of.items())
    ]
    kept.sort(key=lambda r: r["ts"])
    lasted = (kept[-1]["ts"] - kept[0]["ts"]).total_seconds()
    return float(kept[-1][column] - kept[0][column]) / lasted


def _mean(rows: Rows, series: str) -> float:
    shown = [r["rate"] for r in rows if r["series"] == series]
    return float(sum(shown) / len(shown))


@about(BOARD, "Network of its nodes")
def network(told: Told, rows: Rows) -> Pairs:
    received = _moved(told, "network_samples", "receive_bytes", kind="ethernet")
    yield "ethernet received", _mean(rows, "ethernet received"), near(received, 0.05)
    sent = _moved(told, "network_samples", "transmit_bytes", kind="infiniband")
    yield "infiniband sent", _mean(rows, "infiniband sent"), near(sent, 0.05)


@about(BOARD, "Storage of its nodes")
def storage(told: Told, rows: Rows) -> Pairs:
    for said, column in (("read", "read_bytes"), ("written", "write_bytes")):
        moved = _moved(told, "block_samples", column)
        yield said, _mean(rows, f"local disks {said}"), near(moved, 0.05)


@about(BOARD, "What was found")
def findings(told: Told, rows: Rows) -> Pairs:
    idle = one(rows, kind="idle", now="goes on")
    gpus = told.idle_job["gpus"]
    lasts = (END - max(told.idle_job["idle_since"], START)).total_seconds() / 3600
    yield "hours", idle["found_gpu_hours"], near(lasts * gpus, NEAR, 0.1)
    yield "since", (idle["since"] - told.idle_job["idle_since"]).total_seconds(), near(0, least=300)


@about(BOARD, "Where it ran")
def places(told: Told, rows: Rows) -> Pairs:
    nodes = {told.world.node_name(n) for n, _ in _job(told).places}
    yield "nodes", {r["node"] for r in rows}, nodes
    yield "hours", total(rows, "gpu_hours"), near(told.hours(job=_id(told)))
    work, held = (told.hours(*s, job=_id(told)) for s in (AT_WORK, HELD))
    yield "at work", rows[0]["activity_ratio"], near(work / held)


@about(BOARD, "What to do")
def advice(told: Told, rows: Rows) -> Pairs:
    yield "command", rows[0]["command"], f"scancel {_job(told).plan.number}"
    reclaim = one(told.rows("recommendations"), subject=_id(told), kind="reclaim")
    yield "gain", rows[0]["gain_gpu_hours"], near(reclaim["gain_gpu_hours"])
