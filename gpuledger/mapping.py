"""Foreign metrics to our rows, as a mapping file says; knows nothing of how metrics travel.

Series of one moment that name the same thing become one wide row. `gpuledger.mapping_load` makes
an `Exporter` of a file, and checks it against the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from gpuledger.batch import from_milliseconds
from gpuledger.errors import ReadError
from gpuledger.mapping_format import MappingFile, Source
from gpuledger.mapping_plan import (
    Doubt,
    FeedPlan,
    Filter,
    Labels,
    Mapped,
    Place,
    Reading,
    RowPlan,
    Sum,
    identifier,
    series,
    tell,
)
from gpuledger.schema import REQUIRED, Kind, Row

__all__ = [
    "Doubt",
    "Exporter",
    "Fed",
    "FeedPlan",
    "Feeding",
    "Filter",
    "Labels",
    "Mapped",
    "Place",
    "Reading",
    "RowPlan",
    "Rows",
    "Sum",
    "active_seconds",
    "identifier",
]

# A row that covers nothing still weighs something where several fold into one: less than half of
# the millisecond that is stored.
NO_COVER_S = 1e-6
ACTIVE_RATIO = 0.01  # the one threshold that cannot be configured (as for NVML's rows)
# What every exporter tells of its own process, by the clients' conventions.
OWN = ("go_*", "process_*", "python_*", "promhttp_*", "scrape_*", "up", "*_created")
OWN_WHY = "about the exporter itself"


@dataclass(frozen=True, slots=True)
class Fed:
    """One cell that a series fills: of which row, and by what labels name it."""

    feed: FeedPlan
    key: tuple[Any, ...]
    names: Mapping[str, str | int]
    part: str
    beside: tuple[tuple[RowPlan, tuple[Any, ...], Mapping[str, str | int]], ...]


@dataclass(frozen=True, slots=True)
class Feeding:
    """Everything that a series fills, worked out of its labels once, and what it should but cannot.

    A series fills the same cells as long as its place stays the same.
    """

    name: str
    cells: tuple[Fed, ...]
    doubts: tuple[Doubt, ...] = ()


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

    def learn(self, names: Mapping[str, str | int]) -> None:
        """Keep what no earlier series told."""
        if names == self.names:
            return
        for name, told in names.items():
            if self.names.get(name) in {None, ""}:
                self.names[name] = told


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

    @cached_property
    def sums(self) -> Mapping[tuple[Any, ...], Mapping[FeedPlan, str]]:
        """The metrics that meet in each cell, by `Rows`' key of it."""
        out: dict[tuple[Any, ...], dict[FeedPlan, str]] = {}
        for name, feeds in self.feeds.items():
            for feed in feeds:
                out.setdefault((feed.plan, feed.column, feed.told), {})[feed] = name
        return out

    def feeding(self, name: str, labels: Labels, place: Place) -> Feeding | None:
        """What a series fills; None where the mapping does not know the metric."""
        feeds = self.feeds_of(name)
        if feeds is None:
            return None
        cells, doubts = [], []
        for feed in feeds:
            if not feed.where.takes(labels) or not feed.plan.where.takes(labels):
                continue
            if place.supplement and not feed.supplements:
                continue
            names = _names(feed.plan, feed.feed.set, labels, place)
            if names is None:
                said = f"labels name no {feed.plan.name}: {dict(labels)}"[:300]
                doubts.append(Doubt("", name, said))
                continue
            cells.append(self._fed(feed, names, name, labels, place))
        return Feeding(name, tuple(cells), tuple(doubts))

    def _fed(
        self,
        feed: FeedPlan,
        names: Mapping[str, str | int],
        name: str,
        labels: Labels,
        place: Place,
    ) -> Fed:
        part = ""
        if feed.feed.fold == "sum" and feed.column.kind is Kind.COUNTER:
            passing = set(self.file.passing)
            part = series(name, {n: v for n, v in labels.items() if n not in passing})
        beside = []
        for plan in () if place.supplement else feed.plan.beside:
            told = _names(plan, {}, labels, place)
            if told is not None:
                beside.append((plan, _key(plan, told), told))
        return Fed(feed, _key(feed.plan, names), names, part, tuple(beside))

    def rows(self, readings: Iterable[Reading], place: Place) -> Mapped:
        """Rows in base units of readings of one or several moments. ReadError: too many rows."""
        made = Rows(self, place)
        for reading in readings:
            feeding = self.feeding(reading.name, reading.labels, place)
            if feeding is None:
                made.pass_over(reading.name)
            else:
                made.put(feeding, reading.value, reading.at_ms)
        return made.done()


