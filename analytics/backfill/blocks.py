"""Folded rows to blocks of one table, and the token under which each counts once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import numpy as np

from analytics.backfill.fold import Rows
from gpuledger.batch import Batch
from gpuledger.identity import gpu_id
from gpuledger.schema import MEASURED, Field, Kind, Table

MOST_ROWS = 100_000


def blocks(rows: Iterable[Rows], source: str, epoch: int) -> Iterator[Batch]:
    """Blocks of at most 100,000 rows, tables in the order in which they first come."""
    by_table: dict[str, list[Rows]] = {}
    for some in rows:
        by_table.setdefault(some.table.name, []).append(some)
    for of_table in by_table.values():
        pending: list[Rows] = []
        size = 0
        for some in of_table:
            size += len(some.at_ms)
            if pending and size > MOST_ROWS:
                yield block(pending, source, epoch)
                pending, size = [], len(some.at_ms)
            pending.append(some)
        yield block(pending, source, epoch)


def block(rows: list[Rows], source: str, epoch: int) -> Batch:
    """One block of rows of one table."""
    table = rows[0].table
    sizes = [len(r.at_ms) for r in rows]
    values: dict[str, Any] = {
        "ts": np.concatenate([r.at_ms for r in rows]).astype("datetime64[ms]"),
        "interval_seconds": np.concatenate([r.cover_ms for r in rows]) / 1000,
        "epoch": epoch,
    }
    for field in table.fields:
        if field.column.kind in MEASURED:
            values[field.visible] = np.concatenate([_measured(field, r) for r in rows])
        elif field.visible not in values:
            told = [_name(table, field, r, source) for r in rows]
            values[field.visible] = np.repeat(_labels(told, field), sizes)
    return Batch.of_arrays(table, sum(sizes), values)


def token(batch: Batch, *place: object) -> str:
    """A name of this block's very content, and of where it belongs."""
    digest = hashlib.sha256()
    for name, column in batch.columns.items():
        digest.update(name.encode())
        if hasattr(column, "dtype") and column.dtype.kind != "O":
            digest.update(np.ma.getdata(column).tobytes())
            digest.update(np.packbits(np.ma.getmaskarray(column)).tobytes())
        else:
            digest.update("\0".join(map(str, column)).encode())
    return "/".join(("backfill", *map(str, place), batch.table.name, digest.hexdigest()[:32]))


def _measured(field: Field, rows: Rows) -> Any:
    """The values of a column; a kept max that nobody folded is the value itself."""
    found = rows.columns.get(field.visible, rows.columns.get(field.column.name))
    return np.full(len(rows.at_ms), np.nan) if found is None else found


def _name(table: Table, field: Field, rows: Rows, source: str) -> Any:
    """What a column that names or describes says of all these rows."""
    name, told = field.column.name, rows.names
    if name == "gpu_id" and "slot" in told:
        return gpu_id(str(told.get("cluster", "")), str(told.get("node", "")), int(told["slot"]))
    if name == "source" and name not in told and name not in table.layout.key:
        return source
    value = told.get(name, field.column.default)
    return value.isoformat() if isinstance(value, datetime) else value


def _labels(told: list[Any], field: Field) -> Any:
    if field.column.kind in {Kind.LABEL, Kind.TEXT}:
        return np.array(told, dtype=object)
    return np.array(told, dtype=np.uint64)
