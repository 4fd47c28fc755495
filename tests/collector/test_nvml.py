"""The NVIDIA source above the real nvidia-ml-py and a fake driver, each in its own process."""

from __future__ import annotations

import os
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest

from tests.collector.machine import (
    Bench,
    Machine,
    of_slot,
    of_table,
    reasons,
    told,
    without_driver,
)
from tests.fakes import nvml
from tests.fakes.nvml import models


def test_a_healthy_node_tells_everything_of_every_gpu(bench: Bench) -> None:
    machine = bench.start(nvml.healthy())
    machine.read()
    rows = machine.table("gpu_samples")
    assert [r["slot"] for r in rows] == list(range(8))
    row = rows[0]
    assert None not in row.values()
    assert row["utilization_ratio"] == 0.97
    assert row["memory_used_bytes"] == 64 * nvml.GIB
    assert (row["power_watts"], row["power_limit_watts"]) == (620.0, 700.0)
    assert (row["temperature_celsius"], row["memory_temperature_celsius"]) == (63, 71)
    assert (row["sm_clock_hertz"], row["memory_clock_hertz"]) == (1.755e9, 2.619e9)
    assert (row["active_seconds"], row["lost_seconds"], row["processes"]) == (1.0, 0.0, 0)


def test_activity_is_measured_between_two_readings(bench: Bench) -> None:
    machine = bench.start(nvml.healthy(1))
    (first,) = machine.table("gpu_samples")
    (second,) = machine.table("gpu_samples")
    assert (first["sm_active_ratio"], first["active_seconds"]) == (None, 1.0)
    assert second["sm_active_ratio"] == pytest.approx(0.85, abs=0.01)
    assert second["tensor_active_ratio"] == pytest.approx(0.55, abs=0.01)
    assert second["dram_active_ratio"] == pytest.approx(0.45, abs=0.01)


def test_sm_activity_outweighs_utilization_in_active_time(bench: Bench) -> None:
    world = nvml.healthy(2)
    world.gpus[0].sm = 0.0
    world.gpus[1].gpm = 0
    machine = bench.start(world)
    machine.read()
    spinning, before_hopper = machine.table("gpu_samples")
    assert (spinning["utilization_ratio"], spinning["active_seconds"]) == (0.97, 0.0)
    assert (before_hopper["sm_active_ratio"], before_hopper["active_seconds"]) == (None, 1.0)


def test_the_inventory_is_told_at_the_start_and_not_each_time(bench: Bench) -> None:
    machine = bench.start(nvml.healthy(2))
    cards = machine.table("gpus")
    assert [(c["slot"], c["model"]) for c in cards] == [
        (0, "NVIDIA H100 80GB HBM3"),
        (1, "NVIDIA H100 80GB HBM3"),
    ]
    assert cards[0]["driver"] == "550.127.05"
    assert cards[0]["uuid"].startswith("GPU-")
    assert machine.table("gpus") == []


def test_the_slot_is_the_minor_number_not_the_index(bench: Bench) -> None:
    world = nvml.healthy(2)
    world.gpus[0].minor, world.gpus[1].minor = 5, 4
    assert [r["slot"] for r in bench.start(world).table("gpu_samples")] == [5, 4]


def test_a_gpu_lost_in_mid_run_keeps_its_name_and_comes_back(bench: Bench) -> None:
    world = nvml.healthy()
    machine = bench.start(world)
    machine.read()
    before = of_slot(machine.table("gpu_samples"), 3)
    world.gpus[3].state = "lost"
    bench.change(world)
    rows = machine.read()
    (event,) = of_table(rows, "gpu_events")
    assert (event["slot"], event["kind"], event["code"]) == (3, "lost", 15)
    samples = of_table(rows, "gpu_samples")
    lost = of_slot(samples, 3)
    assert lost["uuid"] == before["uuid"]
    assert lost["gpu_id"] == before["gpu_id"]
    assert told(lost) == {"lost_seconds": 1.0, "source": "nvml"}
    assert all(of_slot(samples, s)["power_watts"] == 620.0 for s in range(8) if s != 3)
    assert machine.table("gpu_events") == []
    world.gpus[3].state = "ok"
    bench.change(world)
    rows = machine.read()
    (event,) = of_table(rows, "gpu_events")
    assert (event["slot"], event["kind"]) == (3, "recovered")
    back = of_slot(of_table(rows, "gpu_samples"), 3)
    assert (back["power_watts"], back["lost_seconds"]) == (620.0, 0.0)


