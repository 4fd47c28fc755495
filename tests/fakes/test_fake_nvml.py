"""The fake driver, as the real nvidia-ml-py sees it; each test has a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import nvml
from tests.fakes.nvml import models

PROLOGUE = """
import ctypes, json, os, sys, time
import pynvml as nv

def tell(value):
    print(json.dumps(value), flush=True)

def code(call, *arguments):
    try:
        call(*arguments)
    except nv.NVMLError as error:
        return error.value
    return 0

def handles():
    return [nv.nvmlDeviceGetHandleByIndex(i) for i in range(nv.nvmlDeviceGetCount())]
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nvml.build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return tmp_path / "scenario"


def ask(library: Path, scenario: Path, program: str) -> list[Any]:
    """What the program tells, run in a child process above the fake."""
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(program)],
        env=nvml.environment(library, scenario),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_healthy_node_tells_its_identity(library: Path, scenario: Path) -> None:
    world = nvml.healthy()
    world.gpus[2].minor = 5
    world.write(scenario)
    system, gpus, found = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        tell([nv.nvmlSystemGetDriverVersion(), nv.nvmlSystemGetNVMLVersion(),
              nv.nvmlSystemGetCudaDriverVersion()])
        tell([[nv.nvmlDeviceGetUUID(h), nv.nvmlDeviceGetSerial(h), nv.nvmlDeviceGetName(h),
               nv.nvmlDeviceGetMinorNumber(h), nv.nvmlDeviceGetIndex(h),
               nv.nvmlDeviceGetPciInfo(h).busId] for h in handles()])
        tell(nv.nvmlDeviceGetIndex(nv.nvmlDeviceGetHandleByUUID(nv.nvmlDeviceGetUUID(handles()[3]))))
        """,
    )
    assert system == ["550.127.05", "12.550.127.05", 12040]
    assert len({gpu[0] for gpu in gpus}) == 8
    assert gpus[2] == [
        "GPU-a0000000-0000-4000-8000-000000000002",
        "1600000000002",
        "NVIDIA H100 80GB HBM3",
        5,
        2,
        "00000000:30:00.0",
    ]
    assert found == 3


def test_gauges_come_back_as_written(library: Path, scenario: Path) -> None:
    world = nvml.healthy(1)
    world.gpus[0].power_w = 287.431
    world.write(scenario)
    [told] = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        h = handles()[0]
        v1, v2 = nv.nvmlDeviceGetMemoryInfo(h), nv.nvmlDeviceGetMemoryInfo(h, nv.nvmlMemory_v2)
        rates = nv.nvmlDeviceGetUtilizationRates(h)
        tell([[v2.used, v2.total, v1.used - v2.used], [rates.gpu, rates.memory],
              [nv.nvmlDeviceGetPowerUsage(h), nv.nvmlDeviceGetEnforcedPowerLimit(h)],
              [nv.nvmlDeviceGetTemperature(h, 0), nv.nvmlDeviceGetTemperatureV(h, 0)],
              [nv.nvmlDeviceGetClockInfo(h, i) for i in range(4)],
              [nv.nvmlDeviceGetMaxClockInfo(h, i) for i in range(4)],
              [nv.nvmlDeviceGetPerformanceState(h), nv.nvmlDeviceGetPersistenceMode(h)],
              nv.nvmlDeviceGetMigMode(h),
              [nv.nvmlDeviceGetCurrentClocksEventReasons(h),
               nv.nvmlDeviceGetCurrentClocksThrottleReasons(h)]])
        """,
    )
    assert told == [
        [64 * nvml.GIB, nvml.H100_MEMORY_BYTES, 551 * 1024**2],
        [97, 42],
        [287431, 700000],
        [63, 63],
        [1755, 1755, 2619, 1380],
        [1980, 1980, 2619, 1545],
        [0, 1],
        [0, 0],
        [0, 0],
    ]


def test_processes_and_their_utilization(library: Path, scenario: Path) -> None:
    world = nvml.healthy(2)
    world.gpus[0].processes = [
        nvml.Process(4242, 3 * nvml.GIB, 80),
        nvml.Process(77, nvml.GIB, graphics=True),
    ]
    world.write(scenario)
    compute, graphics, shares, nobody = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        busy, empty = handles()
        tell([[p.pid, p.usedGpuMemory] for p in nv.nvmlDeviceGetComputeRunningProcesses(busy)])
        tell([p.pid for p in nv.nvmlDeviceGetGraphicsRunningProcesses(busy)])
        tell([[s.pid, s.smUtil] for s in nv.nvmlDeviceGetProcessUtilization(busy, 0)])
        tell([nv.nvmlDeviceGetComputeRunningProcesses(empty),
              code(nv.nvmlDeviceGetProcessUtilization, empty, 0)])
        """,
    )
    assert (compute, graphics) == ([[4242, 3 * nvml.GIB]], [77])
    assert shares == [[4242, 80], [77, 0]]
    assert nobody == [[], 6]


def test_field_values_answer_one_by_one(library: Path, scenario: Path) -> None:
    world = nvml.healthy(1)
    world.gpus[0].remapped_pending = 1
    world.write(scenario)
    [told] = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        ids = [186, 185, 190, 82, 230, 144, 3, (138, 0xFFFFFFFF), (139, 0), 197, 9999]
        kinds = {1: "uiVal", 3: "ullVal"}
        values = nv.nvmlDeviceGetFieldValues(handles()[0], ids)
        tell([getattr(v.value, kinds[v.valueType]) if v.nvmlReturn == 0 else -v.nvmlReturn
              for v in values])
        """,
    )
    assert told[:7] == [620000, 620000, 700000, 71, 0, 1, 0]
    assert told[7] == pytest.approx(18 * told[8], rel=0.01)
    assert told[9] > 0 > told[10] == -3


