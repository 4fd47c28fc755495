"""The health board against the demo's truth."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from collector.simulation.health import (
    CORRECTED_EVERY_MINUTES,
    REPLAYED_EVERY_MINUTES,
    loose,
    worn,
)
from collector.simulation.machines import CUT_MINUTES
from collector.simulation.model import Trouble
from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import HOURS, NEAR, PRICE, Pairs, Rows, Told

BOARD = "health"


def _lost_hours(told: Told, troubles: tuple[Trouble, ...], gpus: int) -> float:
    """GPU-hours of troubles within the world, each of so many GPUs."""
    end_s = told.world.span_s
    return sum(min(t.until_s, end_s) - t.since_s for t in troubles) / 3600 * gpus


@about(BOARD, "What hardware cost")
def overview(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    fault = told.happened("fault")
    yield "broken", row["fault_gpu_hours"], near(fault, NEAR)
    yield "healthy", row["availability_ratio"], near(1 - fault / told.owned, NEAR)
    yield "worth", row["lost_value"], near(told.hours("fault") * PRICE)
    yield "no maintenance", row["maintenance_gpu_hours"], near(0.0)


@about(BOARD, "GPU-hours lost by cause")
def causes(told: Told, rows: Rows) -> Pairs:
    lost = one(rows, why="device lost")["lost_gpu_hours"]
    yield "lost cards", lost, near(_lost_hours(told, told.world.lost, 1), NEAR)
    down = one(rows, why="node down")["lost_gpu_hours"]
    gpus = told.world.gpus_per_node
    yield "nodes down", down, near(_lost_hours(told, told.world.down, gpus), NEAR)


@about(BOARD, "GPUs out of service")
def over_time(told: Told, rows: Rows) -> Pairs:
    yield "in all", total(rows, "gpus"), near(told.happened("fault"), NEAR)
    down = [r["gpus"] for r in rows if r["why"] == "node down"]
    yield "a whole node at once", max(down), near(float(told.world.gpus_per_node), 0.13)


@about(BOARD, "Nodes that cost most")
def offenders(told: Told, rows: Rows) -> Pairs:
    def fault(node: str) -> float:
        return told.hours("fault", node=node)

    node, hours = told.best("node", fault)
    yield "first", rows[0]["node"], node
    yield "lost", rows[0]["lost_gpu_hours"], near(hours)
    told_by = [t for t in told.world.lost if told.world.node_name(t.node) == node]
    # The driver tells of a loss, and the kernel of its XID.
    yield "errors", rows[0]["events"], 2 * len(told_by)


@about(BOARD, "What the detectors found")
def findings(told: Told, rows: Rows) -> Pairs:
    said = " ".join(row["summary"] for row in rows)
    for trouble in told.world.lost:
        card = f"GPU {trouble.slot} of {told.world.node_name(trouble.node)}"
        yield card, f"{card} (" in said, True
    card = _worn(told)
    row = next(r for r in rows if f"GPU {card.slot} of {_node(told, card)} (" in r["summary"])
    yield "the worn card", "fell off the bus" in row["summary"], True


def _worn(told: Told) -> Trouble:
    trouble = worn(told.world)
    assert trouble is not None
    return trouble


def _node(told: Told, trouble: Trouble) -> str:
    return told.world.node_name(trouble.node)


@about(BOARD, "Errors that GPUs told, by class")
def events(told: Told, rows: Rows) -> Pairs:
    lost = told.world.lost
    fallen = one(rows, kind="xid", code=79)
    yield "XID 79", fallen["events"], len(lost)
    yield "of cards", fallen["cards"], len({(t.node, t.slot) for t in lost})
    yield "class", fallen["class"], "hardware"
    back = [t for t in lost if t.until_s < told.world.span_s]
    yield "came back", one(rows, kind="recovered")["events"], len(back)


@about(BOARD, "Memory that wears out")
def memory(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    card = _worn(told)
    yield "card", (row["node"], row["gpu"]), (_node(told, card), card.slot)
    yield "uncorrectable", row["ecc_uncorrected_errors"], near(1.0)
    corrected = card.since_s / 60 / CORRECTED_EVERY_MINUTES
    yield "corrected", row["ecc_corrected_errors"], near(corrected, least=1)
    yield "remapped by its reset", row["remapped_rows_uncorrected"], near(1.0)


@about(BOARD, "NVLink and PCIe that are not as they should be")
def links(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    node, slot = loose(told.world)
    yield "card", (row["node"], row["gpu"]), (told.world.node_name(node), slot)
    replays = HOURS * 60 / REPLAYED_EVERY_MINUTES
    yield "repeated", row["nvlink_replays"], near(replays, least=2)
    yield "none is down", row["nvlinks_down"], near(0.0)


@about(BOARD, "InfiniBand and other ports with trouble")
def ports(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    (down,) = told.world.down
    yield "node", row["node"], _node(told, down)
    yield "flaps", row["link_downs"], near(float(CUT_MINUTES))
    yield "half of each minute", row["down_seconds"], near(CUT_MINUTES * 30.0, 0.01)


@about(BOARD, "How long storage takes to answer")
def storage(told: Told, rows: Rows) -> Pairs:
    newest: dict[Any, dict[str, Any]] = {}
    first: dict[Any, dict[str, Any]] = {}
    for r in sorted(told.rows("block_samples"), key=lambda r: r["ts"]):
        key = r["node"], r["device"]
        first.setdefault(key, r)
        newest[key] = r
    took = _grown(first, newest, "read_seconds", "write_seconds")
    mean = took / _grown(first, newest, "reads", "writes")
    shown = [r["latency_seconds"] for r in rows if r["storage"] == "local disks"]
    yield "mean", sum(shown) / len(shown), near(mean, 0.05)
    yield "points", len(shown), HOURS


def _grown(first: Any, newest: Any, *names: str) -> float:
    return float(sum(newest[k][n] - first[k][n] for k in newest for n in names))


@about(BOARD, "Temperature of the GPUs")
def heat(told: Told, rows: Rows) -> Pairs:
    by_hour: dict[Any, float] = defaultdict(float)
    asked = "SELECT toStartOfHour(ts) AS hour, temperature_celsius_max AS c FROM v_gpu_samples"
    for r in told.store.select(f"{asked} WHERE c IS NOT NULL AND ts < '2026-11-18 07:00:00'"):
        by_hour[r["hour"]] = max(by_hour[r["hour"]], r["c"])
    for row in rows[1:3]:
        yield f"hottest at {row['time']:%H}", row["hottest"], near(by_hour[row["time"]], least=1.1)
        yield "ordered", row["median"] <= row["p90"] <= row["hottest"], True


@about(BOARD, "Time that GPUs were slowed down")
def throttling(told: Told, rows: Rows) -> Pairs:
    heated = [r for r in rows if r["reason"] == "heat" and r["slowed_ratio"] > 1e-6]
    # Two percent of an hour, on one of the nodes.
    most = 0.02 / told.world.nodes
    yield "never more", max(r["slowed_ratio"] for r in heated) <= most * 1.1, True
    warm_s = told.world.span_s * 0.02
    yield "warm hours", total(heated, "slowed_ratio"), near(most * warm_s / 3600, 0.1)
    power = [r["slowed_ratio"] for r in rows if r["reason"] == "power limit"]
    yield "power limit", 0 < sum(power) / len(power) < 0.02, True
