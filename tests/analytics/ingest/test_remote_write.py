"""The door for remote-write: 4xx only for what is wrong for ever, and nothing breaks it."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.ingest import protobuf
from analytics.ingest.assembly import Assembler
from gpuledger.errors import StoreError
from tests.analytics.ingest.doors import open_doors
from tests.analytics.ingest.site import NOW_MS, POWER, card, scrape
from tests.analytics.web import TestClient

FORMAT = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
PATH = "/v1/prometheus/write"
BODY = protobuf.write(scrape(NOW_MS, gpus=2))
Door = tuple[TestClient, Assembler]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_doors(tmp_path / "journal") as opened:
        yield opened


def packed(body: bytes = BODY) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def send(door: Door, body: bytes | None = None, **headers: str) -> Any:
    told = FORMAT | {name.replace("_", "-"): value for name, value in headers.items()}
    return door[0].post(PATH, content=packed() if body is None else body, headers=told)


def samples(door: Door) -> dict[str, int]:
    return dict(door[1].counts.samples)


def test_samples_are_taken_and_nothing_is_said(door: Door) -> None:
    answer = send(door)
    assert (answer.status_code, answer.content) == (204, b"")
    assert samples(door) == {"accepted": 8}


def test_a_request_that_comes_again_is_fine_and_counted(door: Door) -> None:
    send(door)
    assert send(door).status_code == 204
    assert samples(door) == {"accepted": 8, "duplicate": 8}


def test_a_request_of_nothing_that_we_know_is_fine(door: Door) -> None:
    body = protobuf.write([({"__name__": "my_metric"}, 1.0, NOW_MS)])
    assert send(door, packed(body)).status_code == 204
    assert samples(door) == {"unknown": 1}


def test_an_empty_request_is_fine(door: Door) -> None:
    assert send(door, packed(b"")).status_code == 204


def test_one_sample_of_another_time_does_not_harm_the_others(door: Door) -> None:
    old = card(POWER, 1, NOW_MS // 1000, gpu=7)
    assert send(door, packed(protobuf.write([*scrape(NOW_MS), old]))).status_code == 204
    assert samples(door) == {"accepted": 4, "far_past": 1}


def test_a_series_with_several_samples_is_taken(door: Door) -> None:
    series = protobuf.TimeSeries.FromString(protobuf.head_of(card(POWER, 1, 0)[0]))
    for step in (0, 15_000):
        series.samples.add(value=1.0, timestamp=NOW_MS + step)
    body = protobuf.WriteRequest(timeseries=[series.SerializeToString()]).SerializeToString()
    assert send(door, packed(body)).status_code == 204
    assert samples(door) == {"accepted": 2}


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Content_Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, "2.0"),
        ({"X_Prometheus_Remote_Write_Version": "2.0.0"}, "2.0"),
        ({"Content_Type": "application/json"}, "Content-Type"),
        ({"Content_Encoding": "gzip"}, "Content-Encoding"),
    ],
)
def test_another_protocol_is_415_and_named(door: Door, headers: dict[str, str], named: str) -> None:
    answer = send(door, **headers)
    assert answer.status_code == 415
    assert named in answer.json()["detail"]


def test_the_content_type_of_1_0_may_be_told_whole(door: Door) -> None:
    kind = "application/x-protobuf;proto=prometheus.WriteRequest"
    assert send(door, Content_Type=kind).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff\xff\xff\xff",
        packed()[:-3],
        packed() + b"more",
        bytes(cramjam.snappy.compress(BODY)),
        BODY,
        packed(BODY[:-1]),
        packed(b"\xff" * 40),
        packed(b"\x0a\x02\x0a\xff"),
    ],
    ids=["empty", "no length", "cut", "longer", "framed", "not packed", "cut inside", "bytes",
         "a series cut"],
)  # fmt: skip
def test_what_is_no_request_is_400_and_leaves_nothing(door: Door, body: bytes) -> None:
    answer = send(door, body)
    assert (answer.status_code, samples(door)) == (400, {})
    assert answer.json()["detail"]


@pytest.mark.parametrize("size", [(32 << 20) + 1, (1 << 32) - 1])
def test_a_bomb_is_refused_by_what_it_says_of_its_size(door: Door, size: int) -> None:
    length = b""
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    answer = send(door, length + bytes([size]) + b"\x00" * 50)
    assert answer.status_code == 413


def test_a_lie_about_the_size_is_400(door: Door) -> None:
    assert send(door, b"\x80\x80\x80\x08" + packed()[2:]).status_code == 400


def test_a_body_that_is_too_large_is_413_before_it_is_read_whole(tmp_path: Path) -> None:
    with open_doors(tmp_path / "journal", max_body_bytes=100) as opened:
        assert send(opened, b"\x05" + os.urandom(200)).status_code == 413


def test_a_flood_of_empty_series_costs_little_memory(door: Door) -> None:
    send(door)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert send(door, packed(b"\x0a\x00" * (15 << 20))).status_code == 400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_a_label_explosion_ends_at_the_most_series_and_is_fine(tmp_path: Path) -> None:
    with open_doors(tmp_path / "journal", max_series=10) as opened:
        told = [card(POWER, 1, NOW_MS, gpu=n) for n in range(200)]
        assert send(opened, packed(protobuf.write(told))).status_code == 204
        assert samples(opened) == {"accepted": 10, "too_many_series": 190}


def test_labels_that_are_too_long_or_too_many_are_counted(door: Door) -> None:
    told = [
        card(POWER, 1, NOW_MS, long="x" * 5_000),
        card(POWER, 1, NOW_MS, **{f"l{n}": "1" for n in range(200)}),
        card(POWER, 1, NOW_MS),
    ]
    assert send(door, packed(protobuf.write(told))).status_code == 204
    assert samples(door) == {"accepted": 1, "labels_too_long": 2}


def test_too_much_that_waits_is_503_with_a_time_to_come_again(tmp_path: Path) -> None:
    with open_doors(tmp_path / "journal", max_waiting=4) as opened:
        answer = send(opened)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0


def test_a_disk_that_fails_is_503(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("no disk")

    monkeypatch.setattr(door[1], "take", fail)
    answer = send(door)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_metrics_tell_what_became_of_samples(door: Door) -> None:
    send(door, packed(protobuf.write([*scrape(NOW_MS), ({"__name__": "mine"}, 1.0, NOW_MS)])))
    page = door[0].get("/metrics", headers={"Authorization": "Bearer owner"}).text
    for line in (
        'gpuledger_scraped_samples_total{outcome="accepted"} 4.0',
        'gpuledger_scraped_unknown_series_total{metric="mine"} 1.0',
        "gpuledger_scraped_waiting_readings 4.0",
        "gpuledger_scraped_targets 1.0",
        "gpuledger_scraped_series 4.0",
    ):
        assert line in page.splitlines()


def test_nobody_writes_without_the_token(door: Door) -> None:
    assert send(door, Authorization="Bearer wrong").status_code == 401


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_body_breaks_the_door(door: Door, data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([packed(), BODY])))
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=8))
        body = body or bytearray(b"\0")
    if data.draw(st.booleans()):
        body = bytearray(packed(bytes(body)))
    assert send(door, bytes(body)).status_code in {204, 400, 413}
