"""What other cards tell through the fake driver: slices, links, reloads, time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fakes import nvml
from tests.fakes.nvml import models
from tests.fakes.test_fake_nvml import ask


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nvml.build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return tmp_path / "scenario"


def test_slices_stand_at_indices_with_holes(library: Path, scenario: Path) -> None:
    models.of(models.recut(0)).write(scenario)
    most, codes, slices, refused = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        card = handles()[0]
        tell(nv.nvmlDeviceGetMaxMigDeviceCount(card))
        tell([code(nv.nvmlDeviceGetMigDeviceHandleByIndex, card, i) for i in range(7)])
        found = [nv.nvmlDeviceGetMigDeviceHandleByIndex(card, i) for i in (1, 4)]
        tell([[nv.nvmlDeviceGetName(h)[-11:], nv.nvmlDeviceGetGpuInstanceId(h),
               nv.nvmlDeviceGetAttributes(h).multiprocessorCount,
               nv.nvmlDeviceGetMemoryInfo(h).total >> 30] for h in found])
        tell([code(nv.nvmlDeviceGetUtilizationRates, card),
              code(nv.nvmlDeviceGetProcessUtilization, card, 0)])
        """,
    )
    assert (most, codes) == (7, [6, 0, 6, 6, 0, 6, 6])
    assert slices == [["MIG 3g.40gb", 1, 60, 40], ["MIG 4g.40gb", 2, 64, 40]]
    assert refused == [3, 3]


def test_links_are_told_one_by_one(library: Path, scenario: Path) -> None:
    world = models.of(models.b200(0), models.a100(1))
    world.gpus[0].nvlinks_up = 17
    world.write(scenario)
    states, newer, older = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        b200, a100 = handles()
        states = nv.nvmlDeviceGetFieldValues(b200, [(165, link) for link in range(19)])
        tell([v.value.uiVal if v.nvmlReturn == 0 else -1 for v in states])
        for h in (b200, a100):
            ids = [(138, 0xFFFFFFFF), (202, 0), (161, 0), (221, 0), (164, 0)]
            tell([v.nvmlReturn for v in nv.nvmlDeviceGetFieldValues(h, ids)])
        """,
    )
    assert states == [1] * 17 + [0, -1]
    assert newer == [3, 0, 3, 0, 0]
    assert older == [0, 3, 0, 3, 0]


@pytest.mark.parametrize(("error", "count"), [(1, 1), (18, 18), (2, 0)])
def test_a_session_ends_when_the_driver_is_loaded_again(
    library: Path, scenario: Path, error: int, count: int
) -> None:
    world = nvml.healthy(1)
    world.reload_error = error
    world.write(scenario)
    again = nvml.healthy(1)
    again.driver_load, again.reload_error = 1, error
    again.write(scenario.with_name("next"))
    (codes,) = ask(
        library,
        scenario,
        f"""
        nv.nvmlInit()
        h = handles()[0]
        os.replace({str(scenario.with_name("next"))!r}, {str(scenario)!r})
        codes = [code(nv.nvmlDeviceGetUUID, h), code(nv.nvmlDeviceGetCount)]
        nv.nvmlShutdown()
        nv.nvmlInit()
        tell([*codes, code(nv.nvmlDeviceGetUUID, handles()[0])])
        """,
    )
    assert codes == [error, count, 0]


def test_time_passes_when_told_and_samples_must_be_apart(library: Path, scenario: Path) -> None:
    nvml.healthy(1).write(scenario)
    close, apart, gained_mj = ask(
        library,
        scenario,
        """
        nv.nvmlInit()
        h = handles()[0]
        fake = ctypes.CDLL("libnvidia-ml.so.1")
        get = nv.c_nvmlGpmMetricsGet_t()
        get.version, get.numMetrics = 1, 1
        get.metrics[0].metricId = 2
        get.sample1, get.sample2 = nv.nvmlGpmSampleAlloc(), nv.nvmlGpmSampleAlloc()
        nv.nvmlGpmSampleGet(h, get.sample1)
        nv.nvmlGpmSampleGet(h, get.sample2)
        tell(code(nv.nvmlGpmMetricsGet, get))
        before = nv.nvmlDeviceGetTotalEnergyConsumption(h)
        fake.fake_nvml_pass(ctypes.c_double(10.0))
        nv.nvmlGpmSampleGet(h, get.sample2)
        tell(code(nv.nvmlGpmMetricsGet, get))
        tell(nv.nvmlDeviceGetTotalEnergyConsumption(h) - before)
        """,
    )
    assert (close, apart) == (2, 0)
    assert gained_mj == pytest.approx(6_200_000, rel=0.1)


def test_counters_go_on_when_a_scenario_is_written_ahead_of_the_wall(
    library: Path, scenario: Path
) -> None:
    world = nvml.healthy(1)
    world.write(scenario)
    world.write(scenario, ahead_s=100.0)
    program = """
        nv.nvmlInit()
        ctypes.CDLL("libnvidia-ml.so.1").fake_nvml_pass(ctypes.c_double(100.0))
        tell(nv.nvmlDeviceGetTotalEnergyConsumption(handles()[0]))
        """
    began = time.time()
    (told_mj,) = ask(library, scenario, program)
    assert told_mj == pytest.approx(62_000_000, abs=620_000 * (time.time() - began + 1))


def test_one_call_of_one_card_fails_as_told(library: Path, scenario: Path) -> None:
    world = nvml.healthy(2)
    world.gpus[1].fail_call, world.gpus[1].fail_code = "nvmlDeviceGetPowerUsage", 10
    world.write(scenario)
    program = "nv.nvmlInit(); tell([code(nv.nvmlDeviceGetPowerUsage, h) for h in handles()])"
    assert ask(library, scenario, program) == [[0, 10]]
