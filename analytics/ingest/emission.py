"""Scrapes to rows: what each covers, counters that never fall, and what stamps a row."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from analytics.ingest.learning import Counts, Learner
from analytics.ingest.targets import Scrape, Target
from analytics.ingest.told import TellsFacts
from gpuledger.batch import Batch, from_milliseconds
from gpuledger.catalogue.work import Gpu, version
from gpuledger.errors import ReadError
from gpuledger.identity import gpu_id
from gpuledger.mapping import Doubt, Place, Reading, Rows, active_seconds
from gpuledger.native import encode
from gpuledger.schema import FOREVER, Kind, Row, Samples, Table
from gpuledger.tally import Account

log = logging.getLogger(__name__)

# Above what processes are found to hold, below what an agent reads of the driver itself.
TRUST = 2
# An inventory that says the same is told again so often.
INVENTORY_MS = 600_000
MOST_ABSENT = 1_000
MINUTE_MS = 60_000
MOST_MISSING = 1_000


class Thing(msgspec.Struct, array_like=True):
    """What is known of one thing: its newest row, and its counters by column.

    A counter is when it was told, what lies before it, and what each of its parts said last. The
    target is that of the newest row.
    """

    at_ms: int | None = None
    counters: dict[str, tuple[int, float, dict[str, float]]] = msgspec.field(default_factory=dict)
    target: int = 0


@dataclass
class Made:
    """Rows by table, and things as they are after them."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    things: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """One row more."""
        self.rows.setdefault(row.table.name, []).append(row)


class Maker:
    """Makes rows of scrapes. What it changes of things is in `Made`, until `keep`."""

    def __init__(
        self, learner: Learner, facts: TellsFacts | None, counts: Counts, epoch: int
    ) -> None:
        self.things: dict[str, tuple[int, bytes]] = {}
        self.epoch = epoch
        self._learner = learner
        self._facts = facts
        self._counts = counts
        self._told: dict[tuple[int, str], tuple[Gpu, int]] = {}

    def keep(self, made: Made) -> None:
        """The rows are safe: things are so from now on."""
        self.things |= made.things
        for table, rows in made.rows.items():
            self._counts.rows[table] += len(rows)

    def forget(self, before_ms: int) -> None:
        """Forget things without a row since then."""
        self.things = {n: known for n, known in self.things.items() if known[0] >= before_ms}
        self._told = {card: told for card, told in self._told.items() if told[1] >= before_ms}

    def make(self, target: Target, at_ms: int, scrape: Scrape, made: Made) -> None:
        """Rows of one scrape."""
        desks: dict[str, Rows] = {}
        facts = []
        for series, value in scrape.readings:
            feeding = self._learner.feeding(series)
            if series.is_fact:
                facts.append(Reading(series.name, series.told, value, at_ms))
            if feeding is not None and series.exporter is not None:
                desk = desks.get(series.exporter.name)
                if desk is None:
                    place = Place(cluster=target.key.cluster)
                    desk = desks[series.exporter.name] = Rows(series.exporter, place)
                desk.put(feeding, value, at_ms)
        for name, desk in desks.items():
            self._finish(name, desk, target, at_ms, made)
        if facts and self._facts is not None:
            self._tell(self._facts, target.key.cluster, facts, at_ms, made)

    def _tell(
        self, facts: TellsFacts, cluster: str, readings: list[Reading], at_ms: int, made: Made
    ) -> None:
        """Let facts be made; without the store that knows older ones this scrape is missed."""
        if not facts.knows(cluster):
            self._counts.samples["facts_missed"] += len(readings)
            return
        for row in facts.take(cluster, readings, at_ms):
            made.add(row)

    def _finish(self, name: str, desk: Rows, target: Target, at_ms: int, made: Made) -> None:
        try:
            mapped = desk.done()
        except ReadError as e:
            log.warning("%s: %s", name, e)
            return
        self._doubt(name, mapped.doubts)
        sums = {(id(told.row), told.column): told.parts for told in mapped.sums}
        for row in mapped.rows:
            values = row.__dict__
            self._stamp(values, at_ms)
            if isinstance(row, Gpu) and not self._is_news(row, at_ms):
                continue
            if isinstance(row.table.layout, Samples):
                parts = {column: p for (i, column), p in sums.items() if i == id(row)}
                self._cover(name, row, target, at_ms, parts, made)
                for piece in earlier(row, at_ms, target.period_ms):
                    made.add(piece)
            made.add(row)

    def _stamp(self, values: dict[str, Any], at_ms: int) -> None:
        if values.get("gpu_id") == 0:
            values["gpu_id"] = gpu_id(values["cluster"], values["node"], values["slot"])
        if values.get("seen_at") == FOREVER:
            values["seen_at"] = from_milliseconds(at_ms)
        if values.get("version") == 0:
            values["version"] = version(TRUST, at_ms)
        if "epoch" in values:
            values["epoch"] = self.epoch

    def _is_news(self, row: Gpu, at_ms: int) -> bool:
        """Whether the inventory says something else than lately."""
        key = (row.gpu_id, row.uuid)
        before = self._told.get(key)
        if before:
            same = Gpu(**{**row.__dict__, "seen_at": before[0].seen_at, "version": 0})
            if same == before[0] and at_ms - before[1] < INVENTORY_MS:
                return False
        self._told[key] = (Gpu(**{**row.__dict__, "version": 0}), at_ms)
        return True

    def _cover(
        self,
        mapping: str,
        row: Row,
        target: Target,
        at_ms: int,
        parts: Mapping[str, Mapping[str, float]],
        made: Made,
    ) -> None:
        """Say what the row covers, and make its counters ones that never fall."""
        values = row.__dict__
        identity = (mapping, row.table.name, values["cluster"])
        name = "\0".join((*identity, *(str(values[n]) for n in row.table.layout.key)))
        known = made.things.get(name) or self.things.get(name)
        thing = msgspec.msgpack.decode(known[1], type=Thing) if known else Thing()
        cover(row, target.covers_ms(thing.at_ms, at_ms))
        is_same, thing.target = thing.target == target.id, target.id
        for column in counters(row.table):
            if values[column] is not None:
                told = parts.get(column, {"": values[column]})
                if is_same:
                    _rename(thing, column, at_ms, told)
                values[column] = _grown(thing, column, at_ms, told)
        thing.at_ms = max(at_ms, thing.at_ms or at_ms)
        made.things[name] = (thing.at_ms, msgspec.msgpack.encode(thing))

    def _doubt(self, mapping: str, doubts: Sequence[Doubt]) -> None:
        """Count what could not be used, by the column or metric, and name each once."""
        for doubt in doubts:
            name = f"{mapping} {doubt.reading}"
            if name not in self._counts.missing:
                if len(self._counts.missing) >= MOST_MISSING:
                    continue
                log.warning("%s %s: %s", name, doubt.subject, doubt.said)
            self._counts.missing[name] += 1


def _rename(thing: Thing, column: str, at_ms: int, parts: Mapping[str, float]) -> None:
    """Let the counters of a target, all under other labels now, go on; new ones have less."""
    told_ms, base, last = thing.counters.get(column, (0, 0.0, {}))
    is_renamed = last.keys().isdisjoint(parts) and sum(parts.values()) >= sum(last.values())
    if is_renamed and at_ms > told_ms:
        thing.counters[column] = (told_ms, base, {})


def _grown(thing: Thing, column: str, at_ms: int, parts: Mapping[str, float]) -> float | None:
    """The counter after its parts said this; None where it comes too late to be placed."""
    told_ms, base, last = thing.counters.get(column, (at_ms - 1, 0.0, {}))
    if at_ms <= told_ms:
        # One that is smaller than what came after it has not begun again since.
        fits = len(last) == 1 and all(v <= last.get(n, -1.0) for n, v in parts.items())
        return base + sum(parts.values()) if fits else None
    account = Account(base, last)
    for name, value in parts.items():
        account.add(name, value)
    account.fold(parts, MOST_ABSENT)
    thing.counters[column] = (at_ms, account.base, account.last)
    return account.total()


def earlier(row: Row, at_ms: int, period_ms: int) -> Iterator[Row]:
    """Rows of the minutes before its own, for one that covers more than a period or a minute.

    Its own cover ends then where its minute begins. Counters are told at its end alone.
    """
    covers_ms = round(row.__dict__["interval_seconds"] * 1000)
    since_ms, begins_ms = at_ms - covers_ms, (at_ms - 1) // MINUTE_MS * MINUTE_MS
    if covers_ms <= min(period_ms or MINUTE_MS, MINUTE_MS) or begins_ms <= since_ms:
        return
    cover(row, at_ms - begins_ms)
    while begins_ms > since_ms:
        until_ms, begins_ms = begins_ms, max(since_ms, begins_ms - MINUTE_MS)
        untold = dict.fromkeys(counters(row.table))
        piece = type(row)(**{**row.__dict__, **untold, "ts": from_milliseconds(until_ms)})
        yield cover(piece, until_ms - begins_ms)


def cover(row: Row, interval_ms: int) -> Row:
    """The row, said to cover so much."""
    values = row.__dict__
    values["interval_seconds"] = interval_ms / 1000
    if "active_seconds" in values:
        values["active_seconds"] = active_seconds(values, interval_ms / 1000)
    return row


@cache
def counters(table: Table) -> tuple[str, ...]:
    """The table's counters."""
    return tuple(c.name for c in table.columns if c.kind is Kind.COUNTER)


def blocks(made: Made, counts: Counts) -> list[tuple[str, int, bytes]]:
    """Table, rows and Native block of each table; a row that cannot be stored is counted."""
    out = []
    for table, rows in made.rows.items():
        try:
            out.append((table, len(rows), encode(Batch.of_rows(rows))))
        except ValueError as e:
            log.warning("%s: %s", table, e)
            kept = [row for row in rows if _fits(row)]
            counts.samples["unstorable_rows"] += len(rows) - len(kept)
            if kept:
                out.append((table, len(kept), encode(Batch.of_rows(kept))))
    return out


def _fits(row: Row) -> bool:
    try:
        encode(Batch.of_rows([row]))
    except ValueError:
        return False
    return True
