"""A fake NVIDIA driver: builds the C library and writes the scenario it answers from."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

SONAME = "libnvidia-ml.so.1"
SCENARIO_VARIABLE = "FAKE_NVML_SCENARIO"
JOURNAL_VARIABLE = "FAKE_NVML_JOURNAL"
SOURCES = Path(__file__).parent
GIB = 1024**3
H100_MEMORY_BYTES = 81559 * 1024**2
INTEGRATED = (
    "power_w",
    "graphics",
    "sm",
    "occupancy",
    "tensor",
    "dram",
    "fp64",
    "fp32",
    "fp16",
    "pcie_tx_bytes",
    "pcie_rx_bytes",
    "nvlink_tx_bytes",
    "nvlink_rx_bytes",
)


@dataclass(frozen=True, slots=True)
class Process:
    """One process on a GPU: memory in bytes, SM and memory utilization in percent.

    `slice` is the index of its MIG slice, -1 = the whole card.
    """

    pid: int
    memory_bytes: int = GIB
    sm_percent: int = 0
    graphics: bool = False
    mps: bool = False
    memory_percent: int = 0
    slice: int = -1

    def line(self) -> str:
        key = "graphics_process" if self.graphics else "mps_process" if self.mps else "process"
        numbers = (self.memory_bytes, self.sm_percent, self.memory_percent, self.slice)
        return f"{key}={self.pid}:" + ":".join(map(str, numbers))


@dataclass(frozen=True, slots=True)
class Slice:
    """One MIG slice at an index of its card; activities are ratios of the slice itself."""

    index: int
    uuid: str
    gpu_instance: int
    compute_instance: int = 0
    profile: str = "1g.10gb"
    sms: int = 16
    memory_bytes: int = 10 * GIB
    used_bytes: int = GIB
    sm: float = 0.5
    occupancy: float = 0.2
    tensor: float = 0.3
    dram: float = 0.1

    def line(self) -> str:
        return "slice=" + ":".join(str(getattr(self, f.name)) for f in fields(self))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens when the scenario is written, `count` times.

    `type` is NVML's (8 = XID), `data` its datum (the XID), slices are -1 where there are none.
    """

    type: int = 8
    data: int = 0
    count: int = 1
    gpu_instance: int = -1
    compute_instance: int = -1

    def line(self) -> str:
        slices = (number & 0xFFFFFFFF for number in (self.gpu_instance, self.compute_instance))
        return "event=" + ":".join(map(str, (self.type, self.data, self.count, *slices)))


