"""What one token may send, and what it is told when that is used up."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cramjam
import lz4.frame
import pytest
from backports import zstd
from starlette.exceptions import HTTPException

from analytics.access.caller import Caller, Role
from analytics.app import create_relay_app
from analytics.ingest import bodies, otlp, protobuf, remote_write
from analytics.ingest.limits import Bucket, Limits, LimitSettings
from collector.sink import Verdict
from collector.sinks.ingest import IngestSink
from gpuledger.batch import Batch
from gpuledger.entry import Entry
from gpuledger.native import encode
from tests.analytics.ingest.doors import Knows, Nowhere, open_doors, sending
from tests.analytics.ingest.site import NOW_MS, card, scrape
from tests.analytics.intakes import intake
from tests.analytics.web import TestClient, is_problem
from tests.analytics.world import samples

NODE = Caller("n0", Role.INGEST, cluster="c", node="n0")
SITE = Caller("prometheus", Role.INGEST, cluster="site")
SNAPPY = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
ROWS = samples(0, 0, 10)
ZSTD_MAGIC = 0xFD2FB528


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Time:
    return Time()


def limits(clock: Time, **settings: float) -> Limits:
    return Limits(LimitSettings(**settings), clock)  # type: ignore[arg-type] # numbers of both kinds


@contextmanager
def door(path: Path, shares: Limits, caller: Caller = NODE) -> Iterator[TestClient]:
    with intake(path / "journal", Nowhere()) as one:
        one.limits = shares
        yield sending(create_relay_app(one, Knows(caller)))


def post(client: TestClient, key: str = "k") -> Any:
    body, headers = encode(Batch.of_rows(ROWS)), {"Idempotency-Key": key}
    return client.post("/v1/ingest/gpu_samples", content=body, headers=headers)


def test_a_bucket_refills_up_to_its_burst() -> None:
    bucket = Bucket(10, 2, 0)
    bucket.take(20)
    assert bucket.wait_s(0) == 0
    bucket.take(5)
    assert bucket.wait_s(0) == pytest.approx(0.5)
    assert bucket.wait_s(0.5) == 0
    bucket.take(20)
    assert bucket.wait_s(100) == 0
    bucket.take(21)
    assert bucket.wait_s(100) == pytest.approx(0.1)


def test_no_limit_is_no_limit() -> None:
    bucket = Bucket(0, 60, 0)
    bucket.take(1e12)
    assert bucket.wait_s(0) == 0


def test_who_sends_too_many_rows_is_told_when_to_come_back(tmp_path: Path, clock: Time) -> None:
    with door(tmp_path, limits(clock, node_rows_per_s=1, burst_s=4)) as client:
        # A body is never too large for a share: it is paid back.
        assert post(client).status_code == 200
        answer = post(client)
        assert is_problem(answer, 429)
        assert answer.headers["retry-after"] == "6"
        assert "n0 sends too many rows a second" in answer.json()["detail"]
        clock.now_s += 6
        assert post(client).status_code == 200


def test_who_asks_too_often_is_told_so(tmp_path: Path, clock: Time) -> None:
    shares = limits(clock, node_requests_per_s=0.5, burst_s=4)
    with door(tmp_path, shares) as client:
        told = [post(client, str(i)).status_code for i in range(5)]
    assert told == [200, 200, 200, 429, 429]
    assert shares.refused == {"requests": 2, "rows": 0}


def test_one_senders_share_is_no_others(clock: Time) -> None:
    shares = limits(clock, node_requests_per_s=0.1, burst_s=10)
    for _ in range(2):
        shares.admit(NODE)
    with pytest.raises(HTTPException):
        shares.admit(NODE)
    shares.admit(replace(NODE, name="n1", node="n1"))


def test_a_new_token_of_a_sender_has_its_share(clock: Time) -> None:
    shares = limits(clock)
    assert shares.admit(NODE) is shares.admit(replace(NODE, token_id="another"))


def test_tokens_that_many_use_have_another_share(clock: Time) -> None:
    shares = limits(clock, node_rows_per_s=1, rows_per_s=0)
    shares.charge(shares.admit(SITE), 10_000_000)
    shares.admit(SITE)


def test_a_body_beyond_the_limit_is_413_by_its_header_alone(tmp_path: Path, clock: Time) -> None:
    with door(tmp_path, limits(clock, body_bytes=100)) as client:
        assert is_problem(post(client), 413)


def test_a_body_that_unpacks_beyond_the_limit_is_413(tmp_path: Path, clock: Time) -> None:
    with door(tmp_path, limits(clock, body_bytes=1_000)) as client:
        told = {"Idempotency-Key": "k", "Content-Encoding": "zstd"}
        packed = zstd.compress(bytes(2_000))
        answer = client.post("/v1/ingest/gpu_samples", content=packed, headers=told)
    assert is_problem(answer, 413)


def test_our_agent_holds_its_rows_until_it_is_told_to_come_back(
    tmp_path: Path, clock: Time
) -> None:
    entry = Entry(1, "gpu_samples", "spool", 0.0, ())
    with door(tmp_path, limits(clock, node_requests_per_s=0.01, burst_s=1)) as client:
        sink = IngestSink("", "t", clock, Through(client))  # type: ignore[arg-type] # as a pool
        replies = [sink.send(entry) for _ in range(3)]
    assert [r.verdict for r in replies[1:]] == [Verdict.HOLD, Verdict.HOLD]
    assert replies[1].after_s == 99


class Through:
    """The agent's pool of connections, into the application."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    def request(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Any:
        answer = self._client.request(method, url, content=body, headers=headers)
        answer.__dict__.update(status=answer.status_code, data=answer.content)
        return answer


