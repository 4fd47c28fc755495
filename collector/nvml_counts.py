"""Counters of one card as series that go on, whatever fills them begins anew.

A series is what the card says plus a base. The base takes up a change of the way that fills the
column, so that the history another way had counted is never an increase, and where a column is a
sum, the reset or silence of one part. Ways and bases are remembered: a reader that starts again
goes on with them. Where it cannot know how far the series had come, the series begins at 0, which
`collector.counters` takes for a counter that was reset.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

import msgspec

from collector.counters import counter_columns
from gpuledger.catalogue.gpu import GpuHealth, GpuSample

COUNTERS = frozenset(counter_columns(GpuSample.table)) | frozenset(counter_columns(GpuHealth.table))
INTEGRATED = "integrated"  # the way of a counter that is made of rates here


class Count(msgspec.Struct, omit_defaults=True):
    """What is remembered of one series. `last` and `offset` are of the parts of a sum.

    `raw` is what was said last where that is needed later; of a sum's parts it may be older by
    one reading of health, but not of those in `silent`.
    """

    way: str
    base: float = 0
    raw: float = 0
    last: list[float | None] = msgspec.field(default_factory=list)
    offset: list[float] = msgspec.field(default_factory=list)
    silent: list[int] = msgspec.field(default_factory=list)


class Kept(msgspec.Struct):
    """What is remembered of one card; after another boot every counter began anew."""

    boot: str
    counts: dict[str, Count]


class Counts:
    """The series of one card by column; `key` is where `memory` keeps them."""

    def __init__(
        self, memory: MutableMapping[str, str] | None = None, key: str = "", boot: str = ""
    ) -> None:
        self._memory = {} if memory is None else memory
        self._key = key
        self._boot = boot
        self._raw: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._changed = False
        self._counts = self._recall()

    def one(self, column: str, way: str, value: float) -> float:
        """The series of a column that one counter fills; a fall is left as it is."""
        count = self._counts.get(column)
        if count is None or count.way != way:
            count = self._begin(column, Count(way), value)
        elif count.base and value < self._raw.get(column, count.raw):
            self._restart(column, count, value)
        self._raw[column] = value
        told = self._told[column] = value + count.base
        return told

    def sum(
        self, column: str, way: str, values: Sequence[float | None], factor: float = 1
    ) -> float:
        """The series of a column that is a sum; a part that says nothing keeps what it counted."""
        count = self._counts.get(column)
        is_new = count is None or count.way != way or len(count.last) != len(values)
        if count is None or is_new:
            count = Count(way, last=[None] * len(values), offset=[0] * len(values))
        is_odd = self._take_in(count, values)
        parts = zip(count.last, count.offset, strict=True)
        total = sum(last + offset for last, offset in parts if last is not None) * factor
        if is_new:
            self._begin(column, count, total)
        elif is_odd and column not in self._told:
            count.base = -total  # how far it had come before this reader started is not known
        told = self._told[column] = total + count.base
        return told

    def integrate(self, column: str, more: float) -> float:
        """The series of a column that has no counter but what is added here."""
        count = self._counts.get(column)
        before = 0.0
        if count and count.way == INTEGRATED:
            before = self._raw.get(column, count.raw)
        self._changed = True  # nobody else could tell the sum after a restart
        return self.one(column, INTEGRATED, before + more)

    def heard(self, column: str, way: str, part: int) -> bool:
        """Whether that part of a sum ever said something."""
        count = self._counts.get(column)
        return bool(
            count and count.way == way and part < len(count.last) and count.last[part] is not None
        )

    def save(self, *, due: bool) -> None:
        """Remember at once what changed in kind; how far parts have come, when `due`."""
        if not self._counts or not (due or self._changed):
            return
        self._changed = False
        for column, count in self._counts.items():
            is_needed = count.base or count.way == INTEGRATED
            count.raw = self._raw.get(column, count.raw) if is_needed else 0
        text = msgspec.json.encode(Kept(self._boot, self._counts)).decode()
        if self._memory.get(self._key) != text:
            self._memory[self._key] = text

    def _recall(self) -> dict[str, Count]:
        try:
            kept = msgspec.json.decode(self._memory.get(self._key, ""), type=Kept)
        except msgspec.MsgspecError:
            return {}
        return kept.counts if kept.boot == self._boot else {}

    def _begin(self, column: str, count: Count, value: float) -> Count:
        """Another way fills the column: what it counted before is no increase."""
        if column in self._counts:
            count.base = self._told.get(column, 0) - value
        self._counts[column] = count
        self._changed = True
        return count

    def _restart(self, column: str, count: Count, value: float) -> None:
        """The one counter was reset, and a base would hide how far."""
        if column in self._told:
            count.base += self._raw[column]
        else:
            count.base = -value
        self._changed = True

    def _take_in(self, count: Count, values: Sequence[float | None]) -> bool:
        """What the parts say now; whether one was reset or fell silent."""
        is_odd = False
        for part, value in enumerate(values):
            last = count.last[part]
            if value is None:
                if last is None or part in count.silent:
                    continue
                count.silent.append(part)
                is_odd = True
                continue
            if part in count.silent:
                count.silent.remove(part)
                self._changed = True
            if last is not None and value < last:
                count.offset[part] += last
                is_odd = True
            count.last[part] = value
        self._changed |= is_odd
        return is_odd
