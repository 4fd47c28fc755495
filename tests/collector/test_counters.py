"""Counters only grow, whatever their devices do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.counters import Counters
from gpuledger.catalogue.storage import BlockSample
from tests.collector.support import host_row


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
    first = Counters(boot="monday")
    corrected(first, 100)
    second = Counters(first.changed(), boot="tuesday")
    assert corrected(second, 250) == 350


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
