"""Envelopes at the door: an answer for each part, and rows safe before it is given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import lz4.frame
import pytest

from analytics.ingest.intake import Intake
from analytics.ingest.journal import Parcel
from gpuledger.batch import Batch
from gpuledger.envelope import Part, seal
from gpuledger.errors import StoreError
from gpuledger.native import encode
from gpuledger.store import Store
from tests.analytics.intakes import NOW, intake, stored
from tests.analytics.web import BEARER, TestClient, client, is_problem, make_service
from tests.analytics.world import job, samples

TABLE = "gpu_samples"
BODY = encode(Batch.of_rows(samples(0, 0, 3)))
JOBS = encode(Batch.of_rows([job("1")]))
UUID = "6f1f4f9c-92ab-4a3a-8f0c-2f3e6a1f0d11"


@pytest.fixture
def one(store: Store, tmp_path: Path) -> Iterator[Intake]:
    with intake(tmp_path / "journal", store) as opened:
        yield opened


@pytest.fixture
def door(store: Store, one: Intake) -> TestClient:
    return client(make_service(store, intake=one), **BEARER)


def part(sequence: int, table: str = TABLE, body: bytes = BODY, schema: str = "0.1.0") -> Part:
    return Part(table, f"{UUID}/{table}/{sequence}", schema, body)


def post(door: TestClient, *parts: Part, **headers: str) -> Any:
    return door.post("/v1/ingest", content=seal(parts), headers=headers)


def statuses(answer: Any) -> list[int]:
    assert answer.status_code == 200
    return [p["status"] for p in answer.json()["parts"]]


def test_each_part_goes_into_its_table(store: Store, one: Intake, door: TestClient) -> None:
    packed = lz4.frame.compress(seal([part(1), part(2, "jobs", JOBS)]))
    answer = door.post("/v1/ingest", content=packed, headers={"Content-Encoding": "lz4"})
    assert [p["accepted"] for p in answer.json()["parts"]] == [3, 1]
    stored(one)
    assert store.value("SELECT count() FROM gpu_samples") == 3
    assert store.value("SELECT count() FROM jobs") == 1


def test_a_bad_part_is_told_and_keeps_no_other_out(
    store: Store, one: Intake, door: TestClient
) -> None:
    bad = (part(1, body=b"garbage"), part(2, "nowhere"), part(3, body=b""))
    answer = post(door, *bad, part(4))
    assert statuses(answer) == [400, 404, 400, 200]
    assert all(p["detail"] for p in answer.json()["parts"][:3])
    stored(one)
    assert store.value("SELECT count() FROM gpu_samples") == 3


def test_a_part_counts_once_in_an_envelope_or_alone(
    store: Store, one: Intake, door: TestClient
) -> None:
    assert statuses(post(door, part(1), part(2))) == [200, 200]
    assert statuses(post(door, part(2), part(3))) == [200, 200]
    alone = door.post(f"/v1/ingest/{TABLE}", content=BODY, headers={"Idempotency-Key": part(3).key})
    assert alone.json()["accepted"] == 3
    stored(one)
    assert store.value("SELECT count() FROM gpu_samples") == 9
    assert one.journal.counts.duplicates[TABLE] == 6


def test_keys_of_different_senders_never_meet(store: Store, one: Intake) -> None:
    service = make_service(store, intake=one)
    service.ingest_token = "of the collectors"
    for token in (BEARER["Authorization"], "Bearer of the collectors"):
        assert statuses(post(client(service, Authorization=token), part(1))) == [200]
    stored(one)
    assert store.value("SELECT count() FROM gpu_samples") == 6


@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff\xff", seal([part(1)])[:-1]])
def test_what_is_no_envelope_is_refused(door: TestClient, body: bytes) -> None:
    assert is_problem(door.post("/v1/ingest", content=body), 400)


def test_every_version_is_taken_and_told_apart(one: Intake, door: TestClient) -> None:
    schemas = ("0.1.0", "0.0.9", "12.0", "dev", "")
    parts = [part(n, schema=schema) for n, schema in enumerate(schemas)]
    assert statuses(post(door, *parts)) == [200] * 5
    assert one.told.schemas == {"same": 1, "older": 1, "newer": 1, "unknown": 2}


def test_columns_of_a_newer_sender_are_dropped_and_counted(one: Intake, door: TestClient) -> None:
    newer = part(1, body=BODY.replace(b"\x08power_mw", b"\x08flower_m"), schema="9.0")
    assert post(door, newer).json()["parts"][0]["dropped_columns"] == 1
    assert one.told.dropped_columns == {TABLE: 1}


def test_rows_of_another_time_are_kept_aside_and_counted_once(
    store: Store, one: Intake, door: TestClient
) -> None:
    one.clock = lambda: NOW - timedelta(days=300)
    for _ in range(2):
        told = post(door, part(1)).json()["parts"][0]
        assert (told["accepted"], told["quarantined"]) == (0, 3)
    stored(one)
    assert store.value("SELECT count() FROM gpu_samples") == 0
    assert store.select("SELECT of, rows FROM quarantine") == [{"of": TABLE, "rows": 3}]


def test_a_full_journal_says_when_to_come_again(store: Store, tmp_path: Path) -> None:
    with intake(tmp_path / "small", Closed(), linger_s=600, capacity_bytes=1_000) as one:
        one.journal.accept([Parcel(TABLE, "k", 1, os.urandom(2_000))])
        door = client(make_service(store, intake=one), **BEARER)
        for answer in (
            post(door, part(1)),
            door.post(f"/v1/ingest/{TABLE}", content=BODY, headers={"Idempotency-Key": "k"}),
        ):
            assert is_problem(answer, 503)
            assert int(answer.headers["retry-after"]) > 0


def test_a_table_that_the_store_does_not_take_waits_at_the_sender(
    store: Store, tmp_path: Path
) -> None:
    with intake(tmp_path / "small", Closed(), linger_s=600, capacity_bytes=4_000) as one:
        one.journal.accept([Parcel(TABLE, "k", 1, os.urandom(1_500))])
        one.journal.hold(TABLE, held=True)
        door = client(make_service(store, intake=one), **BEARER)
        answer = post(door, part(1), part(2, "jobs", JOBS))
        assert statuses(answer) == [503, 200]
        assert int(answer.headers["retry-after"]) > 0
        alone = door.post(f"/v1/ingest/{TABLE}", content=BODY, headers={"Idempotency-Key": "k"})
        assert is_problem(alone, 503)
        assert int(alone.headers["retry-after"]) > 0


def test_a_disk_that_fails_is_our_fault_and_not_the_senders(one: Intake, door: TestClient) -> None:
    one.journal.close()
    answer = post(door, part(1))
    assert is_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    one.journal.open()


def test_a_service_without_an_intake_takes_nothing(store: Store) -> None:
    assert is_problem(post(client(make_service(store), **BEARER), part(1)), 503)


class Closed:
    """A store that is away."""

    def check_whole(self, *_: object) -> None:
        raise StoreError("nobody there")

    def insert_native(self, *_: object) -> None:
        raise StoreError("nobody there")