class Rows:
    """Puts readings together to rows. ReadError where there are more than the place allows."""

    def __init__(self, exporter: Exporter, place: Place) -> None:
        self._exporter = exporter
        self._place = place
        self._drafts: dict[tuple[Any, ...], Draft] = {}
        self._doubts: dict[tuple[str, str], Doubt] = {}
        self._unknown: set[str] = set()
        self._sums: list[Sum] = []

    def pass_over(self, name: str) -> None:
        """Note a metric that the mapping does not feed to anything."""
        if name not in self._unknown and not self._exporter.why_ignored(name):
            self._unknown.add(name)

    def put(self, feeding: Feeding, value: float, at_ms: int | None) -> None:
        """Put one reading into the drafts of its rows."""
        for doubt in feeding.doubts:
            self._doubt(doubt.subject, doubt.reading, doubt.said)
        for cell in feeding.cells:
            self._fill(cell, feeding.name, value, at_ms)

    def done(self) -> Mapped:
        """Every row that has a value or says something by itself."""
        rows = [self._row(draft) for draft in self._drafts.values() if draft.wanted]
        made = [row for row in rows if row is not None]
        return Mapped(made, self._sums, list(self._doubts.values()), self._unknown)

    def _fill(self, cell: Fed, name: str, value: float, at_ms: int | None) -> None:
        feed = cell.feed
        draft = self._draft(feed.plan, cell.key, cell.names, at_ms)
        column = feed.column.name
        try:
            scaled = feed.scaled(value)
        except (ValueError, OverflowError) as e:
            self._doubt(draft.subject, column, f"{name}: {e}")
            return
        draft.values.setdefault(column, {}).setdefault(feed, []).append(scaled)
        if cell.part:
            parts = draft.parts.setdefault(column, {})
            parts[cell.part] = parts.get(cell.part, 0) + scaled
        draft.wanted = True
        for plan, key, names in cell.beside:
            self._draft(plan, key, names, at_ms).wanted = True

    def _draft(
        self,
        plan: RowPlan,
        key: tuple[Any, ...],
        names: Mapping[str, str | int],
        at_ms: int | None,
    ) -> Draft:
        """The row that the labels name."""
        if "ts" not in plan.columns:
            at_ms = None
        draft = self._drafts.get((at_ms, key))
        if draft is None:
            draft = self._drafts[at_ms, key] = Draft(plan, dict(names), at_ms)
            if len(self._drafts) > self._place.most_rows:
                raise ReadError(f"more than {self._place.most_rows} rows")
        else:
            draft.learn(names)
        return draft

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
        told = cells[first] if len(cells) == 1 else [v for feed in cells for v in cells[feed]]
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
        parts = self._exporter.sums[first.plan, first.column, first.told]
        lacking = [name for feed, name in parts.items() if feed not in cells]
        if lacking:
            self._doubt(draft.subject, first.column.name, f"the sum lacks {', '.join(lacking)}")
            return None
        return math.fsum(v for told in cells.values() for v in told)

    def _doubt(self, subject: str, reading: str, said: str) -> None:
        self._doubts.setdefault((subject, reading), Doubt(subject, reading, said[:300]))


def _names(
    plan: RowPlan, told: Mapping[str, Source], labels: Labels, place: Place
) -> dict[str, str | int] | None:
    """What names and describes the row; None where the labels name none.

    Cluster and node that are empty, the agent stamps.
    """
    names: dict[str, str | int] = {}
    for name, source in {**plan.sources, **told}.items():
        value = tell(source, plan.columns[name], labels, place)
        if value is not None:
            names[name] = value
        elif plan.columns[name].default is REQUIRED:
            return None
    node = next((labels[n] for n in place.node_labels if labels.get(n)), "")
    here = {"cluster": place.cluster, "node": node or place.node}
    return names | {n: v for n, v in here.items() if v and n in plan.columns}


def _key(plan: RowPlan, names: Mapping[str, str | int]) -> tuple[Any, ...]:
    """What tells the row from others of one moment."""
    return (plan.name, *map(names.get, (*plan.row.table.layout.key, "cluster", "slot")))


def active_seconds(values: Mapping[str, Any], interval_s: float) -> float | None:
    """The whole interval if SM, else utilization, is at least 1 %; as for NVML's rows."""
    busy = values.get("sm_active_ratio")
    busy = values.get("utilization_ratio") if busy is None else busy
    if busy is None or not interval_s:
        return None
    return interval_s if busy >= ACTIVE_RATIO else 0.0
