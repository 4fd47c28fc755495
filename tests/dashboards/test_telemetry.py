"""Growth of counters, rates, columns of the catalogue, and strips that end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dashboards.macros import expand
from dashboards.telemetry import grown, increases, rates, told
from gpuledger.catalogue import BlockSample, GpuHealth, GpuSample
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from gpuledger.units import WATT
from tests.dashboards.machines import sample
from tests.dashboards.world import HOUR, UNTIL

ALL: dict[str, list[str]] = {"cluster": []}


def fill_reads(store: Store, *counts: int | None) -> None:
    """A disk whose counter of bytes read stands there at the end of each minute."""
    store.insert_rows(
        [
            sample(BlockSample, n, "n1", device="sda", read_bytes=count)
            for n, count in enumerate(counts, start=1)
        ]
    )


def ask(store: Store, sql: str, interval_s: int = 10) -> list[dict[str, Any]]:
    since = HOUR - timedelta(hours=1)
    return [dict(row) for row in store.select(expand(sql, since, UNTIL, interval_s, ALL))]


def test_a_counter_grows_by_what_it_stands_above_the_row_before(store: Store) -> None:
    fill_reads(store, 100, 160, None, 400)
    sql = f"SELECT read_bytes, lasted {grown(BlockSample.table, 'read_bytes')} ORDER BY at"
    # Of the first row nobody knows what was there before; nor after one that told nothing.
    assert [(r["read_bytes"], r["lasted"]) for r in ask(store, sql)] == [
        *((0.0, 60.0), (60.0, 60.0), (None, 60.0), (0.0, 60.0)),
    ]


def test_a_counter_that_began_anew_did_not_shrink(store: Store) -> None:
    fill_reads(store, 100, 5, 35)
    sql = f"SELECT read_bytes {grown(BlockSample.table, 'read_bytes')} ORDER BY at"
    assert [r["read_bytes"] for r in ask(store, sql)] == [0.0, None, 30.0]


def test_of_rollups_the_first_cell_counts_what_it_grew_within(store: Store) -> None:
    fill_reads(store, 100, 160, 220)
    sql = (
        f"SELECT sum(read_bytes) AS grew, sum(lasted) AS s {grown(BlockSample.table, 'read_bytes')}"
    )
    assert ask(store, sql, 3600) == [{"grew": 120.0, "s": 180.0}]


def test_increases_are_taken_per_epoch_and_added_up(store: Store) -> None:
    fill_reads(store, 100, 160, 220)
    store.insert_rows(
        [
            sample(BlockSample, n, "n1", device="sda", read_bytes=count, epoch=1)
            for n, count in ((4, 5), (5, 35))
        ]
    )
    sql = f"SELECT node, device, read_bytes {increases(BlockSample.table, 'read_bytes', where='1')}"
    for interval_s in (10, 60):
        assert ask(store, sql, interval_s) == [
            {"node": "n1", "device": "sda", "read_bytes": 120.0 + 30.0}
        ]


def test_of_several_writers_the_first_one_tells_of_an_increase(store: Store) -> None:
    told = (("nvml", 1, 3, 0), ("dcgm-exporter", 2, 9, 1))
    for source, first, last, width in told:
        store.insert_rows(
            [
                sample(
                    *(GpuHealth, minute, "n1"),
                    slot=0,
                    uuid="GPU-1",
                    source=source,
                    pcie_replays=count,
                    pcie_width=width or None,
                )
                for minute, count in ((1, first), (2, last))
            ]
        )
    asked = increases(GpuHealth.table, "pcie_replays", keep=("pcie_width",), where="1")
    assert ask(store, f"SELECT pcie_replays, pcie_width {asked}") == [
        {"pcie_replays": 2.0, "pcie_width": 1.0}
    ]


def test_rates_are_added_up_over_devices(store: Store) -> None:
    for device, step in (("sda", 60), ("sdb", 120)):
        store.insert_rows(
            [
                sample(BlockSample, n, "n1", device=device, read_bytes=step * n, write_bytes=0)
                for n in (1, 2, 3)
            ]
        )
    shown = {"read": "read_bytes", "written": "write_bytes"}
    asked = f"{rates(BlockSample.table, chr(39) + 'disks' + chr(39), shown, where='true')}"
    last = [r for r in ask(store, asked, 60) if r["time"] == HOUR + timedelta(minutes=2)]
    assert {r["series"]: r["rate"] for r in last} == {"disks read": 3.0, "disks written": 0.0}


def test_a_column_has_the_unit_of_the_catalogue() -> None:
    column = told(GpuSample.table, "power_watts")
    assert (column.name, column.title, column.unit) == ("power_watts", "power", WATT)
    with pytest.raises(ConfigError, match="did you mean 'power_watts'"):
        told(GpuSample.table, "power_wats")
