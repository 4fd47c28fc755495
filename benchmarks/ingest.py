"""Rows per second into both engines, with and without the rollups, side by side.

The same GPU samples (fleet-shaped blocks of 100,000 rows: 10 s of every GPU) go into the embedded
engine and over HTTP into a real ClickHouse listener. Processor time counts the engine's threads:
for the embedded engine this process, for the server its own process.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from collector.simulation import telemetry
from collector.simulation.world import simulate
from gpuledger.batch import Batch
from gpuledger.store import Address, Store
from tests.components.clickhouse import ClickHouse

END = datetime(2026, 11, 22, 4, tzinfo=UTC)
BLOCK_ROWS = 100_000
LEVELS = ("_1m", "_1h", "_1d")


def blocks(hours: float) -> list[Batch]:
    """Blocks of samples of 256 GPUs at 10 s, in order of time."""
    since = END - timedelta(hours=hours)
    world = simulate(1, 32, END - timedelta(days=1), END)
    (whole,) = telemetry.gpu_samples(world, since, END, 10)
    order = whole.columns["ts"].argsort(kind="stable")
    ordered = {name: _taken(column, order) for name, column in whole.columns.items()}
    return [
        Batch(whole.table, {n: c[i : i + BLOCK_ROWS] for n, c in ordered.items()})
        for i in range(0, len(whole), BLOCK_ROWS)
    ]


def _taken(column: Any, order: Any) -> Any:
    return column[order] if hasattr(column, "dtype") else [column[i] for i in order]


@contextmanager
def embedded() -> Iterator[tuple[Store, Callable[[], float]]]:
    with tempfile.TemporaryDirectory() as home:
        store = Store(Address(Path(home) / "store"))
        yield store, time.process_time
        store.close()


@contextmanager
def over_http() -> Iterator[tuple[Store, Callable[[], float]]]:
    with tempfile.TemporaryDirectory() as home, ClickHouse(Path(home)) as server:
        assert server.child
        assert server.child.process
        process = psutil.Process(server.child.process.pid)
        address = Address(
            host="127.0.0.1",
            port=server.http_port,
            user=server.user,
            password=server.password,
            database="bench",
        )

        def cpu() -> float:
            times = process.cpu_times()
            return float(times.user + times.system)

        store = Store(address)
        yield store, cpu
        store.close()


def measure(
    store: Store, cpu: Callable[[], float], batches: list[Batch], rollup: bool
) -> tuple[float, float]:
    """Wall and engine processor seconds to insert the batches."""
    store.apply()
    if not rollup:
        store.command("DROP VIEW gpu_samples_1m_mv")
    for level in ("", *LEVELS):
        store.command(f"TRUNCATE TABLE gpu_samples{level}")
    wall, used = time.monotonic(), cpu()
    for i, batch in enumerate(batches):
        store.insert(batch, token=f"bench/{rollup}/{i}/{os.getpid()}")
    return time.monotonic() - wall, cpu() - used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half an hour of samples instead of 4")
    hours = 0.5 if parser.parse_args().quick else 4.0
    batches = blocks(hours)
    rows = sum(map(len, batches))
    values = rows * len(batches[0].columns)
    print(f"{rows:,} rows of {len(batches[0].columns)} columns in blocks of {BLOCK_ROWS:,}")
    for name, engine in (("embedded", embedded), ("over HTTP", over_http)):
        with engine() as (store, cpu):
            measure(store, cpu, batches[:1], rollup=True)
            bare = measure(store, cpu, batches, rollup=False)
            full = measure(store, cpu, batches, rollup=True)
        for label, (wall, used) in (("without rollups", bare), ("with rollups", full)):
            print(
                f"{name:<10} {label:<15} {rows / wall:12,.0f} rows/s"
                f"  {values / max(used, 1e-9) / 1e6:6.1f} M values per engine CPU-s"
            )
        print(
            f"{name:<10} rollups cost    {full[1] / max(bare[1], 1e-9):12.2f} × the CPU without it"
            " (promise ≤ 2.5)"
        )


if __name__ == "__main__":
    main()
