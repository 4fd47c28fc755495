"""A day of a fleet made inside the engine: minutes of telemetry, jobs, allocations, nodes.

Each node has turns of ten hours; in each it is one job's, or each of its GPUs is a job's of
its own, or nobody's. 70 % of the turns work, 12 % use little, 6 % idle, 12 % are free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gpuledger import rollups
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import GpuSample
from gpuledger.schema import Field, Kind
from gpuledger.store import Store

END = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
GPUS_PER_NODE = 8
TURN_MIN = 600
# Before and after the day, as far as facts look outside what is booked.
MARGIN_MIN = 30
WAITING = 200

NODE = f"intDiv(g, {GPUS_PER_NODE})"
NAME = f"concat('n', leftPad(toString({NODE}), 5, '0'))"
GPU_ID = "intHash64(g)"
# `m` is a minute since 1970; a turn's draw decides what becomes of it.
TURN = f"intDiv(m, {TURN_MIN})"
DRAW = f"intHash32({NODE} * 100003 + {TURN})"
USE = f"multiIf({DRAW} % 100 < 70, 'busy', {DRAW} % 100 < 82, 'low', {DRAW} % 100 < 88, 'idle', '')"
FIRST = f"({TURN} * {TURN_MIN} + {DRAW} % 40)"
LAST = f"({TURN} * {TURN_MIN} + {TURN_MIN} - intDiv({DRAW}, 64) % 90)"
ALONE = f"({DRAW} % 2)"
JOB = f"concat('c/', toString({NODE} * 1000000 + {TURN} * 10 + if({ALONE}, g % 8, 9)))"
ALLOC = f"intHash64(g * 1000003 + {TURN})"
HELD = f"({USE} != '' AND m >= {FIRST} AND m < {LAST})"
# A wave of 17 minutes and one of three, so that nothing stays constant.
WAVE = "(0.05 * (m % 17) / 17 + 0.02 * (m % 3))"
SM = f"if({HELD}, multiIf({USE} = 'busy', 0.8 + {WAVE}, {USE} = 'low', 0.05 + {WAVE}, 0), 0)"
# One reading in 300 is missing: agents restart, networks stutter.
TOLD = "intHash32(g * 7919 + m) % 300 != 0"
LEVELS = {
    "utilization_ratio": f"100 * least(1, {SM} * 1.1)",
    "sm_active_ratio": f"10000 * {SM}",
    "tensor_active_ratio": f"5000 * {SM}",
    "dram_active_ratio": f"4000 * {SM}",
    "fp32_active_ratio": f"1000 * {SM}",
    "memory_used_bytes": f"if({HELD}, 60000, 1)",
    "memory_total_bytes": "81559",
    "power_watts": f"1000 * (90 + 500 * {SM})",
    "power_limit_watts": "700000",
    "temperature_celsius": f"35 + 35 * {SM}",
    "processes": HELD,
}
EXTRA = {
    "active_ms": f"if({HELD}, multiIf({USE} = 'idle', 0, 60000), 0)",
    "lost_ms": "0",
    "throttle_reasons": "0",
    "processes_max": HELD,
    "power_mw_max": f"1000 * (95 + 500 * {SM})",
    "nvlink_receive_bytes_min": f"toUInt64(m * 1000000000 * {SM})",
    "nvlink_receive_bytes_max": f"toUInt64((m + 1) * 1000000000 * {SM})",
    "nvlink_transmit_bytes_min": f"toUInt64(m * 1000000000 * {SM})",
    "nvlink_transmit_bytes_max": f"toUInt64((m + 1) * 1000000000 * {SM})",
    "pcie_receive_bytes_min": f"toUInt64(m * 10000000 * {SM})",
    "pcie_receive_bytes_max": f"toUInt64((m + 1) * 10000000 * {SM})",
    "pcie_transmit_bytes_min": f"toUInt64(m * 10000000 * {SM})",
    "pcie_transmit_bytes_max": f"toUInt64((m + 1) * 10000000 * {SM})",
}
KEYS = {
    "ts": "toDateTime64(m * 60, 3, 'UTC')",
    "cluster": "'c'",
    "node": NAME,
    "slot": f"g % {GPUS_PER_NODE}",
    "uuid": "concat('GPU-', toString(g))",
    "source": "'nvml'",
    "gpu_id": GPU_ID,
    "weight_ms": "60000",
    "interval_ms": "60000",
}


@dataclass(frozen=True)
class Fleet:
    """How many GPUs and how much of a day of each."""

    gpus: int
    hours: int = 24

    @property
    def since(self) -> datetime:
        """Where the book of it begins."""
        return END - timedelta(hours=self.hours)

    @property
    def first_minute(self) -> int:
        """The first minute of telemetry, counted from 1970."""
        return to_milliseconds(self.since) // 60_000 - MARGIN_MIN

    @property
    def last_minute(self) -> int:
        """The end of telemetry."""
        return to_milliseconds(END) // 60_000 + MARGIN_MIN


def write(store: Store, fleet: Fleet) -> None:
    """Everything that a day is booked from, into an empty store."""
    store.apply()
    for sql in (*_inventory(fleet), *_work(fleet)):
        store.command(sql)
    for first in range(fleet.first_minute, fleet.last_minute, 120):
        store.command(_telemetry(fleet, first, min(first + 120, fleet.last_minute)))


def _inventory(fleet: Fleet) -> list[str]:
    gpus = f"(SELECT number AS g FROM numbers({fleet.gpus}))"
    nodes = f"(SELECT number * {GPUS_PER_NODE} AS g FROM numbers({fleet.gpus // GPUS_PER_NODE}))"
    minutes = f"numbers({fleet.first_minute}, {fleet.last_minute - fleet.first_minute})"
    before = _time(fleet.since - DAY)
    assets = {
        "gpu_id": GPU_ID,
        "asset_id": f"concat('c/', {NAME}, '/', toString(g % {GPUS_PER_NODE}))",
        "cluster": "'c'",
        "node": NAME,
        "slot": f"g % {GPUS_PER_NODE}",
        "model": "'NVIDIA H100'",
        "pool": "'c/h100'",
        "valid_from": _time(fleet.since),
        "valid_to": _FOREVER,
    }
    states = {
        "cluster": "'c'",
        "node": NAME,
        "scheduler": "'slurm'",
        "state": f"if({NODE} % 97 = 96, 'drained', 'up')",
        "gpus": str(GPUS_PER_NODE),
        "gpu_model": "'h100'",
        "cpu_milli": "128000",
        "valid_from": before,
        "valid_to": _FOREVER,
        "seen_at": before,
    }
    runs = {
        "ts": "toDateTime64(60 * (number + 1), 3, 'UTC')",
        "interval_ms": "60000",
        "cluster": "'c'",
        "node": "'head'",
        "source": "'slurm'",
        "runs": "2",
        "failures": "0",
        "rows": "1",
    }
    return [
        _insert("assets", assets, gpus),
        _insert("node_states", states, nodes),
        _insert("source_runs", runs, minutes),
    ]


def _work(fleet: Fleet) -> list[str]:
    turns = range(fleet.first_minute // TURN_MIN, fleet.last_minute // TURN_MIN + 1)
    of = (
        f"(SELECT g, arrayJoin({[t * TURN_MIN for t in turns]}) AS m"
        f" FROM (SELECT number AS g FROM numbers({fleet.gpus}))) WHERE {USE} != ''"
    )
    first = f"toDateTime64({FIRST} * 60 + 17, 3, 'UTC')"
    last = f"toDateTime64({LAST} * 60 - 23, 3, 'UTC')"
    allocations = {
        "gpu_id": GPU_ID,
        "alloc_id": ALLOC,
        "job_id": JOB,
        "cluster": "'c'",
        "node": NAME,
        "share_milli": "1000",
        "valid_from": first,
        "valid_to": last,
        "source": "'slurm'",
        "seen_at": _time(END),
    }
    ended = {
        "job_id": f"{JOB} AS id",
        "cluster": "'c'",
        "name": "concat('job', toString(any(intHash32(m) % 500)))",
        "user": f"any(concat('u', toString({DRAW} % 300)))",
        "team": f"any(concat('t', toString({DRAW} % 20)))",
        "state": "'completed'",
        "nodes": "1",
        "gpus_per_node": "count()",
        "cpu_milli": "8000",
        **dict.fromkeys(("submitted", "eligible", "started"), f"any({first})"),
        **dict.fromkeys(("ended", "ends_by"), f"any({last})"),
        "seen_at": _time(END),
    }
    return [
        _insert("allocations", allocations, of),
        _insert("jobs", ended, f"{of} GROUP BY id"),
        _insert("jobs", _waiting(fleet), f"numbers({WAITING})"),
    ]


def _waiting(fleet: Fleet) -> dict[str, str]:
    asked = f"{_time(fleet.since)} + number * 60"
    return {
        "job_id": "concat('c/w', toString(number))",
        "cluster": "'c'",
        "name": "'waits'",
        "user": "'u1'",
        "team": "'t1'",
        "state": "'pending'",
        "reason": "'Resources'",
        "nodes": "1 + number % 4",
        "gpus_per_node": f"1 + number % {GPUS_PER_NODE}",
        "cpu_milli": "8000",
        "priority": "number",
        **dict.fromkeys(("submitted", "eligible"), asked),
        **dict.fromkeys(("started", "ended", "ends_by"), _FOREVER),
        "seen_at": _time(END),
    }


def _insert(table: str, columns: Mapping[str, str], rows: str) -> str:
    """Rows of a table with versions or samples; all have the same version."""
    told = {**columns, "version": "1"} if "runs" not in columns else columns
    return f"INSERT INTO {table} ({', '.join(told)}) SELECT {', '.join(told.values())} FROM {rows}"


def _telemetry(fleet: Fleet, first: int, last: int) -> str:
    """Rollup rows of some minutes of every GPU, as the agents' samples would have made them."""
    gauges = {f.visible: f for f in GpuSample.table.fields if _is_gauge(f)}
    bits = [rollups.gauges(GpuSample.table).index(gauges[name]) for name in LEVELS]
    columns = {
        **KEYS,
        "known": str(sum(1 << bit for bit in bits)),
        **{f"{gauges[n].stored}_wsum": f"toUInt64(({sql}) * 60000)" for n, sql in LEVELS.items()},
        **EXTRA,
    }
    return (
        f"INSERT INTO gpu_samples_1m ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
        f" FROM (SELECT intDiv(number, {last - first}) AS g, number % {last - first} + {first} AS m"
        f" FROM numbers({fleet.gpus * (last - first)})) WHERE {TOLD}"
    )


def _is_gauge(field: Field) -> bool:
    return field.column.kind is Kind.GAUGE and not field.peak_of


def _time(at: datetime) -> str:
    return f"fromUnixTimestamp64Milli({to_milliseconds(at)}, 'UTC')"


_FOREVER = "toDateTime64('2106-01-01', 3, 'UTC')"
