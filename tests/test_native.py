"""Native blocks of our own: the same to every reader as those of ClickHouse's own driver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.transform import NativeTransform
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue import INGESTED, GpuSample
from gpuledger.native import encode, read_blocks
from gpuledger.schema import FOREVER, Field, Table
from gpuledger.store import Store, decode
from tests.store_contract import both_stores, unique

EXAMPLES = settings(max_examples=60, derandomize=True, deadline=None, database=None)
TEXTS = ["", "GPU-é", "line\nbreak", "x" * 200, "y" * 70_000, "\0"]


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


def by_the_driver(batch: Batch) -> bytes:
    """The batch as clickhouse-connect writes it."""
    types = {f.stored: get_from_name(f.type) for f in batch.table.fields}
    context = InsertContext(
        batch.table.name,
        list(batch.columns),
        [types[name] for name in batch.columns],
        list(batch.columns.values()),
        column_oriented=True,
    )
    return b"".join(NativeTransform.build_insert(context)).split(b"\n", 1)[1]


def extremes(field: Field) -> list[Any]:
    """Six values of a physical column, the ends of its range among them."""
    if field.type.startswith("DateTime"):
        ends = [
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
            FOREVER,
        ]
        return [to_milliseconds(at) for at in ends] * 2
    if "String" in field.type:
        return TEXTS
    top = (1 << field.column.bits) - 1
    return [0, top, None, None, top, 1] if field.nullable else [0, top, 1, 0, top, 1]


def worst(table: Table) -> Batch:
    return Batch(table, {f.stored: extremes(f) for f in table.fields})


def stored(field: Field) -> st.SearchStrategy[Any]:
    """Any value of a physical column, as it is stored."""
    if field.type.startswith("DateTime"):
        return st.integers(0, to_milliseconds(FOREVER))
    if "String" in field.type:
        return st.text(st.characters(codec="utf-8"), max_size=8)
    numbers = st.integers(0, (1 << field.column.bits) - 1)
    return st.none() | numbers if field.nullable else numbers


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    table: Table = draw(st.sampled_from(INGESTED))
    size = draw(st.integers(1, 3))
    return Batch(table, {f.stored: [draw(stored(f)) for _ in range(size)] for f in table.fields})


@EXAMPLES
@given(batches())
def test_any_batch_reads_like_the_drivers_own(batch: Batch) -> None:
    assert read_blocks(encode(batch)) == read_blocks(by_the_driver(batch))
    assert decode(batch.table, encode(batch)) == (batch, [])


@pytest.mark.parametrize("table", INGESTED, ids=lambda t: t.name)
def test_the_engine_stores_what_the_driver_would_have_sent(store: Store, table: Table) -> None:
    batch, names = worst(table), {"ours": encode, "theirs": by_the_driver}
    columns = ", ".join(f"`{f.stored}` {f.type}" for f in table.fields)
    found = {}
    for name, write in names.items():
        place = f"{name}_{unique()}".replace("-", "_")
        store.command(f"CREATE TABLE {place} ({columns}) ENGINE = Memory")
        store._client().raw_insert(place, list(batch.columns), write(batch), fmt="Native")
        found[name] = store.select(f"SELECT * FROM {place}")
        store.command(f"DROP TABLE {place}")
    assert found["ours"] == found["theirs"]
    assert len(found["ours"]) == len(TEXTS)


@pytest.mark.parametrize("different", [1, 256, 257, 65_536, 65_537])
def test_places_of_texts_are_as_wide_as_their_number_needs(different: int) -> None:
    names = [f"n{i}" for i in range(different)]
    batch = Batch(GpuSample.table, {"node": [*names, "n0"]})
    assert read_blocks(encode(batch))["node"][1] == [*names, "n0"]


def test_a_batch_of_no_rows_is_a_block_without_values() -> None:
    empty = Batch(GpuSample.table, {"node": [], "power_mw": [], "ts": []})
    assert [values for _, values in read_blocks(encode(empty)).values()] == [[], [], []]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", None),
        ("epoch", -1),
        ("epoch", 1 << 32),
        ("power_mw", 1.5),
        ("power_mw", "much"),
        ("node", None),
        ("node", "\ud800"),
        ("ts", 1 << 63),
    ],
)
def test_a_value_that_does_not_fit_names_its_column(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"column {name} "):
        encode(Batch(GpuSample.table, {name: [value]}))


def test_a_value_that_is_neither_there_nor_missing_is_refused() -> None:
    body = encode(Batch(GpuSample.table, {"power_mw": [1, None]}))
    with pytest.raises(ValueError, match="power_mw is neither there nor missing"):
        read_blocks(body.replace(b"Nullable(UInt32)\0\1", b"Nullable(UInt32)\0\2"))


@pytest.mark.parametrize("flags", [0x000, 0x200, 0x400, 0x700, 0x604])
def test_texts_that_are_not_the_blocks_own_are_refused(flags: int) -> None:
    body = encode(Batch(GpuSample.table, {"node": ["n"]}))
    good = (0x600).to_bytes(8, "little")
    assert body.count(good) == 1
    with pytest.raises(ValueError, match="do not belong together"):
        read_blocks(body.replace(good, flags.to_bytes(8, "little")))
