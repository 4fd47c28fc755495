"""Slices, processes, health, inventory and topology through the fake driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector import support
from tests.collector.machine import Bench, of_slot, of_table, reasons
from tests.fakes import nvml
from tests.fakes.nvml import models

# ---- MIG ----


def test_seven_slices_are_rows_of_their_own(bench: Bench) -> None:
    world = models.of(models.sliced(0), nvml.h100(1))
    world.gpus[0].slices[2] = nvml.Slice(2, "MIG-busy", 9, sm=0.9, tensor=0.6, used_bytes=2**33)
    machine = bench.start(world)
    machine.read()
    rows = machine.read()
    slices = of_table(rows, "slice_samples")
    assert len(slices) == 7
    assert {(r["slot"], r["profile"]) for r in slices} == {(0, "1g.10gb")}
    (busy,) = [r for r in slices if r["uuid"] == "MIG-busy"]
    assert (busy["gpu_instance"], busy["compute_instance"]) == (9, 0)
    assert busy["sm_active_ratio"] == pytest.approx(0.9)
    assert busy["tensor_active_ratio"] == pytest.approx(0.6)
    assert (busy["memory_used_bytes"], busy["memory_total_bytes"]) == (2**33, 10 * nvml.GIB)
    assert (busy["active_seconds"], busy["processes"]) == (1.0, 0)
    assert [r["slot"] for r in of_table(rows, "gpu_samples")] == [0, 1]


def test_a_card_cut_anew_in_mid_run_has_other_slices(bench: Bench) -> None:
    world = models.of(models.sliced(0))
    machine = bench.start(world)
    machine.read()
    before = {r["uuid"] for r in machine.table("slice_samples")}
    world.gpus[0] = models.recut(0)
    bench.change(world)
    rows = machine.read()
    after = of_table(rows, "slice_samples")
    assert [r["profile"] for r in after] == ["3g.40gb", "4g.40gb"]
    assert before.isdisjoint(r["uuid"] for r in after)
    assert {r["sm_active_ratio"] for r in after} == {None}
    assert [r["parent"] for r in of_table(rows, "gpus")] == ["", *[world.gpus[0].uuid] * 2]
    assert machine.table("slice_samples")[0]["sm_active_ratio"] == pytest.approx(0.5)
    assert of_table(rows, "gpu_events") == []


def test_a_slice_with_the_id_of_a_former_one_is_measured_all_the_same(bench: Bench) -> None:
    world = models.of(models.sliced(0))
    machine = bench.start(world)
    machine.read()
    world.gpus[0].slices = []
    bench.change(world)
    assert machine.table("slice_samples") == []
    world.gpus[0] = models.sliced(0, cut=3)
    bench.change(world)
    machine.read()
    assert {r["sm_active_ratio"] for r in machine.table("slice_samples")} == {0.5}


def test_slices_are_entitled_to_their_share_of_multiprocessors(bench: Bench) -> None:
    machine = bench.start(models.of(models.recut(0)))
    card, three, four = machine.table("gpus")
    assert (card["mig"], card["parent"], card["entitlement_milli"]) == ("enabled", "", 1000)
    assert (three["profile"], three["entitlement_milli"]) == ("3g.40gb", 455)  # 60 of 132
    assert (four["profile"], four["entitlement_milli"]) == ("4g.40gb", 485)
    assert (three["slot"], three["memory_bytes"]) == (0, 40 * nvml.GIB)
    assert machine.table("gpus") == []


def test_processes_of_a_slice_name_it(bench: Bench) -> None:
    world = models.of(models.sliced(0))
    world.gpus[0].processes = [nvml.Process(4_000_000_000, nvml.GIB, slice=3)]
    rows = bench.start(world).read()
    (process,) = of_table(rows, "process_samples")
    slice_uuid = world.gpus[0].slices[3].uuid
    assert (process["slice"], process["sm_ratio"]) == (slice_uuid, None)
    (used,) = [r for r in of_table(rows, "slice_samples") if r["uuid"] == slice_uuid]
    assert used["processes"] == 1
    assert of_table(rows, "gpu_samples")[0]["processes"] == 1


def test_a_card_in_slices_has_no_utilization_and_says_why(bench: Bench) -> None:
    rows = bench.start(models.of(models.sliced(0))).read()
    (row,) = of_table(rows, "gpu_samples")
    assert (row["utilization_ratio"], row["power_watts"]) == (None, 620.0)
    assert reasons(rows, row["uuid"])["utilization_ratio"] == "unsupported"


# ---- processes ----


def test_processes_have_their_share_of_the_gpu(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].processes = [
        nvml.Process(4_000_000_001, sm_percent=80, memory_percent=30),
        nvml.Process(4_000_000_002),
    ]
    machine = bench.start(world)
    busy, idle = machine.table("process_samples")
    assert (busy["sm_ratio"], busy["memory_ratio"]) == (0.8, 0.3)
    assert (idle["sm_ratio"], idle["memory_ratio"]) == (0.0, 0.0)
    assert machine.table("process_samples")[0]["sm_ratio"] == 0.8


def test_only_processes_that_compute_are_counted(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].processes = [
        nvml.Process(4_000_000_001),
        nvml.Process(4_000_000_002, mps=True),
        nvml.Process(4_000_000_003, graphics=True),
        nvml.Process(4_000_000_001, graphics=True),
    ]
    rows = bench.start(world).read()
    assert [r["pid"] - 4_000_000_000 for r in of_table(rows, "process_samples")] == [1, 2, 3]
    assert of_table(rows, "gpu_samples")[0]["processes"] == 2


def test_shares_that_may_not_be_asked_are_missing_with_a_reason(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].processes = [nvml.Process(4_000_000_001)]
    world.gpus[0].no_permission = ("nvmlDeviceGetProcessUtilization",)
    rows = bench.start(world).read()
    assert of_table(rows, "process_samples")[0]["sm_ratio"] is None
    assert reasons(rows, world.gpus[0].uuid)["sm_ratio"] == "denied"


# ---- health ----


def test_health_is_read_at_the_start_and_every_ten_seconds(bench: Bench) -> None:
    machine = bench.start(nvml.healthy(1))
    rows = [of_table(machine.read(), "gpu_health_samples") for _ in range(12)]
    assert [i for i, found in enumerate(rows) if found] == [0, 10]
    assert rows[10][0]["interval_seconds"] == 10.0


def test_errors_links_and_limits_are_told(bench: Bench) -> None:
    world = nvml.healthy(1)
    gpu = world.gpus[0]
    gpu.ecc_sbe_volatile, gpu.ecc_dbe_aggregate = 5, 2
    gpu.remapped_correctable, gpu.remapped_failure = 4, 1
    gpu.retired_sbe, gpu.retired_dbe = 2, 1
    gpu.pcie_generation, gpu.pcie_width, gpu.pcie_replays, gpu.pcie_fatal = 3, 8, 9, 1
    gpu.nvlinks_up, gpu.nvlink_crc = 17, 6
    gpu.throttle_board_ns, gpu.recovery_action, gpu.fan = 1_500_000_000, 1, 45
    (row,) = bench.start(world).table("gpu_health_samples")
    assert (row["ecc_corrected_errors"], row["ecc_uncorrected_lifetime"]) == (5, 2)
    assert (row["remapped_rows_corrected"], row["remap_pending"], row["remap_failed"]) == (4, 0, 1)
    assert (row["retired_pages"], row["recovery_action"], row["fan_ratio"]) == (3, 1, 0.45)
    assert (row["pcie_generation"], row["pcie_generation_max"]) == (3, 5)
    assert (row["pcie_width"], row["pcie_width_max"]) == (8, 16)
    assert (row["pcie_replays"], row["pcie_fatal_errors"]) == (9, 1)
    assert (row["nvlinks"], row["nvlinks_up"], row["nvlink_crc_errors"]) == (18, 17, 6)
    assert row["nvlink_speed_bytes_per_second"] == 17 * 26562 * 1e6
    assert (row["board_throttle_seconds"], row["slowdown_margin_celsius"]) == (1.5, 24)
    assert (row["performance_state"], row["persistence_mode"]) == (0, 1)


def test_a_margin_is_worked_out_where_the_driver_tells_none(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].margin = -1
    (row,) = bench.start(world).table("gpu_health_samples")
    assert row["slowdown_margin_celsius"] == 87 - 63


def test_a_gpu_that_wants_a_reset_says_so_in_its_health(bench: Bench) -> None:
    world = nvml.healthy(2)
    machine = bench.start(world)
    machine.read()
    world.gpus[1].state = "reset_required"
    bench.change(world)
    (row,) = machine.table("gpu_health_samples")
    assert (row["slot"], row["recovery_action"], row["ecc_corrected_errors"]) == (1, 1, None)


def test_persistence_mode_off_is_said_once(bench: Bench) -> None:
    world = nvml.healthy(2)
    world.gpus[0].persistence = world.gpus[1].persistence = 0
    machine = bench.start(world)
    assert ["persistence mode" in r["text"] for r in machine.table("log")] == [True]
    assert machine.read(10.0)
    assert machine.table("log") == []


# ---- inventory and topology ----


def test_the_inventory_tells_where_a_card_sits(bench: Bench, tmp_path: Path) -> None:
    root = support.tree(tmp_path / "root", {"sys/bus/pci/devices/0000:10:00.0/numa_node": "1\n"})
    (card,) = bench.start(models.of(models.b200(0)), root=root).table("gpus")
    assert (card["pci"], card["numa"], card["mig"]) == ("00000000:10:00.0", "1", "disabled")
    assert (card["nvlink_domain"], card["rack"]) == ("ab" * 16 + ".7", "1820325160012")
    assert (card["part_number"], card["vbios"]) == ("692-2G520-0200-000", "96.00.68.00.01")


def test_a_fabric_of_one_node_is_no_domain(bench: Bench) -> None:
    (card,) = bench.start(nvml.healthy(1)).table("gpus")
    assert (card["nvlink_domain"], card["rack"], card["numa"]) == ("", "", "0")


def test_the_inventory_is_told_again_when_it_changes(bench: Bench) -> None:
    world = nvml.healthy(2)
    machine = bench.start(world)
    assert len(machine.table("gpus")) == 2
    world.gpus[0].vbios = "96.00.AA.00.01"
    bench.change(world)
    rows = machine.read(10.0)
    assert of_slot(of_table(rows, "gpus"), 0)["vbios"] == "96.00.AA.00.01"


def test_gpus_on_switches_are_joined_to_those(bench: Bench) -> None:
    world = nvml.healthy(4)
    for gpu in world.gpus[2:]:
        gpu.pci_switch, gpu.numa = 2, 1
    machine = bench.start(world)
    links = {(r["slot"], r["peer"]): (r["path"], r["nvlinks"]) for r in machine.table("gpu_links")}
    assert links[0, "switch"] == ("nvlink", 18)
    assert (links[0, "1"], links[0, "2"]) == (("switch", 0), ("system", 0))
    assert len(links) == 4 * 4
    assert machine.table("gpu_links") == []


def test_gpus_joined_to_each_other_tell_how_many_links(bench: Bench) -> None:
    world = nvml.healthy(2)
    for gpu, peer in zip(world.gpus, (1, 0), strict=True):
        gpu.nvlink_peer, gpu.nvlinks, gpu.nvlinks_up = peer, 4, 3
    rows = bench.start(world).table("gpu_links")
    assert [(r["slot"], r["peer"], r["path"], r["nvlinks"]) for r in rows] == [
        (0, "1", "nvlink", 3),
        (1, "0", "nvlink", 3),
    ]
