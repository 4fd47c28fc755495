"""On a machine with a real NVIDIA GPU (`pytest -m gpu tests/gpu -s`); never part of CI.

Writes what it measured as real-gpu.json and real-gpu.md to the folder $OUT, else docs/measurements.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.gpm import CYCLES, ELAPSED
from collector.nvml import Nvml, load_pynvml
from collector.source import Context
from collector.sources.nvml import NvmlSettings, NvmlSource
from gpuledger.catalogue.host import MissingValue
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row
from tests.gpu.figures import Figures, cpu_s, markdown, memory, number, nvidia_smi

pytestmark = pytest.mark.gpu

REPOSITORY = Path(__file__).parents[2]
AGENT_S = 60.0
CPU_PROMISE_PERCENT, PSS_PROMISE_MB = 1.0, 60.0
# One process, so that the memory of PyTorch is not the agent's.
LOAD = """
import sys, time
import torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
b = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
torch.mm(a, b)
torch.cuda.synchronize()
print("ready", flush=True)
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    for _ in range(50):
        torch.mm(a, b)
    torch.cuda.synchronize()
"""

AGENT = """
import signal, sys, threading
from pathlib import Path
from collector.run import build
from collector.source import Context
from gpuledger.config import Config
config = Config({"agent": {"sources": ["nvml"]}})
agent = build(config, Context("gpu-test", "n1"), Path(sys.argv[1]))
agent.start()
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
print("ready", flush=True)
stopped.wait()
agent.stop()
"""

# What nvidia-smi shows of the same thing: table, column, factor to base units, and how far two
# readings that follow each other may lie apart.
SAME = {
    "memory.total": ("gpu_samples", "memory_total_bytes", 1 << 20, 1 << 20),
    "memory.used": ("gpu_samples", "memory_used_bytes", 1 << 20, 64 << 20),
    "utilization.gpu": ("gpu_samples", "utilization_ratio", 0.01, 0.25),
    "utilization.memory": ("gpu_samples", "memory_utilization_ratio", 0.01, 0.25),
    "temperature.gpu": ("gpu_samples", "temperature_celsius", 1, 4),
    "temperature.memory": ("gpu_samples", "memory_temperature_celsius", 1, 4),
    "power.draw.instant": ("gpu_samples", "power_watts", 1, 40),
    "enforced.power.limit": ("gpu_samples", "power_limit_watts", 1, 1),
    "clocks.sm": ("gpu_samples", "sm_clock_hertz", 1e6, 500e6),
    "clocks.mem": ("gpu_samples", "memory_clock_hertz", 1e6, 500e6),
    "utilization.encoder": ("gpu_samples", "encoder_ratio", 0.01, 0.05),
    "utilization.decoder": ("gpu_samples", "decoder_ratio", 0.01, 0.05),
    "ecc.errors.corrected.volatile.total": ("gpu_health_samples", "ecc_corrected_errors", 1, 0),
    "ecc.errors.uncorrected.volatile.total": (
        "gpu_health_samples",
        "ecc_uncorrected_errors",
        1,
        0,
    ),
    "ecc.errors.corrected.aggregate.total": ("gpu_health_samples", "ecc_corrected_lifetime", 1, 0),
    "ecc.errors.uncorrected.aggregate.total": (
        "gpu_health_samples",
        "ecc_uncorrected_lifetime",
        1,
        0,
    ),
    "pcie.link.gen.gpucurrent": ("gpu_health_samples", "pcie_generation", 1, 0),
    "pcie.link.width.current": ("gpu_health_samples", "pcie_width", 1, 0),
    "pcie.link.width.max": ("gpu_health_samples", "pcie_width_max", 1, 0),
    "fan.speed": ("gpu_health_samples", "fan_ratio", 0.01, 0.05),
}
SAME_TEXT = {
    "uuid": "uuid",
    "name": "model",
    "serial": "serial",
    "pci.bus_id": "pci",
    "vbios_version": "vbios",
    "driver_version": "driver",
}


class Timed:
    """The pynvml module, with a clock on each call."""

    def __init__(self, module: Any) -> None:
        self.took_us: dict[str, list[float]] = defaultdict(list)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if not name.startswith("nvml") or not callable(found):
            return found
        return self._timed(name, found)

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self.took_us[name].append((time.perf_counter() - began) * 1e6)

        return call


class Reader:
    """The source on the real library."""

    def __init__(self) -> None:
        self.timed = Timed(load_pynvml())
        nvml = Nvml(load=lambda: self.timed)
        self.source = NvmlSource(NvmlSettings(), Context("gpu-test", "n1"), nvml)
        self.first: list[Row] = []

    def read(self) -> list[Row]:
        return list(self.source.read())

    def sample(self) -> Any:
        """The sample of the first GPU."""
        return next(row for row in self.read() if row.table.name == "gpu_samples")

    def samples(self, count: int) -> list[Any]:
        """One a second."""
        out = []
        for _ in range(count):
            time.sleep(1.0)
            out.append(self.sample())
        return out


@pytest.fixture(scope="module")
def figures() -> Iterator[Figures]:
    """What was measured; written when the module is done, if anything was."""
    found: Figures = {}
    yield found
    if found:
        folder = Path(os.environ.get("OUT") or REPOSITORY / "docs/measurements")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "real-gpu.json").write_text(json.dumps(found, indent=2, default=str) + "\n")
        (folder / "real-gpu.md").write_text(markdown(found))


@pytest.fixture
def reader() -> Iterator[Reader]:
    try:
        reader = Reader()
        reader.first = reader.read()
    except (Unavailable, ReadError) as e:
        pytest.skip(str(e))
    yield reader
    reader.source.close()


@pytest.fixture
def torch_load(reader: Reader) -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    """Starts a bf16 matrix product on the first GPU for some seconds."""
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float) -> subprocess.Popen[str]:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        command = [sys.executable, "-c", LOAD, str(seconds)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            pytest.skip("PyTorch with CUDA is not installed")
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_full_reading_says_why_whatever_is_missing(reader: Reader, figures: Figures) -> None:
    figures["driver"] = reader.timed.nvmlSystemGetDriverVersion()
    time.sleep(1.0)
    row = reader.sample()
    missing = {r.reading: r.reason for r in reader.first if isinstance(r, MissingValue)}
    figures["sample"], figures["missing"] = row.values(), missing
    assert row.uuid.startswith("GPU-")
    assert row.power_watts
    assert row.memory_total_bytes
    unexplained = [
        name for name, value in row.values().items() if value is None and name not in missing
    ]
    assert unexplained == []


def test_each_field_agrees_with_nvidia_smi(reader: Reader, figures: Figures) -> None:
    if not shutil.which("nvidia-smi"):
        pytest.skip("nvidia-smi is not installed")
    rows: dict[str, Any] = {}
    for row in (*reader.read(), *reader.first):
        rows.setdefault(row.table.name, row)
    shown = nvidia_smi([*SAME, *SAME_TEXT])
    compared = figures["nvidia-smi"] = {}
    for query, (table, column, factor, apart) in SAME.items():
        ours, theirs = getattr(rows[table], column), number(shown[query])
        compared[query] = {"column": column, "ours": ours, "nvidia-smi": shown[query]}
        if ours is not None and theirs is not None:
            assert abs(ours - theirs * factor) <= apart, (query, ours, shown[query])
    for query, column in SAME_TEXT.items():
        ours = getattr(rows["gpus"], column)
        compared[query] = {"column": column, "ours": ours, "nvidia-smi": shown[query]}
        assert not ours or number(shown[query]) is not None or ours == shown[query], query
    wanting = [
        q for q, c in compared.items() if c["ours"] in {None, ""} and number(c["nvidia-smi"])
    ]
    assert wanting == [], "nvidia-smi shows what we lack"


def test_energy_grows_as_the_power_says(reader: Reader, figures: Figures) -> None:
    rows = reader.samples(11)
    gained_j = rows[-1].energy_joules - rows[0].energy_joules
    power_w = statistics.mean(row.power_watts for row in rows)
    figures["energy"] = {"joules_in_10_s": gained_j, "mean_watts": power_w}
    assert gained_j == pytest.approx(10 * power_w, rel=0.25)


def test_tensor_activity_is_high_under_a_matrix_product(
    reader: Reader, torch_load: Callable[[float], subprocess.Popen[str]], figures: Figures
) -> None:
    if reader.sample().tensor_active_ratio is None and not has_gpm(reader):
        pytest.skip("this GPU has no GPM")
    torch_load(30.0)
    reader.samples(3)
    rows = reader.samples(8)
    figures["gpm under load"] = ratios(rows)
    assert statistics.median(row.tensor_active_ratio for row in rows) > 0.5
    assert statistics.median(row.sm_active_ratio for row in rows) > 0.7
    assert statistics.median(row.hmma_active_ratio for row in rows) > 0.5
    assert rows[-1].processes >= 1


def test_activity_is_near_nothing_when_idle(reader: Reader, figures: Figures) -> None:
    if not has_gpm(reader):
        pytest.skip("this GPU has no GPM")
    reader.samples(3)
    rows = reader.samples(8)
    figures["gpm idle"] = ratios(rows)
    assert statistics.median(row.tensor_active_ratio for row in rows) < 0.02
    assert statistics.median(row.sm_active_ratio for row in rows) < 0.05


def test_cycles_since_reboot_agree_with_the_percentages(
    reader: Reader, torch_load: Callable[[float], subprocess.Popen[str]], figures: Figures
) -> None:
    """The newest ids of GPM: whether this driver answers them, and what they are worth."""
    if not has_gpm(reader):
        pytest.skip("this GPU has no GPM")
    torch_load(20.0)
    raw = cumulative(reader.timed)
    figures["gpm cumulative"] = raw
    elapsed = raw["after"].get(ELAPSED, 0) - raw["before"].get(ELAPSED, 0)
    if elapsed <= 0:
        pytest.skip("this driver does not count cycles")
    exact = {
        name: (raw["after"][number] - raw["before"][number]) / elapsed
        for name, number in CYCLES.items()
        if number in raw["after"] and number in raw["before"]
    }
    raw["ratios"] = exact
    assert exact["sm_active_ratio"] == pytest.approx(raw["percent"] / 100, abs=0.1)


def test_latency_of_each_call(reader: Reader, figures: Figures) -> None:
    for _ in range(12):
        time.sleep(1.0)
        began = time.perf_counter()
        reader.read()
        figures.setdefault("reading_ms", []).append((time.perf_counter() - began) * 1e3)
    figures["call_us"] = {
        name: {
            "calls": len(took),
            "median": round(statistics.median(took), 1),
            "max": round(max(took), 1),
        }
        for name, took in sorted(reader.timed.took_us.items())
    }
    assert "nvmlDeviceGetPcieThroughput" not in reader.timed.took_us
    assert statistics.median(figures["reading_ms"]) < 50


def test_the_agent_keeps_its_promise(reader: Reader, tmp_path: Path, figures: Figures) -> None:
    reader.source.close()
    command = [sys.executable, "-c", AGENT, str(tmp_path / "spool")]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout
        assert agent.stdout.readline() == "ready\n"
        time.sleep(5.0)
        began, before_s = time.monotonic(), cpu_s(agent.pid)
        time.sleep(AGENT_S)
        percent = 100 * (cpu_s(agent.pid) - before_s) / (time.monotonic() - began)
        memory_mb = memory(agent.pid)
        agent.terminate()
        agent.wait(20)
    figures["agent"] = {"cpu_percent": percent, **memory_mb, "seconds": AGENT_S}
    assert percent < CPU_PROMISE_PERCENT
    assert memory_mb["pss_mb"] < PSS_PROMISE_MB


def has_gpm(reader: Reader) -> bool:
    nvml = reader.timed
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        return bool(nvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice)
    except nvml.NVMLError:
        return False


def cumulative(nvml: Any) -> dict[str, Any]:
    """Cycle counters before and after two seconds, and the SM percentage between."""
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    wanted = [2, ELAPSED, *range(ELAPSED + 1, 263)]
    out: dict[str, Any] = {}
    samples = [nvml.nvmlGpmSampleAlloc() for _ in range(3)]
    for sample in samples:
        nvml.nvmlGpmSampleGet(handle, sample)
        time.sleep(2.0)
    for name, pair in (("before", samples[:2]), ("after", samples[1:])):
        request = nvml.c_nvmlGpmMetricsGet_t()
        request.version, request.numMetrics = 1, len(wanted)
        request.sample1, request.sample2 = pair
        for i, metric in enumerate(wanted):
            request.metrics[i].metricId = metric
        nvml.nvmlGpmMetricsGet(request)
        told = [request.metrics[i] for i in range(len(wanted))]
        out[name] = {m.metricId: m.value for m in told if m.nvmlReturn == 0}
        out["refused"] = {m.metricId: m.nvmlReturn for m in told if m.nvmlReturn}
    out["percent"] = out["after"].get(2, 0.0)
    for sample in samples:
        nvml.nvmlGpmSampleFree(sample)
    return out


def ratios(rows: list[Any]) -> dict[str, list[Any]]:
    names = [name for name in rows[0].values() if name.endswith("_active_ratio")]
    return {name: [getattr(row, name) for row in rows] for name in names}