@pytest.mark.parametrize(("state", "code"), [("reset_required", 16), ("unknown", 999)])
def test_a_gpu_that_wants_a_reset_or_answers_nothing_is_lost_too(
    bench: Bench, state: str, code: int
) -> None:
    world = nvml.healthy(2)
    machine = bench.start(world)
    machine.read()
    world.gpus[0].state = state
    bench.change(world)
    (event,) = machine.table("gpu_events")
    assert (event["slot"], event["code"]) == (0, code)


def test_a_gpu_lost_before_the_agent_came_is_a_row_without_a_name(bench: Bench) -> None:
    world = nvml.healthy(2)
    world.gpus[1].state = "lost"
    rows = bench.start(world).read()
    samples = of_table(rows, "gpu_samples")
    assert [(r["slot"], r["uuid"] == "") for r in samples] == [(0, False), (1, True)]
    assert [r["kind"] for r in rows if r["table"] == "gpu_events"] == ["lost"]


def test_a_card_that_supports_nothing_is_named_and_otherwise_missing(bench: Bench) -> None:
    world = nvml.healthy(2)
    world.gpus[0] = models.geforce(0)
    machine = bench.start(world)
    machine.read()
    geforce, h100 = machine.table("gpu_samples")
    assert told(geforce) == {"lost_seconds": 0.0, "source": "nvml"}
    assert h100["power_watts"] == 620.0


def test_without_permission_a_value_is_missing_and_asked_again(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].no_permission = ("nvmlDeviceGetClockInfo", "field:82")
    machine = bench.start(world)
    rows = machine.read()
    (row,) = of_table(rows, "gpu_samples")
    assert (row["sm_clock_hertz"], row["memory_temperature_celsius"]) == (None, None)
    why = reasons(rows, row["uuid"])
    assert {why["sm_clock_hertz"], why["memory_temperature_celsius"]} == {"denied"}
    world.gpus[0].no_permission = ()
    bench.change(world)
    rows = machine.read()
    (row,) = of_table(rows, "gpu_samples")
    assert (row["sm_clock_hertz"], row["memory_temperature_celsius"]) == (1.755e9, 71)
    assert reasons(rows, row["uuid"])["sm_clock_hertz"] == ""


def test_processes_are_told_with_their_owner(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].processes = [
        nvml.Process(os.getpid(), memory_bytes=3 * nvml.GIB),
        nvml.Process(4_000_000_000),
    ]
    rows = bench.start(world).read()
    mine, unknown = (r for r in rows if r["table"] == "process_samples")
    assert (mine["pid"], mine["memory_used_bytes"]) == (os.getpid(), 3 * nvml.GIB)
    assert mine["executable"].startswith("python")
    assert mine["user"] != ""
    assert (unknown["user"], unknown["executable"]) == ("", "")
    assert [r["processes"] for r in rows if r["table"] == "gpu_samples"] == [2]


def test_processes_are_told_with_the_framework_that_they_mapped(
    bench: Bench, tmp_path: Path
) -> None:
    library = tmp_path / "libtorch_cuda.so"
    library.write_bytes(b"x")
    world = nvml.healthy(1)
    world.gpus[0].processes = [nvml.Process(os.getpid()), nvml.Process(4_000_000_000)]
    with library.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ):
        rows = bench.start(world).read()
    found = [r["framework"] for r in rows if r["table"] == "process_samples"]
    assert found == ["pytorch", ""]


def test_a_machine_without_a_driver_says_so(tmp_path: Path) -> None:
    machine = Machine(without_driver(), tmp_path)
    answer = machine.read()
    machine.close()
    assert answer == {
        "error": "Unavailable",
        "text": "no NVIDIA driver (libnvidia-ml.so.1 not found)",
    }


def test_a_driver_without_gpus_is_not_a_gpu_machine(bench: Bench) -> None:
    answer = bench.start(nvml.healthy(0)).read()
    assert answer["error"] == "Unavailable"


def test_a_driver_that_is_not_loaded_yet_is_asked_again(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.init_error = 9
    machine = bench.start(world)
    assert machine.read()["error"] == "Unavailable"
    world.init_error = 0
    bench.change(world)
    assert len(machine.table("gpu_samples")) == 1
