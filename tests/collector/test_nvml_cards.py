"""Every card in its own place: also lost at the start, after a reload, and over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.counters import Series
from collector.sources.nvml import source
from tests.collector import support
from tests.collector.machine import Bench, Row, of_slot, of_table, reasons
from tests.fakes import nvml

TIMEOUT = 10
COUNTERS = ("field:138", "field:139", "field:202", "field:204")


def permuted() -> nvml.Scenario:
    """Three cards whose minor numbers are not their indices."""
    world = nvml.healthy(3)
    world.gpus[0].minor, world.gpus[2].minor = 2, 0
    return world


def places(rows: list[Row]) -> list[tuple[int, str, bool]]:
    """Slot, end of the UUID, and whether it is lost."""
    samples = of_table(rows, "gpu_samples")
    return [(r["slot"], r["uuid"][-1:], bool(r["lost_seconds"])) for r in samples]


def kinds(rows: list[Row]) -> list[tuple[int, str]]:
    return [(e["slot"], e["kind"]) for e in of_table(rows, "gpu_events")]


def test_a_card_lost_before_the_start_takes_no_other_cards_slot(bench: Bench) -> None:
    world = permuted()
    world.gpus[0].state = "lost"
    machine = bench.start(world)
    rows = machine.read()
    assert places(rows) == [(1, "1", False), (0, "2", False)]
    assert kinds(rows) == []
    world.gpus[0].state = "ok"
    bench.change(world)
    assert places(machine.read()) == [(2, "0", False), (1, "1", False), (0, "2", False)]


def test_a_card_that_is_lost_keeps_its_slot_over_a_restart(bench: Bench) -> None:
    world = permuted()
    machine = bench.start(world)
    machine.read()
    world.gpus[0].state = "lost"
    bench.change(world)
    assert kinds(machine.read()) == [(2, "lost")]
    rows: list[Row] = []
    machine = bench.again(machine, rows)
    assert places(rows) == [(2, "0", True), (1, "1", False), (0, "2", False)]
    assert kinds(rows) == []
    world.gpus[0].state = "ok"
    bench.change(world)
    assert kinds(machine.read()) == [(2, "recovered")]


def test_a_card_that_is_back_after_a_restart_has_recovered(bench: Bench) -> None:
    world = nvml.healthy(2)
    machine = bench.start(world)
    machine.read()
    world.gpus[1].state = "lost"
    bench.change(world)
    machine.read()
    world.gpus[1].state = "ok"
    bench.change(world)
    rows: list[Row] = []
    bench.again(machine, rows)
    assert kinds(rows) == [(1, "recovered")]


def test_a_card_that_left_the_count_is_missed_after_a_restart(bench: Bench) -> None:
    world = nvml.healthy(3)
    machine = bench.start(world)
    machine.read()
    world.gpus.pop(0)
    bench.change(world)
    rows: list[Row] = []
    bench.again(machine, rows)
    assert places(rows) == [(1, "1", False), (2, "2", False), (0, "0", True)]
    assert kinds(rows) == [(0, "lost")]


def test_cards_are_found_by_uuid_where_the_driver_counts_fewer(bench: Bench) -> None:
    world = nvml.healthy(3)
    machine = bench.start(world)
    machine.read()
    for gpu in world.gpus:
        gpu.state = "lost"
    bench.change(world)
    machine.read()
    gone = world.gpus.pop(0)
    for gpu in world.gpus:
        gpu.state = "ok"
    bench.change(world)
    machine.read(61.0)
    rows = machine.read()
    assert places(rows) == [(1, "1", False), (2, "2", False), (0, "0", True)]
    gone.state = "ok"
    world.gpus.insert(0, gone)
    world.driver_load = 1
    bench.change(world)
    assert machine.read()["error"] == "DriverGone"
    rows = machine.read()
    assert places(rows) == [(0, "0", False), (1, "1", False), (2, "2", False)]
    assert kinds(rows) == [(0, "recovered")]


def test_a_card_that_was_replaced_leaves_its_slot_to_the_new_one(bench: Bench) -> None:
    world = nvml.healthy(2)
    machine = bench.start(world)
    machine.read()
    world.gpus[0].uuid = "GPU-9"
    world.driver_load = 1
    bench.change(world)
    machine.read()
    assert places(machine.read()) == [(0, "9", False), (1, "1", False)]


def test_after_a_boot_cards_are_placed_anew(bench: Bench, tmp_path: Path) -> None:
    boot = "proc/sys/kernel/random/boot_id"
    root = support.tree(tmp_path / "root", {boot: "first\n"})
    machine = bench.start(nvml.healthy(3), root=root)
    machine.read()
    support.tree(root, {boot: "second\n"})
    bench.change(nvml.healthy(2))
    rows: list[Row] = []
    bench.again(machine, rows)
    assert places(rows) == [(0, "0", False), (1, "1", False)]


@pytest.mark.parametrize("call", ["nvmlDeviceGetMinorNumber", "nvmlDeviceGetUUID"])
def test_a_card_that_does_not_answer_in_time_stays_who_it_is(bench: Bench, call: str) -> None:
    world = permuted()
    machine = bench.start(world)
    before = places(machine.read())
    world.gpus[0].fail_call, world.gpus[0].fail_code = call, TIMEOUT
    bench.change(world)
    rows = [machine.read() for _ in range(12)]
    assert {tuple(places(each)) for each in rows} == {tuple(before)}
    assert [of_table(each, "gpus") for each in rows] == [[]] * 12


def test_a_card_that_has_told_no_minor_number_yet_is_asked_until_it_does(bench: Bench) -> None:
    world = permuted()
    world.gpus[0].fail_call, world.gpus[0].fail_code = "nvmlDeviceGetMinorNumber", TIMEOUT
    machine = bench.start(world)
    assert places(machine.read()) == [(1, "1", False), (0, "2", False)]
    world.gpus[0].fail_call = ""
    bench.change(world)
    assert places(machine.read()) == [(2, "0", False), (1, "1", False), (0, "2", False)]


def test_a_whole_interval_is_active_however_late_the_reading(bench: Bench) -> None:
    machine = bench.start(nvml.healthy(1))
    machine.read()
    (row,) = of_table(machine.read(1.2), "gpu_samples")
    assert (row["active_seconds"], row["interval_seconds"]) == (1.2, 1.2)
    rows: list[Row] = []
    bench.again(machine, rows)
    (row,) = of_table(rows, "gpu_samples")
    assert row["active_seconds"] == row["interval_seconds"] > 0


def test_a_lost_card_is_lost_for_the_whole_interval(bench: Bench) -> None:
    world = nvml.healthy(2)
    world.gpus[1].state = "lost"
    rows = bench.start(world).read(1.2)
    assert of_slot(of_table(rows, "gpu_samples"), 1)["lost_seconds"] == 1.2


def test_a_gap_is_integrated_no_longer_than_a_row_may_cover(bench: Bench) -> None:
    world = nvml.healthy(1)
    energy = ("field:83", "field:191", "nvmlDeviceGetTotalEnergyConsumption")
    world.gpus[0].not_supported = (*energy, *COUNTERS)
    machine = bench.start(world)
    machine.read()
    (before,) = of_table(machine.read(), "gpu_samples")
    (after,) = of_table(machine.read(600.0), "gpu_samples")
    assert after["energy_joules"] - before["energy_joules"] == pytest.approx(2.5 * 620)
    sent = after["nvlink_transmit_bytes"] - before["nvlink_transmit_bytes"]
    assert sent == pytest.approx(2.5 * 90e9, rel=0.01)


def test_health_covers_no_more_than_two_and_a_half_periods(bench: Bench) -> None:
    machine = bench.start(nvml.healthy(1))
    machine.read()
    (row,) = of_table(machine.read(600.0), "gpu_health_samples")
    assert row["interval_seconds"] == 25.0


def test_the_drivers_counter_after_our_own_sum_is_no_increase(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].not_supported = COUNTERS
    machine, series = bench.start(world), Series()

    def sent(rows: list[Row]) -> float:
        raw = of_table(rows, "gpu_samples")[0]["nvlink_transmit_bytes"]
        return series.correct("x", raw or 0.0)

    booked = [sent(machine.read()) for _ in range(4)]
    assert booked[-1] == pytest.approx(270e9, rel=0.01)
    world.gpus[0].not_supported = ()
    bench.change(world)
    rows: list[Row] = []
    machine = bench.again(machine, rows)
    booked += [sent(rows), sent(machine.read(50_000.0)), sent(machine.read())]
    assert booked[4] == booked[3]
    assert booked[5] - booked[4] == pytest.approx(50_000 * 90e9, rel=0.01)
    assert booked[6] - booked[5] == pytest.approx(90e9, rel=0.01)


def test_our_own_sum_goes_on_after_a_restart(bench: Bench) -> None:
    world = nvml.healthy(1)
    world.gpus[0].not_supported = (
        "field:83",
        "field:191",
        "nvmlDeviceGetTotalEnergyConsumption",
    )
    machine = bench.start(world)
    for _ in range(4):
        rows = machine.read()
    bench.again(machine, rows := list[Row]())
    assert of_table(rows, "gpu_samples")[0]["energy_joules"] == pytest.approx(3 * 620)


def test_reasons_of_a_card_that_told_no_uuid_are_withdrawn_after_a_reload(bench: Bench) -> None:
    world = nvml.healthy(3)
    world.gpus[2].no_permission = ("all",)
    machine = bench.start(world)
    denied = reasons(machine.read(), "2")
    world.gpus[2].no_permission = ()
    world.driver_load = 1
    bench.change(world)
    machine.read()
    assert reasons(machine.read(), "2") == dict.fromkeys(denied, "")


def test_what_is_remembered_of_cards_and_of_processes_as_jobs_stays_apart() -> None:
    here = support.context()
    here.memory.update({"lost": "1", "cards": "{}", "counts/GPU-1": "{}"})
    source.make(source.settings(processes_as_jobs=True), here)
    assert here.memory.keys() == {"lost", "cards", "counts/GPU-1"}
