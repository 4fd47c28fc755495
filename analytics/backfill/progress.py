"""Which stretches of history are in the store already, and what the next one goes on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from analytics.backfill.memory import Memory
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import BackfillChunk
from gpuledger.store import Store

# Lengths of one reading. All divide a day, so that every run cuts history at the same times.
SPANS_MS = tuple(60_000 * m for m in (1440, 720, 360, 180, 60, 30, 15, 5))


@dataclass(frozen=True, order=True)
class Stretch:
    """Of history: (since, until], milliseconds."""

    since_ms: int
    until_ms: int


class Progress:
    """The record of one source, kept in the store beside the rows.

    A stretch is written down before its rows are: what a killed run may have stored in part is
    read again with the same bounds, so that the same rows come under the same tokens.
    """

    def __init__(self, store: Store, source: str, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._wall = wall
        self._version = 0
        self._last: tuple[Stretch, int, int] | None = None
        self.source = source

    def todo(self, whole: Stretch, span_ms: int) -> Iterator[Stretch]:
        """What is left to read of a stretch, in order, cut at multiples of the span."""
        rows = self._rows()
        begun = sorted(s for s, done in rows if not done)
        known = sorted(s for s, _ in rows)
        missing = [s for gap in gaps(whole, known) for s in cut(gap, span_ms)]
        yield from sorted([*begun, *missing])

    def done(self) -> list[Stretch]:
        """What was read."""
        return sorted(s for s, done in self._rows() if done)

    def memory(self, before: Stretch) -> Memory:
        """What the stretch that ends where this one begins left; else a new beginning."""
        found = self._store.select(
            "SELECT state, samples, rows, since FROM backfill_chunks FINAL"
            " WHERE source = {source:String} AND done = 1 AND state != ''"
            " AND until = {until:DateTime64(3, 'UTC')}",
            source=self.source,
            until=from_milliseconds(before.since_ms),
        )
        if not found:
            self._last = None
            return Memory(epoch=before.since_ms // 1000)
        r = found[0]
        last = Stretch(to_milliseconds(r["since"]), before.since_ms)
        self._last = last, r["samples"], r["rows"]
        return Memory.restored(r["state"])

    def begin(self, stretch: Stretch) -> None:
        """Write down that its rows are about to come."""
        self._store.insert_rows([self._row(stretch, done=0)])

    def finish(self, stretch: Stretch, samples: int, rows: int, state: str) -> None:
        """Write down that its rows are stored; the state before is of no use any more."""
        told = [self._row(stretch, 1, samples, rows, state)]
        if self._last:
            before, read, stored = self._last
            told.append(self._row(before, 1, read, stored))
        self._store.insert_rows(told)
        self._last = stretch, samples, rows

    def totals(self) -> tuple[int, int]:
        """Samples read and rows stored, of all runs."""
        (r,) = self._store.select(
            "SELECT sum(samples) AS samples, sum(rows) AS rows"
            " FROM (SELECT * FROM backfill_chunks FINAL)"
            " WHERE source = {source:String} AND done = 1",
            source=self.source,
        )
        return int(r["samples"]), int(r["rows"])

    def _rows(self) -> list[tuple[Stretch, bool]]:
        rows = self._store.select(
            "SELECT since, until, done FROM backfill_chunks FINAL WHERE source = {source:String}",
            source=self.source,
        )
        return [
            (Stretch(to_milliseconds(r["since"]), to_milliseconds(r["until"])), bool(r["done"]))
            for r in rows
        ]

    def _row(
        self, stretch: Stretch, done: int, samples: int = 0, rows: int = 0, state: str = ""
    ) -> BackfillChunk:
        self._version = max(self._version + 1, round(self._wall() * 1000))
        return BackfillChunk(
            source=self.source,
            since=from_milliseconds(stretch.since_ms),
            until=from_milliseconds(stretch.until_ms),
            done=done,
            samples=samples,
            rows=rows,
            state=state,
            version=self._version,
        )


def gaps(whole: Stretch, known: Iterable[Stretch]) -> Iterator[Stretch]:
    """The parts of a stretch that none of the others, in order, covers."""
    at = whole.since_ms
    for stretch in known:
        if stretch.until_ms <= at or stretch.since_ms >= whole.until_ms:
            continue
        if stretch.since_ms > at:
            yield Stretch(at, stretch.since_ms)
        at = stretch.until_ms
    if at < whole.until_ms:
        yield Stretch(at, whole.until_ms)


def cut(whole: Stretch, span_ms: int) -> Iterator[Stretch]:
    """Its parts between multiples of the span."""
    at = whole.since_ms
    while at < whole.until_ms:
        until = min((at // span_ms + 1) * span_ms, whole.until_ms)
        yield Stretch(at, until)
        at = until


def span_for(samples_per_hour: float, most: int) -> int:
    """The longest span of which no more samples than that have to be held."""
    fitting = (s for s in SPANS_MS if samples_per_hour * s / 3_600_000 <= most)
    return next(fitting, SPANS_MS[-1])
