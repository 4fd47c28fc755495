"""The gate: which rows of a batch are stored, which are kept aside, and what is no batch at all."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated

import msgspec
import numpy as np

from analytics.ingest.bound import Bound
from analytics.ingest.structure import Array, Block, labels, merge, milliseconds, read, select, span
from gpuledger.batch import Batch, from_milliseconds, to_milliseconds
from gpuledger.catalogue import Quarantine
from gpuledger.config import Settings
from gpuledger.native import encode
from gpuledger.schema import FOREVER, Samples, Table

# Events and facts are kept longer than samples and also tell of what was before the agent: the
# kernel's log since boot, a job that was submitted last year.
PAST_OF_FACTS = timedelta(days=396)
LATEST_MS = to_milliseconds(FOREVER)
# A unit that a sender may have mistaken for milliseconds, and how many of them make one.
UNITS = (("seconds", 1e-3), ("microseconds", 1e3), ("nanoseconds", 1e6))


class IngestSettings(Settings):
    """Section `[ingest]`."""

    future_s: Annotated[float, "rows later than this after now are kept aside"] = 300.0
    past_d: Annotated[
        float,
        msgspec.Meta(gt=0),
        "samples older than this many days are kept aside; more than an agent's spool holds back,"
        " less than raw samples are kept",
    ] = 10.0
    pause_file: Annotated[
        str, "while it is there, agents read nothing; the versions in it, all where it is empty"
    ] = "/etc/gpuledger/pause-agents"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate makes of a body: one block to store, and one for the table `quarantine`.

    `body` is empty where no row is left; dropped columns are those that the table does not have.
    """

    body: bytes
    rows: int
    quarantined: int = 0
    quarantine: bytes | None = None
    dropped_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Between which times (milliseconds since 1970) a column of a table may lie."""

    of: str
    low: int
    high: int


class Gate:
    """Judges bodies; nothing of one that was refused is kept."""

    def __init__(self, settings: IngestSettings | None = None) -> None:
        self._settings = settings or IngestSettings()

    def judge(
        self,
        table: Table,
        body: bytes,
        now: datetime,
        *,
        key: str = "",
        bound: Bound | None = None,
    ) -> Judged:
        """Native blocks of that table, made one in the order of its columns.

        ValueError where the bytes are not that, or lack what makes its rows; see `structure.read`.
        Foreign where a row is not what the sender, `bound` to it, may tell. `key` names the batch
        in the quarantine.
        """
        blocks = read(table, body)
        for block in blocks:
            if not _needed(table).keys() <= block.columns.keys():
                missing = (n for p, n in _needed(table).items() if p not in block.columns)
                raise ValueError(f"the batch lacks {', '.join(sorted(missing))}")
        if bound:
            bound.check(table, blocks)
        limits = self._limits(table, now)
        if all(_is_timely(b, limits) for b in blocks):
            return _taken(table, body, blocks)
        return _parted(table, blocks, limits, now, key)

    def _limits(self, table: Table, now: datetime) -> Limits:
        kept = isinstance(table.layout, Samples)
        past = timedelta(days=self._settings.past_d) if kept else PAST_OF_FACTS
        at, past_ms = to_milliseconds(now), past // timedelta(milliseconds=1)
        return Limits(_moment(table), at - past_ms, at + round(self._settings.future_s * 1000))


@lru_cache
def _moment(table: Table) -> str:
    """The column that says when a row was true; facts say when they were seen."""
    return "ts" if any(f.stored == "ts" for f in table.fields) else "seen_at"


@lru_cache
def _needed(table: Table) -> dict[int, str]:
    """Places and names of what a row cannot be without."""
    needed = {f.stored for c in table.keys for f in c.fields} | {_moment(table)}
    return {place: f.stored for place, f in enumerate(table.fields) if f.stored in needed}


def _bounds(limits: Limits, name: str) -> tuple[int, int]:
    """Other times than the row's own need only be times that everybody can read."""
    return (limits.low, limits.high) if name == limits.of else (0, LATEST_MS)


