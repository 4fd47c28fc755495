"""Section `[learn]`: how much history learning wants, and what it does not believe."""

from __future__ import annotations

from typing import Annotated

from gpuledger.config import Settings


class LearnSettings(Settings):
    """Section `[learn]`."""

    history_d: Annotated[float, "days of telemetry that learning begins with"] = 14.0
    late_h: Annotated[float, "hours that are looked at again, for rows that came late"] = 2.0
    floor_days: Annotated[float, "days whose quiet minutes make a power floor"] = 7.0
    # Low, since a busy phase can only raise power; not the lowest, which one bad reading sets.
    floor_quantile: Annotated[float, "quantile of a GPU's quiet minutes that is its floor"] = 0.25
    floor_minutes: Annotated[int, "quiet minutes that a floor needs"] = 30
    startup_days: Annotated[float, "days whose jobs tell how long starting takes"] = 28.0
    startup_jobs: Annotated[int, "jobs that a start-up time needs"] = 20
    # A job that is idle for long and then begins must not excuse the next one.
    startup_most_s: Annotated[float, "first activity after this is no start-up, seconds"] = 1800.0
    bucket_minutes: Annotated[int, "covered minutes that 5 minutes need to count"] = 3
    forecast_history_d: Annotated[float, "days of the book that a forecast is made from"] = 182.0
    class_most: Annotated[int, "GPU-minutes that are read in one call to judge jobs"] = 2_000_000
    class_minutes: Annotated[int, "GPU-minutes of telemetry that judging a job needs"] = 30
