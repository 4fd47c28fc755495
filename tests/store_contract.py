"""What the tests of the store share: both kinds of store, and rows to put in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from gpuledger.catalogue import GpuSample
from gpuledger.store import Address, Store, StoreSettings
from tests.components.clickhouse import ClickHouse

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
AWKWARD = 'it\'s "quoted", `so` \\ and\n\t{x:String} %s 💡'
SILENT: dict[str, Any] = {c.name: None for c in GpuSample.table.columns if c.fields[0].nullable}

_numbers = itertools.count()


def unique() -> str:
    """A node that no other test has: rows of tests never meet."""
    return f"node-{next(_numbers)}"


def at(seconds: float) -> datetime:
    """That many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def sample(node: str, seconds: float = 1, **values: Any) -> GpuSample:
    """A row of one second that knows only what is given."""
    given = {"interval_seconds": 1.0, "cluster": "c", "slot": 0, "uuid": "GPU-1", **values}
    return GpuSample(ts=at(seconds), node=node, **{**SILENT, **given})


def served_address(server: ClickHouse, database: str) -> Address:
    """The test server as its owner."""
    return Address(
        host=server.host,
        port=server.http_port,
        user=server.user,
        password=server.password,
        database=database,
    )


def both_stores(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The embedded engine, or a database of the module's own on a real server, with all tables."""
    if request.param == "embedded":
        yield cast("Store", request.getfixturevalue("engine"))
        return
    server = cast("ClickHouse", request.getfixturevalue("clickhouse"))
    database = request.module.__name__.rpartition(".")[2]
    with database_of(Store(served_address(server, database))) as store:
        store.apply()
        yield store


@contextmanager
def database_of(store: Store) -> Iterator[Store]:
    """A store whose database ends with the block."""
    try:
        yield store
    finally:
        store.command(f"DROP DATABASE IF EXISTS `{store.address.database}`")
        store.close()


@contextmanager
def another_database(store: Store) -> Iterator[Store]:
    """A new, empty database beside that of `store`."""
    name = f"other_{next(_numbers)}"
    store.command(f"CREATE DATABASE {name}")
    with database_of(Store(replace(store.address, database=name), StoreSettings())) as other:
        yield other


def seconds_of(store: Store, node: str, table: str = "gpu_samples") -> float:
    """Seconds covered by the node's rows."""
    sql = f"SELECT sum(interval_ms) / 1000 FROM {table} WHERE node = {{node:String}}"
    return float(store.value(sql, node=node))
