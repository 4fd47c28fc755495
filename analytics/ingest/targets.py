"""Series, the targets that they come from, and scrapes of targets that are not whole yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median_low
from typing import Any, NamedTuple, TypeVar

from gpuledger.mapping import Exporter, Feeding

# Gaps between scrapes of which the period is the middle one.
GAPS = 9
NAME = "__name__"
# A scraped row covers the time since the one before, but never a long silence (contracts, Rows).
LONGEST_PERIODS = 2.5
# A scrape waits for its missing series for so many periods; so long where none is known yet.
PATIENCE, UNKNOWN_PERIOD_S = 2, 60.0
# While no period is known, a longer gap is a silence.
LONGEST_UNKNOWN_MS = LONGEST_PERIODS * UNKNOWN_PERIOD_S * 1000

T = TypeVar("T")


class Key(NamedTuple):
    """What tells targets apart."""

    cluster: str
    job: str
    instance: str


@dataclass(slots=True, eq=False)
class Series:
    """One series that becomes something; `number` is its place among those of its target.

    Its labels are without the name, and one object for all series of the target that have the same.
    `told` are its labels for facts: with the node where its card truly is. `owner` is the sender in
    whose share of series it is.
    """

    target: Target
    number: int
    name: str
    labels: Mapping[str, str]
    exporter: Exporter | None
    is_fact: bool
    told: Mapping[str, str]
    seen_s: float = 0.0
    saved: bool = False
    feeding: Feeding | None = None
    known_as: object = None
    fed_as: object = None
    owner: str = ""

    @property
    def all_labels(self) -> dict[str, str]:
        """Its labels and its name."""
        return {NAME: self.name, **self.labels}


@dataclass(slots=True)
class Scrape:
    """What came of one target for one moment and is not in a row yet.

    Masks have a bit for each number of a series: those that came, and those of them with a value.
    """

    since_s: float
    arrived: int = 0
    valued: int = 0
    readings: list[tuple[Series, float]] = field(default_factory=list)
    parcels: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Target:
    """Where series come from: a job and an instance."""

    id: int
    key: Key
    node: str = ""
    period_ms: int = 0
    saved: bool = False
    newest_ms: int = 0
    closed_ms: int = 0
    expected: int = 0
    series: dict[int, Series] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    marks: dict[int, int] = field(default_factory=dict)
    pending: dict[int, Scrape] = field(default_factory=dict)
    shared: dict[Any, Any] = field(default_factory=dict)

    def share(self, labels: Mapping[str, T]) -> Mapping[str, T]:
        """Equal labels as one object: a card's dozens of series have the same."""
        found: Mapping[str, T] = self.shared.setdefault(tuple(labels.items()), labels)
        return found

    def arrived(self, at_ms: int) -> int:
        """The series that came for the moment, in rows or not."""
        scrape = self.pending.get(at_ms)
        mask = self.marks.get(at_ms, 0)
        return mask | scrape.arrived if scrape else mask

    def number(self) -> int:
        """A number for a new series."""
        return self.free.pop() if self.free else len(self.series)

    def ready(self, now_s: float) -> list[int]:
        """Moments whose scrapes become rows now, in order.

        One that is not whole holds up those after it: intervals and counters are told in order.
        """
        out, held = [], False
        patience_s = PATIENCE * (self.period_ms / 1000 or UNKNOWN_PERIOD_S)
        for at_ms in sorted(self.pending):
            scrape = self.pending[at_ms]
            is_whole = self._is_whole(at_ms) or now_s - scrape.since_s >= patience_s
            if at_ms <= self.closed_ms:
                if is_whole:
                    out.append(at_ms)
            elif is_whole and not held:
                out.append(at_ms)
            else:
                held = True
        return out

    def _is_whole(self, at_ms: int) -> bool:
        """Whether all came that came last time, or, of a target's first, that came next time."""
        arrived = self.arrived(at_ms)
        if self.expected:
            return not self.expected & ~arrived
        return any(at > at_ms and not arrived & ~s.arrived for at, s in self.pending.items())

    def take(self, at_ms: int) -> Scrape:
        """The scrape of the moment, which is in rows from now on. The period learns of it."""
        scrape = self.pending.pop(at_ms)
        mask = self.marks.get(at_ms, 0) | scrape.valued
        # Most scrapes are as the one before: they share one number.
        self.marks[at_ms] = self.expected if mask == self.expected else mask
        if at_ms > self.closed_ms:
            self.expected = self.marks[at_ms]
            self.closed_ms = at_ms
        elif at_ms == self.closed_ms:
            self.expected |= scrape.valued
        return scrape

    def restore_mark(self, at_ms: int, mask: int) -> None:
        """Know of rows that an earlier life made."""
        self.marks[at_ms] = mask
        self.newest_ms = max(self.newest_ms, at_ms)
        if at_ms >= self.closed_ms:
            self.closed_ms, self.expected = at_ms, mask

    def learn_period(self) -> bool:
        """Learn from the moments that are known; whether the period is another now."""
        moments = sorted({*self.marks, *self.pending})[-GAPS - 1 :]
        gaps = [later - sooner for sooner, later in pairwise(moments)]
        if not gaps or (len(gaps) == 1 and gaps[0] > LONGEST_UNKNOWN_MS):
            return False
        period_ms, before = median_low(gaps), self.period_ms
        self.period_ms = period_ms
        return period_ms != before

    def covers_ms(self, since_ms: int | None, at_ms: int) -> int:
        """What a row covers whose predecessor was at `since_ms`."""
        if since_ms is None:
            return self.period_ms
        gap = at_ms - since_ms
        if gap <= 0:
            return 0
        if not self.period_ms:
            return gap if gap <= LONGEST_UNKNOWN_MS else 0
        return gap if gap <= LONGEST_PERIODS * self.period_ms else self.period_ms
