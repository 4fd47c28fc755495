"""Bursts: what is told of one GPU a thousand times, or by two tellers, becomes one event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gpuledger.batch import to_milliseconds
from gpuledger.schema import Row, Table

SAME_MS = 2_000
# The kernel's log has the true time. NVML tells at a reading what happened since the one before,
# and a reading may be a minute after that, or hang.
LATE_MS = {"nvml": 60_000}
KEPT_MS = 60_000  # a teller that comes later than this told of something else
DETAIL_CHARACTERS = 300
# Of these only the number matters; of the others (lost, recovered) the order.
COUNTED = frozenset({"xid", "sxid", "ecc", "retirement"})
Key = tuple[Any, ...]


@dataclass
class Told:
    """Events of one teller that no other has told yet: when, and how many."""

    teller: str
    at_ms: int
    count: int


@dataclass
class Burst:
    """The event that comes out: the first one's values, and what the others add."""

    values: dict[str, Any]
    last_ms: int
    details: list[str] = field(default_factory=list)

    def take_in(self, values: dict[str, Any], at_ms: int, count: int) -> None:
        """Another of the same kind, or the same one by another teller with a count of 0."""
        own = self.values
        own["ts"] = min(own["ts"], values["ts"])
        own["count"] += count
        self.last_ms = max(self.last_ms, at_ms)
        for name in ("cause", "recovery"):
            own[name] = own[name] or values[name]
        self.explain(values["detail"])

    def explain(self, detail: str) -> None:
        """Keep what is said, once, as far as there is room."""
        joined = "; ".join([*self.details, detail])
        if detail and detail not in self.details and len(joined) <= DETAIL_CHARACTERS:
            self.details.append(detail)
            self.values["detail"] = joined


class Bursts:
    """Events in, folded events out; remembers for a minute who told what."""

    def __init__(self) -> None:
        self._table: Table | None = None
        self._open: dict[Key, list[Burst]] = {}
        self._told: dict[Key, list[Told]] = {}

    def add(self, row: Row) -> None:
        """Take in one stamped event."""
        self._table, values = row.table, row.values()
        key = tuple(values[n] for n in ("cluster", "node", "slot", "kind", "code"))
        at_ms = to_milliseconds(values["ts"])
        new = self._match(key, values["told_by"], at_ms, values["count"])
        burst = self._burst(key, at_ms)
        if burst:
            burst.take_in(values, at_ms, new)
        elif new:
            self._begin(key, {**values, "count": new}, at_ms)

    def take(self, now_ms: int | None = None) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Everything that came since the last call, in the order of its first telling."""
        bursts = [burst for bursts in self._open.values() for burst in bursts]
        self._open.clear()
        if now_ms is not None:
            self._forget(now_ms - KEPT_MS)
        for burst in sorted(bursts, key=lambda b: b.values["ts"]):
            assert self._table
            yield self._table, burst.values

    def _match(self, key: Key, teller: str, at_ms: int, count: int) -> int:
        """How many of these no other teller has told; they wait for one who does."""
        waiting = self._told.setdefault(key, [])
        for told in sorted(waiting, key=lambda told: abs(told.at_ms - at_ms)):
            if _may_be_same(told.teller, told.at_ms, teller, at_ms):
                same = min(count, told.count)
                told.count -= same
                count -= same
        waiting[:] = [told for told in waiting if told.count]
        if count:
            waiting.append(Told(teller, at_ms, count))
        return count

    def _burst(self, key: Key, at_ms: int) -> Burst | None:
        """The open event that one of this key at this time belongs to."""
        for burst in self._open.get(key, ()):
            if key[3] in COUNTED or abs(burst.last_ms - at_ms) <= SAME_MS:
                return burst
        return None

    def _begin(self, key: Key, values: dict[str, Any], at_ms: int) -> None:
        detail, values["detail"] = values["detail"], ""
        burst = Burst(values, at_ms)
        burst.explain(detail[:DETAIL_CHARACTERS])
        self._open.setdefault(key, []).append(burst)

    def _forget(self, before_ms: int) -> None:
        for key, waiting in list(self._told.items()):
            waiting[:] = [told for told in waiting if told.at_ms >= before_ms]
            if not waiting:
                del self._told[key]


def _may_be_same(one: str, one_ms: int, other: str, other_ms: int) -> bool:
    """Whether two tellers may mean the same by what they tell of these times."""
    if one == other:
        return False
    late_ms = LATE_MS.get(one if one_ms > other_ms else other, SAME_MS)
    return abs(one_ms - other_ms) <= late_ms
