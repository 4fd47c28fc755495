"""What cards and machines of the woven world tell, window by window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gpuledger.identity import gpu_id
from tests.labelled.rows import PROFILED, Grid, Told, every
from tests.labelled.site import STEP_S, STEPS_PER_MINUTE, Variant
from tests.labelled.truth import Place
from tests.labelled.weave import QUIET_LATENCY_S, World, growth, means, of_card, peaks

HEALTH_MINUTES, PROCESS_MINUTES = 5, 5
SCRAPE_STEPS, SCRAPE_PHASE_S = 3, 7.0
BLOCK_BYTES, OPERATION_BYTES = 131_072.0, 1_048_576.0
# Clock event reasons of NVML: idle, software power cap, hardware slowdown by heat.
IDLE, POWER_CAP, HEAT = 0x1, 0x4, 0x48
DISK_RATE = 3.5e9
# What NVML does not tell of a card whose slices are in use: those tell it of themselves.
CUT = (*PROFILED, "utilization_ratio", "memory_utilization_ratio", "active_seconds")


def node_name(node: int) -> str:
    """The name of a node by its number."""
    return f"n{node:03d}"


def places(cluster: str, variant: Variant) -> list[Place]:
    """Every GPU of the site, in the order of the world's rows."""
    return [
        Place(name, slot, gpu_id(cluster, name, slot), f"GPU-{cluster}-{name}-{slot}")
        for name in map(node_name, range(variant.nodes))
        for slot in range(variant.slots)
    ]


def gpu_tables(
    world: World, cluster: str, grades: dict[int, str], up: npt.NDArray[np.bool_], size: int
) -> Iterator[Told]:
    """`gpu_samples` of agents (windows of `size` steps) and of exporters, and health rows.

    `up` is (nodes, steps): whether the node runs at all.
    """
    v = world.variant
    scraped = np.repeat([grades[n] == "C" for n in range(v.nodes)], v.slots)
    for rows, source in ((~scraped, "nvml"), (scraped, "exporter")):
        if rows.any():
            agent = source == "nvml"
            yield _samples(world, cluster, np.flatnonzero(rows), up, size if agent else 0)
    yield _health(world, cluster, np.flatnonzero(~scraped), up)


def _keys(world: World, cluster: str, rows: npt.NDArray[np.int64], source: str) -> dict[str, Any]:
    listed = places(cluster, world.variant)
    chosen = [listed[r] for r in rows]
    return {
        "cluster": np.full(len(rows), cluster, object),
        "node": np.array([p.node for p in chosen], object),
        "slot": np.array([p.slot for p in chosen], np.int64),
        "gpu_id": np.array([p.gpu_id for p in chosen], np.uint64),
        "uuid": np.array([p.uuid for p in chosen], object),
        "source": np.full(len(rows), source, object),
    }


def _samples(
    world: World,
    cluster: str,
    rows: npt.NDArray[np.int64],
    up: npt.NDArray[np.bool_],
    size: int,
) -> Told:
    """Means of windows, or (size 0) what an exporter's gauge shows at each scrape."""
    v = world.variant
    scraped = not size
    size = size or SCRAPE_STEPS
    signals = {name: signal[rows] for name, signal in world.gpu.items()}
    if scraped:
        grids = _scraped(v, {n: s[:, size - 1 :: size].astype(float) for n, s in signals.items()})
    else:
        grids = _gauges(v, signals, size)
    windows = world.length // size
    nodes = rows // v.slots
    minute = (np.arange(windows) * size) // STEPS_PER_MINUTE
    kept = world.told[nodes][:, minute] & (means(up[nodes].astype(np.float32), size) > 0.5)
    phase_s = SCRAPE_PHASE_S if scraped else 0.0
    keys = _keys(world, cluster, rows, "exporter" if scraped else "nvml")
    return Told("gpu_samples", every(size), windows, keys, grids, kept, phase_s)


def _scraped(v: Variant, now: dict[str, Grid]) -> dict[str, Any]:
    """Utilization and memory at the moment of the scrape; activity is all or nothing."""
    util = np.rint(now["util"] * 100) / 100
    gone = np.where(now["lost"] > 0.5, np.nan, 1.0)
    return {
        "utilization_ratio": util * gone,
        "active_seconds": np.where(util >= 0.01, float(SCRAPE_STEPS * STEP_S), 0) * gone,
        "memory_used_bytes": now["memory"] * v.card.memory * gone,
        "memory_total_bytes": v.card.memory,
    }


