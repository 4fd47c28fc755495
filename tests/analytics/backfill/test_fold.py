"""Readings cut at whole steps: nothing lost, nothing counted twice, means by what was covered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.backfill.fold import Rows, fold
from analytics.backfill.wide import Wide
from gpuledger.mapping_load import load

GPU = next(
    f.plan for f in load("dcgm-exporter").feeds["DCGM_FI_DEV_GPU_UTIL"] if f.plan.name == "gpu"
)


def wide(at_ms: list[int], **columns: list[float]) -> Wide:
    values = {name: np.array(told, dtype=np.float64) for name, told in columns.items()}
    return Wide(GPU, {"slot": 0, "uuid": "GPU-0"}, np.array(at_ms, dtype=np.int64), values, {})


def folded(
    at_ms: list[int], cover_ms: list[int], step_ms: int = 60_000, **told: list[float]
) -> Rows:
    return fold(wide(at_ms, **told), np.array(cover_ms, dtype=np.int64), step_ms)


def test_a_reading_across_a_minute_counts_in_both_by_what_it_covers_of_each() -> None:
    rows = folded([40_000, 80_000], [40_000, 40_000], utilization_ratio=[0.2, 0.8])
    assert rows.at_ms.tolist() == [60_000, 120_000]
    assert rows.cover_ms.tolist() == [60_000, 20_000]
    mean = (0.2 * 40 + 0.8 * 20) / 60
    assert rows.columns["utilization_ratio"] == pytest.approx([mean, 0.8])


def test_a_slow_scrape_covers_every_minute_since_the_one_before() -> None:
    rows = folded([300_000], [300_000], utilization_ratio=[0.5])
    assert rows.at_ms.tolist() == [60_000, 120_000, 180_000, 240_000, 300_000]
    assert rows.cover_ms.tolist() == [60_000] * 5
    assert rows.columns["active_seconds"].tolist() == [60.0] * 5


def test_a_counter_is_told_where_it_was_read() -> None:
    rows = folded([90_000], [90_000], energy_joules=[7.0], power_watts=[1.0])
    assert np.isnan(rows.columns["energy_joules"][0])
    assert rows.columns["energy_joules"][1] == 7.0


def test_the_highest_reading_of_a_minute_is_kept() -> None:
    rows = folded([30_000, 60_000], [30_000, 30_000], power_watts=[100.0, 300.0])
    assert rows.columns["power_watts"].tolist() == [200.0]
    assert rows.columns["power_watts_max"].tolist() == [300.0]


def test_flags_of_a_minute_are_joined() -> None:
    rows = folded([30_000, 60_000], [30_000, 30_000], throttle_reasons=[1.0, 4.0])
    assert rows.columns["throttle_reasons"].tolist() == [5.0]


def test_what_is_missing_stays_missing_and_weighs_nothing() -> None:
    rows = folded(
        [30_000, 60_000, 120_000],
        [30_000, 30_000, 60_000],
        power_watts=[100.0, np.nan, np.nan],
        utilization_ratio=[0.0, 0.0, 0.0],
    )
    assert rows.columns["power_watts"][0] == 100.0
    assert np.isnan(rows.columns["power_watts"][1])
    assert rows.columns["active_seconds"].tolist() == [0.0, 0.0]


def test_without_steps_every_scrape_stays_a_row() -> None:
    rows = folded([17_000, 47_000], [30_000, 30_000], step_ms=0, utilization_ratio=[0.5, 0.0])
    assert rows.at_ms.tolist() == [17_000, 47_000]
    assert rows.columns["active_seconds"].tolist() == [30.0, 0.0]


@given(
    st.lists(st.integers(1, 200_000), min_size=1, max_size=30),
    st.sampled_from((10_000, 30_000, 60_000)),
    st.randoms(use_true_random=False),
)
def test_covered_time_and_activity_add_up(gaps: list[int], step_ms: int, rng: object) -> None:
    at_ms = (1_000_000_000_000 + np.cumsum(gaps)).tolist()
    cover = [min(g, 90_000) for g in gaps]
    busy = [float(i % 3 == 0) for i in range(len(gaps))]
    rows = folded(at_ms, cover, step_ms, utilization_ratio=busy)
    assert rows.cover_ms.sum() == sum(cover)
    assert (rows.cover_ms <= step_ms).all()
    assert (np.diff(rows.at_ms) > 0).all()
    expected = sum(c for c, b in zip(cover, busy, strict=True) if b) / 1000
    assert rows.columns["active_seconds"].sum() == pytest.approx(expected)
    mean = (rows.columns["utilization_ratio"] * rows.cover_ms).sum()
    assert mean == pytest.approx(expected * 1000)
