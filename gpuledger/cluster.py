"""The layout of a cluster: each shard's own tables, and what lets one server speak for all.

`<database>_local` holds the rows of one shard with the rollups made of them; `<database>` holds
Distributed tables of the same names, and the views over those. See docs/adr/0018.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from gpuledger import ddl
from gpuledger.catalogue import TABLES
from gpuledger.ddl import Target
from gpuledger.rollups import LEVELS, keys
from gpuledger.schema import Samples, Table, Versions

# Shard and replica are macros of each server's configuration.
KEEPER_PATH = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
# Tokens that Keeper remembers: an hour of blocks of relays that each insert once a second.
REPLICATED_WINDOW = 20_000
REPLICATED_WINDOW_S = 7 * 86_400
STAGING = "_staging"
SYNC = "SYSTEM SYNC REPLICA"

# What every question and every insert through Distributed tables needs: an insert is done when
# the shards have it, what is joined is gathered once, what is inserted goes by the sharding key,
# and a reader asks the replica that was written to.
SETTINGS = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
    "parallel_distributed_insert_select": 0,
    "load_balancing": "in_order",
}

_ENGINE = re.compile(r"^ENGINE = (\w*MergeTree)(?:\((\w+)\))?", re.MULTILINE)
_WINDOW = re.compile(r"non_replicated_deduplication_window = \d+")
_SUBJECT = re.compile(r"^((?:CREATE|ALTER|DROP)\s[A-Z ]*?`\w+`\.\w+)")


def sharding(table: Table) -> str:
    """What decides the shard of a row: its node where it has one, so that a node stays together.

    Versions of a fact meet on one shard: by their key where it does not tell the node.
    """
    key = table.layout.key
    # A GPU's id is the hash of its cluster, node and slot.
    if isinstance(table.layout, Versions) and not {"node", "gpu_id"} & set(key):
        return _hash((), key)
    return _hash({f.stored for f in table.fields}, key)


def _hash(columns: Iterable[str], key: Iterable[str]) -> str:
    return f"cityHash64({'node' if 'node' in columns else ', '.join(key)})"


def sharding_keys() -> dict[str, str]:
    """Name of each table and rollup to its sharding key."""
    out = {}
    for table in TABLES.values():
        out[table.name] = sharding(table)
        if isinstance(table.layout, Samples):
            for level in LEVELS[: table.layout.rollup]:
                out[level.table(table)] = _hash(keys(table), table.layout.key)
    return out


@dataclass(frozen=True)
class Cluster:
    """A database that is spread over shards; `keeper` = replicated, and every host is told."""

    name: str
    database: str
    keeper: bool = True

    @property
    def local(self) -> str:
        """The database of each shard's own tables."""
        return f"{self.database}_local"

    def databases(self) -> dict[str, str]:
        """What creates each of its databases."""
        on = f" ON CLUSTER `{self.name}`" if self.keeper else ""
        names = (self.local, self.database)
        return {d: f"CREATE DATABASE IF NOT EXISTS `{d}`{on}" for d in names}

    def on_shards(self, targets: Sequence[Target]) -> list[Target]:
        """What each shard has: tables, and what fills the rollups."""
        return [t for t in targets if t.kind in {"table", "materialized view"}]

    def in_front(self, targets: Sequence[Target]) -> list[Target]:
        """What lets any server speak for all: distributed tables, and views."""
        key = sharding_keys()
        tables = [t for t in targets if t.kind == "table"]
        views = [t for t in targets if t.kind == "view"]
        return [*(self.distributed(t.name, key[t.name], t.columns) for t in tables), *views]

    def distributed(self, name: str, key: str, columns: Mapping[str, str]) -> Target:
        """The table in front of each shard's own."""
        body = (
            f"CREATE OR REPLACE TABLE {name} AS `{self.local}`.{name}\n"
            f"ENGINE = Distributed('{self.name}', '{self.local}', '{name}', {key})"
        )
        return Target(name, "distributed", body, columns)

    def script(self, targets: Sequence[Target]) -> list[str]:
        """Everything that an empty cluster needs, in an order in which it can be run."""
        own = [self.told_shards(t.create) for t in self.on_shards(targets)]
        front = [self.told_front(t.create) for t in self.in_front(targets)]
        return [*self.databases().values(), *own, *front]

    def local_name(self, table: str) -> str:
        """The shard's own table, as any server calls it."""
        return f"`{self.local}`.{table}"

    def told_shards(self, sql: str) -> str:
        """A statement about tables as each shard must hear it."""
        return self._everywhere(_within(self.local, self._replicated(sql)))

    def told_front(self, sql: str) -> str:
        """A statement about tables as the servers that speak for all must hear it."""
        return self._everywhere(_within(self.database, sql))

    def _everywhere(self, sql: str) -> str:
        if not self.keeper:
            return sql
        on = f"ON CLUSTER `{self.name}`"
        if sql.startswith(SYNC):
            return sql.replace(SYNC, f"{SYNC} {on}", 1)
        return _SUBJECT.sub(rf"\1 {on}", sql, count=1)

    def _replicated(self, sql: str) -> str:
        if not self.keeper:
            return sql
        window = (
            f"replicated_deduplication_window = {REPLICATED_WINDOW},"
            f" replicated_deduplication_window_seconds = {REPLICATED_WINDOW_S}"
        )
        return _WINDOW.sub(window, _ENGINE.sub(_replicated_engine, sql))


def _replicated_engine(found: re.Match[str]) -> str:
    arguments = ", ".join(filter(None, (KEEPER_PATH, found[2])))
    return f"ENGINE = Replicated{found[1]}({arguments})"


def _within(database: str, sql: str) -> str:
    """Every table of ours named with its database: whoever hears it may be in another one."""
    return _named().sub(rf"\1 `{database}`.\2", sql)


@cache
def _named() -> re.Pattern[str]:
    """A word that a table follows, and anything of ours that may be named so, longest first."""
    names = [target.name for target in ddl.targets()]
    names += [f"{table.name}{STAGING}" for table in TABLES.values()]
    listed = "|".join(sorted(names, key=len, reverse=True))
    return re.compile(rf"\b(FROM|JOIN|INTO|TO|TABLE|EXISTS|VIEW|REPLICA) ({listed})\b")
