"""Folding: what a window keeps of its rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.window import Fold, Plan, Profile, Windows
from gpuledger.catalogue.gpu import GpuEvent, GpuSample
from gpuledger.schema import Kind
from tests.collector.support import host_row

START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
PLAN = Plan(GpuSample.table)


def gpu(second: float, **values: Any) -> GpuSample:
    columns = {c.name: None for c in GpuSample.table.columns if c.default is ...}
    stamps = {"ts": START + timedelta(seconds=second), "interval_seconds": 1.0, "node": "n1"}
    return GpuSample(**{**columns, **stamps, "slot": 0, "uuid": "GPU-a", **values})


def folded(*rows: GpuSample) -> dict[str, Any]:
    windows = Windows()
    windows.add(rows)
    (only,) = windows.take()
    return dict(only.values)


def test_ten_samples_become_one_row_with_mean_and_max() -> None:
    out = folded(*(gpu(s, power_watts=float(s)) for s in range(1, 11)))
    assert out["power_watts"] == pytest.approx(5.5)
    assert out["power_watts_max"] == 10.0
    assert out["interval_seconds"] == pytest.approx(10.0)
    assert out["ts"] == START + timedelta(seconds=10)


def test_the_mean_is_weighted_by_the_interval() -> None:
    out = folded(
        gpu(1, power_watts=100.0, interval_seconds=1.0),
        gpu(4, power_watts=200.0, interval_seconds=3.0),
    )
    assert out["power_watts"] == pytest.approx(175.0)


def test_a_missing_value_is_not_a_zero() -> None:
    out = folded(gpu(1, power_watts=None), gpu(2, power_watts=300.0))
    assert out["power_watts"] == pytest.approx(300.0)
    assert out["temperature_celsius"] is None
    assert out["temperature_celsius_max"] is None
    assert out["energy_joules"] is None
    assert out["active_seconds"] is None


def test_counters_keep_the_last_additives_add_up_flags_join() -> None:
    out = folded(
        gpu(1, energy_joules=10.0, active_seconds=1.0, throttle_reasons=1),
        gpu(2, energy_joules=20.0, active_seconds=0.5, throttle_reasons=4),
        gpu(3, energy_joules=None, active_seconds=None),
    )
    assert (out["energy_joules"], out["active_seconds"], out["throttle_reasons"]) == (20.0, 1.5, 5)


def test_a_first_reading_that_covers_nothing_still_tells_its_value() -> None:
    assert folded(gpu(1, power_watts=70.0, interval_seconds=0.0))["power_watts"] == 70.0


def test_the_row_on_the_boundary_closes_its_window() -> None:
    windows = Windows()
    windows.add([gpu(9), gpu(10), gpu(10.001)])
    first, second = windows.take()
    assert first.values["ts"] == START + timedelta(seconds=10)
    assert second.values["ts"] == START + timedelta(seconds=10.001)


def test_a_window_is_taken_when_it_is_over_and_only_once() -> None:
    windows = Windows()
    windows.add([gpu(5)])
    now_ms = round(START.timestamp() * 1000)
    assert windows.take(now_ms + 9_999) == []
    assert len(windows.take(now_ms + 10_000)) == 1
    assert windows.take() == []


def test_a_window_from_before_the_clock_went_back_is_not_kept_for_an_hour() -> None:
    windows = Windows()
    windows.add([gpu(3600)])
    assert len(windows.take(round(START.timestamp() * 1000))) == 1


def test_profile_fine_keeps_every_sample() -> None:
    windows = Windows(Profile.FINE)
    windows.add([gpu(1, power_watts=1.0), gpu(2, power_watts=2.0)])
    rows = windows.take(0)
    assert [r.values["power_watts"] for r in rows] == [1.0, 2.0]
    assert rows[0].values["power_watts_max"] == 1.0


def test_events_and_facts_pass_as_they_are() -> None:
    windows = Windows()
    windows.add([GpuEvent(ts=START, slot=1, kind=kind) for kind in ("lost", "recovered")])
    assert [r.values["kind"] for r in windows.take(0)] == ["lost", "recovered"]


def test_the_last_reason_that_was_given_is_kept() -> None:
    windows = Windows()
    windows.add([host_row(ts=START, node="n", load1=1.0), host_row(ts=START, node="m", load1=2.0)])
    assert len(windows.take()) == 2


values = st.none() | st.floats(0, 1000)
rows = st.builds(
    lambda seconds, power, energy, active, bits: gpu(
        1,
        interval_seconds=seconds,
        power_watts=power,
        energy_joules=energy,
        active_seconds=active,
        throttle_reasons=bits,
    ),
    st.floats(0, 3),
    values,
    values,
    values,
    st.integers(0, 511),
)


@given(st.lists(rows, min_size=1, max_size=12))
def test_none_never_becomes_zero_and_intervals_add_up(parts: list[GpuSample]) -> None:
    fold = Fold(PLAN)
    for row in parts:
        fold.add(row.__dict__)
    out = fold.values()
    assert out["interval_seconds"] == pytest.approx(sum(p.interval_seconds for p in parts))
    for column in GpuSample.table.columns:
        if column.kind in {Kind.GAUGE, Kind.COUNTER, Kind.ADDITIVE}:
            known = any(p.__dict__[column.name] is not None for p in parts)
            assert (out[column.name] is not None) == known


def test_a_change_of_profile_finishes_what_is_open_and_loses_nothing() -> None:
    windows = Windows()
    windows.add([gpu(1.0)])
    windows.change(Profile.FINE)
    windows.add([gpu(2.0)])
    assert [r.values["interval_seconds"] for r in windows.take()] == [1.0, 1.0]


def test_a_change_to_the_same_profile_keeps_windows_open() -> None:
    windows = Windows()
    windows.add([gpu(1.0)])
    windows.change(Profile.STANDARD)
    windows.add([gpu(2.0)])
    assert [r.values["interval_seconds"] for r in windows.take()] == [2.0]
