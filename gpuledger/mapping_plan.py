"""What a checked mapping is made of: readings, places, plans of rows and of their columns."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gpuledger.identity import hash64
from gpuledger.mapping_format import UNITS, Cell, Feed, Source
from gpuledger.schema import Column, Kind, Row

PCI = re.compile(r"(?:[0-9a-f]*)([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])")
BRACED = re.compile(r"\{(\w+)\}")

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Reading:
    """One sample of one series, in the exporter's unit; without a time of its own it is of now."""

    name: str
    labels: Labels
    value: float
    at_ms: int | None = None


@dataclass(frozen=True)
class Place:
    """Whose readings they are, and what a row of them covers.

    `slots` says which UUID or PCI address is in which slot, where that is known better than the
    exporter does. With `node_labels` the node is what those labels say, else `node`. In a
    `supplement` only metrics that the mapping names so become rows, and these cover no time: they
    fill gaps in the rows of another source.
    """

    cluster: str = ""
    node: str = ""
    node_labels: Sequence[str] = ()
    slots: Mapping[str, int] = field(default_factory=dict)
    interval_s: float = 0.0
    supplement: bool = False
    most_rows: int = 1_000_000


@dataclass(frozen=True)
class Doubt:
    """A value that could not be used: of what, which column, why."""

    subject: str
    reading: str
    said: str


@dataclass(frozen=True)
class Sum:
    """Counters that were added up to one value of a row: what each said, by a name of its series.

    The sum falls when one of them begins again or is missing once: who reads on corrects that.
    """

    row: Row
    column: str
    parts: Mapping[str, float]


@dataclass
class Mapped:
    """What readings became."""

    rows: list[Row] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Filter:
    """Labels that must match."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    def takes(self, labels: Labels) -> bool:
        """Whether all of them do; a label that is not there is empty."""
        return all(p.fullmatch(labels.get(name, "")) for name, p in self.patterns)


@dataclass(frozen=True, eq=False)
class RowPlan:
    """One kind of row: its table, and what names it."""

    name: str
    row: type[Row]
    sources: Mapping[str, Source]
    where: Filter
    beside: tuple[RowPlan, ...]

    @cached_property
    def columns(self) -> dict[str, Column[Any]]:
        """The table's columns by name."""
        return {c.name: c for c in self.row.table.columns}


@dataclass(frozen=True, eq=False)
class FeedPlan:
    """One metric, or a part of it, into one column; `order` is its place in the file."""

    plan: RowPlan
    column: Column[Any]
    order: int
    feed: Feed
    where: Filter
    supplements: bool

    @cached_property
    def told(self) -> str:
        """Rows of the same kind that different metrics name are different rows."""
        return str(sorted(self.feed.set.items(), key=lambda item: item[0]))

    def scaled(self, value: float) -> float:
        """The value in the column's base unit. ValueError where the column cannot hold it."""
        numerator, denominator, step, top = self._scale
        base = value * numerator
        if denominator != 1:
            base /= denominator
        if not math.isfinite(base):
            raise ValueError("not a number")
        if not 0 <= base / step < top:
            raise ValueError(f"{base:g} is out of range")
        return int(base) if self.column.kind is Kind.BITS else base

    @cached_property
    def _scale(self) -> tuple[int, int, float, float]:
        """The unit's factor, and the column's step and what it cannot hold, in steps."""
        factor = UNITS[self.feed.unit][1]
        # As floats, so that 2^64 - 1, with which many say that they do not know, is out of range.
        top = float(1 << self.column.bits) - 0.5
        return factor.numerator, factor.denominator, float(self.column.step.factor), top


def series(name: str, labels: Labels) -> str:
    """A short name of a series."""
    return f"{hash64(repr((name.removesuffix('_total'), sorted(labels.items())))):x}"


def tell(source: Source, column: Column[Any], labels: Labels, place: Place) -> str | int | None:
    """What a source says of one series; None where it says nothing that the column can hold."""
    if isinstance(source, int):
        return source
    if isinstance(source, str):
        return BRACED.sub(lambda m: labels.get(m[1], ""), source)
    for name in source.place:
        slot = place.slots.get(identifier(labels.get(name, "")))
        if slot is not None:
            return slot
    names = [source.label] if isinstance(source.label, str) else source.label
    for text in (labels[n] for n in names if labels.get(n)):
        value = _picked(source, column, text)
        if value is not None:
            return value
    return source.otherwise


def _picked(cell: Cell, column: Column[Any], text: str) -> str | int | None:
    if cell.match:
        found = re.fullmatch(cell.match, text)
        if not found:
            return None
        text = "".join(g or "" for g in found.groups()) if found.re.groups else text
    if column.kind is not Kind.NUMBER:
        return text or None
    if not text.isascii() or not text.isalnum():
        return None
    try:
        number = int(text, cell.base) + cell.add
    except ValueError:
        return None
    return number if 0 <= number < 1 << column.bits else None


def identifier(text: str) -> str:
    """A UUID or PCI address as everybody would spell it; drivers differ in case and zeros."""
    text = text.strip().lower()
    found = PCI.fullmatch(text)
    return found[1] if found else text
