"""Counters that only grow: what the device says plus what it had counted before it began again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from collector.source import Clock
from gpuledger.catalogue import TABLES
from gpuledger.schema import Kind, Row, Table

BOOT_KEY = "boot"
# A narrow counter that falls from its last quarter into its first has wrapped; any other decrease
# is a reset. A wrap is read at least twice per turn: every counter here turns in weeks.
LAST_QUARTER, FIRST_QUARTER = 0.75, 0.25
# Pods, jobs and their devices come and go for ever: what was not told for so long has ended. A
# node that was off has its devices still.
FORGET_S = 86_400.0
FORGET_STORED_S = 8 * 86_400.0
SWEEP_S = 600.0

Key = tuple[str, ...]


@dataclass
class Series:
    """One device's counters: by column, the last raw value and what lies before it.

    `told_s` is when they were last told, on the monotonic clock.
    """

    last: dict[str, float] = field(default_factory=dict)
    offset: dict[str, float] = field(default_factory=dict)
    told_s: float = 0.0

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

    `boot` names this boot of the machine: after another one, every counter of `node` began again,
    even one that has since grown past its old value; not those of other nodes, and not those
    that a device keeps without power.
    """

    def __init__(
        self,
        remembered: Mapping[str, str] | None = None,
        boot: str = "",
        clock: Clock | None = None,
        node: str = "",
    ) -> None:
        self._series: dict[Key, Series] = {}
        self._changed: set[Key] = set()
        self._gone: set[str] = set()
        self._boot = boot
        self._node = node
        self._clock = clock or Clock()
        self._swept_s = self._clock.monotonic()
        self._restore(remembered or {})

    def correct(self, row: Row) -> None:
        """Make the counters of a stamped row monotonic, in place."""
        columns = counter_columns(row.table)
        if not columns:
            return
        values = row.__dict__
        key: Key = (row.table.name, *(str(values[name]) for name in row.table.layout.key))
        series = self._series.get(key) or self._series.setdefault(key, Series())
        for name in columns:
            if values[name] is not None:
                values[name] = series.correct(name, values[name], columns[name])
        self._changed.add(key)

    def changed(self) -> dict[str, str | None]:
        """What must be remembered, by key, of the counters corrected since the last call.

        None: to be forgotten, nobody has told these for a day.
        """
        now_s, wall_s = self._clock.monotonic(), round(self._clock.wall())
        out: dict[str, str | None] = {}
        for key in self._changed:
            series = self._series[key]
            series.told_s = now_s
            out[json.dumps(key)] = json.dumps([series.last, series.offset, wall_s])
        self._changed.clear()
        if now_s - self._swept_s >= SWEEP_S:
            self._sweep(now_s)
        out |= dict.fromkeys(self._gone)
        self._gone.clear()
        return {**out, BOOT_KEY: self._boot} if out else {}

    def _sweep(self, now_s: float) -> None:
        """Forget what has ended."""
        self._swept_s = now_s
        for key in [k for k, s in self._series.items() if now_s - s.told_s > FORGET_S]:
            del self._series[key]
            self._gone.add(json.dumps(key))

    def _restore(self, remembered: Mapping[str, str]) -> None:
        rebooted = remembered.get(BOOT_KEY, self._boot) != self._boot
        now_s, wall_s = self._clock.monotonic(), self._clock.wall()
        for key, text in remembered.items():
            if key == BOOT_KEY:
                continue
            last, offset, *told = json.loads(text)
            if told and wall_s - told[0] > FORGET_STORED_S:
                self._gone.add(key)
                continue
            series, name = Series(last, offset, now_s), tuple(json.loads(key))
            self._series[name] = series
            for column in self._begun_again(name, last) if rebooted else ():
                series.restart(column, last.pop(column))
            # The next life must not take it for one of this boot; older agents wrote no time.
            if rebooted or not told:
                self._changed.add(name)

    def _begun_again(self, key: Key, last: Mapping[str, float]) -> list[str]:
        """Columns that a reboot of this machine has set to 0."""
        table = TABLES.get(key[0])
        if table is None or table.layout.key[0] != "node" or key[1] != self._node:
            return []
        lasting = {c.name for c in table.columns if c.lasting}
        return [column for column in last if column not in lasting]


@cache
def counter_columns(table: Table) -> dict[str, float]:
    """Names of the table's counters, and where each wraps (0 = nowhere known)."""
    columns: tuple[Any, ...] = table.columns
    return {c.name: c.wraps_at for c in columns if c.kind is Kind.COUNTER}
