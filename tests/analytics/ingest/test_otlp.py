"""The door for OTLP: what a collector read of exporters becomes rows; bodies of the real SDK."""

from __future__ import annotations

import gzip
import json
import resource
import zlib
from collections import Counter as Counts
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from analytics.ingest import otlp, protobuf
from analytics.ingest.assembly import Assembler
from gpuledger.errors import StoreError
from tests.analytics.ingest.doors import open_doors
from tests.analytics.ingest.site import NOW_MS, PERIOD_MS, Site
from tests.analytics.web import TestClient

PATH = "/v1/otlp/v1/metrics"
Door = tuple[TestClient, Assembler]
RESOURCE = {"service.name": "dcgm", "service.instance.id": "node-7:9400"}
CARD = {"gpu": "0", "UUID": "GPU-0", "Hostname": "node-7"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_doors(tmp_path / "journal") as opened:
        yield opened


def request(
    values: Mapping[str, float],
    at_ms: int = NOW_MS,
    resource_attributes: Mapping[str, str] = RESOURCE,
    **attributes: str,
) -> Any:
    """Gauges of one card."""
    export = metrics_service_pb2.ExportMetricsServiceRequest()
    of_resource = export.resource_metrics.add()
    for key, value in resource_attributes.items():
        of_resource.resource.attributes.add(key=key).value.string_value = value
    scope = of_resource.scope_metrics.add()
    for name, value in values.items():
        point = scope.metrics.add(name=name).gauge.data_points.add(as_double=value)
        point.time_unix_nano = at_ms * 1_000_000
        for key, told in {**CARD, **attributes}.items():
            point.attributes.add(key=key).value.string_value = told
    return export


TWO = {"DCGM_FI_DEV_POWER_USAGE": 100.0, "DCGM_FI_DEV_GPU_UTIL": 50.0}
BODY: bytes = request(TWO).SerializeToString()


def send(door: Door, body: bytes = BODY, kind: str = otlp.PROTOBUF, **headers: str) -> Any:
    told = {"Content-Type": kind} | {n.replace("_", "-"): v for n, v in headers.items()}
    return door[0].post(PATH, content=body, headers=told)


def answered(answer: Any) -> Any:
    assert answer.status_code == 200
    return metrics_service_pb2.ExportMetricsServiceResponse.FromString(answer.content)


def labels(export: Any) -> list[dict[str, str]]:
    return [point.labels for point in otlp.points(export, Counts())]


def test_points_are_taken_and_nothing_is_rejected(door: Door) -> None:
    assert not answered(send(door)).HasField("partial_success")
    assert dict(door[1].counts.samples) == {"accepted": 2}


def test_a_request_that_comes_again_is_fine_and_counted(door: Door) -> None:
    send(door)
    assert not answered(send(door)).HasField("partial_success")
    assert dict(door[1].counts.samples) == {"accepted": 2, "duplicate": 2}


def test_json_is_taken_and_answered_in_json(door: Door) -> None:
    body = json_format.MessageToJson(request({"DCGM_FI_DEV_POWER_USAGE": 100.0})).encode()
    answer = send(door, body, otlp.JSON + "; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {})
    assert dict(door[1].counts.samples) == {"accepted": 1}


def test_gzip_is_taken(door: Door) -> None:
    answered(send(door, gzip.compress(BODY), Content_Encoding="gzip"))
    assert dict(door[1].counts.samples) == {"accepted": 2}


def test_what_the_real_sdk_sends_becomes_rows(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], Resource({"host.name": "node-7", "service.name": "node"}))
    meter = provider.get_meter("tests")
    meter.create_gauge("node_load1").set(1.5)
    meter.create_counter("node_pressure_cpu_waiting_seconds_total").add(5)
    data = reader.get_metrics_data()
    assert data
    body = encode_metrics(data).SerializeToString()
    provider.shutdown()
    with Site(tmp_path / "journal") as site:
        for at_ms in (NOW_MS, NOW_MS + PERIOD_MS):
            found = otlp.points(otlp.parsed(body, otlp.PROTOBUF), Counts())
            site.send([(p.labels, p.value or 0.0, at_ms) for p in found])
        site.step()
        row = site.rows("host_samples")[0]
    named = ("cluster", "node", "load1", "cpu_pressure_us", "interval_ms")
    assert [row[n] for n in named] == ["c", "node-7", 150, 5_000_000, PERIOD_MS]


def test_deltas_are_rejected_and_named(door: Door) -> None:
    reader = InMemoryMetricReader({Counter: AggregationTemporality.DELTA})
    provider = MeterProvider([reader], Resource(RESOURCE))
    provider.get_meter("tests").create_counter("DCGM_FI_DEV_PCIE_REPLAY_COUNTER").add(1, CARD)
    data = reader.get_metrics_data()
    assert data
    told = answered(send(door, encode_metrics(data).SerializeToString())).partial_success
    provider.shutdown()
    assert (told.rejected_data_points, told.error_message) == (1, "1 delta")


def test_attributes_become_labels_as_prometheus_spells_them() -> None:
    export = request(
        {"m": 1.0},
        resource_attributes={
            "service.namespace": "site",
            "service.name": "dcgm",
            "service.instance.id": "n:1",
            "k8s.node.name": "node-7",
            "host.name": "h",
        },
    )
    assert labels(export) == [
        {
            "__name__": "m",
            "job": "site/dcgm",
            "instance": "n:1",
            "node": "node-7",
            "host_name": "h",
            "service_namespace": "site",
            "service_name": "dcgm",
            **CARD,
        }
    ]


def test_a_histogram_becomes_its_sum_and_count() -> None:
    export = request({})
    metric = export.resource_metrics[0].scope_metrics[0].metrics.add(name="ttft_seconds")
    metric.histogram.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    metric.histogram.data_points.add(count=3, sum=1.5, time_unix_nano=1_000_000)
    counts = Counts()
    told = [(p.labels["__name__"], p.value) for p in otlp.points(export, counts)]
    assert told == [("ttft_seconds_sum", 1.5), ("ttft_seconds_count", 3.0)]


def test_a_point_without_a_value_is_the_end_of_its_series() -> None:
    export = request({"m": 1.0})
    point = export.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    point.flags = metrics_pb2.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
    assert [p.value for p in otlp.points(export, Counts())] == [None]


def test_the_conventions_own_names_become_columns(tmp_path: Path) -> None:
    with Site(tmp_path / "journal") as site:
        for at_ms in (NOW_MS, NOW_MS + PERIOD_MS):
            export = request(
                {"hw.power": 300.0, "hw.gpu.utilization": 0.5},
                at_ms,
                {"host.name": "node-7"},
                **{"hw.type": "gpu", "hw.id": "GPU-0", "gpuledger.slot": "3"},
            )
            found = otlp.points(export, Counts())
            site.send([(p.labels, p.value or 0.0, p.at_ms) for p in found])
        site.step()
        row = site.rows()[0]
    named = ("node", "slot", "uuid", "power_mw", "utilization_pct", "source")
    assert [row[n] for n in named] == [
        *("node-7", 3, "GPU-0", 300_000, 50, "opentelemetry-hardware"),
    ]


def test_times_that_cannot_be_are_rejected_and_named(door: Door) -> None:
    body = request({"DCGM_FI_DEV_POWER_USAGE": 1.0}, NOW_MS // 1000).SerializeToString()
    told = answered(send(door, body)).partial_success
    assert (told.rejected_data_points, told.error_message) == (1, "1 far past")
    body = request({"DCGM_FI_DEV_POWER_USAGE": 1.0}, 0).SerializeToString()
    assert answered(send(door, body)).partial_success.error_message == "1 no time"


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (BODY, "text/plain", {}, 415),
        (BODY, otlp.PROTOBUF, {"Content_Encoding": "zstd"}, 415),
        (BODY[:-1], otlp.PROTOBUF, {}, 400),
        (b"{", otlp.JSON, {}, 400),
        (b"\xff\xfe", otlp.JSON, {}, 400),
        (b'{"resourceMetrics": 5}', otlp.JSON, {}, 400),
        (b"[" * 100_000, otlp.JSON, {}, 400),
        (BODY, otlp.PROTOBUF, {"Content_Encoding": "gzip"}, 400),
        (gzip.compress(BODY)[:-4], otlp.PROTOBUF, {"Content_Encoding": "gzip"}, 400),
        (gzip.compress(bytes(9 << 20)), otlp.PROTOBUF, {"Content_Encoding": "gzip"}, 413),
        (bytes(9 << 20), otlp.PROTOBUF, {}, 413),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_status(
    door: Door, body: bytes, kind: str, headers: dict[str, str], status: int
) -> None:
    answer = send(door, body, kind, **headers)
    assert answer.status_code == status
    if kind == otlp.JSON:
        assert json.loads(answer.content)["message"]
    else:
        assert protobuf.Status.FromString(answer.content).message


def test_a_disk_that_fails_is_503(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("no disk")

    monkeypatch.setattr(door[1], "take", fail)
    answer = send(door)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_flood_of_empty_points_costs_bounded_memory(door: Door) -> None:
    points = b"\x0a\x00" * (2 << 20)
    body = wrapped(0x0A, wrapped(0x12, wrapped(0x12, wrapped(0x2A, points))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = send(door, gzip.compress(body), Content_Encoding="gzip")
    assert answered(answer).partial_success.rejected_data_points == 2 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 << 10


def wrapped(tag: int, body: bytes) -> bytes:
    """A field with this content."""
    size, length = len(body), b""
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([tag]) + length + bytes([size]) + body


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_body_breaks_the_door(door: Door, data: st.DataObject) -> None:
    as_json = json_format.MessageToJson(request({"DCGM_FI_DEV_POWER_USAGE": 1.0})).encode()
    kind = data.draw(st.sampled_from([otlp.PROTOBUF, otlp.JSON]))
    body = bytearray(as_json if kind == otlp.JSON else BODY)
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=8))
        body = body or bytearray(b"\0")
    packed = data.draw(st.booleans())
    sent = zlib.compress(bytes(body), wbits=31) if packed else bytes(body)
    told = {"Content_Encoding": "gzip"} if packed else {}
    assert send(door, sent, kind, **told).status_code in {200, 400}
