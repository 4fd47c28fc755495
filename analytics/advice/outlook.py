"""What forecasts say of a pool: GPUs that stay spare, and GPUs that will be lacking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics.advice.interval import Interval
from analytics.learn import forecast
from gpuledger.service import Reader

Step = Mapping[str, Any]
WEEK_D, MONTH_D = 7, 28


@dataclass(frozen=True)
class Outlook:
    """Demand and usable GPUs of a pool (empty: the whole cluster), in GPUs, step by step."""

    cluster: str
    pool: str
    made: datetime
    demand: Sequence[Step]
    usable: Sequence[Step]
    error_ratio: float | None
    cover_ratio: float | None

    @property
    def spare(self) -> float:
        """GPUs that no step needs: fewest usable ones less the upper edge of demand."""
        return min(float(u["low"] - d["high"]) for d, u in self._steps())

    @property
    def lacking(self) -> Interval:
        """GPUs by which demand exceeds what is usable, mean of the steps."""
        steps = list(self._steps())

        def mean(demand: str, usable: str) -> float:
            return sum(max(0.0, float(d[demand] - u[usable])) for d, u in steps) / len(steps)

        return Interval(mean("expected", "expected"), mean("low", "high"), mean("high", "low"))

    def _steps(self) -> Iterator[tuple[Step, Step]]:
        return zip(self.demand, self.usable, strict=True)


def outlooks(reader: Reader, days: int, now: datetime) -> list[Outlook]:
    """The newest of every pool over so many days; none where they end before now."""
    told: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in forecast.current(reader):
        if row["horizon_days"] == days and row["steps"][-1]["at"] > now:
            told.setdefault((row["cluster"], row["pool"]), {})[row["measure"]] = row
    return [
        _outlook(cluster, pool, rows["demand"], rows["usable"])
        for (cluster, pool), rows in sorted(told.items())
        if {"demand", "usable"} <= rows.keys()
        and len(rows["demand"]["steps"]) == len(rows["usable"]["steps"])
    ]


def _outlook(cluster: str, pool: str, demand: Step, usable: Step) -> Outlook:
    return Outlook(
        cluster,
        pool,
        demand["made"],
        demand["steps"],
        usable["steps"],
        demand["error_ratio"],
        demand["cover_ratio"],
    )


def finest(found: Sequence[Outlook]) -> list[Outlook]:
    """Those of pools, and of whole clusters only where pools are not told apart."""
    apart = {o.cluster for o in found if o.pool}
    return [o for o in found if o.pool or o.cluster not in apart]
