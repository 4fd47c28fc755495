"""What the simulated machines tell of themselves: processors, networks, disks, sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.simulation.fleet import CPUS_PER_NODE, MEMORY_PER_NODE
from collector.simulation.model import ACTIVE, MEMORY, PROCESS, SM, Floats, Ints
from collector.simulation.scene import MINUTE_S, Scene, Window
from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue.host import AgentSample, HostSample, SourceRun
from gpuledger.catalogue.network import NetworkSample
from gpuledger.catalogue.storage import BlockSample, FilesystemSample
from gpuledger.schema import Row

CHUNK_ROWS = 200_000
HOST_KEY = 1_000_003
SLURM_NODE, SLURM_PERIOD_S = "slurmctld", 30
FABRIC_BYTES_PER_SECOND, ETHERNET_BYTES_PER_SECOND = 50e9, 12.5e9
SCRATCH_BYTES = 28e12
PACKET_BYTES = 4_096
AGENT_MEMORY = 28 << 20
EXTENT_BYTES = 131_072
# How long before a node goes down its link flaps, and how long our agents hold what they send.
CUT_MINUTES, SENT_AFTER_S = 6, 2.0


@dataclass(frozen=True)
class _Load:
    """What drives a node's machine in each minute, from the world's start: ratios 0-1.

    `work` is the mean SM activity, `used` the share of GPUs with a process, `gang` the share that
    works for jobs of several nodes, `cut` the share of the minute without link to the fabric.
    `is_set`: whether something sets the node's clock.
    """

    is_set: bool
    work: Floats
    used: Floats
    memory: Floats
    gang: Floats
    cut: Floats
    noise: Floats


def machine_batches(scene: Scene, window: Window) -> Iterator[Batch]:
    """Host, network, block and filesystem rows of each node and minute, and runs of sources."""
    if window.last > window.first:
        loads = [_load(scene, node, window.last) for node in range(scene.world.nodes)]
        for row, columns in _TABLES:
            nodes = [columns(load) for load in loads]
            for chunk in window.chunks(len(nodes), CHUNK_ROWS):
                yield _batch(scene, chunk, row, nodes)
        yield _source_runs(scene, window)
        yield _slurm_runs(scene, window)


def _load(scene: Scene, node: int, minutes: int) -> _Load:
    """Counters need all minutes from the start on; a node without power adds nothing."""
    edges = np.arange(minutes + 1, dtype=np.float64) * MINUTE_S
    powered = scene.powered[node, :minutes]
    lines = scene.timelines[node]
    means = [line.means(edges) for line in lines]
    several = np.array([job.plan.nodes > 1 for job in scene.world.jobs] + [False] * 2)
    gang = np.mean([several[line.holders[line.at(edges[:-1])]] for line in lines], axis=0)
    work = np.mean([mean[SM] for mean in means], axis=0) * powered
    return _Load(
        node > 0 or scene.world.nodes == 1,
        work,
        np.mean([mean[PROCESS] for mean in means], axis=0) * powered,
        np.mean([mean[MEMORY] for mean in means], axis=0),
        gang * np.mean([mean[ACTIVE] for mean in means], axis=0) * powered,
        _cut(scene, node, minutes),
        np.abs(1 + 0.1 * scene.noise(HOST_KEY + 8 * node, 0, minutes)),
    )


def _cut(scene: Scene, node: int, minutes: int) -> Floats:
    """Before a node goes down its fabric port loses the link for a while."""
    out = np.zeros(minutes)
    for trouble in scene.world.down:
        if trouble.node == node:
            last = int(trouble.since_s // MINUTE_S)
            out[max(0, last - CUT_MINUTES) : last] = 0.5
    return out


Device = dict[str, Any]


def _counter(per_second: Floats) -> Floats:
    """A counter that grows at that rate, at the end of each minute."""
    return np.asarray(np.cumsum(per_second) * MINUTE_S, dtype=np.float64)


def _host(load: _Load) -> list[Device]:
    busy = np.clip((0.02 + 0.45 * load.work + 0.05 * load.used) * load.noise, 0, 1)
    waiting = 0.03 * load.used * load.noise
    return [
        {
            "cpus": float(CPUS_PER_NODE),
            "cpu_busy_ratio": busy,
            "cpu_busy_ratio_max": np.minimum(1, busy * 1.3),
            "cpu_iowait_ratio": 0.2 * waiting,
            "load1": busy * CPUS_PER_NODE,
            "memory_total_bytes": float(MEMORY_PER_NODE),
            "memory_available_bytes": MEMORY_PER_NODE * (0.96 - 0.6 * np.minimum(1, load.memory)),
            "cpu_pressure_seconds": _counter(0.02 * busy),
            "io_pressure_seconds": _counter(waiting),
            "memory_pressure_seconds": _counter(0.0005 * load.used),
            "clock_synchronized": float(load.is_set),
            "clock_error_seconds": 0.002 if load.is_set else 0.9,
        }
    ]


def _agent(load: _Load) -> list[Device]:
    """A tenth of a percent of a processor, and a batch that waits for its turn."""
    return [
        {
            "cpu_seconds": _counter(0.001 * load.noise),
            "memory_bytes": float(AGENT_MEMORY),
            "waiting_entries": 1.0,
            "waiting_bytes": float(1 << 20),
            "oldest_waiting_seconds": SENT_AFTER_S * load.noise,
        }
    ]


def _network(load: _Load) -> list[Device]:
    """The way to storage, and one port of the fabric between GPUs (its rails look alike)."""
    data = (2e6 + 0.08 * ETHERNET_BYTES_PER_SECOND * load.used) * load.noise
    rail = (1e3 + 0.3 * FABRIC_BYTES_PER_SECOND * load.gang) * load.noise
    return [
        _port("eth0", "ethernet", ETHERNET_BYTES_PER_SECOND, data, 0.2 * data),
        _port("mlx5_0/1", "infiniband", FABRIC_BYTES_PER_SECOND, rail, rail, load.cut),
    ]


def _port(
    device: str,
    kind: str,
    speed: float,
    receive: Floats,
    transmit: Floats,
    cut: Floats | None = None,
) -> Device:
    none = np.zeros(len(receive))
    cut = none if cut is None else cut
    return {
        "device": device,
        "kind": kind,
        "up_ratio": 1.0 - cut,
        "speed_bytes_per_second": speed,
        "receive_bytes": _counter(receive),
        "transmit_bytes": _counter(transmit),
        "receive_packets": np.floor(_counter(receive / PACKET_BYTES)),
        "transmit_packets": np.floor(_counter(transmit / PACKET_BYTES)),
        "receive_errors": none,
        "transmit_errors": none,
        "transmit_wait": np.floor(_counter(1e-6 * transmit)) if kind == "infiniband" else np.nan,
        "link_downs": np.cumsum(cut > 0) * 1.0 if kind == "infiniband" else np.nan,
    }


def _block(load: _Load) -> list[Device]:
    return [_disk("nvme0n1", 4e8 * load.used * load.noise, 9e7 * load.work * load.noise)]


def _disk(device: str, read: Floats, write: Floats) -> Device:
    return {
        "device": device,
        "read_bytes": _counter(read),
        "write_bytes": _counter(write),
        "reads": np.floor(_counter(read / EXTENT_BYTES)),
        "writes": np.floor(_counter(write / EXTENT_BYTES)),
        "read_seconds": _counter(read / EXTENT_BYTES * 1e-4),
        "write_seconds": _counter(write / EXTENT_BYTES * 5e-5),
        "busy_seconds": _counter(np.minimum(1, (read + write) / 6e9)),
    }


def _filesystem(load: _Load) -> list[Device]:
    filled = 0.35 + 0.4 * np.minimum(1, load.memory)
    return [_mount("/scratch", "/dev/nvme0n1p1", SCRATCH_BYTES, filled)]


def _mount(mount: str, device: str, size: float, filled: Floats) -> Device:
    inodes = size / 16_384 // 1
    return {
        "mount": mount,
        "device": device,
        "filesystem": "xfs",
        "size_bytes": size,
        "available_bytes": size * (1 - filled),
        "inodes": inodes,
        "inodes_free": np.floor(inodes * (1 - 0.1 * filled)),
    }


_TABLES: tuple[tuple[type[Row], Callable[[_Load], list[Device]]], ...] = (
    (HostSample, _host),
    (AgentSample, _agent),
    (NetworkSample, _network),
    (BlockSample, _block),
    (FilesystemSample, _filesystem),
)


def _batch(scene: Scene, window: Window, row: type[Row], nodes: list[list[Device]]) -> Batch:
    """Devices of all nodes below each other, for the minutes in which their agents lived."""
    kept = [window.first + rows for rows in _alive(scene, window)]
    names = nodes[0][0].keys()
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for devices, minutes in zip(nodes, kept, strict=True):
        for device in devices:
            for name, value in device.items():
                columns[name].append(_cells(value, minutes))
    each = [len(devices) for devices in nodes]
    values: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    values |= _stamps(scene, kept, each)
    return Batch.of_arrays(row.table, len(values["ts"]), values)


def _alive(scene: Scene, window: Window) -> list[Ints]:
    return [np.flatnonzero(alive[window.first : window.last]) for alive in scene.alive]


def _cells(value: Any, minutes: Ints) -> Any:
    """A series at those minutes, or a constant as often."""
    if isinstance(value, np.ndarray):
        return value[minutes]
    return np.full(len(minutes), value, dtype=object if isinstance(value, str) else np.float64)


def _stamps(scene: Scene, kept: list[Ints], each: list[int]) -> dict[str, Any]:
    """Time and place of rows that are node by node, device by device."""
    start_ms = to_milliseconds(scene.world.start)
    ends = [np.tile(minutes, n) for minutes, n in zip(kept, each, strict=True)]
    names = np.array([scene.world.node_name(n) for n in range(scene.world.nodes)], dtype=object)
    return {
        "ts": start_ms + (np.concatenate(ends) + 1) * MINUTE_S * 1_000,
        "interval_seconds": float(MINUTE_S),
        "cluster": scene.world.cluster,
        "node": np.repeat(names, [len(e) for e in ends]),
    }


def _source_runs(scene: Scene, window: Window) -> Batch:
    """The agents' account of the driver: one reading a second."""
    kept = [window.first + rows for rows in _alive(scene, window)]
    values = _stamps(scene, kept, [1] * len(kept))
    return _runs(values, "nvml", MINUTE_S, MINUTE_S * scene.world.gpus_per_node, 0.004)


def _slurm_runs(scene: Scene, window: Window) -> Batch:
    """The cluster's source of the scheduler's tables never fails."""
    minutes = np.arange(window.first, window.last)
    values = _stamps(scene, [minutes], [1])  # named anew below: this one runs beside the scheduler
    values["node"] = np.full(len(minutes), SLURM_NODE, dtype=object)
    return _runs(values, "slurm", MINUTE_S // SLURM_PERIOD_S, 2 * scene.world.nodes, 0.12)


def _runs(values: dict[str, Any], source: str, runs: int, rows: int, duration_s: float) -> Batch:
    values |= {
        "source": source,
        "runs": runs,
        "failures": 0,
        "rows": rows,
        "duration_seconds": duration_s,
        "duration_seconds_max": duration_s * 1.5,
    }
    return Batch.of_arrays(SourceRun.table, len(values["ts"]), values)
