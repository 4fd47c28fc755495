"""An identity fixes cluster, node, tables and keys: what is not its own is refused whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics.access.caller import Caller, Role
from analytics.app import create_relay_app
from analytics.ingest.bound import Bound, Foreign, key_prefix
from analytics.ingest.intake import Intake
from analytics.ingest.structure import read
from gpuledger import envelope
from gpuledger.batch import Batch
from gpuledger.catalogue import Job
from gpuledger.envelope import Part
from gpuledger.native import encode
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics.ingest.doors import Knows, open_doors, sending
from tests.analytics.intakes import intake, stored
from tests.analytics.web import TestClient, is_problem
from tests.analytics.world import START, card, given, gpu, job, node_state, samples

NODE = Caller("agent of n0", Role.INGEST, cluster="c", node="n0")
CLUSTER = Caller("agent of c", Role.INGEST, cluster="c")
ANYBODY = Caller("collector", Role.INGEST)


def told(caller: Caller, *rows: Row) -> None:
    """Foreign where the caller may not send these rows of one table."""
    table = rows[0].table
    bound = Bound(caller)
    bound.check_table(table.name)
    bound.check(table, read(table, encode(Batch.of_rows(rows))))


def held_by_process(**more: Any) -> Job:
    """A job that a node's agent makes of a process."""
    row = Job(
        job_id="c/n0.1@1",
        cluster="c",
        name="python",
        user="ana",
        state="running",
        gpus_per_node=1,
        memory_bytes=None,
        submitted=START,
        eligible=START,
        started=START,
        seen_at=START,
        version=1,
    )
    row.__dict__.update(more)
    return row


OWN = {
    "samples": samples(0, 0, 3) + samples(7, 0, 3),
    "a card": [card(1)],
    "an allocation": [given("1", 0)],
    "a job of a process": [held_by_process()],
}
FOREIGN = {
    "samples of another node": samples(0, 0, 3, node="n1"),
    "one row of another node": samples(0, 0, 3) + samples(0, 3, 1, node="n1"),
    "a card of another node": [card(1, "n1")],
    "an allocation of another node": [given("1", 0, "n1")],
    "a job of the scheduler": [job("1")],
    "a job with a team": [held_by_process(team="vision")],
    "a job of another cluster": [held_by_process(job_id="d/n0.1@1")],
}


@pytest.mark.parametrize("rows", OWN.values(), ids=OWN)
def test_a_node_tells_of_itself(rows: list[Row]) -> None:
    told(NODE, *rows)


@pytest.mark.parametrize("rows", FOREIGN.values(), ids=FOREIGN)
def test_a_node_tells_of_nobody_else(rows: list[Row]) -> None:
    with pytest.raises(Foreign):
        told(NODE, *rows)


@pytest.mark.parametrize("rows", [*OWN.values(), *FOREIGN.values()], ids=[*OWN, *FOREIGN])
def test_who_is_bound_to_nothing_tells_of_all(rows: list[Row]) -> None:
    told(ANYBODY, *rows)


def test_the_agent_of_a_cluster_tells_of_all_its_nodes_and_jobs() -> None:
    told(CLUSTER, *samples(0, 0, 1), *samples(0, 0, 1, node="n1"))
    told(CLUSTER, job("1"), job("2", team="other"))
    told(CLUSTER, given("1", 0, "n9"))


@pytest.mark.parametrize("name", ["cluster", "job_id"])
def test_the_agent_of_a_cluster_tells_of_no_other(name: str) -> None:
    stranger = job("1")
    stranger.__dict__[name] = {"cluster": "d", "job_id": "d/1"}[name]
    with pytest.raises(Foreign, match=r"'d'|not of c/"):
        told(CLUSTER, stranger)


def test_a_row_of_our_place_with_the_key_of_a_foreign_card_is_refused() -> None:
    """The book goes by the key: place names alone would let a node write into others' cells."""
    row = samples(0, 0, 1)[0]
    row.__dict__["gpu_id"] = gpu(0, "n1")
    with pytest.raises(Foreign, match="key of a card of another place"):
        told(NODE, row)
    allocation = given("1", 0)
    allocation.__dict__["gpu_id"] = gpu(0, "n1")
    with pytest.raises(Foreign, match="key of a card"):
        told(NODE, allocation)


def test_no_node_has_slots_without_end() -> None:
    row = samples(0, 0, 1)[0]
    row.__dict__["slot"] = 60_000
    with pytest.raises(Foreign, match="no node has a slot 60000"):
        told(NODE, row)


def test_a_batch_that_does_not_tell_whose_it_is_is_refused() -> None:
    batch = Batch.of_rows(samples(0, 0, 1))
    columns = {name: values for name, values in batch.columns.items() if name != "cluster"}
    blocks = read(batch.table, encode(Batch(batch.table, columns)))
    with pytest.raises(Foreign, match="does not tell its rows' cluster"):
        Bound(NODE).check(batch.table, blocks)


