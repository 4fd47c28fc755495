"""A real Prometheus that writes to the real service what it scrapes: nothing lost, nothing twice.

Prometheus scrapes a page like dcgm-exporter's and Debian's node_exporter. Then the service is
killed and comes back, and Prometheus is killed and comes back.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from tests.analytics.command import Running
from tests.components.exporter import WATTS, FakeDcgm
from tests.components.fixtures import or_skip, skipping
from tests.components.process import Child, free_port, http_ok, program, wait_until
from tests.components.prometheus import Prometheus

INTERVAL_MS, MINUTE_MS = 1_000, 60_000
UP_S, AGAIN_S, LIMIT_S = 6.0, 5.0, 60.0
POWER, UTIL = "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_UTIL"


@dataclass
class World:
    """What happened, and what was found afterwards."""

    cards: list[dict[str, Any]] = field(default_factory=list)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    places: list[dict[str, Any]] = field(default_factory=list)
    power: dict[int, float] = field(default_factory=dict)
    load: dict[int, float] = field(default_factory=dict)
    killed_ms: int = 0
    back_ms: int = 0
    metrics: str = ""

    def of_card(self, slot: int) -> list[dict[str, Any]]:
        return [row for row in self.cards if row["slot"] == slot]


class Service(Running):
    """The service, asked for rows."""

    def sql(self, question: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"http://{self.address}/v1/sql",
            data=json.dumps({"sql": question}).encode(),
            headers={"Authorization": "Bearer owner", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
        names = [column["name"] for column in found["columns"]]
        return [dict(zip(names, row, strict=True)) for row in found["rows"]]

    def newest_ms(self) -> int:
        [found] = self.sql("SELECT max(toUnixTimestamp64Milli(ts)) AS ts FROM v_gpu_samples")
        return int(found["ts"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("site")
    (home / "config.toml").write_text('[scraped]\ncluster = "site"\n')
    flags = ("--store", f"chdb://{home}/store", "--config", home / "config.toml")
    tokens = {"GPULEDGER_TOKEN": "owner", "GPULEDGER_INGEST_TOKEN": "sender"}
    with skipping():
        node = program("prometheus-node-exporter")
    port = free_port()
    exporter = Child([node, f"--web.listen-address=127.0.0.1:{port}"], home / "node.log")
    exporter.start()
    try:
        exporter.wait_ready(lambda: http_ok(f"http://127.0.0.1:{port}/"), LIMIT_S)
        with FakeDcgm() as dcgm, Service(home, "serve", *flags, **tokens) as service:
            jobs = {"dcgm": dcgm.address, "node": f"127.0.0.1:{port}"}
            url = f"http://{service.address}/v1/prometheus/write"
            prometheus = Prometheus(
                home / "prometheus", [], jobs=jobs, write_to=url, token="sender"
            )
            with or_skip(prometheus):
                yield happened(service, prometheus)
    finally:
        exporter.stop()


def happened(service: Service, prometheus: Prometheus) -> World:
    world = World()
    began_ms = now_ms()
    arrive(service, began_ms + round(UP_S * 1000))
    assert service.child.process is not None
    service.child.process.kill()
    service.child.process.wait()
    service.child.start()
    service.child.wait_ready(lambda: service.log.count("ready: ") == 2, LIMIT_S)
    arrive(service, now_ms() + round(AGAIN_S * 1000))
    world.killed_ms = now_ms()
    prometheus.kill()
    prometheus.start()
    world.back_ms = now_ms()
    arrive(service, world.back_ms + round(AGAIN_S * 1000))
    until_ms = now_ms() - 1_000
    [(_, world.power)] = prometheus.samples(f'{POWER}{{gpu="0"}}').items()
    [(_, world.load)] = prometheus.samples("node_load1").items()
    arrive(service, until_ms + 3_000)
    until = f"WHERE toUnixTimestamp64Milli(ts) <= {until_ms} ORDER BY ts"
    ms = "toUnixTimestamp64Milli(ts) AS at_ms"
    world.cards = service.sql(f"SELECT *, {ms} FROM v_gpu_samples {until}")
    world.hosts = service.sql(f"SELECT *, {ms} FROM v_host_samples {until}")
    world.places = service.sql("SELECT DISTINCT cluster, node, slot, uuid, model FROM v_gpus")
    world.power = {at: v for at, v in world.power.items() if at <= until_ms}
    world.load = {at: v for at, v in world.load.items() if at <= until_ms}
    world.metrics = service.get("/metrics", {"Authorization": "Bearer owner"})[1]
    return world


def arrive(service: Service, at_ms: int) -> None:
    """Wait until rows of a moment after this one are in the store."""
    wait_until(lambda: service.newest_ms() > at_ms, LIMIT_S, f"rows after {at_ms}")


def now_ms() -> int:
    return round(time.time() * 1000)


def lost(world: World, kept: dict[int, float], rows: list[dict[str, Any]]) -> set[int]:
    """Moments that Prometheus keeps and we do not."""
    return kept.keys() - {row["at_ms"] for row in rows}


@pytest.mark.parametrize("slot", [0, 1])
def test_no_row_is_there_twice(world: World, slot: int) -> None:
    moments = [row["at_ms"] for row in world.of_card(slot) if row["interval_seconds"]]
    assert len(moments) == len(set(moments))


def test_what_prometheus_keeps_is_here_but_for_what_it_never_sent_again(world: World) -> None:
    """A Prometheus that comes back sends from its own start on: older samples it had not sent yet
    it keeps to itself."""
    for kept, rows in ((world.power, world.of_card(0)), (world.load, world.hosts)):
        missing = lost(world, kept, rows)
        assert all(world.killed_ms - 4_000 < at < world.back_ms for at in missing), missing
        assert len(kept) - len(missing) >= 12


def test_nothing_is_here_that_prometheus_does_not_keep(world: World) -> None:
    """But for what it had sent and not yet written when it was killed."""
    # A row that covers a gap is cut at the minute.
    told = {row["at_ms"] for row in world.of_card(0) if row["at_ms"] % MINUTE_MS}
    ours = told - world.power.keys()
    assert all(world.killed_ms - 2_000 < at <= world.killed_ms for at in ours)


def test_values_are_those_of_the_exporter(world: World) -> None:
    for slot in (0, 1):
        rows = world.of_card(slot)
        told = [row["power_watts"] for row in rows if row["power_watts"] is not None]
        assert set(told) == {WATTS * (slot + 1)}
        energy = [r["energy_joules"] for r in rows if r["energy_joules"] is not None]
        seconds = (rows[-1]["at_ms"] - rows[0]["at_ms"]) / 1000
        assert energy == sorted(energy)
        assert (energy[-1] - energy[0]) / seconds == pytest.approx(WATTS * (slot + 1), rel=0.1)
        assert {row["source"] for row in rows} == {"dcgm-exporter"}


def test_cover_is_the_time_in_which_the_exporter_was_heard(world: World) -> None:
    """Each moment covers one period, or a gap of at most two and a half."""
    for slot in (0, 1):
        rows = world.of_card(slot)
        moments = sorted({row["at_ms"] for row in rows if row["power_watts"] is not None})
        told = [at for at in moments if at % MINUTE_MS or at in world.power]
        gaps = [later - sooner for sooner, later in pairwise(told)]
        heard_ms = sum(gap if gap <= 2.5 * INTERVAL_MS else INTERVAL_MS for gap in gaps)
        covered_ms = round(sum(row["interval_seconds"] for row in rows) * 1000)
        first = [row["interval_seconds"] for row in rows if row["at_ms"] == moments[0]]
        # The first moment's own period began at a scrape that is not seen here.
        assert 0 < sum(first) * 1000 <= 2.5 * INTERVAL_MS
        assert covered_ms == heard_ms + round(sum(first) * 1000)


def test_busy_and_idle_cards_are_told_apart(world: World) -> None:
    for slot, active in ((0, True), (1, False)):
        for row in world.of_card(slot):
            if row["active_seconds"] is not None:
                assert row["active_seconds"] == (row["interval_seconds"] if active else 0)


def test_cards_are_known_by_place(world: World) -> None:
    found = {(r["cluster"], r["node"], r["slot"], r["model"]) for r in world.places}
    model = "NVIDIA H100 80GB HBM3"
    assert found == {("site", "node-7", 0, model), ("site", "node-7", 1, model)}


def test_the_host_is_named_as_it_names_itself(world: World) -> None:
    assert {row["node"] for row in world.hosts} == {os.uname().nodename}
    told = {row["at_ms"]: row["load1"] for row in world.hosts if row["load1"] is not None}
    assert {at: told[at] for at in told.keys() & world.load.keys()} == pytest.approx(
        {at: load for at, load in world.load.items() if at in told}, abs=0.006
    )
