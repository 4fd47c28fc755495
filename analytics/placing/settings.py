"""Thresholds of placement; section `[placement]`."""

from __future__ import annotations

from typing import Annotated

from gpuledger.config import Settings


class PlacementSettings(Settings):
    """What holds GPUs back, and which shapes of jobs count where nobody waits."""

    history_d: Annotated[float, "days whose jobs say what usually runs here"] = 14.0
    history_jobs: Annotated[int, "jobs that such a statement needs at least"] = 30
    history_shapes: Annotated[int, "most frequent shapes that are looked at"] = 64
    fit_ratio: Annotated[float, "share of those jobs that must fit, or free GPUs are stranded"] = (
        0.5
    )
    planned_jobs: Annotated[int, "waiting jobs of a partition that Slurm keeps free GPUs for"] = 1
    plan_h: Annotated[float, "hours that such a start may lie ahead (Slurm: bf_window)"] = 24.0
    least_cpu_milli: Annotated[int, "thousandths of a processor that any GPU job needs"] = 1000
    least_memory_mib: Annotated[int, "mebibytes of memory that any GPU job needs"] = 1024
    one_island: Annotated[
        tuple[str, ...], "partitions whose jobs must stay in one rack or below one switch"
    ] = ()
