"""OTLP: a real receiver gets the values, under the names of the semantic conventions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import MetricExportResult

from collector.sinks.otlp import Deliveries, OtlpSettings, OtlpSink, Protocol
from collector.window import Folded
from gpuledger.errors import ConfigError
from tests.collector.otlp import Received, over_grpc, over_http
from tests.collector.support import FakeClock, Lines, context
from tests.collector.test_prometheus import row
from tests.components.process import wait_until

LOG = context().log
GPU: dict[str, Any] = {"cluster": "c", "node": "n1", "slot": 3, "uuid": "GPU-3"}


@contextmanager
def sink(endpoint: str, **settings: Any) -> Iterator[OtlpSink]:
    sink = OtlpSink(
        OtlpSettings(endpoint=endpoint, **settings), "c", "n1", FakeClock().clock.monotonic, LOG
    )
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()


def pushed(*rows: Folded, **settings: Any) -> Received:
    """What a receiver has after one push over HTTP: `stop` pushes."""
    with over_http() as (endpoint, received):
        with sink(endpoint, **settings) as one:
            one.update(rows)
        return received


def test_what_has_a_name_in_the_conventions_carries_it() -> None:
    received = pushed(row("gpu_samples", **GPU, power_watts=287.5, energy_joules=1000.25))
    (attributes, value), *_ = received.points("hw.power")
    assert value == 287.5
    assert attributes["hw.type"] == "gpu"
    assert attributes["hw.id"] == "GPU-3"
    assert received.metric("hw.power").unit == "W"
    assert received.metric("hw.energy").sum.is_monotonic
    assert [v for _, v in received.points("hw.energy")] == [1000.25]


def test_directions_and_tasks_are_attributes_of_one_metric() -> None:
    received = pushed(
        row("gpu_samples", **GPU, utilization_ratio=0.9, encoder_ratio=0.1),
        row("network_samples", node="n1", device="eth0", receive_bytes=10, transmit_bytes=20),
    )
    tasks = {a["hw.gpu.task"]: v for a, v in received.points("hw.gpu.utilization")}
    assert tasks == {"general": 0.9, "encoder": 0.1}
    io = {a["network.io.direction"]: v for a, v in received.points("hw.network.io")}
    assert io == {"receive": 10, "transmit": 20}


def test_the_rest_has_a_name_of_ours_without_its_unit() -> None:
    received = pushed(row("gpu_samples", **GPU, sm_active_ratio=0.75, memory_used_bytes_max=7.0))
    assert [v for _, v in received.points("gpuledger.gpu.sm_active")] == [0.75]
    assert received.metric("gpuledger.gpu.memory_used_max").unit == "By"


def test_what_is_missing_is_not_sent() -> None:
    received = pushed(row("gpu_samples", **GPU, power_watts=1.0))
    assert received.names() == {"hw.power"}


def test_people_and_jobs_are_not_sent() -> None:
    received = pushed(
        row("process_samples", node="n1", slot=0, pid=7, sm_ratio=0.5),
        row("gpu_samples", **GPU, power_watts=1.0),
    )
    assert received.names() == {"hw.power"}


def test_the_resource_says_who_sends() -> None:
    resource = pushed(row("gpu_samples", **GPU, power_watts=1.0)).resource()
    assert resource["service.name"] == "gpuledger-collector"
    assert resource["host.name"] == "n1"
    assert resource["gpuledger.cluster"] == "c"


def test_headers_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("Authorization: Bearer secret\n")
    received = pushed(row("gpu_samples", **GPU, power_watts=1.0), headers_file=str(path))
    assert received.headers["authorization"] == "Bearer secret"


def test_a_missing_file_of_headers_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="headers_file /nowhere: No such file"):
        OtlpSink(
            OtlpSettings(endpoint="http://127.0.0.1:9", headers_file="/nowhere"),
            "c",
            "n",
            float,
            LOG,
        ).start()


def test_without_the_sdk_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics", None)
    with pytest.raises(ConfigError, match=r"pip install gpuledger\[otlp\]"):
        OtlpSink(OtlpSettings(endpoint="http://127.0.0.1:9"), "c", "n", float, LOG).start()


def test_metrics_are_pushed_each_period_without_being_asked() -> None:
    with over_http() as (endpoint, received), sink(endpoint, period_s=0.2) as one:
        one.update([row("gpu_samples", **GPU, power_watts=5.0)])
        assert received.arrived.wait(10)
        assert received.points("hw.power")[0][1] == 5.0


def test_the_same_values_arrive_over_grpc() -> None:
    with over_grpc() as (endpoint, received):
        with sink(endpoint, protocol=Protocol.GRPC) as one:
            one.update([row("gpu_samples", **GPU, power_watts=42.0)])
        assert [v for _, v in received.points("hw.power")] == [42.0]


def test_a_receiver_that_is_not_there_does_not_keep_the_agent_from_stopping() -> None:
    clock = FakeClock().clock.monotonic
    settings = OtlpSettings(endpoint="http://127.0.0.1:9/v1/metrics", timeout_s=1.0)
    one = OtlpSink(settings, "c", "n1", clock, LOG)
    one.start()
    one.update([row("gpu_samples", **GPU, power_watts=1.0)])
    one.stop()


def test_a_receiver_that_is_not_there_is_said_once_with_the_cause(
    capfd: pytest.CaptureFixture[str],
) -> None:
    lines = Lines()
    settings = OtlpSettings(endpoint="http://127.0.0.1:9/v1/metrics", period_s=0.1, timeout_s=2.0)
    one = OtlpSink(settings, "c", "n1", FakeClock().clock.monotonic, context(lines=lines).log)
    one.start()
    one.update([row("gpu_samples", **GPU, power_watts=1.0)])
    wait_until(lambda: bool(lines.lines), 20, "a line")
    one.stop()
    (line,) = lines.lines
    assert line.startswith("otlp: http://127.0.0.1:9/v1/metrics does not take metrics: ")
    assert "refused" in line
    assert capfd.readouterr().err == ""


def test_a_receiver_that_is_heard_again_is_said_once() -> None:
    lines = Lines()
    deliveries = Deliveries("http://n:4318", context(lines=lines).log)
    results = [*("FAILURE", "FAILURE", "SUCCESS", "SUCCESS")]

    def export() -> Any:
        return MetricExportResult[results.pop(0)]

    told = deliveries.told(export)
    assert [told().name for _ in range(4)] == ["FAILURE", "FAILURE", "SUCCESS", "SUCCESS"]
    assert lines.lines == [
        "otlp: http://n:4318 does not take metrics: it says nothing",
        "otlp: http://n:4318 takes metrics again",
    ]


def test_mounts_of_people_are_not_sent() -> None:
    received = pushed(
        row("netfs_samples", node="n1", mount="/home/alice", operations=1.0),
        row("gpu_samples", **GPU, power_watts=1.0),
    )
    assert received.names() == {"hw.power"}