def write(client: TestClient, told: Any) -> Any:
    body = bytes(cramjam.snappy.compress_raw(protobuf.write(told)))
    return client.post("/v1/prometheus/write", content=body, headers=SNAPPY)


def test_series_beyond_a_tokens_share_are_refused_and_the_others_are_safe(
    tmp_path: Path, clock: Time
) -> None:
    shares = limits(clock, series=4)
    with open_doors(tmp_path / "journal", Knows(SITE), shares) as (client, assembler):
        answer = write(client, scrape(NOW_MS, gpus=2))
        assert is_problem(answer, 422)
        assert "4 of more series than the token may have" in answer.json()["detail"]
        assert assembler.counts.samples == {"accepted": 4, "token_series": 4}
        # Another token has a share of its own, and the first keeps its series.
        assert write(client, scrape(NOW_MS + 15_000, gpus=1)).status_code == 204


def test_a_series_that_is_not_heard_of_any_more_frees_its_place(
    tmp_path: Path, clock: Time
) -> None:
    shares = limits(clock, series=4)
    with open_doors(tmp_path / "journal", Knows(SITE), shares) as (client, assembler):
        write(client, scrape(NOW_MS, gpus=1))
        learner = assembler.learner
        assert learner.owned == {"prometheus": 4}
        for target in learner.targets.values():
            target.pending.clear()
        learner.sweep(-1)
        assert learner.owned["prometheus"] == 0


def test_a_cluster_is_that_of_the_token_whatever_labels_say(tmp_path: Path, clock: Time) -> None:
    told = [*scrape(NOW_MS), card("DCGM_FI_DEV_POWER_USAGE", 1.0, NOW_MS, 1, cluster="other")]
    with open_doors(tmp_path / "journal", Knows(SITE), limits(clock)) as (client, assembler):
        answer = write(client, told)
        assert is_problem(answer, 422)
        assert "1 of another cluster than the token's" in answer.json()["detail"]
        assert {t.key.cluster for t in assembler.learner.targets.values()} == {"site"}
        assert assembler.counts.samples == {"accepted": 4, "foreign": 1}


