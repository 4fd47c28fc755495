"""Shards, replicas and encryption as deployed: what one engine can prove without a Keeper."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuledger.cluster import KEEPER_PATH
from tests.components.clickhouse import ClickHouse
from tests.components.fixtures import or_skip
from tests.deploy.files import DEPLOY

FOLDER = DEPLOY / "clickhouse"
CLUSTER, KEEPER = FOLDER / "cluster" / "cluster.xml", FOLDER / "cluster" / "keeper.xml"
ENCRYPTED = FOLDER / "disks" / "encrypted.xml"
MARKER = "a-name-that-nobody-has"


def inner(file: Path) -> str:
    """A file's settings without the element around them."""
    found = re.search(r"<clickhouse>(.*)</clickhouse>", file.read_text(), flags=re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    directory: Path = tmp_path_factory.mktemp("encrypted")
    disks = inner(ENCRYPTED).replace("/var/lib/clickhouse/plain/", f"{directory}/plain/")
    # No second server is there, and none is asked: the local mode has no interserver port.
    cluster = re.sub(r"<interserver_http_port>.*?</interserver_http_port>", "", inner(CLUSTER))
    with pytest.MonkeyPatch.context() as patch:
        told = {"DISK_KEY": "5f" * 32, "SHARD": "2", "REPLICA": "clickhouse-2a"}
        for name, value in {**told, "CLUSTER_SECRET": "s", "INTERSERVER_PASSWORD": "p"}.items():
            patch.setenv(name, value)
        with or_skip(ClickHouse(directory, more=disks + cluster)) as started:
            yield started


def ask(server: ClickHouse, sql: str) -> str:
    return server.execute(sql).strip()


def files_with_the_marker(directory: Path) -> list[Path]:
    return [p for p in directory.rglob("*.bin") if MARKER.encode() in p.read_bytes()]


def test_a_new_table_is_encrypted_without_being_asked(server: ClickHouse) -> None:
    ask(server, "CREATE DATABASE IF NOT EXISTS d")
    ask(server, "CREATE TABLE d.told (who String CODEC(NONE)) ENGINE MergeTree ORDER BY who")
    ask(server, f"INSERT INTO d.told VALUES ('{MARKER}')")
    assert ask(server, "SELECT who FROM d.told") == MARKER
    assert [*(server.directory / "plain").rglob("*.bin")]
    assert files_with_the_marker(server.directory) == []


def test_without_the_policy_the_same_row_lies_there_in_the_clear(server: ClickHouse) -> None:
    ask(server, "CREATE DATABASE IF NOT EXISTS d")
    ask(
        server,
        "CREATE TABLE d.plain (who String CODEC(NONE)) ENGINE MergeTree ORDER BY who"
        " SETTINGS storage_policy = 'default'",
    )
    ask(server, f"INSERT INTO d.plain VALUES ('{MARKER}')")
    assert len(files_with_the_marker(server.directory)) == 1
    ask(server, "DROP TABLE d.plain SYNC")


def test_the_engine_knows_two_shards_of_two_replicas(server: ClickHouse) -> None:
    told = ask(
        server,
        "SELECT shard_num, groupArray(host_name) FROM (SELECT * FROM system.clusters"
        " WHERE cluster = 'prod' ORDER BY shard_num, replica_num) GROUP BY shard_num"
        " ORDER BY shard_num FORMAT TSV",
    )
    assert told.splitlines() == [
        f"{shard}\t['clickhouse-{shard}a','clickhouse-{shard}b']" for shard in (1, 2)
    ]


def test_the_macros_are_those_of_our_tables(server: ClickHouse) -> None:
    told = dict(
        line.split("\t")
        for line in ask(server, "SELECT * FROM system.macros FORMAT TSV").split("\n")
    )
    assert told == {"shard": "2", "replica": "clickhouse-2a"}
    assert all(f"{{{name}}}" in KEEPER_PATH for name in told)


def test_each_row_is_written_to_one_replica_and_peers_prove_themselves() -> None:
    cluster = ET.parse(CLUSTER).getroot().find("remote_servers/prod")
    assert cluster is not None
    assert cluster.find("secret[@from_env]") is not None
    assert [s.findtext("internal_replication") for s in cluster.findall("shard")] == ["true"] * 2


def test_servers_and_keepers_name_the_same_machines() -> None:
    named = [h.text for h in ET.parse(CLUSTER).getroot().findall("zookeeper/node/host")]
    raft = ET.parse(KEEPER).getroot().findall("keeper_server/raft_configuration/server/hostname")
    assert named == [h.text for h in raft]
    port = ET.parse(KEEPER).getroot().findtext("keeper_server/tcp_port")
    assert {p.text for p in ET.parse(CLUSTER).getroot().findall("zookeeper/node/port")} == {port}


def test_no_secret_stands_in_a_file() -> None:
    for file in (CLUSTER, KEEPER, ENCRYPTED):
        for element in ET.parse(file).getroot().iter():
            if element.tag in {"password", "secret", "key_hex"}:
                assert element.get("from_env")
                assert not (element.text or "").strip()
