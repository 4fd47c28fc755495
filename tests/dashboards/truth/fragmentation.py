"""The fragmentation board against the demo's truth."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tests.dashboards.truth.checks import about, near, one, total
from tests.dashboards.truth.told import END, FREE, HOURS, POOL, PRICE, START, Pairs, Rows, Told

BOARD = "fragmentation"


def _free_at(told: Told) -> dict[str, int]:
    """Whole free GPUs of each node in the last minute, by what each GPU was in."""
    free = Counter(node for (node, _), state in told.last.items() if state in FREE)
    return {told.world.node_name(n): free[told.world.node_name(n)] for n in range(told.world.nodes)}


def _history(told: Told) -> Rows:
    """The pool hour by hour, as it was kept."""
    kept = [r for r in told.rows("fragmentation_1h") if r["node"] == ""]
    return sorted(kept, key=lambda r: r["hour"])


@about(BOARD, "Free now, and of what use")
def now(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    free = _free_at(told)
    yield "free", row["pool_free_gpus"], near(float(sum(free.values())))
    yield "largest that starts", row["startable_gpus"], near(max(free.values()), least=0.1)
    share = row["pool_fragmented_gpus"] / row["pool_free_gpus"]
    yield "fragments", row["fragmented_ratio"], near(share)


@about(BOARD, "Stranded, and waited for")
def lost(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "stranded", row["stranded_gpu_hours"], near(told.hours("stranded"))
    yield "worth", row["capacity_value"], near(told.hours("stranded") * PRICE)
    waited = sum(m["unmet_seconds"] for m in told.rows("demand_1m")) / 3600
    yield "waited for", row["unmet_gpu_hours"], near(waited)


@about(BOARD, "Fragmented share of the free GPUs")
def share(told: Told, rows: Rows) -> Pairs:
    by_hour = {r["hour"]: r for r in _history(told)}
    yield "points", len(rows), len(by_hour)
    some = [row for row in rows if by_hour[row["time"]]["free_gpus"]]
    for row in (some[0], some[-1]):
        kept = by_hour[row["time"]]
        true = kept["fragmented_gpus"] / kept["free_gpus"]
        yield f"{row['time']:%d %H}", row["fragmented_ratio"], near(true, 1e-3)


@about(BOARD, "Largest job that could start")
def startable(told: Told, rows: Rows) -> Pairs:
    shown = {r["time"]: r["startable_gpus"] for r in rows}
    # A minute later everything that could start there has not yet.
    for at in (END - timedelta(hours=1), START + timedelta(hours=6)):
        free = told.free[at - timedelta(minutes=1)].values()
        yield f"{at:%d %H}", shown[at], near(max([0, *free]), least=1.01)
    yield "at the end", shown[END], max(_free_at(told).values())


@about(BOARD, "Stranded GPUs by cause")
def stranded(told: Told, rows: Rows) -> Pairs:
    yield "all", total(rows, "gpus"), near(told.hours("stranded"))
    for why in sorted({c.cause for c in told.some("stranded")}):
        mine = [r for r in rows if r["why"] == why.replace("_", " ")]
        yield why, total(mine, "gpus"), near(told.hours("stranded", cause=why))


@about(BOARD, "Free GPUs: kept, wanted, stranded or surplus")
def free(told: Told, rows: Rows) -> Pairs:
    yield "points", len(rows), HOURS
    for state in ("free_demand", "stranded", "free_surplus"):
        yield state, total(rows, state), near(told.hours(state))


@about(BOARD, "What fits now, by pool")
def fits(told: Told, rows: Rows) -> Pairs:
    row = one(rows, pool=POOL)
    free_now = _free_at(told).values()
    for n in (1, 2, 4, 8):
        yield f"tasks of {n}", row[f"slots_{n}"], sum(gpus // n for gpus in free_now)
    yield "GPUs", row["gpus"], len(told.world.places)


@about(BOARD, "Why free GPUs are fragments")
def why_(told: Told, rows: Rows) -> Pairs:
    row = one(rows, pool=POOL)
    newest = _history(told)[-1]
    yield (
        "by all causes",
        sum(v for k, v in row.items() if k != "pool"),
        near(newest["fragmented_gpus"], least=0.01),
    )
    yield "no other model", row["other model asked for"], near(0.0)
    yield "too few beside", row["too few GPUs beside it"], near(newest["lacks_gpu_gpus"])


@about(BOARD, "Most fragmented nodes")
def nodes(told: Told, rows: Rows) -> Pairs:
    free_now = _free_at(told)
    for row in rows:
        yield row["node"], row["free_gpus"], near(float(free_now[row["node"]]))
        yield row["node"], row["gpus"], told.world.gpus_per_node
    shown = [row["fragmented_gpus"] for row in rows]
    yield "the worst first", shown, sorted(shown, reverse=True)


@about(BOARD, "Map: nodes and their GPUs")
def grid(told: Told, rows: Rows) -> Pairs:
    yield "nodes", {r["node"] for r in rows}, set(_free_at(told))
    for row in rows:
        states = [told.last[row["node"], slot] for slot in range(told.world.gpus_per_node)]
        yield row["node"], [row[f"GPU {slot}"] for slot in range(len(states))], states
        yield f"{row['node']}: free", row["free"], _free_at(told)[row["node"]]


@about(BOARD, "Islands and crumbs that were found")
def islands(told: Told, rows: Rows) -> Pairs:
    found = [f for f in told.rows("findings") if f["kind"] in {"islands", "fragmentation"}]
    yield "rows", len(rows), min(20, len(found))
    yield "hours", total(rows, "hours"), near(sum(f["gpu_seconds"] for f in found) / 3600)
    within = total(rows, "hours") <= told.hours(*FREE)
    yield "no more than was free", within, True


@about(BOARD, "What to do: moves, lending, power, buying")
def moves(told: Told, rows: Rows) -> Pairs:
    move = told.planted["move"]
    row = one(rows, kind="repack", title=move.title)
    yield "gain", row["gain_gpu_hours"], near(48.0)
    yield "worth", row["gain_capacity_value"], near(48 * PRICE)
    yield "id", row["id"], "abcdef01"