def test_the_same_labels_from_two_clusters_are_two_series(tmp_path: Path, clock: Time) -> None:
    keeper = Knows(SITE)
    with open_doors(tmp_path / "journal", keeper, limits(clock)) as (client, assembler):
        write(client, scrape(NOW_MS))
        keeper.caller = replace(SITE, name="other", cluster="other")
        assert write(client, scrape(NOW_MS)).status_code == 204
        assert assembler.counts.samples == {"accepted": 8}
        assert {t.key.cluster for t in assembler.learner.targets.values()} == {"site", "other"}


def export(*, cluster: str) -> bytes:
    request = otlp.metrics_service_pb2.ExportMetricsServiceRequest()
    of = request.resource_metrics.add()
    of.resource.attributes.add(key="cluster").value.string_value = cluster
    metric = of.scope_metrics.add().metrics.add(name="DCGM_FI_DEV_POWER_USAGE")
    metric.gauge.data_points.add(time_unix_nano=NOW_MS * 1_000_000, as_double=1.0)
    body: bytes = request.SerializeToString()
    return body


def test_a_resource_of_another_cluster_is_told_to_its_otlp_sender(
    tmp_path: Path, clock: Time
) -> None:
    told = {"Content-Type": otlp.PROTOBUF}
    with open_doors(tmp_path / "journal", Knows(SITE), limits(clock)) as (client, assembler):
        answer = client.post("/v1/otlp/v1/metrics", content=export(cluster="x"), headers=told)
        heard = otlp.metrics_service_pb2.ExportMetricsServiceResponse.FromString(answer.content)
        assert heard.partial_success.rejected_data_points == 1
        assert "foreign" in heard.partial_success.error_message
        assert not assembler.learner.targets


def frame_with_window(log: int) -> bytes:
    """A zstd frame of nothing that wants a window of that power of two (RFC 8878, 3.1.1.1)."""
    return struct.pack("<I", ZSTD_MAGIC) + bytes([0, (log - 10) << 3]) + b"\x01\x00\x00"


BOMBS = {
    "zstd, window of 1 GiB": (lambda: bodies.plain(frame_with_window(30), "zstd"), 400),
    "zstd, a frame that unpacks for ever": (
        lambda: bodies.plain(zstd.compress(bytes(70 << 20)), "zstd"),
        413,
    ),
    "lz4, a frame that unpacks for ever": (
        lambda: bodies.plain(lz4.frame.compress(bytes(70 << 20)), "lz4"),
        413,
    ),
    "lz4, a size that is a lie": (
        lambda: bodies.plain(lie(lz4.frame.compress(b"x" * 100, store_size=True)), "lz4"),
        400,
    ),
    "gzip, a frame that unpacks for ever": (
        lambda: otlp.unpacked(gzip.compress(bytes(70 << 20)), "gzip"),
        413,
    ),
    "snappy, a size of 4 GiB": (
        lambda: remote_write.unpacked(b"\xff\xff\xff\xff\x0f" + b"\0" * 20, 32 << 20),
        413,
    ),
    "snappy, a size that is a lie": (
        lambda: remote_write.unpacked(b"\x80\x80\x80\x0f" + b"\0" * 20, 32 << 20),
        400,
    ),
}


def lie(frame: bytes) -> bytes:
    """The same LZ4 frame that says of its content to have 2^40 bytes."""
    told = frame[:6] + struct.pack("<Q", 1 << 40)
    # The byte after it sums the header up: one of all bytes is right.
    tried = (told + bytes([n]) + frame[15:] for n in range(256))
    return next(found for found in tried if says(found) == 1 << 40)


def says(frame: bytes) -> int:
    try:
        return int(lz4.frame.get_frame_info(frame)["content_size"])
    except RuntimeError:
        return 0


@pytest.mark.parametrize(("unpack", "status"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused(unpack: Any, status: int) -> None:
    with pytest.raises(HTTPException) as refused:
        unpack()
    assert refused.value.status_code == status
