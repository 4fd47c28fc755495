"""What panels read beside the fleet of `scale.py`: health, ports, errors, findings, advice, queue.

Hours of the last month of health and ports, minutes of the last hours of sources, and of the rest
as much as a fleet of that size has. Plausible numbers, the same in every run.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from benchmarks.scale_rows import (
    END,
    GPUS_PER_NODE,
    KEYS,
    TEAMS,
    USERS,
    Fleet,
    moments,
    spans,
    timed,
    value,
)
from gpuledger.catalogue import (
    AlertState,
    DemandMinute,
    Finding,
    FragmentationHour,
    GpuEvent,
    GpuHealth,
    NetworkSample,
    Notification,
    Recommendation,
    SourceRun,
)
from gpuledger.schema import Kind, Table
from gpuledger.store import Store

MONTH, HOURS = timedelta(days=30), timedelta(hours=3)
# An INSERT may touch a hundred partitions, and some tables have one for each hour.
AT_ONCE_S, MOST = 30 * 86_400, 96
# Findings, errors and messages of a thousand GPUs in a day.
A_DAY = 20
AT = KEYS["ts"]
NUMBERS = (Kind.GAUGE, Kind.COUNTER, Kind.ADDITIVE)
WHO = {
    "subject": f"toString(intDiv(g, {GPUS_PER_NODE}) * 1000000)",
    "user": f"concat('u', toString(g % {USERS}))",
    "team": f"concat('team', toString(g % {TEAMS}))",
}
POOL = "if(g % 5 < 3, 'h100', 'a100')"


def told(
    store: Store, table: Table, count: int, since: datetime, step_s: int, /, **given: str
) -> None:
    """Rows about `count` things `g` at each step until the end; `given` are SQL by column."""
    made = {**KEYS, "interval_ms": str(step_s * 1000), "version": "1", **given}
    columns = {f.stored: made.get(f.stored) for f in table.fields}
    for f in table.fields:
        if f.stored not in made and f.column.kind in NUMBERS:
            columns[f.stored] = value(f)
    known = {name: sql for name, sql in columns.items() if sql is not None}
    for begin, end in spans(since, END, timedelta(seconds=min(AT_ONCE_S, MOST * step_s))):
        store.command(
            f"INSERT INTO {table.name} ({', '.join(known)}) SELECT {', '.join(known.values())}"
            f" FROM ({moments(count, begin, end, step_s)})"
        )


def fill_more(store: Store, fleet: Fleet) -> None:
    """All of it; the store has the fleet already."""
    nodes = fleet.gpus // GPUS_PER_NODE
    of_node = {"node": KEYS["node"].replace("g,", f"g * {GPUS_PER_NODE},")}
    events = max(1, A_DAY * fleet.gpus // 1000)
    month = max(fleet.hours_since, END - MONTH)
    with timed("health, ports and sources"):
        told(store, GpuHealth.table, fleet.gpus, month, 3600)
        told(
            *(store, NetworkSample.table, nodes, month, 3600),
            **of_node,
            device="'mlx5_0'",
            kind="'infiniband'",
        )
        for source in ("nvml", "host", "slurm", "network", "storage", "cgroups"):
            since = END - HOURS
            given = {**of_node, "source": f"'{source}'"}
            told(store, SourceRun.table, nodes, since, 60, **given)
    with timed("errors, findings, advice and alerts"):
        _happened(store, fleet, events)
    with timed("what waits, and what is free"):
        since = fleet.minutes_since
        told(
            *(store, DemandMinute.table, 5, since, 60),
            pool=POOL,
            minute=AT,
            unmet_ms="60000",
            refused_ms="0",
        )
        place = {"hour": AT, "pool": POOL, "gpus": "8", "whole_gpus": "1", "largest_gpus": "2"}
        told(store, FragmentationHour.table, nodes, since, 3600, **place, **of_node)
        told(store, FragmentationHour.table, 5, since, 3600, **{**place, "node": "''"})


def _happened(store: Store, fleet: Fleet, a_day: int) -> None:
    since, step_s = fleet.hours_since, 86_400
    card = {"kind": "'xid'", "code": "79", "cause": "'off_bus'", "count": "1"}
    told(store, GpuEvent.table, a_day, since, step_s, **card)
    ident = "intHash64(t * 1000 + g)"
    told(
        *(store, Finding.table, a_day, since, step_s),
        **WHO,
        pool=POOL,
        finding_id=ident,
        kind="['idle', 'underused', 'notebook', 'islands', 'sick_gpu'][1 + g % 5]",
        since=AT,
        until=AT,
        open=f"t >= {int(END.timestamp())}",
        gpus="8",
        gpu_ms="28800000",
        cause="'memory_held'",
    )
    told(
        *(store, Recommendation.table, a_day, since, step_s),
        **WHO,
        recommendation_id=ident,
        finding_id=ident,
        kind="['reclaim', 'rightsize', 'repack', 'quota'][1 + g % 4]",
        status=f"if(t >= {int(END.timestamp())}, 'proposed', 'expired')",
        created=AT,
    )
    told(
        *(store, AlertState.table, a_day, since, step_s),
        rule="'JobIdleGPU'",
        subject=f"concat({WHO['subject']}, toString(t))",
        state="'resolved'",
        since=AT,
        fired=AT,
        resolved=AT.replace("t)", "t + 600)"),
    )
    told(
        *(store, Notification.table, a_day, since, step_s),
        rule="'JobIdleGPU'",
        subject=WHO["subject"],
        state="'firing'",
        channel="'mail'",
        message=ident,
        outcome="'accepted'",
    )
