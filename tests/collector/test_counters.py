"""Counters only grow, whatever their devices do."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.counters import Counters
from gpuledger.catalogue.storage import BlockSample, NvmeSample
from tests.collector.support import FakeClock, host_row


def corrected(counters: Counters, raw: float | None) -> float | None:
    row = host_row(node="n1", io_pressure_seconds=raw)
    counters.correct(row)
    return row.io_pressure_seconds


def test_a_decrease_means_that_the_device_began_again() -> None:
    counters = Counters()
    assert [corrected(counters, raw) for raw in (10, 15, 2, 4)] == [10, 15, 17, 19]


TURN_S = 2**32 / 1000  # the kernel counts the times of disks in 32 bits of a millisecond


def disk_times(counters: Counters, *raws: float) -> list[float | None]:
    rows = [BlockSample.known(node="n1", device="sda", busy_seconds=raw) for raw in raws]
    for row in rows:
        counters.correct(row)
    return [row.busy_seconds for row in rows]


def test_a_narrow_counter_that_wraps_goes_on() -> None:
    first, second = disk_times(Counters(), TURN_S - 10, 5.0)
    assert (first, second) == (TURN_S - 10, pytest.approx(TURN_S + 5))


def test_a_narrow_counter_that_falls_from_its_middle_was_reset() -> None:
    assert disk_times(Counters(), TURN_S / 2, 5.0) == [TURN_S / 2, TURN_S / 2 + 5]


def test_a_wrap_and_a_reset_after_it_are_both_counted() -> None:
    assert disk_times(Counters(), TURN_S - 1, 100.0, 40.0)[-1] == pytest.approx(TURN_S + 140)


def test_a_missing_value_stays_missing_and_resets_nothing() -> None:
    counters = Counters()
    assert [corrected(counters, raw) for raw in (10, None, 12)] == [10, None, 12]


def test_offsets_outlive_the_process() -> None:
    first = Counters(boot="b")
    corrected(first, 100)
    corrected(first, 5)
    second = Counters(first.changed(), boot="b")
    assert corrected(second, 7) == 107


def test_another_boot_began_again_even_where_the_counter_has_outgrown_itself() -> None:
    first = Counters(boot="monday", node="n1")
    corrected(first, 100)
    second = Counters(first.changed(), boot="tuesday", node="n1")
    assert corrected(second, 250) == 350


def test_a_reboot_begins_no_counter_again_that_is_another_nodes() -> None:
    first = Counters(boot="monday", node="head")
    corrected(first, 100)
    second = Counters(first.changed(), boot="tuesday", node="head")
    assert corrected(second, 250) == 250


def test_what_a_disk_keeps_without_power_goes_on_after_a_reboot() -> None:
    first = Counters(boot="monday", node="n1")
    second = NvmeSample.known(node="n1", device="nvme0", write_bytes=500.0)
    first.correct(NvmeSample.known(node="n1", device="nvme0", write_bytes=400.0))
    Counters(first.changed(), boot="tuesday", node="n1").correct(second)
    assert second.write_bytes == 500


def test_only_what_changed_must_be_written() -> None:
    counters = Counters()
    corrected(counters, 1)
    assert counters.changed()
    assert counters.changed() == {}


@given(st.lists(st.none() | st.integers(0, 1 << 40), max_size=30), st.integers(0, 30))
def test_corrected_values_never_fall_across_resets_and_restarts(
    raws: list[int | None], restart: int
) -> None:
    counters, seen = Counters(boot="b"), []
    for i, raw in enumerate(raws):
        if i == restart:
            counters = Counters(counters.changed(), boot="b")
        seen.append(corrected(counters, raw))
    known = [v for v in seen if v is not None]
    assert known == sorted(known)
    assert [v is None for v in seen] == [r is None for r in raws]


DAY_S = 86_400.0


def test_what_nobody_told_for_a_day_is_forgotten_and_its_memory_too() -> None:
    clock = FakeClock()
    counters = Counters(boot="b", clock=clock.clock)
    disk_times(counters, 1.0)
    corrected(counters, 5)
    remembered = counters.changed()
    assert len(remembered) == 3
    clock.pass_s(DAY_S / 2)
    corrected(counters, 6)
    assert None not in counters.changed().values()
    clock.pass_s(DAY_S / 2 + 1)
    gone = [key for key, value in counters.changed().items() if value is None]
    assert len(gone) == 1
    assert "sda" in gone[0]
    assert gone[0] in remembered
    assert corrected(counters, 1) == 7
    assert disk_times(counters, 0.5) == [0.5]


def test_what_no_agent_saw_for_more_than_a_week_is_forgotten_at_the_start() -> None:
    clock = FakeClock()
    first = Counters(boot="b", clock=clock.clock)
    corrected(first, 5)
    stored = {key: value for key, value in first.changed().items() if value is not None}
    clock.pass_s(7 * DAY_S)
    assert corrected(Counters(stored, "b", clock.clock), 1) == 6
    clock.pass_s(2 * DAY_S)
    later = Counters(stored, "b", clock.clock)
    assert [value for key, value in later.changed().items() if key != "boot"] == [None]
    assert corrected(later, 1) == 1


def test_what_older_agents_wrote_is_understood_and_dated() -> None:
    first = Counters(boot="b")
    corrected(first, 5)
    (name,) = [k for k in first.changed() if k != "boot"]
    old = {name: '[{"io_pressure_seconds": 100}, {"io_pressure_seconds": 7}]', "boot": "b"}
    counters = Counters(old, boot="b")
    written = counters.changed()[name]
    assert written is not None
    assert len(json.loads(written)) == 3
    assert corrected(counters, 110) == 117


def test_a_counter_that_was_not_told_since_the_boot_began_again_in_the_next_life_too() -> None:
    first = Counters(boot="monday", node="n1")
    corrected(first, 100)
    disk_times(first, 1.0)
    stored = first.changed()
    second = Counters(stored, boot="tuesday", node="n1")
    disk_times(second, 2.0)
    third = Counters({**stored, **second.changed()}, boot="tuesday", node="n1")
    assert corrected(third, 250) == 350
