"""Stamps: what every row needs and no source should care about."""

from __future__ import annotations

from functools import cache
from typing import Any

from collector.pace import Tick
from collector.source import Context, Trust
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.work import version
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER, UNSET_TIME, Kind, Row, Table
from gpuledger.units import SECOND


class Stamp:
    """Fills in what a source leaves open: time, interval, place and identity."""

    def __init__(self, context: Context, epoch: int) -> None:
        self._place = {"cluster": context.cluster, "node": context.node}
        self._epoch = epoch

    def apply(self, row: Row, tick: Tick) -> None:
        """Stamp one row in place; what the source has set stays."""
        values, at = row.__dict__, from_milliseconds(tick.wall_ms)
        for name, here in self._place.items():
            if values.get(name) == "":
                values[name] = here
        if values.get("gpu_id") == 0:
            values["gpu_id"] = gpu_id(values["cluster"], values["node"], values["slot"])
        if values.get("ts") == UNSET_TIME:
            values["ts"] = at
        if "interval_seconds" in values:
            self._cover(row.table, values, tick.elapsed_s)
        if values.get("seen_at") == FOREVER:
            values["seen_at"] = at
        if values.get("version") == 0:
            values["version"] = version(Trust.NVML, tick.wall_ms)

    def _cover(self, table: Table, values: dict[str, Any], elapsed_s: float) -> None:
        """Interval and epoch; a part of the interval is never longer than the interval."""
        seconds = values["interval_seconds"] = values["interval_seconds"] or elapsed_s
        values["epoch"] = values["epoch"] or self._epoch
        for name in _parts(table):
            if values[name] is not None:
                values[name] = min(values[name], seconds)


@cache
def _parts(table: Table) -> tuple[str, ...]:
    """Columns that are a part of the row's interval."""
    columns: tuple[Any, ...] = table.columns
    return tuple(c.name for c in columns if c.kind is Kind.ADDITIVE and c.unit is SECOND)