def test_energy_is_power_over_time_across_changes_and_processes(
    library: Path, scenario: Path
) -> None:
    world = nvml.healthy(1)
    world.gpus[0].power_w = 500.0
    started = time.time()
    world.write(scenario)
    time.sleep(0.2)
    world.gpus[0].power_w = 100.0
    changed = time.time()
    world.write(scenario)
    time.sleep(0.2)
    (now, total_mj, field_mj), (later, later_mj) = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        h = handles()[0]
        total = nv.nvmlDeviceGetTotalEnergyConsumption(h)
        tell([time.time(), total, nv.nvmlDeviceGetFieldValues(h, [83])[0].value.ullVal])
        time.sleep(0.2)
        total = nv.nvmlDeviceGetTotalEnergyConsumption(h)
        tell([time.time(), total])
        """,
    )
    expected_mj = 1000 * (500 * (changed - started) + 100 * (now - changed))
    assert total_mj == pytest.approx(expected_mj, abs=5000)
    assert 0 <= field_mj - total_mj < 5000
    assert later_mj - total_mj == pytest.approx(1000 * 100 * (later - now), abs=1000)


def test_counters_restart_after_a_driver_reload(library: Path, scenario: Path) -> None:
    world = nvml.healthy(1)
    world.write(scenario)
    time.sleep(0.1)
    program = "nv.nvmlInit(); tell(nv.nvmlDeviceGetTotalEnergyConsumption(handles()[0]))"
    world.gpus[0].power_w = 0.0
    world.write(scenario)
    assert ask(library, scenario, program)[0] > 0
    world.write(scenario, reset_counters=True)
    assert ask(library, scenario, program) == [0]


def test_gpm_averages_between_two_samples(library: Path, scenario: Path) -> None:
    nvml.healthy(1).write(scenario)
    supported, metrics, refused = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        h = handles()[0]
        tell(nv.nvmlGpmQueryDeviceSupport(h).isSupportedDevice)
        ids = [1, 2, 3, 5, 7, 9, 10, 11, 12, 13, 20, 21, 60, 61, 248]
        get = nv.c_nvmlGpmMetricsGet_t()
        get.version, get.numMetrics = 1, len(ids)
        get.sample1, get.sample2 = nv.nvmlGpmSampleAlloc(), nv.nvmlGpmSampleAlloc()
        for i, metric in enumerate(ids):
            get.metrics[i].metricId = metric
        early = code(nv.nvmlGpmMetricsGet, get)
        nv.nvmlGpmSampleGet(h, get.sample1)
        time.sleep(0.11)
        nv.nvmlGpmSampleGet(h, get.sample2)
        nv.nvmlGpmMetricsGet(get)
        tell([get.metrics[i].value for i in range(14)])
        tell([get.metrics[14].nvmlReturn, early])
        nv.nvmlGpmSampleFree(get.sample1)
        """,
    )
    assert (supported, refused) == (1, [3, 2])
    assert metrics[:10] == pytest.approx([96, 85, 35, 55, 49.5, 5.5, 45, 0, 8, 4], abs=0.01)
    assert metrics[10:] == pytest.approx([2e9 / 2**20, 1e9 / 2**20] + [90e9 / 2**20] * 2, rel=1e-3)


