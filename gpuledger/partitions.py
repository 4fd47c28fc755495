"""Windows of computed rows: staged beside their table, and swapped in as whole partitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from gpuledger.cluster import STAGING, SYNC, Cluster, sharding
from gpuledger.ddl import create_table
from gpuledger.schema import Table
from gpuledger.store import Store

# A window of which nothing is left must empty its partition, on each shard as on one node. Newer
# servers want to be told that this is meant; older ones do not know the setting.
EMPTY = "allow_replace_partition_from_empty_source"


def stage(store: Store, table: Table) -> str:
    """An empty table like `table`, and its name; what an earlier attempt left is thrown away."""
    name = f"{table.name}{STAGING}"
    store.everywhere(f"DROP TABLE IF EXISTS {name} SYNC")
    store.everywhere(_twin(store.cluster, table, name))
    if store.cluster:
        front = store.cluster.distributed(name, sharding(table), {})
        store.command(store.cluster.told_front(front.body))
    return name


def _twin(cluster: Cluster | None, table: Table, name: str) -> str:
    if cluster and cluster.keeper:
        # As the other one would share its place in Keeper.
        return create_table(table).replace(table.name, name, 1)
    return f"CREATE TABLE {name} AS {cluster.local_name(table.name) if cluster else table.name}"


@contextmanager
def beside(store: Store, name: str, columns: Mapping[str, str]) -> Iterator[None]:
    """An empty table in the memory of the server that is asked, for one computation."""
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    store.command(f"CREATE OR REPLACE TABLE {name} ({listed}) ENGINE = Memory")
    try:
        yield
    finally:
        store.command(f"DROP TABLE IF EXISTS {name} SYNC")


def swap(store: Store, table: Table, partitions: Iterable[str]) -> None:
    """Replace whole partitions by the staged ones, and drop the staging table.

    `partitions` are ids as system.parts has them; what was not staged is empty from then on.
    """
    staging = f"{table.name}{STAGING}"
    if store.cluster and store.cluster.keeper:
        store.everywhere(f"{SYNC} {staging}")
    changes = ", ".join(f"REPLACE PARTITION ID '{p}' FROM {staging}" for p in partitions)
    known = store.value(f"SELECT count() FROM system.settings WHERE name = '{EMPTY}'")
    store.everywhere(f"ALTER TABLE {table.name} {changes}", **({EMPTY: 1} if known else {}))
    discard(store, table)


def discard(store: Store, table: Table) -> None:
    """Drop the staging table; what was staged is nothing."""
    staging = f"{table.name}{STAGING}"
    if store.cluster:
        store.command(store.cluster.told_front(f"DROP TABLE {staging}"))
    store.everywhere(f"DROP TABLE {staging} SYNC")


def drop(store: Store, table: Table, partitions: Iterable[str]) -> None:
    """Drop whole partitions; what is not there is none."""
    changes = ", ".join(f"DROP PARTITION ID '{p}'" for p in partitions)
    store.everywhere(f"ALTER TABLE {table.name} {changes}")
