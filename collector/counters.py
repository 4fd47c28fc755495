"""Counters that only grow: what the device says plus what it had counted before it began again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gpuledger.schema import Kind, Row, Table

BOOT_KEY = "boot"
# A narrow counter that falls from its last quarter into its first has wrapped; any other decrease
# is a reset. A wrap is read at least twice per turn: every counter here turns in weeks.
LAST_QUARTER, FIRST_QUARTER = 0.75, 0.25


@dataclass
class Series:
    """One device's counters: by column, the last raw value and what lies before it."""

    last: dict[str, float] = field(default_factory=dict)
    offset: dict[str, float] = field(default_factory=dict)

    def correct(self, column: str, raw: float, wraps_at: float = 0.0) -> float:
        """The raw value made monotonic: a decrease means that the device began again at 0."""
        last = self.last.get(column, raw)
        if raw < last:
            wrapped = LAST_QUARTER * wraps_at < last < wraps_at and raw < FIRST_QUARTER * wraps_at
            self.restart(column, wraps_at if wrapped else last)
        self.last[column] = raw
        return raw + self.offset.get(column, 0)

    def restart(self, column: str, counted: float) -> None:
        """What was counted so far becomes the base of what comes."""
        self.offset[column] = self.offset.get(column, 0) + counted


class Counters:
    """Every counter of this node. `remembered` is what `changed` returned in earlier lives.

    `boot` names this boot of the machine: after another one, every counter began again, even
    one that has since grown past its old value.
    """

    def __init__(self, remembered: Mapping[str, str] | None = None, boot: str = "") -> None:
        self._series: dict[tuple[str, ...], Series] = {}
        self._changed: set[tuple[str, ...]] = set()
        self._boot = boot
        self._restore(remembered or {})

    def correct(self, row: Row) -> None:
        """Make the counters of a stamped row monotonic, in place."""
        columns = counter_columns(row.table)
        if not columns:
            return
        values = row.__dict__
        key = (row.table.name, *(str(values[name]) for name in row.table.layout.key))
        series = self._series.get(key) or self._series.setdefault(key, Series())
        for name in columns:
            if values[name] is not None:
                values[name] = series.correct(name, values[name], columns[name])
        self._changed.add(key)

    def changed(self) -> dict[str, str]:
        """What must be remembered, by key, of the counters corrected since the last call."""
        out = {
            json.dumps(key): json.dumps([self._series[key].last, self._series[key].offset])
            for key in self._changed
        }
        self._changed.clear()
        return {**out, BOOT_KEY: self._boot} if out else {}

    def _restore(self, remembered: Mapping[str, str]) -> None:
        rebooted = remembered.get(BOOT_KEY, self._boot) != self._boot
        for key, text in remembered.items():
            if key == BOOT_KEY:
                continue
            last, offset = json.loads(text)
            series = Series(last, offset)
            self._series[tuple(json.loads(key))] = series
            for column in list(last) if rebooted else ():
                series.restart(column, last.pop(column))


@cache
def counter_columns(table: Table) -> dict[str, float]:
    """Names of the table's counters, and where each wraps (0 = nowhere known)."""
    columns: tuple[Any, ...] = table.columns
    return {c.name: c.wraps_at for c in columns if c.kind is Kind.COUNTER}
