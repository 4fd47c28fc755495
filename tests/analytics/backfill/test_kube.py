"""Readings by moments, as facts want them."""

from __future__ import annotations

import numpy as np

from analytics.backfill.kube import moments
from analytics.backfill.prometheus import Series


def series(name: str, *at_ms: int) -> Series:
    return Series(name, {}, np.array(at_ms, dtype=np.int64), np.arange(len(at_ms), dtype=float))


def test_of_each_series_the_last_reading_of_a_step_is_told_in_order() -> None:
    found = list(moments([series("a", 10, 50, 60, 61, 180), series("b", 70, 100)], 60))
    assert [at for at, _ in found] == [60, 120, 180]
    told = [[(r.name, r.at_ms, r.value) for r in readings] for _, readings in found]
    assert told == [[("a", 60, 2.0)], [("a", 61, 3.0), ("b", 100, 1.0)], [("a", 180, 4.0)]]


def test_nothing_makes_no_moment() -> None:
    assert list(moments([], 60)) == []
