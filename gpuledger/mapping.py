"""Foreign metrics to our rows, as a mapping file says; knows nothing of how metrics travel.

Series of one moment that name the same thing become one wide row. `gpuledger.mapping_load` makes
an `Exporter` of a file, and checks it against the catalogue.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from gpuledger.batch import from_milliseconds
from gpuledger.errors import ReadError
from gpuledger.identity import hash64
from gpuledger.mapping_format import UNITS, Cell, Feed, MappingFile, Source
from gpuledger.schema import REQUIRED, Column, Kind, Row

# A row that covers nothing still weighs something where several fold into one: less than half of
# the millisecond that is stored.
NO_COVER_S = 1e-6
ACTIVE_RATIO = 0.01  # the one threshold that cannot be configured (as for NVML's rows)
# What every exporter tells of its own process, by the clients' conventions.
OWN = ("go_*", "process_*", "python_*", "promhttp_*", "scrape_*", "up", "*_created")
OWN_WHY = "about the exporter itself"
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

    @property
    def told(self) -> str:
        """Rows of the same kind that different metrics name are different rows."""
        return str(sorted(self.feed.set.items(), key=lambda item: item[0]))

    def scaled(self, value: float) -> float:
        """The value in the column's base unit. ValueError where the column cannot hold it."""
        factor = UNITS[self.feed.unit][1]
        base = value * factor.numerator
        if factor.denominator != 1:
            base /= factor.denominator
        if not math.isfinite(base):
            raise ValueError("not a number")
        # As floats, so that 2^64 - 1, with which many say that they do not know, is out of range.
        if not 0 <= float(base / self.column.step.factor) < float(1 << self.column.bits) - 0.5:
            raise ValueError(f"{base:g} is out of range")
        return int(base) if self.column.kind is Kind.BITS else base


@dataclass
class Draft:
    """A row that is being put together."""

    plan: RowPlan
    names: dict[str, str | int]
    at_ms: int | None
    values: dict[str, dict[FeedPlan, list[float]]] = field(default_factory=dict)
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    wanted: bool = False

    @property
    def subject(self) -> str:
        """The row's name for people."""
        key = (*self.plan.row.table.layout.key, "slot")
        return " ".join(f"{n}={self.names[n]}" for n in dict.fromkeys(key) if n in self.names)


@dataclass(frozen=True, eq=False)
class Exporter:
    """A checked mapping."""

    name: str
    file: MappingFile
    feeds: Mapping[str, tuple[FeedPlan, ...]]

    def feeds_of(self, name: str) -> tuple[FeedPlan, ...] | None:
        """What the metric feeds; `_total` comes and goes with clients and protocols."""
        for spelled in self._spelled(name):
            if spelled in self.feeds:
                return self.feeds[spelled]
        return None

    def why_ignored(self, name: str) -> str:
        """The reason for which the metric becomes nothing; empty: nobody thought of it."""
        spelled = self._spelled(name)
        for group in self.file.ignored:
            if any(fnmatchcase(s, pattern) for pattern in group.names for s in spelled):
                return group.why
        return OWN_WHY if any(fnmatchcase(name, pattern) for pattern in OWN) else ""

    def _spelled(self, name: str) -> list[str]:
        """How the file may spell it; exporters may be told to put a prefix before every name."""
        names = dict.fromkeys((name, name.removeprefix(self.file.prefix)))
        return [s for n in names for s in (n, n.removesuffix("_total"), f"{n}_total")]

    def rows(self, readings: Iterable[Reading], place: Place) -> Mapped:
        """Rows in base units of readings of one or several moments. ReadError: too many rows."""
        desk = _Desk(self, place)
        for reading in readings:
            desk.take(reading)
        return desk.done()


