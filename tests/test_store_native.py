"""Batches on the wire: Native blocks in and out, and whatever else may arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.transform import NativeTransform
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample
from gpuledger.native import encode
from gpuledger.store import Store, decode
from tests.store_contract import both_stores, sample, unique

EXAMPLES = settings(max_examples=60, derandomize=True, deadline=None, database=None)
TABLE = GpuSample.table
BODY = encode(Batch.of_rows([sample("n", s, power_watts=float(s), uuid="GPU-é") for s in range(4)]))


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def native(names: list[str], types: list[str], columns: list[list[Any]]) -> bytes:
    """Blocks of any columns at all."""
    kinds = [get_from_name(t) for t in types]
    context = InsertContext("t", names, kinds, columns, column_oriented=True)
    return b"".join(NativeTransform.build_insert(context)).split(b"\n", 1)[1]


def test_blocks_one_after_the_other_are_one_batch() -> None:
    batch, _ = decode(TABLE, BODY + BODY)
    assert len(batch) == 8
    assert batch.columns["power_mw"] == [0, 1000, 2000, 3000] * 2


def test_a_decoded_batch_stores_the_same_rows_wherever_the_server_lives(
    store: Store, far_from_utc: None
) -> None:
    direct, decoded = unique(), unique()
    store.insert_rows([sample(direct, 5, power_watts=1.5)])
    batch, _ = decode(TABLE, encode(Batch.of_rows([sample(decoded, 5, power_watts=1.5)])))
    store.insert(batch, token=decoded)
    sql = "SELECT * EXCEPT node FROM gpu_samples WHERE node = {n:String}"
    assert store.select(sql, n=decoded) == store.select(sql, n=direct) != []


def test_blocks_can_be_inserted_as_they_are(store: Store) -> None:
    node = unique()
    body = encode(Batch.of_rows([sample(node, s) for s in range(3)]))
    for _ in range(2):
        store.insert_native(TABLE, body, token=node)
    assert store.value("SELECT count() FROM gpu_samples WHERE node = {n:String}", n=node) == 3


def test_blocks_that_a_server_makes_are_read_too(store: Store) -> None:
    node = unique()
    rows = [sample(node, s, uuid=f"GPU-{s % 300}", power_watts=s or None) for s in range(1000)]
    store.insert_rows(rows)
    sql = f"SELECT * FROM gpu_samples WHERE node = '{node}' ORDER BY ts"
    body = store._client().raw_query(sql, fmt="Native")
    assert decode(TABLE, body) == (Batch.of_rows(rows), [])


def test_columns_that_the_table_lacks_are_named_and_dropped() -> None:
    body = native(["zeal", "node", "age"], ["UInt8", "String", "UInt8"], [[1], ["n"], [2]])
    with pytest.raises(ValueError, match="node is String"):
        decode(TABLE, body)
    body = native(
        ["zeal", "node", "age"], ["UInt8", "LowCardinality(String)", "UInt8"], [[1], ["n"], [2]]
    )
    batch, unknown = decode(TABLE, body)
    assert batch.columns == {"node": ["n"]}
    assert unknown == ["age", "zeal"]


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("power_mw", "Float64", 1.5),
        ("power_mw", "Nullable(UInt64)", 1 << 40),
        ("epoch", "Int32", -3),
        ("slot", "Nullable(UInt16)", None),
        ("node", "Array(String)", ["n"]),
        ("ts", "String", "yesterday"),
    ],
)
def test_a_column_of_another_type_is_refused_by_name(name: str, kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"column {name} is "):
        decode(TABLE, native([name], [kind], [[value]]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\0" * 64,
        b"x",
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"rows": []}',
        BODY[:-1],
        BODY[: len(BODY) // 2],
        BODY + b"\x05",
        BODY + native(["node"], ["LowCardinality(String)"], [["n"]]),
        native(["epoch", "epoch"], ["UInt32", "UInt32"], [[1], [2]]),
        b"\x01" + b"\xff" * 20,  # a length without an end
        b"\x01\xff\xff\xff\xff\x7f\x05epoch\x06UInt32",  # rows for 128 GiB
        b"\x01\xff\xff\xff\xff\x7f\x05epoch\x07Nothing",  # rows that take no bytes
        b"\x01\x01\x05epoch\xc0\x84\x3d" + b"Nullable(" * 111_111,  # a type without an end
    ],
)
def test_what_is_not_blocks_of_one_table_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(TABLE, body)


@settings(EXAMPLES, max_examples=500)
@given(st.integers(0, len(BODY) - 1), st.binary(min_size=1, max_size=4))
def test_damaged_bodies_never_crash_otherwise(at: int, garbage: bytes) -> None:
    try:
        batch, _ = decode(TABLE, BODY[:at] + garbage + BODY[at + len(garbage) :])
    except ValueError:
        return
    assert {len(c) for c in batch.columns.values()} <= {len(batch)}


@EXAMPLES
@given(st.binary(max_size=64))
def test_noise_never_crashes_otherwise(body: bytes) -> None:
    try:
        decode(TABLE, body)
    except ValueError:
        return


def test_a_value_that_does_not_fit_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="power_mw"):
        encode(Batch(TABLE, {"power_mw": [1 << 40]}))