@dataclass(slots=True)
class Gpu:
    """One GPU of the scenario; activities are ratios 0-1, traffic is bytes a second.

    `state` is ok, lost, reset_required or unknown. `not_supported` and `no_permission` list
    NVML symbols, `field:<id>` or `metric:<id>` (`not_supported=("all",)`: a card that only tells
    who it is); a number of -1 is not supported either. `malformed` lists fields of no known type,
    `fail_call` answers `fail_code`. Ticks are calls of the scenario's `tick_call` on this GPU
    since the scenario was written; 0 means never.
    """

    uuid: str
    serial: str
    bus_id: str
    minor: int
    name: str = "NVIDIA H100 80GB HBM3"
    state: str = "ok"
    not_supported: tuple[str, ...] = ()
    no_permission: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()
    fail_call: str = ""
    fail_code: int = 0
    stall_call: str = ""
    stall_s: float = 0.0
    lost_after_ticks: int = 0
    back_after_ticks: int = 0
    lost_after_s: float = 0.0
    back_after_s: float = 0.0
    utilization: int = 97
    memory_utilization: int = 42
    memory_total: int = H100_MEMORY_BYTES
    memory_used: int = 64 * GIB
    memory_reserved: int = 551 * 1024**2
    power_w: float = 620.0
    power_limit_w: float = 700.0
    temperature: int = 63
    memory_temperature: int = 71
    clock_graphics: int = 1755
    clock_sm: int = 1755
    clock_memory: int = 2619
    clock_video: int = 1380
    max_clock_graphics: int = 1980
    max_clock_sm: int = 1980
    max_clock_memory: int = 2619
    max_clock_video: int = 1545
    performance_state: int = 0
    clock_reasons: int = 0
    recovery_action: int = 0
    ecc_sbe_volatile: int = 0
    ecc_dbe_volatile: int = 0
    ecc_sbe_aggregate: int = 0
    ecc_dbe_aggregate: int = 0
    remapped_correctable: int = 0
    remapped_uncorrectable: int = 0
    remapped_pending: int = 0
    remapped_failure: int = 0
    retired_sbe: int = 0
    retired_dbe: int = 0
    encoder: int = 0
    decoder: int = 0
    margin: int = 24
    slowdown_threshold: int = 87
    fan: int = -1
    pcie_generation: int = 5
    pcie_generation_max: int = 5
    pcie_width: int = 16
    pcie_width_max: int = 16
    pcie_replays: int = 0
    pcie_correctable: int = 0
    pcie_nonfatal: int = 0
    pcie_fatal: int = 0
    nvlinks: int = 18
    nvlinks_up: int = 18
    nvlink_version: int = 4
    nvlink_mbps: int = 26562
    nvlink_peer: int = -1  # index of the GPU at the other end of every link; -1 = an NVSwitch
    nvlink_replays: int = 0
    nvlink_recoveries: int = 0
    nvlink_crc: int = 0
    nvlink_symbols: int = 0
    throttle_power_ns: int = 0
    throttle_thermal_ns: int = 0
    throttle_sync_ns: int = 0
    throttle_board_ns: int = 0
    throttle_low_ns: int = 0
    throttle_reliability_ns: int = 0
    throttle_sw_thermal_ns: int = 0
    throttle_hw_thermal_ns: int = 0
    throttle_brake_ns: int = 0
    module_power_w: int = -1
    numa: int = 0
    pci_switch: int = 0
    sms: int = 132
    fabric: str = "0" * 32
    fabric_state: int = 3
    fabric_clique: int = 0
    chassis: str = ""
    part_number: str = "692-2G520-0200-000"
    vbios: str = "96.00.68.00.01"
    gpm: int = 1
    gpm_cumulative: int = 0
    mig: int = 0
    persistence: int = 1
    graphics: float = 0.96
    sm: float = 0.85
    occupancy: float = 0.35
    tensor: float = 0.55
    dram: float = 0.45
    fp64: float = 0.0
    fp32: float = 0.08
    fp16: float = 0.04
    pcie_tx_bytes: float = 2e9
    pcie_rx_bytes: float = 1e9
    nvlink_tx_bytes: float = 90e9
    nvlink_rx_bytes: float = 90e9
    processes: list[Process] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)

    def idle(self) -> None:
        """No work: activity, traffic and processes vanish, memory and power fall."""
        self.utilization = self.memory_utilization = 0
        self.memory_used, self.power_w, self.temperature = 0, 70.0, 32
        for name in INTEGRATED[1:]:
            setattr(self, name, 0.0)
        self.processes = []
        self.clock_reasons = 1

    def lines(self) -> list[str]:
        plain = [f for f in fields(self) if f.name not in {"processes", "events", "slices"}]
        settings = [f"{f.name}={_text(getattr(self, f.name))}" for f in plain]
        return settings + [item.line() for item in (*self.processes, *self.events, *self.slices)]


@dataclass(slots=True)
class Scenario:
    """A whole node; `write` puts it where the library reads it, atomically."""

    gpus: list[Gpu] = field(default_factory=list)
    driver_version: str = "550.127.05"
    nvml_version: str = "12.550.127.05"
    cuda_version: int = 12040
    init_error: int = 0
    driver_load: int = 0
    reload_error: int = 1
    tick_call: str = "nvmlDeviceGetUtilizationRates"

    def write(self, path: Path, *, reset_counters: bool = False, ahead_s: float = 0.0) -> None:
        """Replace the scenario at `path`; counters run on, or restart as after a driver reload.

        `ahead_s` is what the library's clock is ahead of the wall (`fake_nvml_pass`).
        """
        at = time.time() + ahead_s
        before = path.read_text() if path.exists() and not reset_counters else ""
        totals = _totals(before, at)
        draft = path.with_name(f"{path.name}.draft")
        draft.write_text("\n".join(self._lines(at, totals)) + "\n")
        draft.replace(path)

    def _lines(self, at: float, totals: Mapping[int, Mapping[str, float]]) -> list[str]:
        lines = [
            f"driver_version={self.driver_version}",
            f"nvml_version={self.nvml_version}",
            f"cuda_version={self.cuda_version}",
            f"init_error={self.init_error}",
            f"driver_load={self.driver_load}",
            f"reload_error={self.reload_error}",
            f"tick_call={self.tick_call}",
            f"count={len(self.gpus)}",
            f"at={at!r}",
        ]
        for index, gpu in enumerate(self.gpus):
            lines += [f"gpu={index}", *gpu.lines()]
            lines += [f"{name}_total={total!r}" for name, total in totals.get(index, {}).items()]
        return lines


