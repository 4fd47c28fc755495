"""`gpuledger relay` as people run it: killed, cut off, crowded; every acknowledged row once."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest

from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample
from gpuledger.envelope import Part, seal
from gpuledger.native import encode
from gpuledger.store import Store
from tests.analytics.command import READY_S, Running, complaint
from tests.chaos.proxy import Proxy
from tests.components.clickhouse import ClickHouse
from tests.components.fixtures import or_skip
from tests.components.process import free_port, wait_until
from tests.store_contract import database_of, served_address

OWNER, COLLECTOR = "of the owner", "of the collectors"
SPOOL_OF_NODE = "00000000-0000-4000-8000-{:012}"
DRAIN_S = 60.0


class RunningRelay(Running):
    """A relay that keeps its spool in `directory`."""

    def __init__(self, directory: Path, port: int, *arguments: object) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        store = f"http://{ClickHouse.user}@127.0.0.1:{port}/relayed"
        command = ("relay", "--store", store, "--spool", directory / "relay.db", *arguments)
        secrets = {"GPULEDGER_TOKEN": OWNER, "GPULEDGER_INGEST_TOKEN": COLLECTOR}
        super().__init__(
            directory, *command, **secrets, GPULEDGER_STORE_PASSWORD=ClickHouse.password
        )

    def __enter__(self) -> Self:
        said = self.log.count("ready: send to ") if self.child.log.exists() else 0
        self.child.start()
        self.child.wait_ready(lambda: self.log.count("ready: send to ") > said, READY_S)
        return self

    def send(self, node: int, sequence: int = 1, token: str = COLLECTOR) -> int:
        """The status of an envelope with a row of each of the node's GPUs; 0: no answer."""
        request = urllib.request.Request(
            f"http://{self.address}/v1/ingest",
            data=body(node, sequence),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "x"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                (part,) = json.loads(answer.read())["parts"]
                return int(part["status"])
        except urllib.error.HTTPError as refusal:
            return refusal.code if refusal.headers["Retry-After"] else -1
        except OSError:
            return 0

    @property
    def figures(self) -> dict[str, float]:
        """Its metrics; those by table summed up."""
        status, text = self.get("/metrics", {"Authorization": f"Bearer {OWNER}"})
        assert status == 200
        out: dict[str, float] = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = name.partition("{")[0].removeprefix("gpuledger_relay_")
                out[name] = out.get(name, 0.0) + float(value)
        return out

    def is_drained(self) -> bool:
        return not self.figures.get("waiting_rows")


def body(node: int, sequence: int) -> bytes:
    """An envelope of two rows of the last minute."""
    ts = datetime.fromtimestamp(time.time() // 60 * 60 - 60 + sequence % 60, UTC)
    rows = [
        GpuSample.known(
            ts=ts,
            interval_seconds=1.0,
            cluster="c",
            node=f"n{node}",
            slot=slot,
            uuid=f"GPU-{node}-{slot}",
        )
        for slot in range(2)
    ]
    table = GpuSample.table.name
    key = f"{SPOOL_OF_NODE.format(node)}/{table}/{sequence}"
    return seal([Part(table, key, "0.1.0", encode(Batch.of_rows(rows)))])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClickHouse]:
    """A server of the test's own, to be ended at will."""
    with or_skip(ClickHouse(tmp_path / "clickhouse")) as started:
        with closing(Store(served_address(started, "relayed"))) as store:
            store.apply()
        yield started


@pytest.fixture
def relayed(clickhouse: ClickHouse) -> Iterator[Store]:
    """A database on the server that all tests share."""
    with database_of(Store(served_address(clickhouse, "relayed"))) as store:
        store.apply()
        yield store


def stored(server: ClickHouse, relay: RunningRelay) -> tuple[int, int, int]:
    """Rows, different ones, and seconds that the rollup covers, once nothing waits."""
    wait_until(relay.is_drained, DRAIN_S, "the journal is empty")
    with closing(Store(served_address(server, "relayed"))) as store:
        (found,) = store.select(
            "SELECT count() AS n, uniqExact(node, slot, ts) AS once,"
            " (SELECT intDiv(sum(interval_ms), 1000) FROM gpu_samples_1m) AS seconds"
            " FROM gpu_samples"
        )
    return found["n"], found["once"], found["seconds"]


def test_rows_accepted_before_there_is_a_database_survive_kill_9(
    server: ClickHouse, tmp_path: Path
) -> None:
    server.stop()
    with RunningRelay(tmp_path / "relay", server.http_port) as relay:
        assert relay.get("/readyz")[0] == 200
        assert [relay.send(node) for node in range(30)] == [200] * 30
        relay.child.kill()
    server.start()
    with RunningRelay(tmp_path / "relay", server.http_port) as relay:
        assert relay.send(7) == 200
        assert stored(server, relay) == (60, 60, 60)
        assert relay.figures["duplicate_rows_total"] == 2


def test_rows_acknowledged_but_not_yet_inserted_survive_kill_9(
    relayed: Store, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.toml"
    slow.write_text("[relay]\nlinger_s = 600\n")
    for life in range(3):
        with RunningRelay(tmp_path / "relay", clickhouse.http_port, "--config", slow) as relay:
            assert [relay.send(node, life) for node in range(10)] == [200] * 10
            assert relay.figures["waiting_rows"] == 20 * (life + 1)
            relay.child.kill()
    assert relayed.value("SELECT count() FROM gpu_samples") == 0
    with RunningRelay(tmp_path / "relay", clickhouse.http_port) as relay:
        assert stored(clickhouse, relay) == (60, 60, 60)


def test_rows_that_are_in_the_database_without_the_relay_knowing_count_once(
    relayed: Store, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    """Killed between insert and forgetting: the answers of the database never come."""
    proxy = Proxy(lambda: clickhouse.http_port, seed=1, swallow=0.0)
    try:
        with RunningRelay(tmp_path / "relay", proxy.port) as relay:
            assert relay.send(1) == 200
            wait_until(relay.is_drained, DRAIN_S, "the first row")
            proxy.swallow = 1.0
            assert [relay.send(node) for node in range(2, 12)] == [200] * 10
            enough = "SELECT count() FROM gpu_samples WHERE node != 'n1'"
            wait_until(lambda: relayed.value(enough) > 0, DRAIN_S, "an insert")
            assert not relay.is_drained()
            relay.child.kill()
        proxy.swallow = 0.0
        with RunningRelay(tmp_path / "relay", proxy.port) as relay:
            assert stored(clickhouse, relay) == (22, 22, 22)
    finally:
        proxy.close()


def test_a_database_that_goes_and_comes_back_costs_no_row(
    server: ClickHouse, tmp_path: Path
) -> None:
    waits = "rows of gpu_samples wait in the journal"
    with RunningRelay(tmp_path / "relay", server.http_port) as relay:
        for sequence in range(40):
            if sequence == 10:
                server.kill()
            if sequence == 30:
                wait_until(lambda: waits in relay.log, DRAIN_S, "the relay's word about it")
                server.start()
            assert relay.send(1, sequence) == 200
        assert stored(server, relay) == (80, 80, 80)
        assert "rows go into the store again" in relay.log


def test_a_hundred_senders_at_once_share_commits_and_blocks(
    relayed: Store, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    with RunningRelay(tmp_path / "relay", clickhouse.http_port) as relay:
        with ThreadPoolExecutor(100) as pool:
            statuses = list(pool.map(lambda n: relay.send(n % 100, n // 100), range(1_000)))
        assert statuses == [200] * 1_000
        assert stored(clickhouse, relay) == (2_000, 2_000, 2_000)
        figures = relay.figures
        assert figures["requests_total"] == 1_000
        assert figures["commits_total"] < 900
        assert figures["inserted_blocks_total"] < 100
        assert figures["inserted_rows_total"] == figures["accepted_rows_total"] == 2_000


def test_two_relays_stand_side_by_side(
    relayed: Store, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    with (
        RunningRelay(tmp_path / "a", clickhouse.http_port) as one,
        RunningRelay(tmp_path / "b", clickhouse.http_port) as other,
        ThreadPoolExecutor(20) as pool,
    ):
        relays = (one, other)
        done = pool.map(lambda n: relays[n % 2].send(n % 20, n // 20), range(200))
        assert set(done) == {200}
        for relay in relays:
            assert stored(clickhouse, relay)
        assert stored(clickhouse, one) == (400, 400, 400)


def test_a_full_relay_turns_senders_away_until_the_database_takes_rows_again(
    server: ClickHouse, tmp_path: Path
) -> None:
    server.stop()
    small = tmp_path / "small.toml"
    small.write_text("[relay]\nspool_bytes = 20000\n")
    with RunningRelay(tmp_path / "relay", server.http_port, "--config", small) as relay:
        statuses = [relay.send(1, sequence) for sequence in range(60)]
        taken = statuses.count(200)
        assert 5 < taken < 55
        assert statuses == [200] * taken + [503] * (60 - taken)
        assert relay.figures["busy_answers_total"] == 60 - taken
        assert relay.get("/readyz")[0] == 503
        server.start()
        wait_until(lambda: relay.send(1, 99) == 200, DRAIN_S, "there is room")
        rows = 2 * (taken + 1)
        assert stored(server, relay) == (rows, rows, rows)


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well_with_everything_stored(
    relayed: Store, clickhouse: ClickHouse, tmp_path: Path, name: signal.Signals
) -> None:
    slow = tmp_path / "slow.toml"
    slow.write_text("[relay]\nlinger_s = 600\n")
    with RunningRelay(tmp_path / "relay", clickhouse.http_port, "--config", slow) as relay:
        assert [relay.send(node) for node in range(10)] == [200] * 10
        assert relay.end(name) == 0
        assert "Traceback" not in relay.log
    assert relayed.value("SELECT count() FROM gpu_samples") == 20


def test_it_ends_well_and_soon_while_the_database_is_away(tmp_path: Path) -> None:
    with RunningRelay(tmp_path / "relay", free_port()) as relay:
        assert relay.send(1) == 200
        began = time.monotonic()
        assert relay.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 20
        assert "Traceback" not in relay.log


def test_it_has_doors_for_senders_and_its_own_state_only(tmp_path: Path) -> None:
    owner = {"Authorization": f"Bearer {OWNER}"}
    collector = {"Authorization": f"Bearer {COLLECTOR}"}
    with RunningRelay(tmp_path / "relay", free_port()) as relay:
        assert relay.get("/healthz")[0] == relay.get("/readyz")[0] == 200
        assert relay.get("/v1/ledger", owner)[0] == 404
        assert [relay.get("/metrics", who)[0] for who in ({}, collector, owner)] == [401, 403, 200]
        assert relay.send(1) == 200
        figures = relay.figures
        assert (figures["accepted_rows_total"], figures["waiting_rows"]) == (2, 2)
        assert figures["waiting_bytes"] > 0
        said = complaint(2, *relay.child.command[1:], GPULEDGER_INGEST_TOKEN="t")
        assert "Address already in use" in said
        elsewhere = (*relay.child.command[1:-1], f"127.0.0.1:{free_port()}")
        said = complaint(2, *elsewhere, GPULEDGER_INGEST_TOKEN="t")
        assert said.endswith("another relay or service uses it; give this one a --spool of its own")


def test_what_makes_no_relay_is_said_at_once(tmp_path: Path) -> None:
    embedded = complaint(2, "relay", "--store", f"chdb://{tmp_path}/x", GPULEDGER_TOKEN="t")
    assert "'serve' has its own relay" in embedded
