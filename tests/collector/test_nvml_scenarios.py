"""Nodes of every kind, and what may happen to them, through the fake driver."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from collector.counters import Counters
from gpuledger.catalogue.gpu import GpuSample
from tests.collector.machine import Bench, of_slot, of_table, reasons, told
from tests.fakes import nvml
from tests.fakes.nvml import models


def test_eight_h100_lack_nothing_and_give_no_reasons(bench: Bench) -> None:
    machine = bench.start(nvml.healthy())
    first, second = machine.read(), machine.read()
    assert {r["reading"] for r in of_table(first, "missing_values")} == {
        "fan_ratio",
        "nvlink_symbol_errors",
    }
    assert of_table(second, "missing_values") == []
    assert [r["slot"] for r in of_table(second, "gpu_samples")] == list(range(8))
    assert all(None not in r.values() for r in of_table(second, "gpu_samples"))


def test_an_a100_has_no_gpm_and_says_so_once(bench: Bench) -> None:
    machine = bench.start(models.of(models.a100(0)))
    rows = machine.read()
    (row,) = of_table(rows, "gpu_samples")
    why = reasons(rows, row["uuid"])
    assert {why["sm_active_ratio"], why["pcie_receive_bytes"], why["brake_throttle_seconds"]} == {
        "unsupported"
    }
    rows = machine.read()
    (row,) = of_table(rows, "gpu_samples")
    assert (row["sm_active_ratio"], row["active_seconds"]) == (None, 1.0)
    assert (row["pcie_receive_bytes"], row["power_watts"]) == (None, 620.0)
    assert row["nvlink_receive_bytes"] > 0
    assert of_table(rows, "missing_values") == []


def test_gpu_3_is_lost_at_tick_5_and_back_at_9(bench: Bench) -> None:
    world = nvml.healthy()
    machine = bench.start(world)
    seen, events, why = [], [], {}
    for tick in range(1, 11):
        if tick in {5, 9}:
            world.gpus[3].state = "lost" if tick == 5 else "ok"
            bench.change(world)
        rows = machine.read()
        third = of_slot(of_table(rows, "gpu_samples"), 3)
        seen.append((third["lost_seconds"], third["power_watts"]))
        events += [(tick, e["kind"], e["slot"]) for e in of_table(rows, "gpu_events")]
        why[tick] = reasons(rows, world.gpus[3].uuid)
        assert all(
            of_slot(of_table(rows, "gpu_samples"), s)["power_watts"] == 620.0
            for s in (0, 1, 2, 4, 5, 6, 7)
        )
    assert seen == [(0.0, 620.0)] * 4 + [(1.0, None)] * 4 + [(0.0, 620.0)] * 2
    assert events == [(5, "lost", 3), (9, "recovered", 3)]
    assert set(why[5].values()) == {"lost"}
    assert {"power_watts", "sm_active_ratio", "ecc_corrected_errors"} <= why[5].keys()
    assert (why[9]["power_watts"], why[6]) == ("", {})


@pytest.mark.parametrize("error", [1, 9, 18, 2])
def test_after_a_driver_reload_everything_is_asked_anew(bench: Bench, error: int) -> None:
    world = nvml.healthy(2)
    world.gpus[1].not_supported = ("nvmlDeviceGetClockInfo",)
    machine = bench.start(world)
    machine.read()
    before = of_slot(machine.table("gpu_samples"), 1)
    assert before["sm_clock_hertz"] is None
    world.driver_load, world.reload_error = 1, error
    world.gpus[1].not_supported = ()
    bench.change(world, reset_counters=True)
    assert machine.read()["error"] == "DriverGone"
    rows = machine.read()
    after = of_slot(of_table(rows, "gpu_samples"), 1)
    assert after["sm_clock_hertz"] == 1.755e9
    assert after["energy_joules"] < before["energy_joules"]
    assert of_table(rows, "gpu_events") == []


def test_a_card_that_leaves_the_count_is_lost_alone(bench: Bench) -> None:
    world = nvml.healthy(3)
    machine = bench.start(world)
    machine.read()
    world.gpus.pop()
    bench.change(world)
    rows = machine.read()
    assert [(e["slot"], e["kind"]) for e in of_table(rows, "gpu_events")] == [(2, "lost")]
    assert [r["power_watts"] for r in of_table(rows, "gpu_samples")] == [620.0, 620.0, None]


def test_the_only_card_is_found_again_after_it_was_lost(bench: Bench) -> None:
    world = nvml.healthy(1)
    machine = bench.start(world)
    machine.read()
    world.gpus[0].state = "unknown"
    bench.change(world)
    lost = [told(machine.table("gpu_samples")[0]) for _ in range(3)]
    assert lost == [{"lost_seconds": 1.0, "source": "nvml"}] * 3
    world.gpus[0].state = "ok"
    bench.change(world)
    rows = machine.read()
    assert [e["kind"] for e in of_table(rows, "gpu_events")] == ["recovered"]
    assert of_table(rows, "gpu_samples")[0]["power_watts"] == 620.0


def test_counters_go_on_after_a_driver_reload(bench: Bench) -> None:
    world = nvml.healthy(1)
    machine = bench.start(world)
    counters = Counters()
    energies = [corrected(counters, machine.read()) for _ in range(3)]
    world.driver_load = 1
    bench.change(world, reset_counters=True)
    machine.read()
    energies += [corrected(counters, machine.read()) for _ in range(2)]
    assert energies == sorted(energies)
    assert energies[4] - energies[3] == pytest.approx(620, rel=0.5)


def corrected(counters: Counters, rows: list[dict[str, Any]]) -> float:
    (told,) = of_table(rows, "gpu_samples")
    row = GpuSample.known(
        slot=0,
        uuid=told["uuid"],
        ts=datetime.now(UTC),
        cluster="c",
        node="n1",
        energy_joules=told["energy_joules"],
    )
    counters.correct(row)
    assert row.energy_joules is not None
    return row.energy_joules


def test_a_driver_that_is_unloaded_for_a_while_is_asked_every_period(bench: Bench) -> None:
    world = nvml.healthy(1)
    machine = bench.start(world)
    machine.read()
    world.driver_load, world.init_error = 1, 9
    bench.change(world)
    assert [machine.read()["error"] for _ in range(3)] == ["DriverGone", "ReadError", "ReadError"]
    world.init_error = 0
    bench.change(world)
    assert len(machine.table("gpu_samples")) == 1


def test_driver_470_is_asked_by_its_own_calls(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.driver_version = "470.256.02"
    gpu = world.gpus[0]
    gpu.processes = [nvml.Process(4_000_000_000)]
    gpu.ecc_dbe_aggregate, gpu.remapped_pending, gpu.pcie_replays = 3, 1, 7
    gpu.throttle_power_ns = 2_500_000_000
    machine = bench.start(world, old_driver=True)
    rows = machine.read()
    (row,) = of_table(rows, "gpu_samples")
    assert (row["utilization_ratio"], row["power_watts"]) == (0.97, 620.0)
    assert row["memory_used_bytes"] == 64 * nvml.GIB + 551 * 1024**2
    assert (row["sm_active_ratio"], row["processes"]) == (None, 1)
    assert (row["energy_joules"] is None, row["throttle_reasons"]) == (False, 0)
    assert row["power_throttle_seconds"] == 2.5
    (health,) = of_table(rows, "gpu_health_samples")
    assert (health["ecc_uncorrected_lifetime"], health["remap_pending"]) == (3, 1)
    assert (health["pcie_replays"], health["nvlinks"], health["nvlinks_up"]) == (7, 18, 18)
    why = reasons(rows, row["uuid"])
    assert {why["memory_temperature_celsius"], why["recovery_action"]} == {"unsupported"}
    assert {"power_watts", "processes", "nvlinks"}.isdisjoint(why)


def test_a_geforce_that_supports_nothing_is_a_row_with_reasons(bench: Bench) -> None:
    machine = bench.start(models.of(models.geforce(0), nvml.h100(1)))
    rows = machine.read()
    geforce, h100 = of_table(rows, "gpu_samples")
    assert told(geforce) == {"lost_seconds": 0.0, "source": "nvml"}
    why = reasons(rows, geforce["uuid"])
    assert set(why.values()) == {"unsupported"}
    assert {"power_watts", "energy_joules", "processes", "sm_active_ratio", "nvlinks"} <= why.keys()
    assert h100["power_watts"] == 620.0
    assert of_table(rows, "gpus")[0]["model"] == "NVIDIA GeForce GT 710"


def test_a_card_that_may_not_be_opened_is_denied_and_not_lost(bench: Bench) -> None:
    world = nvml.healthy()
    world.gpus[2].no_permission = ("all",)
    rows = bench.start(world).read()
    samples = of_table(rows, "gpu_samples")
    assert [r["slot"] for r in samples] == list(range(8))
    assert told(of_slot(samples, 2)) == {"source": "nvml"}
    assert of_table(rows, "gpu_events") == []
    assert set(reasons(rows, "2").values()) == {"denied"}
    assert all(of_slot(samples, s)["power_watts"] == 620.0 for s in range(8) if s != 2)


def test_reasons_are_withdrawn_when_a_denied_card_is_opened(bench: Bench) -> None:
    world = nvml.healthy(3)
    world.gpus[2].no_permission = ("all",)
    machine = bench.start(world)
    denied = reasons(machine.read(), "2")
    world.gpus[2].no_permission = ()
    bench.change(world)
    assert reasons(machine.read(), "2") == dict.fromkeys(denied, "")


def test_a_process_outside_our_namespace_is_a_row_without_a_user(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].processes = [nvml.Process(4_000_000_000, 5 * nvml.GIB)]
    rows = bench.start(world).read()
    (process,) = of_table(rows, "process_samples")
    assert (process["pid"], process["user"], process["executable"]) == (4_000_000_000, "", "")
    assert process["memory_used_bytes"] == 5 * nvml.GIB


def test_nvlink_5_is_summed_over_links(bench: Bench) -> None:
    world = models.of(models.b200(0))
    world.gpus[0].nvlink_symbols, world.gpus[0].nvlink_recoveries = 12, 3
    machine = bench.start(world)
    rows = machine.read()
    (health,) = of_table(rows, "gpu_health_samples")
    assert (health["nvlink_symbol_errors"], health["nvlink_recoveries"]) == (12, 3)
    assert (health["nvlink_replays"], health["nvlink_crc_errors"]) == (None, None)
    assert reasons(rows, health["uuid"])["nvlink_crc_errors"] == "unsupported"
    (before,), (after,) = of_table(rows, "gpu_samples"), machine.table("gpu_samples")
    sent = after["nvlink_transmit_bytes"] - before["nvlink_transmit_bytes"]
    assert sent == pytest.approx(90e9, rel=0.5)


def test_a_grace_hopper_tells_the_gpus_power_not_the_modules(bench: Bench) -> None:
    machine = bench.start(models.of(models.gh200(0)))
    assert machine.table("gpu_samples")[0]["power_watts"] == 620.0


def test_a_call_that_times_out_leaves_one_value_missing(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].fail_call, world.gpus[0].fail_code = "nvmlDeviceGetEncoderUtilization", 10
    rows = bench.start(world).read()
    (row,) = of_table(rows, "gpu_samples")
    assert (row["encoder_ratio"], row["decoder_ratio"]) == (None, 0.0)
    assert reasons(rows, row["uuid"])["encoder_ratio"] == "timeout"


def test_a_field_of_no_known_type_is_malformed(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].malformed = ("field:82",)
    rows = bench.start(world).read()
    (row,) = of_table(rows, "gpu_samples")
    assert row["memory_temperature_celsius"] is None
    assert reasons(rows, row["uuid"])["memory_temperature_celsius"] == "malformed"


def test_energy_without_a_counter_is_power_over_time(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].not_supported = (
        "field:83",
        "field:191",
        "nvmlDeviceGetTotalEnergyConsumption",
    )
    machine = bench.start(world)
    energies = [machine.table("gpu_samples")[0]["energy_joules"] for _ in range(3)]
    assert energies == pytest.approx([0, 620, 1240])


def test_traffic_without_a_counter_is_the_rate_of_gpm_over_time(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].not_supported = ("field:197", "field:198", "field:138", "field:139")
    machine = bench.start(world)
    rows = [machine.table("gpu_samples")[0] for _ in range(3)]
    assert rows[0]["pcie_transmit_bytes"] is None
    assert [r["pcie_transmit_bytes"] for r in rows[1:]] == pytest.approx([2e9, 4e9], rel=0.01)
    assert [r["pcie_receive_bytes"] for r in rows[1:]] == pytest.approx([1e9, 2e9], rel=0.01)
    assert rows[2]["nvlink_receive_bytes"] == pytest.approx(180e9, rel=0.01)