def healthy(count: int = 8, *, node: int = 0) -> Scenario:
    """A busy node of H100s; `node` makes the identities differ between nodes."""
    return Scenario([h100(index, node=node) for index in range(count)])


def h100(index: int, *, node: int = 0) -> Gpu:
    """The H100 that always has the same UUID, serial and bus address at this index."""
    return Gpu(
        uuid=f"GPU-{0xA0000000 + node:08x}-0000-4000-8000-{index:012x}",
        serial=f"16{node:05d}{index:06d}",
        bus_id=f"00000000:{0x10 + 0x10 * index:02x}:00.0",
        minor=index,
    )


def build(directory: Path, *, old_driver: bool = False) -> Path:
    """Compile the fake into `directory` unless it is newer than its sources; returns the library.

    With `old_driver` the symbols of recent drivers are missing. The two kinds share one file
    name (the soname), so each lies in a folder of its own, fit for LD_LIBRARY_PATH.
    """
    library = directory / ("old" if old_driver else "new") / SONAME
    sources = sorted(SOURCES.glob("*.c"))
    if not _is_current(library, [*sources, *SOURCES.glob("*.h")]):
        library.parent.mkdir(parents=True, exist_ok=True)
        _compile(sources, library, ["-DOLD_DRIVER"] if old_driver else [])
    return library


def environment(library: Path, scenario: Path) -> dict[str, str]:
    """The whole environment for a child process whose NVML is the fake."""
    path = [str(library.parent), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, path)),
        SCENARIO_VARIABLE: str(scenario),
    }


def load(library: Path) -> ctypes.CDLL:
    """Load the fake into this process for good: pynvml then finds it by its soname.

    The caller sets FAKE_NVML_SCENARIO before nvmlInit. A process keeps the first fake it loads,
    so tests of another one need a child process.
    """
    return ctypes.CDLL(str(library))


def _compile(sources: list[Path], library: Path, flags: list[str]) -> None:
    draft = library.with_name(f"{library.name}.{os.getpid()}")
    command = ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-format-truncation"]
    command += ["-fvisibility=hidden", "-shared", "-fPIC", "-pthread", f"-Wl,-soname,{SONAME}"]
    command += [*flags, "-o", str(draft), *map(str, sources)]
    subprocess.run(command, check=True)
    draft.replace(library)


def _is_current(library: Path, sources: list[Path]) -> bool:
    if not library.exists():
        return False
    built = library.stat().st_mtime_ns
    return all(source.stat().st_mtime_ns < built for source in sources)


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _totals(text: str, at: float) -> dict[int, dict[str, float]]:
    """Each GPU's integrals at the time `at`, had the scenario `text` lasted until then."""
    since, sections = _parse(text)
    return {
        index: {
            name: section.get(f"{name}_total", 0.0) + section.get(name, 0.0) * (at - since)
            for name in INTEGRATED
        }
        for index, section in sections.items()
    }


def _parse(text: str) -> tuple[float, dict[int, dict[str, float]]]:
    since, sections, section = 0.0, dict[int, dict[str, float]](), dict[str, float]()
    for key, _, value in (line.partition("=") for line in text.splitlines()):
        if key == "at":
            since = float(value)
        elif key == "gpu":
            section = sections.setdefault(int(value), {})
        elif key.removesuffix("_total") in INTEGRATED:
            section[key] = float(value)
    return since, sections
