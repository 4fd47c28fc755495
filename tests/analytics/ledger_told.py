"""What samples, events and health say of one GPU: the part of the slow book that reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import GpuEvent, GpuSample
from gpuledger.states import FAULTS, LedgerSettings
from tests.analytics.ledger_world import CARD_BYTES, History

MINUTE = 60_000


class Told:
    """What the samples of one GPU say about one minute."""

    def __init__(self, rows: Iterable[GpuSample] = (), before: Told | None = None) -> None:
        self.rows = list(rows)
        self.before = before
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
        self.power = power
        self.power_share = None if power is None or limit is None else power / limit
        self.tensor = self._mean([(r.tensor_active_ratio, r.interval_seconds) for r in self.rows])
        self.dram = self._mean([(r.dram_active_ratio, r.interval_seconds) for r in self.rows])
        memory = [(r.memory_used_bytes, r.interval_seconds) for r in self.rows]
        used = self._mean(memory)
        self.memory = None if used is None else used / CARD_BYTES
        self.moved = self._growth([r.pcie_receive_bytes for r in self.rows], "pcie_receive_bytes")
        self.hot = self._growth(
            [r.thermal_throttle_seconds for r in self.rows], "thermal_throttle_seconds"
        )

    def _growth(self, told: list[float | None], name: str) -> float | None:
        """How much a counter grew since the last minute; without that, at least since the first."""
        known = [v for v in told if v is not None]
        if not known:
            return None
        if self.before is None:
            return (max(known) - min(known)) or None
        earlier = [v for r in self.before.rows if (v := getattr(r, name)) is not None]
        return max(known) - max(earlier) if earlier else None

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
        return self.active_ms is not None and (self.sm is not None or self.util is not None)

    def still(self, s: LedgerSettings) -> bool:
        """Busy by the counters, but nothing works and nothing moves."""
        if self.util is None or self.power_share is None:
            return False
        claims = self.util >= s.stalled_util_ratio and self.power_share < s.stalled_power_ratio
        works = not (self.sm is None or self.sm < s.stalled_sm_ratio or self.tensor == 0)
        if not claims or works or (self.dram or 0) >= s.stalled_pipe_ratio:
            return False
        if self.moved is None:
            return self.sm is not None and self.dram is not None
        return self.moved < s.stalled_traffic * self.told_ms / 1000

    def slowed(self, s: LedgerSettings) -> bool:
        """Held back by heat for long enough."""
        return self.hot is not None and self.hot * 1000 >= s.throttled_ratio * min(
            MINUTE, self.told_ms
        )

    @property
    def lost(self) -> bool:
        """Lost for at least half of the covered time."""
        return bool(self.lost_ms) and (self.lost_ms or 0) * 2 >= self.cover_ms


def statements(history: History, node: str) -> list[tuple[int, int, str]]:
    """What was said of a node, the latest beginning last."""
    return sorted(
        (*span(s.valid_from, s.valid_to), s.state) for s in history.node_states if s.node == node
    )


def troubles(history: History, node: str, settings: LedgerSettings) -> Iterator[tuple[int, int]]:
    """When a node was down or one of its GPUs sick."""
    said = statements(history, node)
    bounds = sorted({b for begin, end, _ in said for b in (begin, end)})
    for begin, end in pairwise(bounds):
        holding = [state for b, e, state in said if b <= begin < e]
        if holding and holding[-1] == "down":
            yield begin, end
    for asset in history.assets:
        if asset.node == node:
            yield from ((b, e) for b, e, _ in sick(history, asset.gpu_id, settings))


def sick(history: History, gpu: int, settings: LedgerSettings) -> list[tuple[int, int, str]]:
    """When a GPU had which fault, by its events and by its health."""
    events = [e for e in history.events if e.gpu_id == gpu]
    told = [h for h in history.health if h.gpu_id == gpu]
    # A reading is about the minute before it.
    health = sorted((to_milliseconds(h.ts) - MINUTE, h) for h in told)
    over = [to_milliseconds(e.ts) for e in events if _fault_of(e) == "over"]
    over += [at for at, h in health if h.recovery_action == 0]
    out = []
    for e in events:
        at, fault = to_milliseconds(e.ts), _fault_of(e)
        if fault in FAULTS:
            ends = [end for end in over if end >= at] + [at + settings.sick_h * 60 * MINUTE]
            out.append((at, min(ends), fault))
    for i, (at, h) in enumerate(health):
        following = health[i + 1][0] if i + 1 < len(health) else at + 10 * MINUTE
        faults = {
            "remap": h.remap_failed,
            "ecc": h.remap_pending,
            "nvlink": (h.nvlinks or 0) > (h.nvlinks_up or 0),
            "xid": h.recovery_action,
        }
        found = next((name for name, bad in faults.items() if bad), "")
        if found:
            out.append((at, min(following, at + 10 * MINUTE), found))
    return [(b, e, f) for b, e, f in out if e > b]


def _fault_of(event: GpuEvent) -> str:
    """What an event tells of: a fault, that faults are over, or neither."""
    if event.kind == "recovered" or (event.kind == "recovery" and event.recovery == "none"):
        return "over"
    if event.kind == "lost":
        return "device_lost"
    if event.recovery in {"", "none", "restart application"}:
        return ""
    if event.kind == "retirement":
        return "remap"
    return {48: "ecc", 74: "nvlink"}.get(event.code, "xid")


def told_of(rows: Iterable[GpuSample]) -> dict[int, Told]:
    """Samples by minute; a row that ends with a minute belongs to it."""
    groups: dict[int, list[GpuSample]] = defaultdict(list)
    for row in rows:
        groups[minute_of(to_milliseconds(row.ts) - 1)].append(row)
    found: dict[int, Told] = {}
    for minute in sorted(groups):
        found[minute] = Told(groups[minute], found.get(minute - MINUTE))
    return found


def span(begin: datetime, end: datetime) -> tuple[int, int]:
    """Both in milliseconds."""
    return to_milliseconds(begin), to_milliseconds(end)


def minute_of(at: int) -> int:
    """Start of the minute."""
    return at // MINUTE * MINUTE
