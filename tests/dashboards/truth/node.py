"""The node board, asked about the node whose card wears out, against the demo's truth."""

from __future__ import annotations

from collector.simulation.health import worn
from collector.simulation.machines import FABRIC_BYTES_PER_SECOND, SCRATCH_BYTES
from collector.simulation.records import DRIVER, rack
from tests.dashboards.truth.checks import CHOSEN, about, near, one, total
from tests.dashboards.truth.told import END, HOURS, NEAR, POOL, START, Pairs, Rows, Told

BOARD = "node"
CHOSEN[BOARD] = lambda told: {"node": [_node(told)]}


def _number(told: Told) -> int:
    trouble = worn(told.world)
    assert trouble is not None
    return trouble.node


def _node(told: Told) -> str:
    return told.world.node_name(_number(told))


def _gpus(told: Told) -> list[str]:
    return [f"{_node(told)} GPU {slot}" for slot in range(told.world.gpus_per_node)]


@about(BOARD, "The node")
def card(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    yield "GPUs", row["gpus"], told.world.gpus_per_node
    yield "pool", row["pool"], POOL
    yield "driver", row["driver"], DRIVER
    yield "rack", row["rack"], rack(_number(told))
    yield "state", row["state"], "up"


@about(BOARD, "What it gave")
def overview(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    node = _node(told)
    yield "GPU-hours", row["gpu_hours"], near(float(told.world.gpus_per_node * HOURS))
    mine = [t for t in told.world.lost if t.node == _number(told)]
    lost = sum(min(t.until_s, told.world.span_s) - t.since_s for t in mine) / 3600
    down = [t for t in told.world.down if t.node == _number(told)]
    lost += 8 * sum(t.until_s - t.since_s for t in down) / 3600
    yield "broken", row["fault_gpu_hours"], near(lost, NEAR)
    yield "energy", row["energy_kwh"], near(told.kwh(node=node))
    yield "to win back", row["loose_gpu_hours"], near(told.loose(node=node))


@about(BOARD, "What its GPUs did")
def states(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)
    last = {r["gpu"]: r["state"] for r in rows if r["state"]}
    yield "at the end", len(last), told.world.gpus_per_node
    times = sorted({r["time"] for r in rows})
    point_h = (times[1] - times[0]).total_seconds() / 3600
    work = sum(r["state"] == "productive" for r in rows) * point_h
    yield "productive", work, near(told.hours("productive", node=_node(told)), 0.05)


def _samples(told: Told, *columns: str) -> Rows:
    shown = ", ".join(columns)
    return told.store.select(
        f"SELECT ts, slot, {shown} FROM v_gpu_samples WHERE node = {{node:String}}"
        f" AND {columns[0]} IS NOT NULL AND ts > {{since:DateTime64(3, 'UTC')}}",
        node=_node(told),
        since=START,
    )


@about(BOARD, "Temperature")
def temperature(told: Told, rows: Rows) -> Pairs:
    hottest = max(r["temperature_celsius_max"] for r in _samples(told, "temperature_celsius_max"))
    shown = max(r["temperature_celsius_max"] for r in rows)
    yield "hottest", shown, near(hottest, 0.05)
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)


@about(BOARD, "Power")
def power(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)
    times = sorted({r["time"] for r in rows})
    point_h = (times[1] - times[0]).total_seconds() / 3600
    kwh = total(rows, "power_watts") * point_h / 1000
    yield "energy", kwh, near(told.kwh(node=_node(told)), 0.05)


@about(BOARD, "Activity")
def activity(told: Told, rows: Rows) -> Pairs:
    yield "GPUs", sorted({r["gpu"] for r in rows}), _gpus(told)
    # Rows of ten seconds on the last day would count six times as much: hours are alike.
    by_minute: dict[object, list[float]] = {}
    for r in _samples(told, "sm_active_ratio"):
        minute = r["ts"].replace(second=0)
        by_minute.setdefault((r["slot"], minute), []).append(r["sm_active_ratio"])
    means = [sum(v) / len(v) for v in by_minute.values()]
    mean = total(rows, "sm_active_ratio") / len(rows)
    yield "mean", mean, near(sum(means) / len(means), 0.05)


def _table(told: Told, table: str, **of: str) -> Rows:
    of = {"node": _node(told), **of}
    kept = [r for r in told.rows(table) if all(r[k] == v for k, v in of.items())]
    return sorted(kept, key=lambda r: r["ts"])


@about(BOARD, "Host")
def host(told: Told, rows: Rows) -> Pairs:
    kept = _table(told, "host_samples")
    for column, name in (("busy", "cpu_busy_ratio"), ("iowait", "cpu_iowait_ratio")):
        mean = sum(r[name] for r in kept) / len(kept)
        yield column, total(rows, column) / len(rows), near(mean, 0.02)


@about(BOARD, "Network and storage")
def traffic(told: Told, rows: Rows) -> Pairs:
    for table, device, column, series in (
        ("network_samples", "eth0", "receive_bytes", "eth0 received"),
        ("block_samples", "nvme0n1", "write_bytes", "nvme0n1 written"),
    ):
        kept = _table(told, table, device=device)
        lasted = (kept[-1]["ts"] - kept[0]["ts"]).total_seconds()
        shown = [r["rate"] for r in rows if r["series"] == series]
        rate = (kept[-1][column] - kept[0][column]) / lasted
        yield series, sum(shown) / len(shown), near(rate, 0.05)


@about(BOARD, "Links")
def links(told: Told, rows: Rows) -> Pairs:
    fabric = one(rows, link="infiniband mlx5_0/1")
    yield "speed", fabric["speed"], near(FABRIC_BYTES_PER_SECOND)
    nvlinks = [r for r in rows if r["link"].endswith("NVLink")]
    yield "NVLinks", [r["up"] for r in nvlinks], [1.0] * told.world.gpus_per_node
    yield "ethernet", one(rows, link="ethernet eth0")["errors"], near(0.0)


@about(BOARD, "File systems")
def filesystems(told: Told, rows: Rows) -> Pairs:
    (row,) = rows
    newest = _table(told, "filesystem_samples")[-1]
    yield "size", row["size_bytes"], near(SCRATCH_BYTES, 1e-3)
    used = 1 - newest["available_bytes"] / newest["size_bytes"]
    yield "used", row["used"], near(used, 1e-3)


@about(BOARD, "Who was on it")
def jobs(told: Told, rows: Rows) -> Pairs:
    number = _number(told)
    end_s = told.world.span_s
    on_it = [
        j
        for j in told.world.jobs
        if number in {n for n, _ in j.places} and j.start_s <= end_s and j.end_s >= 0
    ]
    yield "jobs", len(rows), min(40, len(on_it))
    now = {told.world.job_id(j.plan) for j in on_it if told.running(j)}
    yield "of now", {r["job"] for r in rows if r["until"] is None}, now
    for row in rows[:2]:
        job = told.job(row["job"])
        yield f"{row['job']}: GPUs", row["gpus"], sum(n == number for n, _ in job.places)


@about(BOARD, "What happened to it")
def happened(told: Told, rows: Rows) -> Pairs:
    mine = [t for t in told.world.lost if t.node == _number(told)]
    yield "XIDs", sum(r["what"] == "xid" for r in rows), len(mine)
    back = [t for t in mine if t.until_s < told.world.span_s]
    yield "came back", sum(r["what"] == "recovered" for r in rows), len(back)
    lost = {r["at"] for r in rows if r["what"] == "lost"}
    yield "when", lost, {told.world.at(t.since_s) for t in mine}
    yield "in range", all(START <= r["at"] <= END for r in rows if r["what"] == "xid"), True
