"""Windows: the rows of one key within ten seconds of wall time become one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from collector.bursts import Bursts
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.gpu import GpuEvent
from gpuledger.schema import Column, Kind, Row, Samples, Table

STANDARD_MS = 10_000  # divides the minute, so no window crosses a minute of the wall clock
INTERVAL = "interval_seconds"
STAMP = "ts"


class Profile(StrEnum):
    """How much of what was sampled is kept."""

    STANDARD = "standard"
    FINE = "fine"
    EDGE = "edge"


@dataclass(frozen=True)
class Folded:
    """A row that travels: visible column name to value in base units."""

    table: Table
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """How the columns of one table fold."""

    table: Table

    @cached_property
    def gauges(self) -> tuple[str, ...]:
        """Means, weighted by interval over the rows that have a value."""
        return self._names(Kind.GAUGE)

    @cached_property
    def peaks(self) -> tuple[str, ...]:
        """Gauges that keep their max too."""
        return tuple(c.name for c in self.table.columns if "max" in c.keep)

    @cached_property
    def sums(self) -> tuple[str, ...]:
        """Quantities of the row's own interval."""
        return self._names(Kind.ADDITIVE)

    @cached_property
    def masks(self) -> tuple[str, ...]:
        """Flags."""
        return self._names(Kind.BITS)

    @cached_property
    def lasts(self) -> tuple[str, ...]:
        """Counters, labels and numbers: the last one that says something."""
        kinds = (Kind.COUNTER, Kind.LABEL, Kind.TEXT, Kind.NUMBER, Kind.IDENT, Kind.TIME)
        return tuple(n for n in self._names(*kinds) if n not in {INTERVAL, STAMP})

    @cached_property
    def key(self) -> tuple[str, ...]:
        """What tells rows of one thing from those of another."""
        return ("cluster", *self.table.layout.key)

    def _names(self, *kinds: Kind) -> tuple[str, ...]:
        columns: tuple[Column[Any], ...] = self.table.columns
        return tuple(c.name for c in columns if c.kind in kinds)


@dataclass
class Fold:
    """What is known of one key so far."""

    plan: Plan
    stamp: Any = None
    seconds: float = 0.0
    last: dict[str, Any] = field(default_factory=dict)
    weighted: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    masks: dict[str, int] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one row, by column name; a missing value changes nothing."""
        plan, seconds = self.plan, row[INTERVAL]
        for name in plan.gauges:
            value = row[name]
            if value is not None:
                self.last[name] = value
                self.weighted[name] = self.weighted.get(name, 0.0) + value * seconds
                self.weights[name] = self.weights.get(name, 0.0) + seconds
        _raise(self.peaks, row, plan.peaks)
        _sum(self.sums, row, plan.sums)
        self._join(row)
        self._extend(row[STAMP], seconds)

    def values(self) -> dict[str, Any]:
        """The one row, by visible name; None where no row had a value."""
        out: dict[str, Any] = {STAMP: self.stamp, INTERVAL: self.seconds}
        for name in self.plan.gauges:
            weight = self.weights.get(name)
            # Rows without an interval (a first reading) have no weight: the last one speaks.
            out[name] = self.weighted[name] / weight if weight else self.last.get(name)
        for name in self.plan.peaks:
            out[f"{name}_max"] = self.peaks.get(name)
        for name in self.plan.sums:
            out[name] = self.sums.get(name)
        for name in self.plan.masks:
            out[name] = self.masks.get(name)
        for name in self.plan.lasts:
            out[name] = self.last.get(name)
        return out

    def _join(self, row: Mapping[str, Any]) -> None:
        for name in self.plan.lasts:
            value = row[name]
            if value not in {None, ""} or name not in self.last:
                self.last[name] = value
        for name in self.plan.masks:
            if row[name] is not None:
                self.masks[name] = self.masks.get(name, 0) | row[name]

    def _extend(self, stamp: Any, seconds: float) -> None:
        self.stamp = stamp if self.stamp is None else max(self.stamp, stamp)
        self.seconds += seconds


class Windows:
    """Open windows of every key; rows in, folded rows out. For one thread at a time."""

    def __init__(self, profile: Profile = Profile.STANDARD) -> None:
        self._size_ms = _size_ms(profile)
        self._plans: dict[str, Plan] = {}
        self._open: dict[tuple[Any, ...], Fold] = {}
        self._closed: list[Folded] = []
        self._bursts = Bursts()

    def change(self, profile: Profile) -> None:
        """Fold so from now on; windows that would have another size are finished as they are."""
        if _size_ms(profile) != self._size_ms:
            self._closed = self.take()
            self._size_ms = _size_ms(profile)

    def add(self, rows: Iterable[Row]) -> None:
        """Take in stamped rows; facts pass as they are."""
        for row in rows:
            if self._size_ms and isinstance(row.table.layout, Samples):
                self._fold(row)
            elif row.table is GpuEvent.table:
                self._bursts.add(row)
            else:
                self._closed.append(Folded(row.table, row.values()))

    def take(self, now_ms: int | None = None) -> list[Folded]:
        """What is finished at wall time `now_ms` (None: everything), each row once.

        A window that ends later than one window from now was opened before the wall clock
        jumped back; it is finished too.
        """
        for key in [k for k in self._open if self._is_over(k[0], now_ms)]:
            fold = self._open.pop(key)
            self._closed.append(Folded(fold.plan.table, fold.values()))
        self._closed += [Folded(table, values) for table, values in self._bursts.take(now_ms)]
        out, self._closed = self._closed, []
        return out

    def _fold(self, row: Row) -> None:
        values, name = row.__dict__, row.table.name
        plan = self._plans.get(name) or self._plans.setdefault(name, Plan(row.table))
        # A row covers (ts - interval, ts]: the one that ends on the boundary closes its window.
        end_ms = -(-to_milliseconds(values[STAMP]) // self._size_ms) * self._size_ms
        key = (end_ms, name, *map(values.__getitem__, plan.key))
        fold = self._open.get(key) or self._open.setdefault(key, Fold(plan))
        fold.add(values)

    def _is_over(self, end_ms: int, now_ms: int | None) -> bool:
        return now_ms is None or not now_ms < end_ms <= now_ms + self._size_ms


def _size_ms(profile: Profile) -> int:
    """Length of a window; 0 where rows stay as they were read."""
    return STANDARD_MS if profile is Profile.STANDARD else 0


def _raise(into: dict[str, float], values: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        value = values[name]
        if value is not None and (name not in into or value > into[name]):
            into[name] = value


def _sum(into: dict[str, float], values: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        value = values[name]
        if value is not None:
            into[name] = into.get(name, 0) + value
