"""What one span of history leaves for the next: counters that go on, and when each thing was heard.

Counters of devices begin again at 0 with a reboot or a new driver: what is stored never falls.
A later span goes on where the one before ended, also in another process.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from analytics.backfill.prometheus import Milliseconds, Values
from analytics.backfill.wide import Wide

# A reading covers the time since the one before, unless that is further away than so many periods.
LONGEST_PERIODS = 2.5
LONGEST_MS, USUAL_MS = 300_000, 60_000
PERIOD_QUANTILE = 0.9
FORGOTTEN_MS = 30 * 86_400_000


class Count(msgspec.Struct, array_like=True):
    """One counter: what it said last, and what it had counted before it began again."""

    last: float
    before: float = 0.0

    def corrected(self, values: Values) -> Values:
        """The values as if it had never begun again; NaN stays NaN."""
        told = ~np.isnan(values)
        raw = values[told]
        if not len(raw):
            return values
        earlier = np.concatenate(([self.last], raw[:-1]))
        offsets = self.before + np.cumsum(np.where(raw < earlier, earlier, 0.0))
        out = values.copy()
        out[told] = raw + offsets
        self.last, self.before = float(raw[-1]), float(offsets[-1])
        return out


class Thing(msgspec.Struct):
    """What is known of one thing whose rows are read."""

    at_ms: int = 0
    period_ms: int = 0
    counts: dict[str, Count] = {}
    parts: dict[str, dict[str, Count]] = {}


class Memory:
    """Things by their keys, and the epoch of their counters: when this history began, in seconds.

    Stretches of history that were read apart, and agents, have epochs of their own: an increase is
    counted within an epoch.
    """

    def __init__(self, epoch: int, things: dict[str, Thing] | None = None) -> None:
        self.epoch = epoch
        self._things = things or {}

    @classmethod
    def restored(cls, text: str) -> Memory:
        """What `kept` wrote."""
        told = _decoder.decode(text)
        return cls(told.epoch, told.things)

    def kept(self, now_ms: int) -> str:
        """Everything as text, without what was not heard of for a month."""
        self._things = {
            key: t for key, t in self._things.items() if t.at_ms > now_ms - FORGOTTEN_MS
        }
        return msgspec.json.encode(_Kept(self.epoch, self._things)).decode()

    def cover_ms(self, wide: Wide) -> Milliseconds:
        """How much of the time before it each row covers: since the row before, where near."""
        thing, at_ms = self._thing(wide.key), wide.at_ms
        gaps = np.diff(at_ms)
        if len(gaps) > 1 or (len(gaps) and not thing.period_ms):
            thing.period_ms = int(np.quantile(gaps, PERIOD_QUANTILE, method="lower"))
        period = min(thing.period_ms or USUAL_MS, LONGEST_MS)
        since = at_ms[0] - thing.at_ms if thing.at_ms else period
        gaps = np.concatenate(([since], gaps))
        thing.at_ms = int(at_ms[-1])
        return np.where((gaps > 0) & (gaps <= LONGEST_PERIODS * period), gaps, period)

    def correct(self, wide: Wide) -> None:
        """Make the counters of the rows such that never fall."""
        thing = self._thing(wide.key)
        for name, values in wide.columns.items():
            if name in wide.parts:
                wide.columns[name] = self._sum(thing, name, wide)
            elif wide.plan.columns[name].kind == "counter":
                wide.columns[name] = _count(thing.counts, name, values).corrected(values)

    def _sum(self, thing: Thing, column: str, wide: Wide) -> Values:
        """The sum of the parts, each corrected; one that is silent keeps what it had."""
        known = thing.parts.setdefault(column, {})
        totals = {name: _carried(count) for name, count in known.items()}
        for name, values in wide.parts[column].items():
            before = totals.get(name, 0.0)
            totals[name] = _filled(_count(known, name, values).corrected(values), before)
        total = np.sum([np.broadcast_to(t, wide.at_ms.shape) for t in totals.values()], axis=0)
        return np.where(np.isnan(wide.columns[column]), np.nan, total)

    def _thing(self, key: str) -> Thing:
        return self._things.setdefault(key, Thing())


class _Kept(msgspec.Struct):
    epoch: int
    things: dict[str, Thing]


_decoder: msgspec.json.Decoder[_Kept] = msgspec.json.Decoder(_Kept)


def _count(known: dict[str, Count], name: str, values: Values) -> Count:
    """The counter; one that is new begins with its first value."""
    told = values[~np.isnan(values)]
    return known.setdefault(name, Count(float(told[0]) if len(told) else 0.0))


def _carried(count: Count) -> Any:
    return count.last + count.before


def _filled(values: Values, before: Any) -> Values:
    """Each missing value as the last one told; `before` at the beginning."""
    places = np.where(np.isnan(values), -1, np.arange(len(values)))
    last = np.maximum.accumulate(places)
    return np.where(last < 0, before, values[np.maximum(last, 0)])
