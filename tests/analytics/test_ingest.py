"""The door for batches: each counted once, and nothing bad gets in or breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import lz4.frame
import pytest
from backports import zstd
from hypothesis import HealthCheck, settings
from hypothesis import given as example_of
from hypothesis import strategies as st

from analytics.ingest import batches, bodies
from gpuledger.batch import Batch
from gpuledger.catalogue import INGESTED, TABLES, Allocation, HostSample
from gpuledger.native import encode
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.intakes import intake, stored
from tests.analytics.web import BEARER, TestClient, client, is_problem, make_service
from tests.analytics.world import at, given, job, samples

SAMPLES = samples(0, 0, 3)
BODY = encode(Batch.of_rows(SAMPLES))
KEY = "spool/gpu_samples/1"


@pytest.fixture
def door(store: Store, tmp_path: Path) -> Iterator[TestClient]:
    with intake(tmp_path / "journal", store) as one:
        yield client(make_service(store, intake=one), **BEARER)


def send(
    door: TestClient,
    body: bytes = BODY,
    key: str | None = KEY,
    *,
    table: str = "gpu_samples",
    encoding: str | None = None,
) -> Any:
    headers = {"Idempotency-Key": key, "Content-Encoding": encoding}
    told = {k: v for k, v in headers.items() if v is not None}
    answer = door.post(f"/v1/ingest/{table}", content=body, headers=told)
    stored(cast("Any", door.app).state.intake)
    return answer


def count(store: Store, table: str = "gpu_samples") -> int:
    found: int = store.value(f"SELECT count() FROM {table}")
    return found


def test_a_batch_is_stored_as_it_was_sent(store: Store, door: TestClient) -> None:
    answer = send(door)
    assert answer.json() == {"accepted": 3, "quarantined": 0, "dropped_columns": 0}
    rows = store.select("SELECT * FROM v_gpu_samples ORDER BY ts")
    assert [r["ts"] for r in rows] == [s.ts for s in SAMPLES]
    assert {r["power_watts"] for r in rows} == {360.0}
    assert {r["tensor_active_ratio"] for r in rows} == {None}


def test_a_batch_counts_once_however_often_it_is_sent(store: Store, door: TestClient) -> None:
    for _ in range(4):
        assert send(door).json()["accepted"] == 3
    assert count(store) == 3
    assert store.value("SELECT sum(interval_ms) FROM gpu_samples_1m") == 180_000


def test_the_same_rows_under_another_key_are_other_facts(store: Store, door: TestClient) -> None:
    send(door)
    send(door, key="spool/gpu_samples/2")
    assert count(store) == 6


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        (None, bytes),
        ("identity", bytes),
        ("zstd", zstd.compress),
        ("lz4", lz4.frame.compress),
        ("LZ4", lz4.frame.compress),
    ],
)
def test_a_batch_may_be_compressed(
    store: Store, door: TestClient, encoding: str | None, compress: Any
) -> None:
    assert send(door, compress(BODY), encoding=encoding).status_code == 200
    assert count(store) == 3


def test_blocks_of_one_table_may_follow_each_other(store: Store, door: TestClient) -> None:
    more = encode(Batch.of_rows(samples(0, 3, 2)))
    assert send(door, BODY + more).json()["accepted"] == 5
    assert count(store) == 5


GIVEN = Allocation(**{**given("1", 0).values(), "seen_at": at(1)})


@pytest.mark.parametrize("row", [job("1"), GIVEN], ids=["jobs", "allocations"])
def test_facts_of_a_scheduler_come_through_the_same_door(
    store: Store, door: TestClient, row: Row
) -> None:
    table = row.table.name
    send(door, encode(Batch.of_rows([row])), table=table).raise_for_status()
    assert count(store, table) == 1


def test_columns_that_the_table_does_not_have_are_dropped_and_counted(
    store: Store, door: TestClient
) -> None:
    assert send(door, BODY.replace(b"\x08power_mw", b"\x08flower_m")).json()["dropped_columns"] == 1
    assert store.select("SELECT DISTINCT power_watts FROM v_gpu_samples") == [{"power_watts": None}]


REFUSED: dict[str, tuple[bytes, str | None, int]] = {
    "empty": (b"", None, 400),
    "garbage": (b"this is no block at all", None, 400),
    "json": (b'{"a": 1}', None, 400),
    "truncated": (BODY[:-7], None, 400),
    "cut in the header": (BODY[:9], None, 400),
    "block and a half": (BODY + BODY[: len(BODY) // 2], None, 400),
    "block and garbage": (BODY + b"garbage", None, 400),
    "no rows": (b"\x00\x00", None, 400),
    "without time": (BODY.replace(b"\x02ts", b"\x02no"), None, 400),
    "without key": (BODY.replace(b"\x04node", b"\x04edon"), None, 400),
    "wrong type": (BODY.replace(b"\x05epoch\x06UInt32", b"\x05epoch\x05Int32"), None, 400),
    "another table": (
        encode(
            Batch.of_rows(
                [
                    HostSample.known(
                        ts=at(1),
                        cpus=1.0,
                        cpu_busy_ratio=None,
                        cpu_iowait_ratio=None,
                        load1=None,
                        memory_total_bytes=None,
                        memory_available_bytes=None,
                        cpu_pressure_seconds=None,
                        io_pressure_seconds=None,
                        memory_pressure_seconds=None,
                    )
                ]
            )
        ),
        None,
        400,
    ),
    "not zstd": (BODY, "zstd", 400),
    "not lz4": (BODY, "lz4", 400),
    "empty zstd": (b"", "zstd", 400),
    "empty lz4": (b"", "lz4", 400),
    "truncated zstd": (zstd.compress(BODY)[:-5], "zstd", 400),
    "truncated lz4": (lz4.frame.compress(BODY)[:-5], "lz4", 400),
    "two zstd frames": (zstd.compress(BODY) * 2, "zstd", 400),
    "two lz4 frames": (lz4.frame.compress(BODY) * 2, "lz4", 400),
    "zstd bomb": (zstd.compress(bytes(bodies.MAX_BODY_BYTES + 1)), "zstd", 413),
    "lz4 bomb": (lz4.frame.compress(bytes(bodies.MAX_BODY_BYTES + 1)), "lz4", 413),
    "too large": (bytes(bodies.MAX_BODY_BYTES + 1), None, 413),
    "gzip": (BODY, "gzip", 415),
    "two encodings": (BODY, "zstd, lz4", 415),
}


@pytest.mark.parametrize(("body", "encoding", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_batch_is_refused_and_nothing_of_it_stays(
    store: Store, door: TestClient, body: bytes, encoding: str | None, status: int
) -> None:
    assert is_problem(send(door, body, encoding=encoding), status)
    assert count(store) == 0


@pytest.mark.parametrize("table", ["nowhere", "assets", "ledger_1m", "findings", "prices", "jobs;"])
def test_only_what_collectors_know_may_be_sent(door: TestClient, table: str) -> None:
    assert is_problem(send(door, table=table), 404)


def test_the_tables_of_the_door_are_those_of_the_catalogue() -> None:
    assert batches.TABLES.keys() == {t.name for t in INGESTED}
    assert "booked_hours" in TABLES.keys() - batches.TABLES.keys()


@pytest.mark.parametrize("key", [None, "", "k" * 301])
def test_a_batch_without_a_key_is_refused(store: Store, door: TestClient, key: str | None) -> None:
    assert is_problem(send(door, key=key), 422)
    assert count(store) == 0


def test_a_refused_batch_leaves_its_key_free_for_a_good_one(store: Store, door: TestClient) -> None:
    assert send(door, BODY[:-1]).status_code == 400
    assert send(door).status_code == 200
    assert count(store) == 3


FUZZED = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def fingerprint(body: bytes) -> str:
    return sha256(body).hexdigest()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good body with a few bytes changed, taken out or put in."""
    body = bytearray(BODY)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(body) - 1))
        piece = draw(st.binary(max_size=3))
        body[place : place + draw(st.integers(0, 3))] = piece
    return bytes(body)


@FUZZED
@example_of(st.one_of(st.binary(max_size=200), damaged()), st.sampled_from([None, "zstd", "lz4"]))
def test_no_body_whatever_breaks_the_door(
    door: TestClient, body: bytes, encoding: str | None
) -> None:
    answer = send(door, body, key=None, encoding=encoding)
    assert answer.status_code == 422
    answer = send(door, body, key=fingerprint(body), encoding=encoding)
    assert answer.status_code == 200 or is_problem(answer, 400)


@FUZZED
@example_of(damaged())
def test_a_damaged_batch_inside_a_good_frame_is_taken_whole_or_not_at_all(
    store: Store, door: TestClient, body: bytes
) -> None:
    before = count(store)
    answer = send(door, lz4.frame.compress(body), key=fingerprint(body), encoding="lz4")
    assert answer.status_code < 500
    added = answer.json().get("accepted", 0)
    assert count(store) - before in {added, 0}
