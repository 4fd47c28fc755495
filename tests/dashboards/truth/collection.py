"""The collection board against the demo's truth."""

from __future__ import annotations

from datetime import timedelta

from collector.simulation.machines import AGENT_MEMORY, SENT_AFTER_S
from collector.simulation.site import ASIDE_ROWS, DROPPED_ROWS
from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import END, HOURS, NEAR, UNKNOWN, Pairs, Rows, Told

BOARD = "collection"
HEARD_MINUTES = 120


def _silent_hours(told: Told) -> float:
    return sum(t.until_s - t.since_s for t in told.world.silent) / 3600


@about(BOARD, "What the book knows")
def cover(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "unknown", row["unknown_ratio"], near(told.happened(*UNKNOWN[:2]) / told.owned, NEAR)
    yield "without a team", row["unmapped_ratio"], near(0.0)
    yield "with a price", row["priced_ratio"], near(1.0)
    yield "grade", row["grade"], max(c.grade for c in told.cells)


@about(BOARD, "Whether the book is whole")
def booking(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "hours", row["hours"], HOURS
    yield "behind", row["behind_seconds"], 0
    yield "off by", row["closure_error_ratio"], near(0.0)


@about(BOARD, "GPUs that nobody saw")
def unknown(told: Told, rows: Rows) -> Pairs:
    yield "points", len(rows), HOURS
    seen = sum(total(rows, state) for state in UNKNOWN)
    gpus = told.world.gpus_per_node
    yield "while an agent was silent", seen, near(_silent_hours(told) * gpus, NEAR)


@about(BOARD, "Closure of the book")
def closure(told: Told, rows: Rows) -> Pairs:
    yield "points", len(rows), HOURS
    by_hour: dict[object, float] = {}
    for cell in told.cells:
        by_hour[cell.hour] = by_hour.get(cell.hour, 0.0) + cell.hours
    gpus = len(told.world.places)
    worst = max(abs(hours - gpus) / gpus for hours in by_hour.values())
    yield "worst", max(r["closure_error_ratio"] for r in rows), near(worst)


@about(BOARD, "Sources")
def sources(told: Told, rows: Rows) -> Pairs:
    nvml = one(rows, source="nvml")
    yield "nodes", nvml["nodes"], told.world.nodes
    since = told.world.span_s / 60 - HEARD_MINUTES
    cut = sum(t.since_s / 60 > since for t in (*told.world.silent, *told.world.down))
    yield "nobody was silent then", cut, 0
    # One reading a second, at both ends of two hours.
    yield "readings", nvml["readings"], (HEARD_MINUTES + 1) * 60 * told.world.nodes
    yield "failed", nvml["failed_readings"], 0
    yield "scheduler", one(rows, source="slurm")["heard"], END


@about(BOARD, "Nodes by how long they are silent")
def silent(told: Told, rows: Rows) -> Pairs:
    yield "nodes", len(rows), told.world.nodes
    yield "heard", {r["heard"] for r in rows}, {END}
    yield "GPUs", total(rows, "gpus"), float(len(told.world.places))


@about(BOARD, "Delay of delivery")
def delays(told: Told, rows: Rows) -> Pairs:
    mean = total(rows, "mean") / len(rows)
    yield "mean", mean, near(SENT_AFTER_S, 0.02)
    kept = [r for r in told.rows("agent_samples") if r["ts"] > END - timedelta(hours=1)]
    worst = max(r["oldest_waiting_seconds"] for r in kept)
    shown = max(r["worst"] for r in rows if r["time"] >= END - timedelta(hours=1))
    yield "oldest of the last hour", shown, near(worst, 0.05)


@about(BOARD, "What the agents cost")
def agents(told: Told, rows: Rows) -> Pairs:
    yield "nodes", len(rows), told.world.nodes
    for row in (rows[0], rows[-1]):
        yield row["node"], row["processor_ratio"], near(0.001, 0.05)
        yield row["node"], row["memory_bytes"], near(float(AGENT_MEMORY))


@about(BOARD, "Rows lost or refused")
def lost(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    (trouble,) = told.world.silent
    yield "node", row["node"], told.world.node_name(trouble.node)
    yield "dropped", row["dropped_rows"], near(float(DROPPED_ROWS))
    yield "refused", row["rejected_rows"], near(0.0)


@about(BOARD, "Kept aside")
def aside(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    (trouble,) = told.world.down
    yield "node", row["node"], told.world.node_name(trouble.node)
    yield "rows", row["rows_aside"], ASIDE_ROWS
    back = told.world.at(trouble.until_s) + timedelta(minutes=1)
    yield "when it came back", row["last_seen"], back


@about(BOARD, "Readings without a value")
def missing(told: Told, rows: Rows) -> Pairs:
    yield "fans", one(rows, reading="fan_ratio")["nodes"], told.world.nodes
    yield "kernel log", one(rows, reading="/dev/kmsg")["nodes"], 1
    yield "why", one(rows, reading="/dev/kmsg")["reason"], "denied"


@about(BOARD, "What is odd")
def odd(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "clocks that nothing sets", row["many"], 1
    yield "whose", row["example"], told.world.node_name(0)