def _is_timely(block: Block, limits: Limits) -> bool:
    for column in block.times:
        low, high = _bounds(limits, column[0].name)
        first, last = span(block, column)
        if first < low or last > high:
            return False
    return True


def _taken(table: Table, body: bytes, blocks: Sequence[Block]) -> Judged:
    """The body as it came where it is one block in order, else made so."""
    rows = sum(b.rows for b in blocks)
    if len(blocks) == 1 and blocks[0].is_normal:
        return Judged(body, rows)
    return Judged(merge(table, blocks), rows, dropped_columns=_dropped(blocks))


def _dropped(blocks: Sequence[Block]) -> tuple[str, ...]:
    return tuple(sorted({name for b in blocks for name in b.foreign}))


def _parted(
    table: Table, blocks: Sequence[Block], limits: Limits, now: datetime, key: str
) -> Judged:
    """The good rows, and the others with their reasons."""
    good: list[Block] = []
    bad: dict[str, list[tuple[Block, Array]]] = {}
    for block in blocks:
        reasons = _reasons(block, limits)
        for reason in filter(None, dict.fromkeys(reasons)):
            bad.setdefault(reason, []).append((block, reasons == reason))
        if "" in reasons:
            good += read(table, select(block, reasons == ""))
    aside = [_aside(table, now, key, reason, parts, limits) for reason, parts in bad.items()]
    return Judged(
        merge(table, good) if good else b"",
        sum(b.rows for b in good),
        quarantined=sum(row.rows for row in aside),
        quarantine=encode(Batch.of_rows(aside)),
        dropped_columns=_dropped(blocks),
    )


def _reasons(block: Block, limits: Limits) -> Array:
    """What is wrong with each row; empty where nothing is."""
    out = np.full(block.rows, "", object)
    for column in block.times:
        name, times = column[0].name, milliseconds(block, column)
        low, high = _bounds(limits, name)
        told = dict(_unlikely(limits)) if name == limits.of else {}
        wrong = (out == "") & ((times < low) | (times > high))
        out[wrong] = f"{name} is no time within 1970 and 2106"
        if name == limits.of:
            out[wrong & (times > high)] = f"{name} lies in the future"
            out[wrong & (times < low)] = f"{name} lies in the far past"
        for reason, (first, last) in told.items():
            out[wrong & (times >= first) & (times <= last)] = f"{name} {reason}"
    return out


def _unlikely(limits: Limits) -> Iterator[tuple[str, tuple[float, float]]]:
    """Times that would be right in another unit."""
    for unit, factor in UNITS:
        yield f"looks like {unit}, not milliseconds", (limits.low * factor, limits.high * factor)


def _aside(
    table: Table,
    now: datetime,
    key: str,
    reason: str,
    parts: Sequence[tuple[Block, Array]],
    limits: Limits,
) -> Quarantine:
    """The row that keeps rows aside."""
    times = [t for b, chosen in parts for t in _times(b, limits.of)[chosen].tolist()]
    first, last = (min(max(0, t), LATEST_MS) for t in (min(times), max(times)))
    return Quarantine(
        ts=now,
        cluster=_only("cluster", parts),
        node=_only("node", parts),
        of=table.name,
        reason=reason,
        rows=len(times),
        first=from_milliseconds(first),
        last=from_milliseconds(last),
        key=key,
        body=b64encode(_kept(table, [select(b, chosen) for b, chosen in parts])).decode(),
    )


def _kept(table: Table, bodies: Sequence[bytes]) -> bytes:
    """One block; more where there are columns that only their sender knows."""
    blocks = [block for body in bodies for block in read(table, body)]
    return b"".join(bodies) if _dropped(blocks) else merge(table, blocks)


def _times(block: Block, name: str) -> Array:
    column = block.find(name)
    assert column, "what a row needs was checked"
    return milliseconds(block, column)


def _only(name: str, parts: Sequence[tuple[Block, Array]]) -> str:
    """The one text that the chosen rows have in that column; else none."""
    texts: set[str] = set()
    for block, chosen in parts:
        if column := block.find(name):
            known, places = labels(block, column)
            texts |= {known[i] for i in set(places[chosen].tolist())}
    return texts.pop() if len(texts) == 1 else ""
