"""What the agent fills into a row."""

from __future__ import annotations

import math

from collector.pace import Tick
from collector.stamp import Stamp
from gpuledger.catalogue.gpu import GpuSample, SliceSample
from tests.collector.support import context


def test_a_part_that_is_the_whole_interval_is_what_the_row_covers() -> None:
    for elapsed_s in (0.0, 1.0, 2.5):
        row = GpuSample.known(slot=0, uuid="", active_seconds=math.inf, lost_seconds=math.inf)
        Stamp(context(), 0).apply(row, Tick(1_000, elapsed_s))
        assert (row.active_seconds, row.lost_seconds) == (elapsed_s, elapsed_s)


def test_of_a_slice_too() -> None:
    row = SliceSample.known(
        slot=0, uuid="", profile="", gpu_instance=0, compute_instance=0, active_seconds=math.inf
    )
    Stamp(context(), 0).apply(row, Tick(1_000, 1.0))
    assert row.active_seconds == 1.0
