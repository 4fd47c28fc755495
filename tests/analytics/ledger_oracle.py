"""A slow and obvious book: the definitions of docs/ledger.md in plain Python, second by second.

It shares with the real book only the rows that it reads and the default thresholds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import fmean

from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import Allocation, Asset, GpuSample
from gpuledger.schema import FOREVER
from gpuledger.states import LedgerSettings
from tests.analytics.ledger_world import START, History

MINUTE = 60_000
NOBODY = 0
Key = tuple[int, datetime, int, str]


def book(
    history: History, since: datetime = START, settings: LedgerSettings | None = None
) -> dict[Key, float]:
    """Milliseconds by (GPU, minute, allocation, state); allocation 0 = none."""
    cells: dict[Key, Fraction] = defaultdict(Fraction)
    for asset in history.assets:
        place = Place(asset, history, settings or LedgerSettings())
        for begin, end in place.segments(to_milliseconds(since), to_milliseconds(history.until)):
            for lane, share in place.lanes(begin):
                key = (asset.gpu_id, _minute_time(begin), lane, place.state(begin, lane))
                cells[key] += (end - begin) * share
    return {key: float(ms) for key, ms in cells.items()}


# Sources of allocations that every node tells for itself, and the reader that tells them.
TELLERS = {
    "process": "nvml",
    "kubernetes": "pod_resources",
    "dcgm-exporter": "dcgm-exporter",
}


class Told:
    """What the samples of one GPU say about one minute."""

    def __init__(self, rows: Iterable[GpuSample] = ()) -> None:
        self.rows = list(rows)
        self.told_ms = round(sum(r.interval_seconds for r in self.rows) * 1000)
        self.cover_ms = min(MINUTE, self.told_ms)
        self.active_ms = self._once(self._sum_ms([r.active_seconds for r in self.rows]))
        self.lost_ms = self._once(self._sum_ms([r.lost_seconds for r in self.rows]))
        counts = [r.processes for r in self.rows if r.processes is not None]
        self.processes = max(counts) if counts else None
        self.sm = self._mean([(r.sm_active_ratio, r.interval_seconds) for r in self.rows])
        self.util = self._mean([(r.utilization_ratio, r.interval_seconds) for r in self.rows])
        power = self._mean([(r.power_watts, r.interval_seconds) for r in self.rows])
        limit = self._mean([(r.power_limit_watts, r.interval_seconds) for r in self.rows])
        self.power_share = None if power is None or limit is None else power / limit

    @staticmethod
    def _sum_ms(values: list[float | None]) -> int | None:
        known = [v for v in values if v is not None]
        return round(sum(known) * 1000) if known else None

    def _once(self, ms: int | None) -> float | None:
        """Its part of the minute, however often the minute was told."""
        return ms and ms / max(1, self.told_ms / MINUTE)

    @staticmethod
    def _mean(readings: list[tuple[float | None, float]]) -> float | None:
        """Mean weighted by the time that each reading covers."""
        known = [(v, s) for v, s in readings if v is not None]
        return sum(v * s for v, s in known) / sum(s for _, s in known) if known else None

    @property
    def has_process(self) -> bool:
        return bool(self.processes)

    @property
    def active(self) -> bool:
        return bool(self.active_ms)

    @property
    def evidence(self) -> bool:
        return self.active_ms is not None

    @property
    def lost(self) -> bool:
        """Lost for at least half of the covered time."""
        return bool(self.lost_ms) and (self.lost_ms or 0) * 2 >= self.cover_ms


NOTHING = Told()


class Place:
    """One owned GPU: who held it, what it told, and so which state holds at each instant."""

    def __init__(self, asset: Asset, history: History, settings: LedgerSettings) -> None:
        self.settings = settings
        self.owned = _span(asset.valid_from, asset.valid_to)
        self.given = {
            a.alloc_id: (to_milliseconds(a.valid_from), end, a.share_milli)
            for a in history.allocations
            if a.gpu_id == asset.gpu_id
            and (end := _end(a, history, settings)) > to_milliseconds(a.valid_from)
        }
        self.statements = sorted(
            (*_span(s.valid_from, s.valid_to), s.state)
            for s in history.node_states
            if s.node == asset.node
        )
        self.wishes = [
            _span(w.valid_from, w.valid_to) for w in history.free_states if w.gpu_id == asset.gpu_id
        ]
        self.told = _told([s for s in history.samples if s.gpu_id == asset.gpu_id])
        self._walk(history.until)

    def _walk(self, until: datetime) -> None:
        """The minutes of every lane, and in which of them each sustained condition holds."""
        self.minutes: dict[int, set[int]] = defaultdict(set)
        self.unheld: set[int] = set()
        hour = timedelta(hours=1)
        for begin, _ in self.segments(*_span(START - hour, until + hour)):
            for lane, _ in self.lanes(begin):
                self.minutes[lane].add(_minute(begin))
            if not self.holders(begin):
                self.unheld.add(_minute(begin))
        self.idle = {lane: self._idle(minutes) for lane, minutes in self.minutes.items()}
        self.low = {lane: self._low(lane, minutes) for lane, minutes in self.minutes.items()}
        self.occupied = self._occupied()

    def segments(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """Owned stretches in which nothing changes and no minute ends."""
        first, last = max(since, self.owned[0]), min(until, self.owned[1])
        cuts = {first, last, *range(-(-first // MINUTE) * MINUTE, last, MINUTE)}
        for begin, end, *_ in (*self.given.values(), *self.statements, *self.wishes):
            cuts |= {begin, end}
        bounds = sorted(c for c in cuts if first <= c <= last)
        yield from pairwise(bounds)

    def holders(self, at: int) -> list[int]:
        """Allocations in force."""
        return [lane for lane, (begin, end, _) in self.given.items() if begin <= at < end]

    def lanes(self, at: int) -> list[tuple[int, Fraction]]:
        """Allocations in force and their parts of the GPU; what nobody holds comes last."""
        holders = self.holders(at)
        held = sum(self.given[lane][2] for lane in holders)
        lanes = [(lane, Fraction(self.given[lane][2], max(held, 1000))) for lane in holders]
        return [*lanes, (NOBODY, Fraction(1000 - held, 1000))] if held < 1000 else lanes

    def state(self, at: int, lane: int) -> str:
        """The first state whose definition holds."""
        told, node = self._at(_minute(at)), self._node(at)
        working = lane != NOBODY and told.active
        if (told.lost or node == "down") and not working:
            return "fault"
        return self._unallocated(at, node) if lane == NOBODY else self._allocated(at, lane)

    def _unallocated(self, at: int, node: str) -> str:
        minute = _minute(at)
        if node == "drained":
            return "maintenance"
        if minute in self.occupied and not self.holders(at):
            return "unattributed"
        if not self._covered(minute):
            return "unalloc_unknown"
        return "free_demand" if any(b <= at < e for b, e in self.wishes) else "free_surplus"

    def _allocated(self, at: int, lane: int) -> str:
        minute = _minute(at)
        if self._covered(minute) and (self._starting(lane, minute) or self._ending(lane, minute)):
            return "startup_teardown"
        if not self._known(minute):
            return "alloc_unknown"
        if minute in self.idle[lane]:
            return "alloc_idle"
        return "underused" if minute in self.low[lane] else "productive"

    def _node(self, at: int) -> str:
        """The latest statement in force."""
        said = [state for begin, end, state in self.statements if begin <= at < end]
        return said[-1] if said else ""

    def _at(self, minute: int) -> Told:
        return self.told.get(minute, NOTHING)

    def _covered(self, minute: int) -> bool:
        return self._at(minute).cover_ms >= self.settings.min_cover_ratio * MINUTE

    def _known(self, minute: int) -> bool:
        return self._covered(minute) and self._at(minute).evidence

    def _starting(self, lane: int, minute: int) -> bool:
        """No activity in any minute that is all its own; and it began not long ago."""
        begin = self.given[lane][0]
        own = [m for m in self.minutes[lane] if begin <= m <= minute]
        quiet = not any(self._at(m).active for m in own)
        return quiet and minute < begin + self.settings.startup_s * 1000

    def _ending(self, lane: int, minute: int) -> bool:
        """No process any more, but one of this allocation shortly before."""
        reach = self.settings.teardown_s * 1000
        before = [m for m in self.minutes[lane] if minute - reach <= m < minute]
        return self._at(minute).processes == 0 and any(self._at(m).has_process for m in before)

    def _idle(self, minutes: set[int]) -> set[int]:
        """Minutes that belong to some window of known minutes with hardly any activity."""
        out: set[int] = set()
        for window in _windows(minutes, self.settings.idle_after_min):
            told = [self._at(m) for m in window]
            active, cover = sum(t.active_ms or 0 for t in told), sum(t.cover_ms for t in told)
            known = all(self._known(m) for m in window)
            if known and active <= self.settings.idle_active_ratio * cover:
                out.update(window)
        return out

    def _low(self, lane: int, minutes: set[int]) -> set[int]:
        """Minutes that belong to some window of known, not idle minutes of low mean use."""
        busy = {m for m in minutes - self.idle[lane] if self._known(m)}
        out: set[int] = set()
        for window in _windows(busy, self.settings.low_after_min):
            if self._is_low([self._at(m) for m in window]):
                out.update(window)
        return out

    def _is_low(self, told: list[Told]) -> bool:
        """Judged by the best evidence that all these minutes have."""
        sm, util, power = ([getattr(t, n) for t in told] for n in ("sm", "util", "power_share"))
        s = self.settings
        if None not in sm:
            return fmean(sm) < s.low_ratio
        if None in util:
            return False
        drowsy = None in power or fmean(power) < s.low_power_ratio
        return fmean(util) < s.low_ratio and drowsy

    def _occupied(self) -> set[int]:
        """Minutes of stretches in which a process stayed while nobody held the GPU."""
        used = {m for m in self.unheld if self._at(m).has_process}
        windows = _windows(used, self.settings.process_after_min + 1)
        return {minute for window in windows for minute in window}


def _end(allocation: Allocation, history: History, settings: LedgerSettings) -> int:
    """When an allocation ended: as said, or when it was last named if a later snapshot omits it."""
    if allocation.valid_to < FOREVER:
        return to_milliseconds(allocation.valid_to)
    reader = TELLERS.get(allocation.source, allocation.source)
    heard = [r for r in history.runs if r.source == reader]
    if allocation.source in TELLERS:  # each node tells of its own
        heard = [r for r in heard if r.node == allocation.node]
    good = [r.ts for r in heard if r.runs and r.failures == 0]
    grace = timedelta(seconds=settings.unnamed_s)
    gone = bool(good) and allocation.seen_at < max(good) - grace
    return to_milliseconds(allocation.seen_at if gone else FOREVER)


def _told(rows: Iterable[GpuSample]) -> dict[int, Told]:
    """Samples by minute; a row that ends with a minute belongs to it."""
    groups: dict[int, list[GpuSample]] = defaultdict(list)
    for row in rows:
        groups[_minute(to_milliseconds(row.ts) - 1)].append(row)
    return {minute: Told(group) for minute, group in groups.items()}


def _windows(minutes: set[int], length: int) -> Iterator[list[int]]:
    """Every run of that many consecutive minutes that are all in the set."""
    for first in sorted(minutes):
        window = [first + i * MINUTE for i in range(length)]
        if minutes.issuperset(window):
            yield window


def _span(begin: datetime, end: datetime) -> tuple[int, int]:
    return to_milliseconds(begin), to_milliseconds(end)


def _minute(at: int) -> int:
    return at // MINUTE * MINUTE


def _minute_time(at: int) -> datetime:
    return from_milliseconds(_minute(at))
