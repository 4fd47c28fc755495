"""The world as agents and exporters tell it: columns of the catalogue by GPU and window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue import (
    BlockSample,
    CgroupSample,
    GpuHealth,
    GpuSample,
    HostSample,
    NetfsSample,
    NetworkSample,
    ProcessSample,
    ServingSample,
    SliceSample,
    SourceRun,
)
from gpuledger.schema import Row
from tests.labelled.site import STEP_S

Grid = npt.NDArray[np.float64]
# What a card without profiling counters cannot tell, and what an exporter without power cannot.
PROFILED = (
    *("sm_active_ratio", "sm_occupancy_ratio", "tensor_active_ratio", "dram_active_ratio"),
    *("fp16_active_ratio", "fp32_active_ratio", "fp64_active_ratio", "hmma_active_ratio"),
    *("imma_active_ratio", "graphics_active_ratio", "pcie_receive_bytes", "pcie_transmit_bytes"),
)
TABLES: dict[str, type[Row]] = {
    row.table.name: row
    for row in (
        *(GpuSample, GpuHealth, ProcessSample, HostSample, CgroupSample, NetworkSample),
        *(NetfsSample, BlockSample, ServingSample, SourceRun, SliceSample),
    )
}


@dataclass
class Told:
    """Rows of one table: things (GPUs, nodes, ports) by windows, each window `every_s` long.

    `keys` hold one value per thing, `grids` one per thing and window (or one per thing), `kept`
    says which rows there are. `phase_s` is how long after the window's end a row is stamped.
    """

    table: str
    every_s: float
    windows: int
    keys: dict[str, Any]
    grids: dict[str, Any]
    kept: npt.NDArray[np.bool_]
    phase_s: float = 0.0
    interval_s: float | None = None

    def batches(self, start: datetime, since: datetime, until: datetime) -> Iterator[Batch]:
        """Rows with ts in (since, until]."""
        begun = to_milliseconds(start) + round(self.phase_s * 1000)
        ends = begun + ((np.arange(self.windows) + 1) * self.every_s * 1000).astype(np.int64)
        low, high = np.searchsorted(
            ends, [to_milliseconds(since), to_milliseconds(until)], side="right"
        )
        kept = self.kept[:, low:high]
        if not kept.any():
            return
        things, windows = np.nonzero(kept)
        values: dict[str, Any] = {n: np.asarray(told)[things] for n, told in self.keys.items()}
        for name, grid in self.grids.items():
            values[name] = _picked(grid, low, high, things, windows)
        values["ts"] = ends[low:high][windows]
        values["interval_seconds"] = self.interval_s or self.every_s
        yield Batch.of_arrays(TABLES[self.table].table, len(things), values)


def _picked(grid: Any, low: int, high: int, things: Any, windows: Any) -> Any:
    if np.ndim(grid) < 2:
        return grid
    return grid[:, low:high][things, windows]


def every(size: int) -> float:
    """Seconds of a window of that many steps."""
    return float(size * STEP_S)
