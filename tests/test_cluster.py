"""A cluster of two real servers is the same store: one layout, and every row once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpuledger import ddl
from gpuledger.batch import Batch
from gpuledger.catalogue import TABLES
from gpuledger.cluster import Cluster, sharding, sharding_keys
from gpuledger.errors import ConfigError, StoreError
from gpuledger.rollups import LEVELS
from gpuledger.schema import Samples, Versions
from gpuledger.store import Address, Store, StoreSettings
from tests.analytics import world
from tests.shards import NAME, Pair, two_shards
from tests.store_contract import sample, unique


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    yield from two_shards(tmp_path_factory)


@pytest.fixture
def clean(pair: Pair) -> Pair:
    """Both stores empty, whatever the test before did."""
    pair.wipe()
    return pair


# --- layout -----------------------------------------------------------------------------------


def test_what_is_applied_once_needs_nothing_more(pair: Pair) -> None:
    assert pair.many.plan() == []
    assert set(pair.many.existing()) == {
        t.name for t in ddl.targets() if t.kind != "materialized view"
    }


def test_every_server_can_speak_for_all(pair: Pair) -> None:
    tables = "SELECT count() FROM system.tables WHERE database = '{}'"
    for database in ("gpuledger", "gpuledger_local"):
        first, second = pair.on_each(tables.format(database))
        assert first == second != "0"


def test_a_second_of_each_node_is_on_one_shard_with_everything_made_of_it(clean: Pair) -> None:
    nodes = [unique() for _ in range(16)]
    clean.many.insert(Batch.of_rows([sample(node, s) for node in nodes for s in range(90)]))
    for table in ("gpu_samples", "gpu_samples_1m", "gpu_samples_1h", "gpu_samples_1d"):
        sql = f"SELECT DISTINCT node FROM gpuledger_local.{table}"
        first, second = (set(lines.split()) for lines in clean.on_each(sql))
        assert first | second == set(nodes)
        assert not first & second
        assert first
        assert second


def test_versions_of_a_fact_meet_on_one_shard() -> None:
    for table in TABLES.values():
        if isinstance(table.layout, Versions) and sharding(table) == "cityHash64(node)":
            assert {"node", "gpu_id"} & set(table.layout.key), table.name


def test_every_table_and_rollup_has_a_sharding_key() -> None:
    rolled = [
        level.table(t)
        for t in TABLES.values()
        if isinstance(t.layout, Samples)
        for level in LEVELS[: t.layout.rollup]
    ]
    assert set(sharding_keys()) == {*TABLES, *rolled}


@pytest.mark.parametrize("table", ["gpu_samples", "allocations", "assets", "ledger_1m"])
def test_a_nodes_samples_allocations_and_ledger_go_by_its_name(table: str) -> None:
    assert sharding_keys()[table] == "cityHash64(node)"


# --- exactly once -----------------------------------------------------------------------------


def test_a_batch_sent_again_through_the_cluster_counts_once(clean: Pair) -> None:
    nodes = [unique() for _ in range(8)]
    batch = Batch.of_rows([sample(node, s) for node in nodes for s in range(600)])
    for _ in range(3):
        clean.many.insert(batch, token=nodes[0])
    for table in ("gpu_samples", "gpu_samples_1m", "gpu_samples_1h", "gpu_samples_1d"):
        seconds = clean.many.value(f"SELECT sum(interval_ms) / 1000 FROM {table}")
        assert seconds == 8 * 600, table


def test_a_batch_that_one_shard_has_already_is_completed(clean: Pair) -> None:
    nodes = [unique() for _ in range(8)]
    batch = Batch.of_rows([sample(node, s) for node in nodes for s in range(60)])
    clean.servers[1].stop()
    with pytest.raises(StoreError, match="a shard of its cluster cannot be reached"):
        clean.many.insert(batch, token=nodes[0])
    clean.servers[1].start()
    clean.many.insert(batch, token=nodes[0])
    for table in ("gpu_samples", "gpu_samples_1m", "gpu_samples_1h"):
        assert clean.many.value(f"SELECT sum(interval_ms) / 1000 FROM {table}") == 8 * 60, table


def test_the_latest_version_of_a_fact_holds(clean: Pair) -> None:
    for version in (1, 3, 2):
        clean.many.insert_rows(
            [replace_row(world.job(str(n)), name=f"v{version}", version=version) for n in range(20)]
        )
    assert clean.many.select("SELECT DISTINCT name FROM v_jobs") == [{"name": "v3"}]
    assert clean.many.value("SELECT count() FROM v_jobs") == 20


def test_a_plan_says_where_each_statement_runs(pair: Pair) -> None:
    asked = Store(
        replace(pair.many.address, database="planned"),
        StoreSettings(cluster=NAME, shards=[s.url for s in pair.servers]),
    )
    steps = asked.steps()
    ports = {step.server.address.port for step in steps if step.server}
    assert ports == {server.http_port for server in pair.servers}
    assert [s.sql for s in steps[:1]] == ["CREATE DATABASE IF NOT EXISTS `planned_local`"]


# --- what is printed for a cluster with a Keeper ------------------------------------------------


def printed() -> list[str]:
    return Cluster("prod", "gpuledger").script(ddl.targets())


def test_every_printed_statement_is_one_that_the_engine_reads(engine: Store) -> None:
    statements = printed()
    read = engine.select(
        "SELECT formatQuery(arrayJoin({said:Array(String)})) AS sql", said=statements
    )
    assert len(read) == len(statements)
    assert all("ON CLUSTER prod" in row["sql"] for row in read)


def test_every_table_of_a_cluster_with_a_keeper_is_replicated() -> None:
    made = [s for s in printed() if s.startswith("CREATE TABLE")]
    assert len(made) == sum(target.kind == "table" for target in ddl.targets())
    for statement in made:
        assert "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'" in statement
        assert "non_replicated" not in statement


def test_printed_statements_name_the_database_of_every_table(clean: Pair) -> None:
    """Heard in another database, without what needs a Keeper, they make the same tables."""
    script = Cluster(NAME, "heard", keeper=False).script(ddl.targets())
    for statement in script:
        clean.servers[1].execute(statement)
    count = "SELECT count() FROM system.tables WHERE database = '{}'"
    for database in ("heard", "heard_local"):
        found = clean.servers[1].execute(count.format(database))
        assert found == clean.servers[1].execute(
            count.format(database.replace("heard", "gpuledger"))
        )
        clean.servers[1].execute(f"DROP DATABASE {database}")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "ALTER TABLE jobs REPLACE PARTITION ID '1' FROM jobs_staging",
            "ALTER TABLE `d`.jobs ON CLUSTER `c` REPLACE PARTITION ID '1' FROM `d`.jobs_staging",
        ),
        (
            "DROP TABLE IF EXISTS ledger_1m_staging SYNC",
            "DROP TABLE IF EXISTS `d`.ledger_1m_staging ON CLUSTER `c` SYNC",
        ),
        (
            "SYSTEM SYNC REPLICA ledger_1m_staging",
            "SYSTEM SYNC REPLICA ON CLUSTER `c` `d`.ledger_1m_staging",
        ),
    ],
)
def test_statements_on_partitions_reach_every_shard(pair: Pair, sql: str, told: str) -> None:
    assert Cluster("c", "d").told_shards(sql).replace("d_local", "d") == told
    assert pair.one.value("SELECT formatQuery({said:String})", said=told)


# --- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "given", "says"),
    [
        (Address(host="h"), StoreSettings(shards=["http://a"]), "say which cluster"),
        (Address(directory=Path("/x")), StoreSettings(cluster="c"), "needs a server"),
        (Address(host="h"), StoreSettings(cluster="c", shards=["chdb:///x"]), "is no server"),
        (Address(host="h"), StoreSettings(cluster="c", shards=["host"]), "write chdb"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(
    address: Address, given: StoreSettings, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Store(address, given).steps()


def replace_row(row: Any, **changed: Any) -> Any:
    """The same row with other values."""
    for name, value in changed.items():
        setattr(row, name, value)
    return row
