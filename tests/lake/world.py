"""Two days of four GPUs with rollups, facts and a book; and what two stores must agree on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from analytics.ledger import Ledger
from analytics.placement import Placement
from gpuledger.catalogue import GpuEvent, GpuSample
from gpuledger.lake.back import Importer
from gpuledger.lake.files import Files
from gpuledger.lake.layout import LakeTable, chosen, lake_tables
from gpuledger.lake.out import Done, Exporter, fingerprint_sql, milliseconds
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, START, asset, given, job, write
from tests.store_contract import SILENT

DAYS = 2
END_S = 4_102_444_800


def samples(hours: range, node: str = "n0", power: float = 300.0) -> list[GpuSample]:
    """A row every ten minutes, with holes; the last of an hour ends on the full hour."""
    return [
        GpuSample(
            **{
                **SILENT,
                "ts": START + timedelta(hours=hour, minutes=minute),
                "interval_seconds": 60.0,
                "cluster": CLUSTER,
                "node": node,
                "slot": slot,
                "uuid": f"GPU-{node}-{slot}",
                "power_watts": power + slot + minute / 10 if minute != 30 else None,
                "utilization_ratio": 0.01 * (hour % 100),
                "active_seconds": 60.0,
                "energy_joules": 1000.0 * (60 * hour + minute),
            }
        )
        for hour in hours
        for minute in range(10, 70, 10)
        for slot in range(2)
    ]


def filled(store: Store) -> None:
    """Samples over midnights, an event, facts in two versions, and the booked hours."""
    write(store, samples(range(24 * DAYS)))
    write(store, [asset(0), asset(1), job("1"), given("1", 0)])
    write(store, [job("1")])
    write(store, [GpuEvent(ts=START, cluster=CLUSTER, node="n0", slot=0, kind="xid", code=79)])
    ledger, placement = Ledger(store), Placement(store)
    for window in ledger.dirty(START + timedelta(hours=6)):
        placement.write(window.since, window.until)
        ledger.book(window, START + timedelta(hours=6))


def rows_of(store: Store, table: LakeTable) -> list[dict[str, Any]]:
    """Rows and their hash by slice, of all of a table."""
    return store.select(fingerprint_sql(table), **milliseconds(table, 0, END_S))


def contents(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every table that holds anything."""
    found = {name: rows_of(store, table) for name, table in lake_tables().items()}
    return {name: rows for name, rows in found.items() if rows}


def export(store: Store, files: Files, tables: str = "", **more: Any) -> dict[str, Done]:
    """What each table that holds anything came to."""
    run = Exporter(store, files, **more).run(chosen(tables), None, None)
    return {n: d for n, d in run if d.files or d.unchanged or d.kept}


def bring(store: Store, files: Files, tables: str = "") -> int:
    """Rows that were added."""
    return sum(taken.added for _, taken in Importer(store, files).run(chosen(tables)))
