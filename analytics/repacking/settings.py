"""How a fleet is looked at to repack it; section `[snapshot]`."""

from __future__ import annotations

from typing import Annotated, Literal

from gpuledger.config import Settings


class SnapshotSettings(Settings):
    """Section `[snapshot]`."""

    weights: Annotated[
        Literal["demand", "popularity"],
        "what a shape of the last days weighs: the GPUs that it asked for, or how often it came"
        " (FGD's own; with jobs without GPUs)",
    ] = "demand"
    shapes: Annotated[int, "most frequent shapes that the target is made of"] = 1024
    # The book's own default for jobs of a size of which nothing was learned.
    startup_s: Annotated[float, "seconds that a restart takes where nothing was learned"] = 600.0
    history_h: Annotated[float, "hours back for which missing hours of the history are made"] = 48.0
    nodes_of_pool: Annotated[int, "most fragmented nodes of a pool that the history keeps"] = 20
