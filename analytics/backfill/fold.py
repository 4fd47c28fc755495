"""Rows as an agent would have cut them: whole steps, each reading in those that it covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.backfill.prometheus import Milliseconds, Values
from analytics.backfill.wide import Names, Wide
from gpuledger.mapping import ACTIVE_RATIO
from gpuledger.schema import Kind, Table

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Rows of one thing, ready to be stored: base units, NaN is missing."""

    table: Table
    names: Names
    at_ms: Milliseconds
    cover_ms: Milliseconds
    columns: dict[str, Values]


@dataclass(frozen=True)
class _Pieces:
    """Readings cut at the steps: of which reading a piece is, how long it is, and its step."""

    reading: Places
    length_ms: Milliseconds
    starts: Places
    at_ms: Milliseconds
    ends: NDArray[np.bool_]


def fold(wide: Wide, cover_ms: Milliseconds, step_ms: int) -> Rows:
    """Means over what each reading covers of a step, counters at its end, flags joined.

    With a step of 0 each reading stays a row.
    """
    table, columns = wide.plan.row.table, dict(wide.columns)
    if "active_seconds" in wide.plan.columns:
        columns["active_seconds"] = _busy(columns)
    if not step_ms:
        if "active_seconds" in columns:
            columns["active_seconds"] = columns["active_seconds"] * cover_ms / 1000
        return Rows(table, wide.names, wide.at_ms, cover_ms, columns)
    pieces = _pieces(wide.at_ms, cover_ms, step_ms)
    folded: dict[str, Values] = {}
    for name, values in columns.items():
        column = wide.plan.columns[name]
        told = values[pieces.reading]
        match column.kind:
            case Kind.COUNTER:
                folded[name] = _highest(np.where(pieces.ends, told, np.nan), pieces)
            case Kind.BITS:
                folded[name] = _flags(told, pieces)
            case Kind.ADDITIVE:
                folded[name] = _total(told, pieces)
            case _:
                folded[name] = _mean(told, pieces)
                if "max" in column.keep:
                    folded[f"{name}_max"] = _highest(told, pieces)
    cover = np.add.reduceat(pieces.length_ms, pieces.starts)
    return Rows(table, wide.names, pieces.at_ms, cover, folded)


def _busy(columns: dict[str, Values]) -> Values:
    """1 while SM, else utilization, is at least 1 %; as for NVML's rows and the mapping's."""
    size = len(next(iter(columns.values())))
    missing = np.full(size, np.nan)
    sm = columns.get("sm_active_ratio", missing)
    busy = np.where(np.isnan(sm), columns.get("utilization_ratio", missing), sm)
    return np.where(np.isnan(busy), np.nan, (busy >= ACTIVE_RATIO).astype(np.float64))


def _pieces(at_ms: Milliseconds, cover_ms: Milliseconds, step_ms: int) -> _Pieces:
    """What each reading covers, (at - cover, at], cut at whole steps."""
    since = at_ms - cover_ms
    first = since // step_ms
    counts = -(-at_ms // step_ms) - first
    reading = np.repeat(np.arange(len(at_ms)), counts)
    nth = np.arange(len(reading)) - np.repeat(np.cumsum(counts) - counts, counts)
    step = first[reading] + nth
    until = np.minimum(at_ms[reading], (step + 1) * step_ms)
    length = until - np.maximum(since[reading], step * step_ms)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(step) != 0)))
    return _Pieces(reading, length, starts, (step[starts] + 1) * step_ms, until == at_ms[reading])


def _mean(told: Values, pieces: _Pieces) -> Values:
    present = ~np.isnan(told)
    total = np.add.reduceat(np.where(present, told * pieces.length_ms, 0.0), pieces.starts)
    weight = np.add.reduceat(np.where(present, pieces.length_ms, 0), pieces.starts)
    return np.where(weight > 0, total / np.maximum(weight, 1), np.nan)


def _total(told: Values, pieces: _Pieces) -> Values:
    """Seconds in which it was so; missing where nothing was told."""
    present = ~np.isnan(told)
    total = np.add.reduceat(np.where(present, told * pieces.length_ms, 0.0), pieces.starts)
    return np.where(np.logical_or.reduceat(present, pieces.starts), total / 1000, np.nan)


def _highest(told: Values, pieces: _Pieces) -> Values:
    """The largest of each step; of a counter that is the last."""
    return np.fmax.reduceat(told, pieces.starts)


def _flags(told: Values, pieces: _Pieces) -> Values:
    present = ~np.isnan(told)
    masks = np.where(present, told, 0.0).astype(np.uint64)
    joined = np.bitwise_or.reduceat(masks, pieces.starts).astype(np.float64)
    return np.where(np.logical_or.reduceat(present, pieces.starts), joined, np.nan)
