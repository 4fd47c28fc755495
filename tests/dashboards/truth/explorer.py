"""The ledger explorer against the demo's truth."""

from __future__ import annotations

from datetime import timedelta

from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import (
    AT_WORK,
    END,
    HELD,
    HOURS,
    IDLE,
    NEAR,
    POOL,
    PRICE,
    START,
    Pairs,
    Rows,
    Told,
)

BOARD = "explorer"


@about(BOARD, "What is chosen, in numbers")
def whole(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "GPU-hours", row["gpu_hours"], near(told.owned)
    productive = told.happened("productive") / told.owned
    yield "productive", row["utilization_ratio"], near(productive, NEAR)
    yield "at work", row["activity_ratio"], near(told.hours(*AT_WORK) / told.hours(*HELD))
    yield "to win back", row["loose_gpu_hours"], near(told.loose())
    yield "grade", row["grade"], max(c.grade for c in told.cells)


@about(BOARD, "Does the book close?")
def closure(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "owned", row["owned"], near(told.owned)
    yield "booked", row["booked"], near(told.owned)
    yield "difference", row["closure_error_ratio"], near(0.0)


@about(BOARD, "States over time")
def over_time(told: Told, rows: Rows) -> Pairs:
    yield "points", len(rows), HOURS
    for state in ("productive", "underused", "free_surplus"):
        yield state, total(rows, state), near(told.hours(state))
    first = sum(c.hours for c in told.some("productive") if c.hour == START)
    yield "first hour", rows[0]["productive"], near(first)


@about(BOARD, "By state")
def states(told: Told, rows: Rows) -> Pairs:
    yield "states", {r["state"] for r in rows}, {c.state for c in told.cells}
    for state in ("productive", "alloc_idle"):
        row = one(rows, state=state)
        yield state, row["gpu_hours"], near(told.happened(state), NEAR)
        yield f"{state}: worth", row["capacity_value"], near(told.hours(state) * PRICE)


@about(BOARD, "By cluster and pool")
def pools(told: Told, rows: Rows) -> Pairs:
    row = one(rows, pool=POOL)
    yield "GPU-hours", row["gpu_hours"], near(told.owned)
    yield "idle", row["idle_gpu_hours"], near(told.happened(*IDLE[:1]), NEAR)
    yield "stranded", row["stranded_gpu_hours"], near(told.hours("stranded"))


def _level(by: str, told: Told, rows: Rows) -> Pairs:
    shown = {r[by]: r["gpu_hours"] for r in rows}
    names = {getattr(c, by) for c in told.cells} - {""}
    yield f"first {by}", rows[0][by], told.best(by, told.loose)[0]
    for name in (rows[0][by], rows[-1][by]):
        yield f"{name}: hours", shown[name], near(told.hours(**{by: name}))
        row = one(rows, **{by: name})
        yield f"{name}: idle", row["idle_gpu_hours"], near(told.hours(*IDLE, **{by: name}))
        yield f"{name}: to win back", row["loose_gpu_hours"], near(told.loose(**{by: name}))
    yield f"every {by}", len(shown), min(50, len(names))


@about(BOARD, "By team")
def teams(told: Told, rows: Rows) -> Pairs:
    return _level("team", told, rows)


@about(BOARD, "By user")
def users(told: Told, rows: Rows) -> Pairs:
    return _level("user", told, rows)


@about(BOARD, "By node")
def nodes(told: Told, rows: Rows) -> Pairs:
    return _level("node", told, rows)


@about(BOARD, "By job")
def jobs(told: Told, rows: Rows) -> Pairs:
    return _level("job", told, rows)


@about(BOARD, "What each GPU did")
def strips(told: Told, rows: Rows) -> Pairs:
    places = sorted((told.world.node_name(n), s) for n, s in told.world.places)[:24]
    yield "GPUs", sorted({r["gpu"] for r in rows}), sorted(f"{n} GPU {s}" for n, s in places)
    # Hours are drawn: where a GPU was in one state throughout the last, the strip ends so.
    last = {r["gpu"]: r["state"] for r in rows}
    for node, slot in places:
        cells = [
            c
            for c in told.cells
            if (c.node, c.slot, c.hour) == (node, slot, END - timedelta(hours=1))
        ]
        if len({c.state for c in cells}) == 1:
            yield f"{node} GPU {slot}", last[f"{node} GPU {slot}"], cells[0].state


@about(BOARD, "By GPU")
def gpus(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", len(rows), len(told.world.places)
    by_gpu = {(r["node"], r["gpu"]): r for r in rows}
    for place in (max(by_gpu), min(by_gpu)):
        mine = [c for c in told.cells if (c.node, c.slot) == place]
        yield f"{place}: hours", by_gpu[place]["gpu_hours"], near(float(HOURS))
        loose = sum(c.loose for c in mine)
        yield f"{place}: to win back", by_gpu[place]["loose_gpu_hours"], near(loose)


@about(BOARD, "Rows of the book")
def cells(told: Told, rows: Rows) -> Pairs:
    newest = [c for c in told.cells if c.hour == END - timedelta(hours=1)]
    shown = [r for r in rows if r["hour"] == END - timedelta(hours=1)]
    yield "the last hour", total(shown, "hours"), near(sum(c.hours for c in newest))
    largest = max(total([r], "hours") for r in shown)
    yield "largest first", rows[0]["hours"], near(largest)
    for state in ("productive", "alloc_idle"):
        hours = sum(c.hours for c in newest if c.state == state)
        yield state, total((r for r in shown if r["state"] == state), "hours"), near(hours)
