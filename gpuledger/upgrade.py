"""Which statements bring a store to its schema, and which of its servers each is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from gpuledger import ddl, migration
from gpuledger.address import Address
from gpuledger.cluster import Cluster
from gpuledger.ddl import Keeping, Target
from gpuledger.migration import Found, Plan


class Server(Protocol):
    """What is asked and told; a store is one."""

    @property
    def address(self) -> Address:
        """Where it is."""

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows as mappings."""

    def command(self, sql: str, **settings: Any) -> None:
        """Run a statement."""


@dataclass(frozen=True)
class Step:
    """A statement for one server, or a note for people where there is none."""

    sql: str
    server: Server | None = None


def of_one_node(
    server: Server, outside: Server, keeping: Keeping, targets: Sequence[Target] = ()
) -> Iterator[Step]:
    """What the database of `server` needs, as `outside` it is told: it may not be there yet."""
    targets = targets or ddl.targets(keeping)
    database = server.address.database
    names = {r["name"] for r in outside.select("SELECT name FROM system.databases")}
    if database not in names:
        yield Step(f"CREATE DATABASE IF NOT EXISTS `{database}`", outside)
    there = found(outside, database)
    plan = migration.plan(targets, there, keeping, Moments(outside, f"`{database}`.{{}}"))
    yield from _steps(server, plan.statements, plan)


def of_shards(
    cluster: Cluster, shards: Sequence[Server], fronts: Sequence[Server], keeping: Keeping
) -> Iterator[Step]:
    """What a cluster needs whose shards are told one by one."""
    targets = ddl.targets(keeping)
    for shard in shards:
        yield from _databases(cluster, shard)
        there = found(shard, cluster.local)
        moments = Moments(shard, f"`{cluster.local}`.{{}}")
        plan = migration.plan(cluster.on_shards(targets), there, keeping, moments)
        yield from _steps(shard, map(cluster.told_shards, plan.statements), plan)
    for front in fronts:
        yield from _databases(cluster, front)
        plan = migration.plan(cluster.in_front(targets), found(front, cluster.database))
        yield from _steps(front, map(cluster.told_front, plan.statements), plan)


def of_keeper(cluster: Cluster, server: Server, keeping: Keeping) -> Iterator[Step]:
    """What a cluster needs whose servers hear of each statement through Keeper.

    All of them are taken to be as the one that is asked: it is they who run each statement.
    """
    targets = ddl.targets(keeping)
    everywhere = f"cluster(`{cluster.name}`, `{cluster.local}`.{{}})"
    plan = migration.plan(
        cluster.on_shards(targets),
        found(server, cluster.local),
        keeping,
        Moments(server, everywhere),
    )
    front = migration.plan(cluster.in_front(targets), found(server, cluster.database))
    yield from _databases(cluster, server)
    yield from _steps(server, map(cluster.told_shards, plan.tables), plan)
    for sql in (*front.tables, *plan.fills):
        yield Step(cluster.told_front(sql), server)
    for sql in (*plan.marks, *plan.triggers):
        yield Step(cluster.told_shards(sql), server)
    for sql in front.views:
        yield Step(cluster.told_front(sql), server)


def found(server: Server, database: str) -> dict[str, Found]:
    """Every table and view of a database; none where there is no such database."""
    columns: dict[str, dict[str, str]] = {}
    for row in server.select(_COLUMNS, database=database):
        columns.setdefault(row["table"], {})[row["name"]] = row["type"]
    return {
        name: Found(columns.get(name, {}), **row)
        for row in server.select(_TABLES, database=database)
        for name in [row.pop("name")]
    }


def _databases(cluster: Cluster, server: Server) -> Iterator[Step]:
    there = {r["name"] for r in server.select("SELECT name FROM system.databases")}
    for name, sql in cluster.databases().items():
        if name not in there:
            yield Step(sql, server)


def _steps(server: Server, statements: Iterable[str], plan: Plan) -> Iterator[Step]:
    yield from (Step(note) for note in plan.notes)
    yield from (Step(sql, server) for sql in statements)


class Moments:
    """Of which hours or days a table has rows; `place` says how a table is called."""

    def __init__(self, server: Server, place: str) -> None:
        self._server = server
        self._place = place

    def __call__(self, table: str, length: timedelta) -> list[datetime]:
        """Their starts, in order."""
        bucket = "toStartOfHour(ts)" if length < timedelta(days=1) else "toStartOfDay(ts)"
        rows = self._server.select(
            f"SELECT DISTINCT {bucket} AS at FROM {self._place.format(table)} ORDER BY at"
        )
        return [row["at"] for row in rows]


_COLUMNS = """
SELECT table, name, type FROM system.columns WHERE database = {database:String} ORDER BY position
"""
_TABLES = """
SELECT name, engine, engine_full AS full, comment, sorting_key AS key,
  partition_key AS partition, storage_policy AS policy
FROM system.tables WHERE database = {database:String}
"""
