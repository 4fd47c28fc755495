"""A real Prometheus scrapes a real agent, and a real OTLP receiver gets the same values."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.collector.otlp import Received, over_http
from tests.components.fixtures import or_skip
from tests.components.process import Child, free_port, http_ok, wait_until
from tests.components.prometheus import Prometheus, promtool_check_metrics
from tests.fakes import nvml
from tests.test_end_to_end import GPULEDGER

CONFIGURATION = """
[agent]
flush_s = 1
[prometheus]
port = {port}
address = "127.0.0.1"
[otlp]
endpoint = "{endpoint}"
period_s = 1
"""


@dataclass(frozen=True)
class Watched:
    """What the outside knows of one agent."""

    prometheus: Prometheus
    exposition: str
    received: Received


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    home = tmp_path_factory.mktemp("agent")
    port, scenario = free_port(), home / "scenario"
    world = nvml.healthy(8)
    for index, gpu in enumerate(world.gpus):
        gpu.power_w = 100.0 + index
    world.write(scenario)
    url = f"http://127.0.0.1:{port}/metrics"
    with over_http() as (endpoint, received):
        configuration = home / "gpuledger.toml"
        configuration.write_text(CONFIGURATION.format(port=port, endpoint=endpoint))
        command = [GPULEDGER, "collect", "--config", str(configuration), "--node", "n1"]
        command += ["--cluster", "c", "--spool", str(home / "spool.db")]
        command += ["--ingest", "http://127.0.0.1:9"]
        agent = Child(command, home / "agent.log", env=nvml.environment(nvml.build(home), scenario))
        agent.start()
        try:
            agent.wait_ready(lambda: http_ok(url), 30)
            with or_skip(Prometheus(home / "prometheus", [f"127.0.0.1:{port}"])) as prometheus:
                power = "gpuledger_gpu_power_watts"
                wait_until(lambda: len(prometheus.query(power)) == 8, 60, "eight series")
                wait_until(lambda: has_all(received, "hw.power"), 60, "a push of eight GPUs")
                yield Watched(prometheus, read(url), received)
        finally:
            agent.stop()


def has_all(received: Received, name: str) -> bool:
    return bool(received.requests) and len(received.points(name)) == 8


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def test_prometheus_has_the_value_of_every_gpu(watched: Watched) -> None:
    series = watched.prometheus.query("gpuledger_gpu_power_watts")
    assert {labels["slot"]: value for labels, value in series} == {
        str(slot): 100.0 + slot for slot in range(8)
    }
    assert {(labels["cluster"], labels["node"]) for labels, _ in series} == {("c", "n1")}


def test_the_scrape_is_whole(watched: Watched) -> None:
    assert [value for _, value in watched.prometheus.query("up")] == [1.0]


def test_promtool_has_nothing_to_say_of_a_running_agent(watched: Watched) -> None:
    assert promtool_check_metrics(watched.exposition) == []


def test_nobody_is_named(watched: Watched) -> None:
    for word in ("user=", "job=", "executable=", "pid=", "container="):
        assert word not in watched.exposition


def test_the_otlp_receiver_gets_the_same_values(watched: Watched) -> None:
    points = watched.received.points("hw.power")
    assert {a["gpuledger.slot"]: value for a, value in points} == {
        str(slot): 100.0 + slot for slot in range(8)
    }
    assert {a["hw.id"] for a, _ in points} == {nvml.h100(i).uuid for i in range(8)}


def test_series_that_prometheus_sees_are_those_of_the_catalogue(watched: Watched) -> None:
    ratio = "gpuledger_host_cpu_busy_ratio"  # made of two readings
    wait_until(lambda: bool(watched.prometheus.query(ratio)), 60, ratio)
    address = f"{watched.prometheus.url}/api/v1/label/__name__/values"
    with urllib.request.urlopen(address, timeout=10) as answer:
        names = [n for n in json.load(answer)["data"] if n.startswith("gpuledger_")]
    assert {"gpuledger_host_cpu_busy_ratio", "gpuledger_gpu_energy_joules_total"} <= {*names}


def test_every_gpu_is_joined_to_its_card(watched: Watched) -> None:
    told = [line for line in watched.exposition.splitlines() if "gpuledger_gpu_info{" in line]
    assert len(told) == 8
    assert all(f'uuid="{nvml.h100(i).uuid}"' in line for i, line in enumerate(told))
