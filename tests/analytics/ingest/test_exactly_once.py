"""Through the door into the store: each batch once, from collectors of any age, in any order."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from analytics.app import create_relay_app
from analytics.ingest.intake import Intake
from analytics.service import Keeper
from gpuledger import envelope
from gpuledger.catalogue import INGESTED, GpuSample
from gpuledger.envelope import Part
from gpuledger.store import Store
from tests.analytics.ingest.bodies import body_of, foreign
from tests.analytics.intakes import intake, stored
from tests.analytics.web import BEARER, TOKEN, TestClient
from tests.conftest import data_file
from tests.store_contract import NOON, at, both_stores, sample, seconds_of, unique

# What agents of a release send, one row of each table, written by that release itself: an envelope
# in zstd, kept as text.
RELEASES = sorted(data_file("releases").glob("*.txt"))
RELEASED_AT = datetime(2026, 3, 4, 12, 0, 10, tzinfo=UTC)
LEVELS = ("", "_1m", "_1h", "_1d")


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


@pytest.fixture
def taken(store: Store, tmp_path: Path) -> Iterator[Intake]:
    with intake(tmp_path / "journal.db", store, clock=lambda: NOON + timedelta(hours=1)) as one:
        yield one


@pytest.fixture
def door(taken: Intake) -> TestClient:
    app = create_relay_app(taken, Keeper(TOKEN))
    return TestClient(app, base_url="https://gpuledger.test", headers=BEARER)


def post(door: TestClient, body: bytes, key: str, schema: str = "0.1.0") -> dict[str, Any]:
    headers = {"Idempotency-Key": key, "X-Gpuledger-Schema": schema}
    answer = door.post("/v1/ingest/gpu_samples", content=body, headers=headers)
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def seconds(store: Store, node: str) -> set[float]:
    """Seconds that the samples and each rollup cover: one number where they agree."""
    return {seconds_of(store, node, f"gpu_samples{level}") for level in LEVELS}


def rows(node: str, count: int = 8, since: int = 1) -> list[Any]:
    return [sample(node, since + n, power_watts=float(n)) for n in range(count)]


def test_a_batch_sent_again_changes_nothing(store: Store, taken: Intake, door: TestClient) -> None:
    node = unique()
    for _ in range(3):
        assert post(door, body_of(rows(node)), node)["accepted"] == 8
        stored(taken)
    assert seconds(store, node) == {8}


def test_a_batch_sent_again_in_other_blocks_changes_nothing(
    store: Store, taken: Intake, door: TestClient
) -> None:
    node, whole = unique(), rows(unique())
    pieces = b"".join(body_of(whole[n : n + 2]) for n in range(0, 8, 2))
    for body in (pieces, body_of(whole), pieces):
        assert post(door, body, node)["accepted"] == 8
    stored(taken)
    assert seconds(store, whole[0].node) == {8}


def test_a_batch_sent_again_in_an_envelope_changes_nothing(
    store: Store, taken: Intake, door: TestClient
) -> None:
    node = unique()
    body = body_of(rows(node))
    post(door, body, f"{node}/1")
    parts = [Part("gpu_samples", f"{node}/{n}", "0.1.0", body) for n in (1, 1)]
    parts.append(Part("gpu_samples", f"{node}/2", "0.1.0", body_of(rows(node, since=100))))
    for _ in range(2):
        answer = door.post("/v1/ingest", content=envelope.seal(parts))
        assert [p["accepted"] for p in answer.json()["parts"]] == [8, 8, 8]
        stored(taken)
    assert seconds(store, node) == {16}


def test_batches_that_cross_on_their_way_land_in_their_own_minutes(
    store: Store, taken: Intake, door: TestClient
) -> None:
    node = unique()
    for number in (3, 0, 2, 1):
        post(door, body_of(rows(node, since=1 + 60 * number)), f"{node}/{number}")
        stored(taken)
    sql = "SELECT ts, covered_seconds FROM v_gpu_samples_1m WHERE node = {n:String} ORDER BY ts"
    found = [(r["ts"], r["covered_seconds"]) for r in store.select(sql, n=node)]
    assert found == [(at(60 * number), 8) for number in range(4)]


def test_rows_kept_aside_are_answered_and_stored_once(
    store: Store, taken: Intake, door: TestClient
) -> None:
    node = unique()
    mixed = body_of([*rows(node, 3), sample(node, 86_400 * 30)])
    for _ in range(2):
        told = post(door, mixed, node)
        assert (told["accepted"], told["quarantined"]) == (3, 1)
        stored(taken)
    sql = "SELECT of, reason, rows FROM v_quarantine WHERE node = {n:String}"
    expected = {"of": "gpu_samples", "reason": "ts lies in the future", "rows": 1}
    assert store.select(sql, n=node) == [expected]
    assert seconds(store, node) == {3}


def test_older_and_newer_collectors_meet_in_one_table(
    store: Store, taken: Intake, door: TestClient
) -> None:
    older, newer = unique(), unique()
    old_body = body_of(rows(older), source=None, power_mw=None, power_mw_max=None)
    new_body = foreign(body_of(rows(newer)), "flux", "Nullable(UInt32)", bytes(5 * 8))
    assert post(door, old_body, older, "0.0.9")["dropped_columns"] == 0
    assert post(door, new_body, newer, "9.0")["dropped_columns"] == 1
    stored(taken)
    assert seconds(store, older) == seconds(store, newer) == {8}
    sql = "SELECT countIf(power_mw IS NULL) FROM gpu_samples WHERE node = {n:String}"
    assert (store.value(sql, n=older), store.value(sql, n=newer)) == (8, 0)


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_what_agents_of_a_release_send_is_taken(
    store: Store, taken: Intake, door: TestClient, release: Path
) -> None:
    taken.clock = lambda: RELEASED_AT
    body = zstd.decompress(b64decode(release.read_text()))
    answers = door.post("/v1/ingest", content=body).json()["parts"]
    assert [(a["status"], a["accepted"], a["dropped_columns"]) for a in answers] == [
        (200, 1, 0)
    ] * len(answers)
    stored(taken)
    tables = {part.table for part in envelope.unseal(body)}
    assert GpuSample.table.name in tables <= {t.name for t in INGESTED}
    for table in tables:
        assert store.value(f"SELECT count() FROM v_{table}") >= 1, table