def _gauges(v: Variant, signals: dict[str, Any], size: int) -> dict[str, Any]:
    """What NVML's readings of each second come to, with its rounding of utilization."""
    mean = {name: means(signal, size) for name, signal in signals.items()}
    seconds = every(size)
    heat = mean["throttled"]
    lost = mean["lost"] > 0.5
    bits = np.where(mean["sm"] < 0.005, IDLE, 0) | np.where(heat > 0, HEAT, 0)
    capped = mean["watts"] > 0.97 * v.card.limit
    bits |= np.where(capped, POWER_CAP, 0)
    grids = {
        **_ratios(mean),
        "active_seconds": np.minimum(1, mean["active"]) * seconds,
        "memory_used_bytes": mean["memory"] * v.card.memory,
        "memory_used_bytes_max": peaks(signals["memory"], size) * v.card.memory,
        "power_watts": mean["watts"],
        "power_watts_max": peaks(signals["watts"], size),
        "energy_joules": growth(mean["watts"], seconds),
        "temperature_celsius": mean["celsius"],
        "temperature_celsius_max": peaks(signals["celsius"], size),
        "sm_clock_hertz": mean["hertz"],
        "pcie_receive_bytes": growth(mean["pcie_in"] + 2e4, seconds),
        "pcie_transmit_bytes": growth(mean["pcie_out"] + 2e4, seconds),
        "thermal_throttle_seconds": growth(heat, seconds),
        "power_throttle_seconds": growth(
            (mean["watts"] > 0.97 * v.card.limit).astype(float), seconds
        ),
        "brake_throttle_seconds": np.zeros_like(heat),
        "processes": mean["processes"],
        "processes_max": peaks(signals["processes"], size),
    }
    if v.card.links:
        for name in ("receive", "transmit"):
            rate = mean["nvlink_in" if name == "receive" else "nvlink_out"]
            grids[f"nvlink_{name}_bytes"] = growth(rate + 2e3, seconds)
    if not v.card.profiles:
        grids = {name: grid for name, grid in grids.items() if name not in PROFILED}
    blind = mean["cut"] > 0
    for name in CUT:
        if name in grids:
            grids[name] = np.where(blind, np.nan, grids[name])
    grids = {name: np.where(lost, np.nan, grid) for name, grid in grids.items()}
    told = {
        "lost_seconds": np.where(lost, seconds, 0.0),
        "throttle_reasons": np.where(lost, 0, bits),
    }
    return {**grids, **told, **of_card(v.card)}


def _ratios(mean: dict[str, Grid]) -> dict[str, Grid]:
    """Shares of time, cycles and bandwidth."""
    return {
        "utilization_ratio": mean["util"],
        "memory_utilization_ratio": 0.9 * mean["dram"],
        "sm_active_ratio": mean["sm"],
        "sm_occupancy_ratio": mean["occupancy"],
        "tensor_active_ratio": mean["tensor"],
        "dram_active_ratio": mean["dram"],
        "graphics_active_ratio": mean["util"],
        "fp16_active_ratio": mean["fp16"],
        "fp32_active_ratio": mean["fp32"],
        "fp64_active_ratio": mean["fp64"],
        "hmma_active_ratio": mean["hmma"],
        "imma_active_ratio": mean["imma"],
        "decoder_ratio": mean["decoder"],
    }


