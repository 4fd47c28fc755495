"""What the tests of migrations share: older catalogues, and the shape of a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gpuledger import ddl, migration, upgrade
from gpuledger.catalogue import TABLES, GpuSample, HostSample
from gpuledger.ddl import Keeping, Target
from gpuledger.rollups import gauges
from gpuledger.schema import Column, Rollup, Samples, Table
from gpuledger.store import Store
from tests.store_contract import another_database

FEW = ("gpu_samples", "tcp_samples", "gpu_events", "prices", "ledger_1m")
LEVELS = ("", "_1m", "_1h", "_1d")
# The gauge that came last; see `test_a_gauge_in_between_is_refused`.
LAST = gauges(GpuSample.table)[-1].column.name
LAST_OF_HOST = gauges(HostSample.table)[-1].column.name


def few(*names: str) -> list[Table]:
    return [TABLES[name] for name in names or FEW]


def without(table: Table, *names: str) -> Table:
    """The table as an older catalogue declared it."""
    return replace(table, columns=tuple(c for c in table.columns if c.name not in names))


def optional(table: Table) -> list[Column[Any]]:
    """Columns that a release may have added: no part of a key, nor what tells the time."""
    layout, fixed = table.layout, {"ts", "interval_seconds", "cluster", "node", "epoch", "version"}
    kept = fixed | set(layout.key) | {getattr(layout, "at", ""), "source"}
    return [c for c in table.columns if c.name not in kept]


def rolled(table: Table, level: Rollup) -> Table:
    """The table rolled up as far as that."""
    assert isinstance(table.layout, Samples)
    return replace(table, layout=replace(table.layout, rollup=level))


def targets(tables: Sequence[Table], keeping: Keeping = ddl.FOR_EVER) -> list[Target]:
    return ddl.targets(keeping, tables, {})


def plan_of(
    store: Store, tables: Sequence[Table], keeping: Keeping = ddl.FOR_EVER
) -> migration.Plan:
    """What the database needs to have these tables."""
    there = upgrade.found(store, store.address.database)
    moments = upgrade.Moments(store, f"`{store.address.database}`.{{}}")
    return migration.plan(targets(tables, keeping), there, keeping, moments)


def bring(store: Store, tables: Sequence[Table], keeping: Keeping = ddl.FOR_EVER) -> None:
    """Bring the database to these tables."""
    for statement in plan_of(store, tables, keeping).statements:
        store.command(statement)


def shape(store: Store) -> dict[str, Any]:
    """All that a schema is: columns in order with codecs and comments, keys, engines, views."""
    tables = store.select(
        "SELECT name, engine_full, comment, sorting_key, primary_key, as_select FROM system.tables"
        " WHERE database = currentDatabase() ORDER BY name"
    )
    columns = store.select(
        "SELECT table, name, type, comment, compression_codec FROM system.columns"
        " WHERE database = currentDatabase() ORDER BY table, position"
    )
    # A view's query names its database.
    name = f"{store.address.database}."
    return {
        "tables": [{k: v.replace(name, "") for k, v in row.items()} for row in tables],
        "columns": columns,
    }


def unlike(got: dict[str, Any], want: dict[str, Any]) -> list[Any]:
    """Rows that only one of two shapes has, and pairs that stand elsewhere."""
    out = []
    for kind, one in got.items():
        other = want[kind]
        out += [row for row in one + other if row not in one or row not in other]
        out += [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return out


def fresh(store: Store, tables: Sequence[Table]) -> dict[str, Any]:
    """The shape of a database that never was another."""
    with another_database(store) as new:
        bring(new, tables)
        return shape(new)
