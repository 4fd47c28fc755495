"""Two real servers that know each other as shards, and one of them alone beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from gpuledger.store import Store, StoreSettings
from tests.components.clickhouse import ClickHouse, remote_servers
from tests.components.fixtures import or_skip
from tests.components.process import free_port
from tests.store_contract import served_address

NAME = "two"
FULL = """
SELECT concat(database, '.', name) FROM system.tables
WHERE database IN ('gpuledger_local', 'alone') AND total_rows > 0
"""


@dataclass(frozen=True)
class Pair:
    """Two servers that know each other, a store over both, and one over the first alone."""

    servers: tuple[ClickHouse, ClickHouse]
    many: Store
    one: Store

    @property
    def stores(self) -> tuple[Store, Store]:
        return self.many, self.one

    def on_each(self, sql: str) -> list[str]:
        """What each server answers, in lines."""
        return [server.execute(sql).strip() for server in self.servers]

    def wipe(self) -> None:
        """Empty every table."""
        for server in self.servers:
            for table in server.execute(FULL).splitlines():
                server.execute(f"TRUNCATE TABLE {table}")


def two_shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Started, with every table, in both ways."""
    ports = [free_port(), free_port()]
    told = remote_servers(NAME, ports)
    with ExitStack() as stack:
        servers = []
        for port in ports:
            server = ClickHouse(tmp_path_factory.mktemp("shard"), more=told)
            server.tcp_port = port
            servers.append(stack.enter_context(or_skip(server)))
        spread = StoreSettings(cluster=NAME, shards=[s.url for s in servers])
        many = Store(served_address(servers[0], "gpuledger"), spread)
        one = Store(served_address(servers[0], "alone"))
        for store in (many, one):
            store.apply()
            stack.callback(store.close)
        yield Pair((servers[0], servers[1]), many, one)