def _health(
    world: World, cluster: str, rows: npt.NDArray[np.int64], up: npt.NDArray[np.bool_]
) -> Told:
    """Errors and links; `world.gpu` has what is sick about a card, where anything is."""
    v = world.variant
    size = HEALTH_MINUTES * STEPS_PER_MINUTE
    windows = world.length // size
    nodes = rows // v.slots
    last = np.arange(windows) * size + size - 1
    kept = world.told[nodes][:, last // STEPS_PER_MINUTE] & up[nodes][:, last]
    kept &= world.gpu["lost"][rows][:, last] < 0.5
    shape = (len(rows), windows)
    grids: dict[str, Any] = {
        name: world.gpu[name][rows][:, last].astype(float)
        for name in ("ecc_corrected_errors", "ecc_uncorrected_errors", "remap_pending")
    }
    links = world.gpu["links_down"][rows][:, last].astype(float)
    width = world.gpu["narrow"][rows][:, last].astype(float)
    grids |= {
        "ecc_corrected_lifetime": 12 + grids["ecc_corrected_errors"],
        "ecc_uncorrected_lifetime": grids["ecc_uncorrected_errors"],
        "remapped_rows_corrected": np.zeros(shape),
        "remapped_rows_uncorrected": grids["remap_pending"],
        "remap_failed": np.zeros(shape),
        "recovery_action": grids["remap_pending"],
        "pcie_generation": np.full(shape, 5.0),
        "pcie_generation_max": np.full(shape, 5.0),
        "pcie_width": np.where(width > 0, 4.0, 16.0),
        "pcie_width_max": np.full(shape, 16.0),
        "pcie_replays": np.zeros(shape),
        "slowdown_margin_celsius": np.maximum(0, 90 - world.gpu["celsius"][rows][:, last]),
        "performance_state": np.where(world.gpu["processes"][rows][:, last] > 0, 0.0, 8.0),
    }
    if v.card.links:
        grids |= {
            "nvlinks": np.full(shape, float(v.card.links)),
            "nvlinks_up": v.card.links - links,
            "nvlink_replays": np.zeros(shape),
            "nvlink_crc_errors": np.zeros(shape),
        }
    keys = _keys(world, cluster, rows, "nvml")
    return Told("gpu_health_samples", every(size), windows, keys, grids, kept, interval_s=60.0)


def host_tables(world: World, cluster: str, up: npt.NDArray[np.bool_]) -> Iterator[Told]:
    """Processors, ports, shared filesystem, disk and the agent's own runs, by node and minute."""
    v = world.variant
    size = STEPS_PER_MINUTE
    windows = world.length // size
    mean = {name: means(signal, size) for name, signal in world.host.items()}
    kept = world.told & (means(up.astype(np.float32), size) > 0.5)
    names = np.array([node_name(n) for n in range(v.nodes)], object)
    base = {"cluster": np.full(v.nodes, cluster, object), "node": names}

    def told(table: str, labels: dict[str, str], grids: dict[str, Any]) -> Told:
        keys = {**base, **{k: np.full(v.nodes, w, object) for k, w in labels.items()}}
        return Told(table, 60.0, windows, keys, grids, kept)

    yield told("host_samples", {}, _host(v, mean))
    ether, fabric = ("ether", v.ethernet, "eth0"), ("fabric", v.fabric, "mlx5_0/1")
    for stem, speed, device in (ether, fabric):
        kind = "ethernet" if stem == "ether" else "infiniband"
        labels = {"device": device, "kind": kind}
        yield told("network_samples", labels, _port(mean, stem, speed))
    for operation in ("read", "write"):
        labels = {"kind": v.storage, "mount": "/data", "device": "data0", "operation": operation}
        yield told("netfs_samples", labels, _netfs(mean, operation))
    yield told("block_samples", {"device": "nvme0n1"}, _disk(mean))
    runs = {"runs": 60.0, "failures": 0.0, "rows": 480.0, "duration_seconds": 0.004}
    yield told("source_runs", {"source": "nvml", "reason": ""}, runs)


def _host(v: Variant, mean: dict[str, Grid]) -> dict[str, Any]:
    busy = mean["cores"] / v.cores
    return {
        "cpus": float(v.cores),
        "cpu_busy_ratio": busy,
        "cpu_busy_ratio_max": np.minimum(1, 1.2 * busy),
        "cpu_iowait_ratio": mean["iowait"] / v.cores,
        "load1": mean["cores"] + mean["iowait"],
        "memory_total_bytes": v.memory,
        "memory_available_bytes": np.maximum(0, v.memory - mean["ram"]),
        "cpu_pressure_seconds": growth(mean["cpu_stall"], 60),
        "io_pressure_seconds": growth(mean["io_stall"], 60),
        "io_stall_seconds": growth(0.5 * mean["io_stall"], 60),
        "memory_pressure_seconds": np.zeros_like(busy),
        "clock_synchronized": 1.0,
    }


def _port(mean: dict[str, Grid], stem: str, speed: float) -> dict[str, Any]:
    receive, transmit = mean[f"{stem}_in"] + 1e4, mean[f"{stem}_out"] + 1e4
    return {
        "up_ratio": 1.0,
        "speed_bytes_per_second": speed,
        "receive_bytes": growth(receive, 60),
        "transmit_bytes": growth(transmit, 60),
        "receive_errors": 0.0,
        "transmit_errors": 0.0,
        "link_downs": 0.0 if stem == "fabric" else np.nan,
    }


def _netfs(mean: dict[str, Grid], operation: str) -> dict[str, Any]:
    rate = mean["netfs_in" if operation == "read" else "netfs_out"] + 1e5
    operations = rate / OPERATION_BYTES
    latency = QUIET_LATENCY_S + mean["latency"]
    moved = {"read_bytes": 0.0, "write_bytes": 0.0, f"{operation}_bytes": growth(rate, 60)}
    return {
        "operations": np.floor(growth(operations, 60)),
        "errors": 0.0,
        "queue_seconds": growth(0.2 * latency * operations, 60),
        "server_seconds": growth(0.8 * latency * operations, 60),
        "total_seconds": growth(latency * operations, 60),
        **moved,
    }


def _disk(mean: dict[str, Grid]) -> dict[str, Any]:
    read, write = mean["disk_in"] + 1e4, mean["disk_out"] + 1e5
    return {
        "read_bytes": growth(read, 60),
        "write_bytes": growth(write, 60),
        "reads": np.floor(growth(read / BLOCK_BYTES, 60)),
        "writes": np.floor(growth(write / BLOCK_BYTES, 60)),
        "read_seconds": growth(read / BLOCK_BYTES * 2e-4, 60),
        "write_seconds": growth(write / BLOCK_BYTES * 1e-4, 60),
        "busy_seconds": growth(np.minimum(1, (read + write) / DISK_RATE), 60),
        "in_flight": (read + write) / BLOCK_BYTES * 2e-4,
    }
