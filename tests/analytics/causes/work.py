"""Jobs with a known reason for their low use, as agents would tell of them minute by minute.

Builders of rows: one job on GPUs of node n0, its book, and what cards and machine tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from analytics.causes.features import Episode, Features, gather
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import (
    CgroupSample,
    GpuSample,
    HostSample,
    NetfsSample,
    NetworkSample,
)
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.world import CLUSTER, asset, at, booked, cells, given, gpu, job, write

MINUTES = 40
GIB, GIGA = float(1 << 30), 1e9
MEMORY = 80 * GIB

# A card whose kernels fill a seventh of it, seven seconds out of ten, and nothing else.
CARD = {
    "utilization_ratio": 0.7,
    "sm_active_ratio": 0.15,
    "sm_occupancy_ratio": 0.08,
    "tensor_active_ratio": 0.05,
    "dram_active_ratio": 0.06,
    "fp16_active_ratio": 0.0,
    "fp32_active_ratio": 0.01,
    "fp64_active_ratio": 0.0,
    "memory_used_bytes": 0.5 * MEMORY,
    "memory_total_bytes": MEMORY,
    "power_watts": 180.0,
    "power_limit_watts": 700.0,
}
SMALL_BATCH = {**CARD, "memory_used_bytes": 0.1 * MEMORY}
STARVED = {**CARD, "utilization_ratio": 0.17}
# Seconds of each minute in which a starved card has work.
DUTY = 10.0


@dataclass
class Told:
    """What a job's cards and machine tell, the same in each minute.

    `rates` are counters of the card by their rise in bytes per second, `sms` overrides SM activity
    minute by minute (0 = a pause), `writes` bytes written to NFS in each minute.
    """

    card: dict[str, float] = field(default_factory=lambda: dict(CARD))
    active_s: float = 60.0
    rates: dict[str, float] = field(default_factory=dict)
    host: dict[str, float] = field(default_factory=dict)
    group: dict[str, float] = field(default_factory=dict)
    netfs: dict[str, float] = field(default_factory=dict)
    network: dict[str, float] = field(default_factory=dict)
    sms: Sequence[float] | None = None
    writes: Sequence[float] | None = None

    def rows(self, native: str = "1", slots: range = range(1)) -> list[Row]:
        """All samples of the job."""
        minutes = range(MINUTES)
        out: list[Row] = [self._card(m, s) for s in slots for m in minutes]
        for sample in (HostSample, CgroupSample, NetfsSample, NetworkSample):
            out += [row for m in minutes for row in self._machine(sample, m, native)]
        return out

    def _card(self, minute: int, slot: int) -> GpuSample:
        values = dict(self.card)
        active = self.active_s
        if self.sms is not None:
            values["sm_active_ratio"] = values["utilization_ratio"] = self.sms[minute]
            active = 60.0 if self.sms[minute] else 0.0
        counters = {k: rate * 60 * (minute + 1) for k, rate in self.rates.items()}
        return GpuSample.known(
            **_head(minute),
            slot=slot,
            gpu_id=gpu(slot),
            uuid=f"GPU-n0-{slot}",
            active_seconds=active,
            lost_seconds=0,
            processes=1,
            **values,
            **counters,
        )

    def _machine(self, sample: type[Any], minute: int, native: str) -> list[Row]:
        values, names = {
            HostSample: (self.host, {}),
            CgroupSample: (self.group, {"runtime": "slurm", "name": native}),
            NetfsSample: (self.netfs, {"kind": "nfs", "mount": "/data", "operation": "READ"}),
            NetworkSample: (self.network, {"device": "eth0", "kind": "ethernet"}),
        }[sample]
        rows: list[Row] = []
        if values:
            told = {
                k: v * 60 * (minute + 1) if _counts(sample, k) else v for k, v in values.items()
            }
            rows.append(sample.known(**_head(minute), **names, **told))
        if sample is NetfsSample and self.writes is not None:
            total = sum(self.writes[: minute + 1])
            where = {"kind": "nfs", "mount": "/data", "operation": "WRITE"}
            rows.append(NetfsSample.known(**_head(minute), **where, write_bytes=total))
        return rows


def _counts(sample: type[Any], name: str) -> bool:
    return str(getattr(sample, name).kind) == "counter"


def _head(minute: int) -> dict[str, Any]:
    return {"ts": at(minute + 1), "interval_seconds": 60, "cluster": CLUSTER, "node": "n0"}


def working(
    store: Store,
    told: Told,
    state: str = "underused",
    *,
    native: str = "1",
    slots: range = range(1),
    cpus: int = 8,
    kind: str = "batch",
    name: str = "train",
) -> None:
    """A job in that state for all minutes, and what is told of it."""
    until = at(MINUTES)
    made = job(native, gpus=len(slots), cpus=cpus, started=at(0), name=name)
    made.kind = kind
    book = [c for s in slots for c in cells(state, range(MINUTES), s, native=native)]
    write(
        store,
        [
            *(asset(s) for s in slots),
            *(given(native, s) for s in slots),
            made,
            *booked(book, until),
            *told.rows(native, slots),
        ],
    )


def features(store: Store, native: str = "1", minutes: int = MINUTES) -> Features:
    """What is gathered of the job's first minutes."""
    since = at(0)
    until = since + timedelta(minutes=minutes)
    episode = Episode(f"{CLUSTER}/{native}", to_milliseconds(since), to_milliseconds(until))
    (found,) = gather(store, [episode], fine_ms=3_600_000)
    return found


def starved(**changed: Any) -> Told:
    """A card that waits most of the time, on a machine that tells of nothing unless changed."""
    return Told(**{"card": dict(STARVED), "active_s": DUTY, **changed})


INPUT_BOUND: dict[str, Any] = {
    "host": {"cpu_busy_ratio": 0.2, "cpu_iowait_ratio": 0.22},
    "netfs": {"read_bytes": 2.9 * GIGA, "operations": 3000, "server_seconds": 90},
}
CPU_BOUND: dict[str, Any] = {
    "host": {"cpu_busy_ratio": 0.3, "cpu_iowait_ratio": 0.0},
    "group": {"cpu_seconds": 7.8, "cpu_pressure_seconds": 0.6},
}
