"""A slow and obvious book: the definitions of docs/ledger.md in plain Python, second by second.

It shares with the real book only the rows that it reads and the default thresholds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import chain, pairwise
from statistics import fmean

from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import Allocation, Asset, Job
from gpuledger.schema import FOREVER
from gpuledger.states import FAULTS, LedgerSettings
from tests.analytics.ledger_told import (
    MINUTE,
    Told,
    minute_of,
    sick,
    span,
    statements,
    told_of,
    troubles,
)
from tests.analytics.ledger_world import START, History

NOBODY = 0
Key = tuple[int, datetime, int, str]


def book(
    history: History, since: datetime = START, settings: LedgerSettings | None = None
) -> dict[Key, float]:
    """Milliseconds by (GPU, minute, allocation, label); allocation 0 = none.

    A label is a state, `:` and its cause where it has one, `+` and its flags where it has some.
    """
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


NOTHING = Told()


class Place:
    """One owned GPU: who held it, what it told, and so which state holds at each instant."""

    def __init__(self, asset: Asset, history: History, settings: LedgerSettings) -> None:
        self.asset, self.history, self.settings = asset, history, settings
        self.owned = span(asset.valid_from, asset.valid_to)
        self.given = {
            a.alloc_id: (to_milliseconds(a.valid_from), end, a.share_milli)
            for a in history.allocations
            if a.gpu_id == asset.gpu_id
            and (end := _end(a, history, settings)) > to_milliseconds(a.valid_from)
        }
        self.jobs = {a.alloc_id: a.job_id for a in history.allocations}
        self.statements = statements(history, asset.node)
        self.wishes = [
            (*span(w.valid_from, w.valid_to), w.state, w.cause)
            for w in history.free_states
            if w.gpu_id == asset.gpu_id
        ]
        self.standings = sorted(
            (*span(s.valid_from, s.valid_to), s.state)
            for s in history.standings
            if s.gpu_id == asset.gpu_id
        )
        self.upkeep = [
            span(r.valid_from, r.valid_to) for r in history.upkeep if r.nodes == asset.node
        ]
        self.heard = [
            (to_milliseconds(r.ts) - MINUTE, to_milliseconds(r.ts) + 2 * MINUTE)
            for r in history.runs
            if r.source == "slurm" and not r.failures
        ]
        self.told = told_of([s for s in history.samples if s.gpu_id == asset.gpu_id])
        self.sick = sick(history, asset.gpu_id, settings)
        self.listed = self._listed()
        self._walk(history.until)

    def _listed(self) -> dict[int, int]:
        """How many processes of listed users run in a minute."""
        seen: dict[int, set[int]] = defaultdict(set)
        for p in self.history.processes:
            if p.gpu_id == self.asset.gpu_id and p.user in self.settings.system_users:
                end = to_milliseconds(p.ts)
                first = minute_of(end - round(p.interval_seconds * 1000))
                for minute in range(first, end, MINUTE):
                    seen[minute].add(p.pid)
        return {minute: len(pids) for minute, pids in seen.items()}

    def _walk(self, until: datetime) -> None:
        """The minutes of every lane, and in which of them each sustained condition holds."""
        self.minutes: dict[int, set[int]] = defaultdict(set)
        self.gaps: dict[int, set[int]] = defaultdict(set)
        hour = timedelta(hours=1)
        for begin, _ in self.segments(*span(START - hour, until + hour)):
            for lane, _ in self.lanes(begin):
                self.minutes[lane].add(minute_of(begin))
            if not self.holders(begin):
                self.gaps[self._vacated(begin)].add(minute_of(begin))
        self.idle = {lane: self._idle(minutes) for lane, minutes in self.minutes.items()}
        self.low = {lane: self._low(lane, minutes) for lane, minutes in self.minutes.items()}
        self.stalled = {lane: self._stalled(lane, m) for lane, m in self.minutes.items()}
        self.occupied = {gap: self._occupied(minutes) for gap, minutes in self.gaps.items()}

    def segments(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """Owned stretches in which nothing changes and no minute ends."""
        first, last = max(since, self.owned[0]), min(until, self.owned[1])
        cuts = {first, last, *range(-(-first // MINUTE) * MINUTE, last, MINUTE)}
        cutting = (self.given.values(), self.statements, self.wishes, self.standings, self.upkeep)
        for begin, end, *_ in chain(*cutting, self.heard):
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
        """The label of the first state whose definition holds."""
        told, node, standing = self._at(minute_of(at)), self._node(at), self._standing(at)
        if standing in {"delivered", "retired"}:
            return "off_ledger"
        fault = self._fault(at)
        causes = [
            *(["device_lost"] if told.lost else []),
            *([fault] if fault else []),
            *(["node_down"] if node == "down" else []),
            *(["repair"] if standing == "repair" else []),
        ]
        working = lane != NOBODY and told.active
        if causes and not working:
            return f"fault:{causes[0]}"
        if lane == NOBODY:
            return self._unallocated(at, node, standing)
        degraded = ["degraded"] if told.lost or fault else []
        return self._allocated(at, lane, degraded)

    def _fault(self, at: int) -> str:
        """The gravest fault in that minute: from the one it begins in to the one before its end."""
        minute = minute_of(at)
        found = [f for b, e, f in self.sick if minute_of(b) <= minute < minute_of(e)]
        return min(found, key=FAULTS.index, default="")

    def _unallocated(self, at: int, node: str, standing: str) -> str:
        minute, vacated = minute_of(at), self._vacated(at)
        if node == "drained" or any(b <= at < e for b, e in self.upkeep):
            return "maintenance"
        if not self.holders(at) and minute in self.occupied[vacated]:
            leaked = bool(vacated) and at - vacated < self.settings.leaked_s * 1000
            spoken = any(b <= at < e for b, e, _ in self.statements)
            fresh = spoken and any(b <= at < e for b, e in self.heard)
            if fresh and not leaked:
                return "rogue"
            return "unattributed+leaked" if leaked else "unattributed"
        if standing != "powered_down" and not self._covered(minute):
            return "unalloc_unknown"
        state, cause = next(
            ((s, c) for b, e, s, c in self.wishes if b <= at < e), ("free_surplus", "")
        )
        off = "+powered_down" if standing == "powered_down" and state == "free_surplus" else ""
        return f"{state}:{cause}{off}" if cause else f"{state}{off}"

    def _allocated(self, at: int, lane: int, flags: list[str]) -> str:
        minute = minute_of(at)
        state, cause = self._doing(lane, minute), ""
        told, job = self._at(minute), self._job(lane)
        if state in {"alloc_idle", "stalled"} and self._shadowed(lane, minute):
            cause, flags = "peer_fault", [*flags, "peer_fault"]
        if state == "alloc_idle" and told.memory is not None:
            flags = [*flags, "mem_held"] if self._holds(told.memory) else flags
        if state == "alloc_idle" and job and self.history.services:
            flags = [*flags, "serving_warm"] if job.name.startswith("serve-") else flags
        return (
            state
            + (f":{cause}" if cause else "")
            + (f"+{','.join(sorted(flags))}" if flags else "")
        )

    def _holds(self, memory: float) -> bool:
        return memory >= self.settings.held_memory_ratio

    def _doing(self, lane: int, minute: int) -> str:
        if self._covered(minute) and (self._starting(lane, minute) or self._ending(lane, minute)):
            return "startup_teardown"
        if not self._known(minute):
            return "alloc_unknown"
        for state, minutes in (
            ("stalled", self.stalled),
            ("alloc_idle", self.idle),
            ("underused", self.low),
        ):
            if minute in minutes[lane]:
                return state
        return "throttled" if self._at(minute).slowed(self.settings) else "productive"

    def _job(self, lane: int) -> Job | None:
        return next((j for j in self.history.jobs if j.job_id == self.jobs[lane]), None)

    def _shadowed(self, lane: int, minute: int) -> bool:
        """A node of the job has a fault, or had one not long ago."""
        begin, end, _ = self.given[lane]
        after = self.settings.peer_fault_s * 1000
        return any(
            minute_of(b) <= minute < minute_of(e + after)
            for b, e in troubles(self.history, self.asset.node, self.settings)
            if b < end and e > begin
        )

    def _vacated(self, at: int) -> int:
        """When the last allocation before that time ended."""
        ended = [end for _, end, _ in self.given.values() if end <= at]
        return max(ended, default=0)

    def _standing(self, at: int) -> str:
        """What the owner said last."""
        said = [state for begin, end, state in self.standings if begin <= at < end]
        return said[-1] if said else "service"

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
        """No activity yet since it began, or since it got a new set of processes."""
        begin, allowed = self.given[lane][0], self._startup_ms(lane)
        own = sorted(m for m in self.minutes[lane] if m <= minute)
        quiet = not any(self._at(m).active for m in own if m >= begin)
        if quiet and minute < begin + allowed:
            return True
        renewed = [b for a, b in pairwise(own) if self._renewed(a, b)]
        if not renewed:
            return False
        since = [m for m in own if m >= renewed[-1]]
        working = any(self._at(m).active for m in since if m >= begin)
        return not working and minute < renewed[-1] + allowed

    def _renewed(self, before: int, minute: int) -> bool:
        return self._at(before).processes == 0 and self._at(minute).has_process

    def _startup_ms(self, lane: int) -> float:
        """What was learned of jobs of its size, within reason."""
        learned = [s.p95_seconds for s in self.history.startups]
        if not learned or self._job(lane) is None:
            return self.settings.startup_s * 1000
        return min(learned[0], self.settings.startup_most_s) * 1000

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
            if (
                known
                and not self._drawing(told)
                and active <= self.settings.idle_active_ratio * cover
            ):
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

    def _drawing(self, told: list[Told]) -> bool:
        """It draws clearly more than this GPU does while it does nothing."""
        floors = [f.context_watts for f in self.history.floors if f.gpu_id == self.asset.gpu_id]
        power = [t.power for t in told if t.power is not None]
        if not floors or not power or not floors[0]:
            return False
        return fmean(power) > self.settings.idle_floor_ratio * floors[0]

    def _stalled(self, lane: int, minutes: set[int]) -> set[int]:
        """Minutes of some window in which nothing moves, after work that did."""
        still = {m for m in minutes if self._known(m) and self._at(m).still(self.settings)}
        out: set[int] = set()
        for window in _windows(still, self.settings.stalled_after_min):
            if lane != NOBODY and self._worked(lane, window[0]):
                out.update(window)
        return out

    def _worked(self, lane: int, minute: int) -> bool:
        """The job was busier than a hang: shortly before, or as far as was learned."""
        s = self.settings
        first = minute - s.stalled_busy_min * MINUTE
        shortly = [self._at(m) for m in self.minutes[lane] if first <= m < minute]
        if any(t.active and (t.power_share or 0) >= s.stalled_power_ratio for t in shortly):
            return True
        return any(
            (x.power_ratio or 0) >= s.stalled_power_ratio and to_milliseconds(x.busiest) < minute
            for x in self.history.stats
            if (x.job_id, x.gpu_id) == (self.jobs[lane], self.asset.gpu_id)
        )

    def _occupied(self, minutes: set[int]) -> set[int]:
        """Minutes of stretches in which a process stayed while nobody held the GPU."""
        used = {m for m in minutes if (self._at(m).processes or 0) > self.listed.get(m, 0)}
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


def _windows(minutes: set[int], length: int) -> Iterator[list[int]]:
    """Every run of that many consecutive minutes that are all in the set."""
    for first in sorted(minutes):
        window = [first + i * MINUTE for i in range(length)]
        if minutes.issuperset(window):
            yield window


def _minute_time(at: int) -> datetime:
    return from_milliseconds(minute_of(at))