class _Desk:
    """Puts readings together to rows."""

    def __init__(self, exporter: Exporter, place: Place) -> None:
        self._exporter = exporter
        self._place = place
        self._drafts: dict[tuple[Any, ...], Draft] = {}
        self._doubts: dict[tuple[str, str], Doubt] = {}
        self._unknown: set[str] = set()
        self._sums: list[Sum] = []

    def take(self, reading: Reading) -> None:
        """Put one reading into the drafts of its rows."""
        feeds = self._exporter.feeds_of(reading.name)
        if feeds is None:
            if reading.name not in self._unknown and not self._exporter.why_ignored(reading.name):
                self._unknown.add(reading.name)
            return
        for feed in feeds:
            if feed.where.takes(reading.labels) and feed.plan.where.takes(reading.labels):
                self._feed(feed, reading)

    def done(self) -> Mapped:
        """Every row that has a value or says something by itself."""
        rows = [self._row(draft) for draft in self._drafts.values() if draft.wanted]
        made = [row for row in rows if row is not None]
        return Mapped(made, self._sums, list(self._doubts.values()), self._unknown)

    def _feed(self, feed: FeedPlan, reading: Reading) -> None:
        supplement = self._place.supplement
        if supplement and not feed.supplements:
            return
        draft = self._draft(feed.plan, feed.feed.set, reading)
        if draft is None:
            self._doubt("", reading.name, f"labels name no {feed.plan.name}: {reading.labels}")
            return
        try:
            value = feed.scaled(reading.value)
        except (ValueError, OverflowError) as e:
            self._doubt(draft.subject, feed.column.name, f"{reading.name}: {e}")
            return
        draft.values.setdefault(feed.column.name, {}).setdefault(feed, []).append(value)
        if feed.feed.fold == "sum" and feed.column.kind is Kind.COUNTER:
            parts = draft.parts.setdefault(feed.column.name, {})
            name = series(reading)
            parts[name] = parts.get(name, 0) + value
        draft.wanted = True
        for plan in () if supplement else feed.plan.beside:
            if beside := self._draft(plan, {}, reading):
                beside.wanted = True

    def _draft(self, plan: RowPlan, told: Mapping[str, Source], reading: Reading) -> Draft | None:
        """The row that the labels name; None where they name none."""
        names: dict[str, str | int] = {}
        for name, source in {**plan.sources, **told}.items():
            value = tell(source, plan.columns[name], reading.labels, self._place)
            if value is not None:
                names[name] = value
            elif plan.columns[name].default is REQUIRED:
                return None
        names |= self._here(plan, reading.labels)
        at_ms = reading.at_ms if "ts" in plan.columns else None
        identity = (*plan.row.table.layout.key, "cluster", "slot")
        key = (plan.name, at_ms, *(names.get(n) for n in identity))
        draft = self._drafts.setdefault(key, Draft(plan, names, at_ms))
        if len(self._drafts) > self._place.most_rows:
            raise ReadError(f"more than {self._place.most_rows} rows")
        for name, told_now in names.items():
            if draft.names.get(name) in {None, ""}:
                draft.names[name] = told_now
        return draft

    def _here(self, plan: RowPlan, labels: Labels) -> dict[str, str | int]:
        """Cluster and node of the row; what is empty, the agent stamps."""
        node = next((labels[n] for n in self._place.node_labels if labels.get(n)), "")
        here = {"cluster": self._place.cluster, "node": node or self._place.node}
        return {n: v for n, v in here.items() if v and n in plan.columns}

    def _row(self, draft: Draft) -> Row | None:
        plan, place = draft.plan, self._place
        values: dict[str, Any] = {n: self._fold(draft, n) for n in draft.values}
        if draft.values and all(v is None for v in values.values()):
            return None
        values = {**draft.names, **values}
        if draft.at_ms is not None:
            values["ts"] = from_milliseconds(draft.at_ms)
        if "interval_seconds" in plan.columns:
            values["interval_seconds"] = NO_COVER_S if place.supplement else place.interval_s
        if "source" in plan.columns and "source" not in values:
            values["source"] = "" if place.supplement else self._exporter.name
        if "active_seconds" in plan.columns and not place.supplement:
            values["active_seconds"] = active_seconds(values, place.interval_s)
        row = plan.row.known(**values)
        told = {n: parts for n, parts in draft.parts.items() if values[n] is not None}
        self._sums.extend(Sum(row, name, parts) for name, parts in told.items())
        return row

    def _fold(self, draft: Draft, column: str) -> float | None:
        """One value of those that came; None, with a doubt, where they do not make one."""
        cells = draft.values[column]
        first = min(cells, key=lambda feed: feed.order)
        told = [v for feed in cells for v in cells[feed]]
        match first.feed.fold:
            case "sum":
                return self._sum(draft, first, cells)
            case "max":
                return max(told)
            case "min":
                return min(told)
            case "mean":
                return sum(told) / len(told)
            case "first":
                told = cells[first]
        if any(v != told[0] for v in told):
            self._doubt(draft.subject, column, f"{len(told)} series disagree")
            return None
        return told[0]

    def _sum(
        self, draft: Draft, first: FeedPlan, cells: Mapping[FeedPlan, list[float]]
    ) -> float | None:
        """A sum with a missing part is missing."""
        parts = {
            feed: name
            for name, feeds in self._exporter.feeds.items()
            for feed in feeds
            if feed.plan is first.plan and feed.column is first.column and feed.told == first.told
        }
        lacking = [name for feed, name in parts.items() if feed not in cells]
        if lacking:
            self._doubt(draft.subject, first.column.name, f"the sum lacks {', '.join(lacking)}")
            return None
        return math.fsum(v for told in cells.values() for v in told)

    def _doubt(self, subject: str, reading: str, said: str) -> None:
        self._doubts.setdefault((subject, reading), Doubt(subject, reading, said[:300]))


def series(reading: Reading) -> str:
    """A short name of the reading's series."""
    name = reading.name.removesuffix("_total")
    return f"{hash64(repr((name, sorted(reading.labels.items())))):x}"


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


def active_seconds(values: Mapping[str, Any], interval_s: float) -> float | None:
    """The whole interval if SM, else utilization, is at least 1 %; as for NVML's rows."""
    busy = values.get("sm_active_ratio")
    busy = values.get("utilization_ratio") if busy is None else busy
    if busy is None or not interval_s:
        return None
    return interval_s if busy >= ACTIVE_RATIO else 0.0