def test_a_gpu_is_lost_for_some_ticks_and_comes_back(library: Path, scenario: Path) -> None:
    world = nvml.healthy()
    world.gpus[3].lost_after_ticks, world.gpus[3].back_after_ticks = 2, 4
    world.write(scenario)
    third, others = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        known = handles()
        tell([code(nv.nvmlDeviceGetUtilizationRates, known[3]) for _ in range(6)])
        tell([code(nv.nvmlDeviceGetUtilizationRates, h) for h in known[:3] for _ in range(6)])
        """,
    )
    assert third == [0, 0, 15, 15, 0, 0]
    assert set(others) == {0}


def test_the_world_changes_under_a_running_reader(library: Path, scenario: Path) -> None:
    world = nvml.healthy(2)
    world.write(scenario)
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PROLOGUE
            + textwrap.dedent(
                """
                nv.nvmlInit()
                known = handles()
                for _ in sys.stdin:
                    tell([[code(nv.nvmlDeviceGetPowerUsage, h) for h in known],
                          code(nv.nvmlDeviceGetHandleByIndex, 1)])
                """
            ),
        ],
        env=nvml.environment(library, scenario),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        told = []
        for state in ("ok", "lost", "reset_required", "unknown", "ok"):
            world.gpus[1].state = state
            world.write(scenario)
            print(file=child.stdin, flush=True)
            told.append(json.loads(child.stdout.readline()))
        child.stdin.close()
    assert told == [[[0, 0], 0], [[0, 15], 15], [[0, 16], 16], [[0, 999], 999], [[0, 0], 0]]


def test_a_poor_card_only_tells_who_it_is(library: Path, scenario: Path) -> None:
    nvml.Scenario([models.geforce(0), nvml.h100(1)]).write(scenario)
    name, codes, fields, gpm = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        poor, rich = handles()
        tell(nv.nvmlDeviceGetName(poor))
        calls = [nv.nvmlDeviceGetUtilizationRates, nv.nvmlDeviceGetMemoryInfo,
                 nv.nvmlDeviceGetPowerUsage, nv.nvmlDeviceGetTotalEnergyConsumption,
                 nv.nvmlDeviceGetSerial, nv.nvmlDeviceGetComputeRunningProcesses]
        tell([[code(call, poor), code(call, rich)] for call in calls])
        tell([v.nvmlReturn for v in nv.nvmlDeviceGetFieldValues(poor, [83, 186])])
        tell([nv.nvmlGpmQueryDeviceSupport(h).isSupportedDevice for h in (poor, rich)])
        """,
    )
    assert name == "NVIDIA GeForce GT 710"
    assert codes == [[3, 0]] * 6
    assert (fields, gpm) == ([3, 3], [0, 1])


def test_single_calls_can_be_refused_or_stall(library: Path, scenario: Path) -> None:
    world = nvml.healthy(1)
    gpu = world.gpus[0]
    gpu.no_permission = ("nvmlDeviceGetProcessUtilization",)
    gpu.not_supported = ("nvmlDeviceGetTemperature", "nvmlDeviceGetSerial")
    gpu.stall_call, gpu.stall_s = "nvmlDeviceGetPowerUsage", 0.3
    world.write(scenario)
    codes, took_s = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        h = handles()[0]
        tell([code(nv.nvmlDeviceGetProcessUtilization, h, 0), code(nv.nvmlDeviceGetSerial, h),
              code(nv.nvmlDeviceGetTemperature, h, 0), code(nv.nvmlDeviceGetTemperatureV, h, 0)])
        started = time.monotonic()
        nv.nvmlDeviceGetPowerUsage(h)
        tell(time.monotonic() - started)
        """,
    )
    assert codes == [4, 3, 3, 0]
    assert took_s >= 0.3


def test_an_old_driver_lacks_the_recent_symbols(tmp_path: Path, scenario: Path) -> None:
    library = nvml.build(tmp_path, old_driver=True)
    world = nvml.healthy(1)
    world.driver_version = "470.256.02"
    world.write(scenario)
    version, missing, present = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        h = handles()[0]
        tell(nv.nvmlSystemGetDriverVersion())
        tell([code(nv.nvmlDeviceGetFieldValues, h, [83]), code(nv.nvmlGpmQueryDeviceSupport, h),
              code(nv.nvmlDeviceGetMemoryInfo, h, nv.nvmlMemory_v2),
              code(nv.nvmlDeviceGetComputeRunningProcesses_v3, h),
              code(nv.nvmlDeviceGetTemperatureV, h, 0),
              code(nv.nvmlDeviceGetCurrentClocksEventReasons, h)])
        tell([code(nv.nvmlDeviceGetMemoryInfo, h), code(nv.nvmlDeviceGetPowerUsage, h),
              code(nv.nvmlDeviceGetTemperature, h, 0),
              code(nv.nvmlDeviceGetComputeRunningProcesses_v2, h),
              code(nv.nvmlDeviceGetCurrentClocksThrottleReasons, h)])
        """,
    )
    assert (version, missing, present) == ("470.256.02", [13] * 6, [0] * 5)


def test_init_fails_without_a_driver_or_when_told_so(library: Path, scenario: Path) -> None:
    program = "tell(code(nv.nvmlInit)); tell(code(nv.nvmlDeviceGetCount))"
    assert ask(library, scenario, program) == [9, 1]
    world = nvml.healthy(0)
    world.init_error = 18
    world.write(scenario)
    assert ask(library, scenario, program) == [18, 1]


def test_without_the_library_pynvml_says_not_found(tmp_path: Path, scenario: Path) -> None:
    assert ask(tmp_path / "absent" / nvml.SONAME, scenario, "tell(code(nv.nvmlInit))") == [12]


def test_build_compiles_once(tmp_path: Path) -> None:
    first = nvml.build(tmp_path).stat().st_mtime_ns
    assert nvml.build(tmp_path).stat().st_mtime_ns == first


def test_load_serves_pynvml_in_the_same_process(library: Path, scenario: Path) -> None:
    nvml.healthy(3).write(scenario)
    program = f"""
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from tests.fakes import nvml
        nvml.load({str(library)!r})
        nv.nvmlInit()
        tell(nv.nvmlDeviceGetCount())
        """
    assert ask(scenario.parent / "absent" / nvml.SONAME, scenario, program) == [3]
