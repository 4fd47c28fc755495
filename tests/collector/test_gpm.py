"""What the silicon does, between two samples, through the fake driver."""

from __future__ import annotations

import pytest

from collector.gpm import CYCLES, RATES, RATIOS, SLICE_RATIOS
from gpuledger.catalogue.gpu import GpuSample, SliceSample
from tests.collector.machine import Bench, of_table, reasons
from tests.fakes import nvml
from tests.fakes.nvml import models


def test_every_metric_fills_a_column() -> None:
    columns = {c.name for c in GpuSample.table.columns}
    assert {*RATIOS, *RATES, *CYCLES} <= columns
    assert set(SLICE_RATIOS) <= {c.name for c in SliceSample.table.columns}
    assert set(SLICE_RATIOS) <= RATIOS.keys()


def test_the_default_set_is_measured_between_two_readings(bench: Bench) -> None:
    machine = bench.start(nvml.healthy(1))
    (first,), (second,) = machine.table("gpu_samples"), machine.table("gpu_samples")
    assert {first[name] for name in RATIOS} == {None}
    assert {name: second[name] for name in RATIOS} == pytest.approx(
        {
            "graphics_active_ratio": 0.96,
            "sm_active_ratio": 0.85,
            "sm_occupancy_ratio": 0.35,
            "tensor_active_ratio": 0.55,
            "hmma_active_ratio": 0.495,
            "imma_active_ratio": 0.055,
            "dram_active_ratio": 0.45,
            "fp64_active_ratio": 0.0,
            "fp32_active_ratio": 0.08,
            "fp16_active_ratio": 0.04,
        },
        abs=0.001,
    )


def test_one_metric_that_a_driver_lacks_is_missing_alone(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].not_supported = ("metric:13",)
    machine = bench.start(world)
    machine.read()
    rows = machine.read()
    (row,) = of_table(rows, "gpu_samples")
    assert (row["fp16_active_ratio"], row["fp32_active_ratio"]) == (None, pytest.approx(0.08))
    assert reasons(rows, row["uuid"]) == {"fp16_active_ratio": "unsupported"}
    assert machine.table("gpu_samples")[0]["fp32_active_ratio"] == pytest.approx(0.08)


def test_cycles_since_reboot_serve_where_the_percentage_is_missing(bench: Bench) -> None:
    world = models.of(models.b200(0))
    world.gpus[0].not_supported = ("metric:2", "metric:5")
    machine = bench.start(world)
    machine.read()
    machine.read()  # two readings of the percentages, but only one of the cycles
    (row,) = machine.table("gpu_samples")
    assert row["sm_active_ratio"] == pytest.approx(0.85, abs=0.001)
    assert row["tensor_active_ratio"] == pytest.approx(0.55, abs=0.001)


def test_a_driver_that_counts_nonsense_is_not_believed(bench: Bench) -> None:
    world = models.of(models.b200(0))
    world.gpus[0].gpm_cumulative = 2
    machine = bench.start(world)
    rows = [machine.table("gpu_samples")[0] for _ in range(4)]
    assert [r["sm_active_ratio"] for r in rows[1:]] == pytest.approx([0.85] * 3, abs=0.001)


def test_samples_are_a_tenth_of_a_second_apart_at_least(bench: Bench) -> None:
    world = nvml.healthy(1)
    machine = bench.start(world)
    machine.read()
    machine.read()
    world.gpus[0].sm = 0.05
    bench.change(world)
    rows = machine.read(0.02)
    (early,) = of_table(rows, "gpu_samples")
    assert early["sm_active_ratio"] == pytest.approx(0.85, abs=0.001)
    assert of_table(rows, "missing_values") == []
    late = machine.table("gpu_samples")[0]["sm_active_ratio"]
    assert late == pytest.approx(0.05, abs=0.05)


def test_a_missed_sample_loses_no_time(bench: Bench) -> None:
    world = nvml.healthy(1)
    machine = bench.start(world)
    machine.read()
    machine.read()
    gpu = world.gpus[0]
    gpu.fail_call, gpu.fail_code, gpu.sm = "nvmlGpmSampleGet", 999, 1.0
    bench.change(world)
    rows = machine.read()
    (missed,) = of_table(rows, "gpu_samples")
    assert missed["sm_active_ratio"] is None
    assert reasons(rows, gpu.uuid)["sm_active_ratio"] == "unreadable"
    gpu.fail_call, gpu.sm = "", 0.0
    bench.change(world)
    # Half of the two seconds since the last sample were busy.
    rows = machine.read()
    assert of_table(rows, "gpu_samples")[0]["sm_active_ratio"] == pytest.approx(0.5, abs=0.2)
    assert reasons(rows, gpu.uuid)["sm_active_ratio"] == ""
