"""How fast a site's past is read: samples, series-hours and GPU-days per second, and the memory.

A real Prometheus with a backfilled block of twelve metrics of dcgm-exporter, scraped every 30 s;
the embedded engine with all rollups. Times are processor seconds of this process, the engine's
included and Prometheus' own not, since neighbours slow a shared machine down; parts are timed one
by one, so that it shows what is slow.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from analytics.backfill.fold import fold
from analytics.backfill.memory import Memory
from analytics.backfill.places import Nodes
from analytics.backfill.prometheus import Prometheus
from analytics.backfill.run import Backfill, Wanted
from analytics.backfill.settings import BackfillSettings
from analytics.backfill.wide import Desk
from gpuledger.config import Config
from gpuledger.mapping_load import load
from gpuledger.store import Address, Store
from tests.components.prometheus_history import History, Sample

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP_S = 30
clock = time.process_time
METRICS = {
    "DCGM_FI_DEV_SM_CLOCK": lambda r: r.choice((345, 1410, 1980)),
    "DCGM_FI_DEV_GPU_TEMP": lambda r: r.randint(30, 80),
    "DCGM_FI_DEV_POWER_USAGE": lambda r: round(r.uniform(70, 700), 3),
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": lambda _: 700.0,
    "DCGM_FI_DEV_GPU_UTIL": lambda r: r.randint(0, 100),
    "DCGM_FI_DEV_MEM_COPY_UTIL": lambda r: r.randint(0, 100),
    "DCGM_FI_DEV_FB_USED": lambda r: r.randint(0, 81559),
    "DCGM_FI_DEV_FB_TOTAL": lambda _: 81559,
    "DCGM_FI_PROF_SM_ACTIVE": lambda r: round(r.random(), 6),
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": lambda r: round(r.random(), 6),
    "DCGM_FI_PROF_DRAM_ACTIVE": lambda r: round(r.random(), 6),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": None,
}


def samples(gpus: int, hours: int) -> Iterator[Sample]:
    rng = random.Random(1)
    first = START.timestamp()
    for gpu in range(gpus):
        node = f"gpu-{gpu // 8:03d}"
        labels = {
            "gpu": gpu % 8,
            "UUID": f"GPU-{gpu:08d}-0000-0000-0000-000000000000",
            "device": f"nvidia{gpu % 8}",
            "modelName": "NVIDIA H100 80GB HBM3",
            "Hostname": node,
            "instance": f"{node}:9400",
            "job": "dcgm-exporter",
        }
        for name, value in METRICS.items():
            for n in range(hours * 3600 // STEP_S):
                at = first + n * STEP_S + gpu // 8 * 0.7
                yield name, labels, value(rng) if value else 15_000_000 * n, at


def parts(history: History, hours: int) -> None:
    """Where the time goes before the store."""
    prometheus, exporter = Prometheus(history.url, BackfillSettings()), load("dcgm-exporter")
    since = round(START.timestamp() * 1000)
    began = clock()
    found = [
        s for n in METRICS for s in prometheus.samples(n, since - 1, since + hours * 3_600_000)
    ]
    read = clock()
    desk = Desk(exporter, "c", Nodes(exporter.file.nodes, {}))
    for series in found:
        desk.take(series)
    wides = [w for w in desk.done() if "ts" in w.plan.columns]
    wide = clock()
    memory = Memory(0)
    for one in wides:
        memory.correct(one)
        fold(one, memory.cover_ms(one), 60_000)
    folded = clock()
    count = sum(len(s.at_ms) for s in found)
    for what, seconds in (("read", read - began), ("map", wide - read), ("fold", folded - wide)):
        print(f"{what:<22} {count / seconds / 1e6:8.2f} M samples/s")


def whole(history: History, directory: Path, gpus: int, hours: int) -> None:
    """The way that `gpuledger backfill` goes, booking included."""
    store = Store(Address(directory=directory / "store"))
    store.apply()
    until = START + timedelta(hours=hours)
    wanted = Wanted(START, until, "c", "c", history.url, mappings=("dcgm-exporter",))
    backfill = Backfill(store, Config(), wanted)
    estimate = backfill.estimate()
    marks: dict[str, float] = {}
    began = clock()
    done = backfill.run(estimate, lambda phase, *_: marks.update({phase: clock()}))
    reading = marks["reading dcgm-exporter"] - began
    booking = clock() - marks["reading dcgm-exporter"]
    count, rows = done.reads["dcgm-exporter"].samples, done.reads["dcgm-exporter"].rows
    series_hours = gpus * len(METRICS) * hours
    print(f"{'estimated, samples':<22} {estimate.samples / count:8.2f} of what there was")
    print(f"{'read and stored':<22} {count / reading / 1e6:8.2f} M samples/s")
    print(f"{'':<22} {series_hours / reading:8.0f} series-hours/s")
    print(f"{'':<22} {rows / reading:8.0f} rows/s")
    print(f"{'booked':<22} {gpus * hours / 24 / booking:8.2f} GPU-days/s")
    print(f"{'256 GPUs, 90 days':<22} {reading * 256 * 2160 / gpus / hours / 60:8.0f} min to read")
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="16 GPUs and one hour")
    parser.add_argument("--gpus", type=int, default=128)
    parser.add_argument("--hours", type=int, default=6)
    given = parser.parse_args()
    gpus, hours = (16, 1) if given.quick else (given.gpus, given.hours)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with History(directory / "prometheus", samples(gpus, hours)) as history:
            parts(history, hours)
            whole(history, directory, gpus, hours)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'memory':<22} {peak:8.0f} MB at most")


if __name__ == "__main__":
    main()