def test_a_text_that_no_row_has_is_no_strangers() -> None:
    """Other writers' dictionaries begin with an empty text."""
    block = bytearray(encode(Batch.of_rows(samples(0, 0, 1))))
    head = b"\x01" + bytes(7) + b"\x02node"
    assert head not in block  # names and values are elsewhere: the dictionary is found below
    at = block.index(b"\x04node") + len(b"\x04node") + len(b"\x16LowCardinality(String)")
    count = at + 16
    assert block[count : count + 8] == b"\x01" + bytes(7)
    own = block[count + 8 : count + 11]
    assert own == b"\x02n0"
    block[count : count + 11] = b"\x02" + bytes(7) + b"\x00" + own
    place = count + 12 + 8
    block[place : place + 1] = b"\x01"
    table = samples(0, 0, 1)[0].table
    Bound(NODE).check(table, read(table, bytes(block)))


def test_what_is_told_once_for_a_cluster_is_not_told_by_a_node() -> None:
    state = node_state("n0")
    with pytest.raises(Foreign, match="told by a cluster's agent"):
        told(NODE, state)
    told(CLUSTER, state)


def test_a_token_of_some_tables_sends_to_no_other() -> None:
    caller = replace(CLUSTER, tables=("jobs",))
    told(caller, job("1"))
    with pytest.raises(Foreign, match="may not send rows of gpu_samples"):
        told(caller, *samples(0, 0, 1))


def test_keys_of_a_node_stay_the_same_whatever_its_token_is_called() -> None:
    renamed = replace(NODE, name="n0, second token", token_id="b")
    assert key_prefix(NODE) == key_prefix(renamed) == "@c/n0"
    assert key_prefix(ANYBODY) == "collector"


@pytest.fixture
def one(store: Store, tmp_path: Path) -> Iterator[Intake]:
    with intake(tmp_path / "journal", store) as opened:
        yield opened


def door(one: Intake, caller: Caller = NODE) -> TestClient:
    return sending(create_relay_app(one, Knows(caller)))


def post(client: TestClient, rows: list[Row], key: str = "k") -> Any:
    body = encode(Batch.of_rows(rows))
    headers = {"Idempotency-Key": key}
    return client.post(f"/v1/ingest/{rows[0].table.name}", content=body, headers=headers)


def test_a_foreign_batch_is_403_and_nothing_of_it_is_kept(store: Store, one: Intake) -> None:
    answer = post(door(one), [*samples(0, 0, 3), *samples(0, 0, 1, node="n1")])
    assert is_problem(answer, 403)
    assert "may not send rows of node 'n1'" in answer.json()["detail"]
    stored(one)
    assert store.value("SELECT count() FROM gpu_samples") == 0
    assert store.value("SELECT count() FROM quarantine") == 0
    assert one.told.foreign == {"gpu_samples": 1}


def test_a_foreign_sender_is_told_of_once(one: Intake, caplog: pytest.LogCaptureFixture) -> None:
    client = door(one)
    for key in "ab":
        post(client, [*samples(0, 0, 1, node="n1")], key)
    told = [r for r in caplog.records if r.name == "analytics.ingest.batches"]
    assert [r.levelname for r in told] == ["WARNING"]
    assert "may not send rows of node 'n1'" in told[0].getMessage()


def test_a_foreign_part_of_an_envelope_harms_no_other(store: Store, one: Intake) -> None:
    good = Part("gpu_samples", "a", "", encode(Batch.of_rows(samples(0, 0, 2))))
    bad = Part("gpu_samples", "b", "", encode(Batch.of_rows(samples(0, 0, 2, node="n1"))))
    answer = door(one).post(envelope.PATH, content=envelope.seal([bad, good]))
    assert [part["status"] for part in answer.json()["parts"]] == [403, 200]
    stored(one)
    assert store.select("SELECT DISTINCT node FROM gpu_samples") == [{"node": "n0"}]


def test_a_batch_counts_once_before_and_after_its_token_was_replaced(
    store: Store, one: Intake
) -> None:
    for caller in (NODE, replace(NODE, token_id="another")):
        assert post(door(one, caller), samples(0, 0, 3)).status_code == 200
    stored(one)
    assert store.value("SELECT count() FROM gpu_samples") == 3


@pytest.mark.parametrize("path", ["/v1/prometheus/write", "/v1/otlp/v1/metrics"])
@pytest.mark.parametrize("caller", [NODE, replace(CLUSTER, tables=("gpu_samples",))])
def test_who_is_bound_to_a_node_or_table_writes_no_scrapes(
    tmp_path: Path, path: str, caller: Caller
) -> None:
    with open_doors(tmp_path / "journal", Knows(caller)) as (client, assembler):
        answer = client.post(path, content=b"", headers={"Content-Type": "application/x-protobuf"})
        assert answer.status_code == 403
        assert b"is bound to a node or to tables" in answer.content
        assert not assembler.counts.samples


def test_a_key_that_was_left_open_is_nobodys() -> None:
    row = samples(0, 0, 1)[0]
    row.__dict__["gpu_id"] = 0
    told(NODE, row)
