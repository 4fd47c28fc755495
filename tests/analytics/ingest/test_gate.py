"""The gate: what passes, what is kept aside and why, and that the engine takes what passed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.ingest.gate import Gate, IngestSettings, Judged
from gpuledger import ddl
from gpuledger.batch import Batch, to_milliseconds
from gpuledger.catalogue import (
    INGESTED,
    TABLES,
    GpuEvent,
    GpuSample,
    Job,
    ProcessSample,
    Quarantine,
)
from gpuledger.native import encode, read_blocks
from gpuledger.schema import Row, Table
from gpuledger.store import Store
from tests.analytics.ingest.bodies import (
    NOW,
    body_of,
    damaged,
    foreign,
    gpus,
    jobs,
    later,
    processes,
)
from tests.store_contract import at, both_stores, sample, seconds_of, unique
from tests.test_native import batches

EXAMPLES = settings(max_examples=15, derandomize=True, deadline=None, database=None)
TABLE = GpuSample.table
BODY = body_of(gpus())
NOW_MS = to_milliseconds(NOW)
DAY_MS = 86_400_000


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


def judge(body: bytes, table: Table = TABLE, **options: Any) -> Judged:
    return Gate(IngestSettings(**options)).judge(table, body, NOW, key="the key")


def rows_in(body: bytes | None) -> list[dict[str, Any]]:
    """Rows of a body, as stored."""
    if not body:
        return []
    columns = {name: found for name, (_, found) in read_blocks(body).items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def timed(*times: int) -> bytes:
    """A body with those times, in milliseconds."""
    return body_of(gpus(len(times)), ts=list(times))


def aside(judged: Judged) -> dict[str, int]:
    """Reason to rows."""
    return {row["reason"]: row["rows"] for row in rows_in(judged.quarantine)}


# What passes.


def test_a_good_body_passes_as_it_came() -> None:
    judged = judge(BODY)
    assert judged.body is BODY
    assert (judged.rows, judged.quarantined, judged.quarantine) == (8, 0, None)


def test_several_blocks_pass_as_one() -> None:
    judged = judge(BODY + body_of(gpus(3)))
    assert judged.rows == len(rows_in(judged.body)) == 11
    assert judged.body.startswith(BODY[:1] + b"\x0b")


def test_columns_of_a_newer_collector_are_dropped_and_named() -> None:
    newer = foreign(foreign(BODY, "zeal", "Nullable(UInt8)", bytes(16)), "age", "String", bytes(8))
    judged = judge(newer)
    assert judged.dropped_columns == ("age", "zeal")
    assert judged.body == BODY


def test_columns_that_an_older_collector_lacks_may_be_absent(store: Store) -> None:
    node = unique()
    judged = judge(body_of(gpus(2, node), power_mw=None, source=None, epoch=None))
    store.insert_native(TABLE, judged.body, node)
    sql = "SELECT power_mw, epoch, slot FROM gpu_samples WHERE node = {n:String} ORDER BY slot"
    assert store.select(sql, n=node) == [
        {"power_mw": None, "epoch": 0, "slot": 0},
        {"power_mw": None, "epoch": 0, "slot": 1},
    ]


@pytest.mark.parametrize("name", ["ts", "node", "slot"])
def test_what_makes_a_row_must_be_there(name: str) -> None:
    with pytest.raises(ValueError, match=f"lacks {name}"):
        judge(body_of(gpus(), **{name: None}))


def test_facts_must_say_when_they_were_seen() -> None:
    with pytest.raises(ValueError, match="lacks seen_at"):
        judge(body_of(jobs(), seen_at=None), Job.table)


@pytest.mark.parametrize("body", [b"", b"\0\0", BODY[:-1], BODY + b"\0", b"no block"])
def test_what_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        judge(body)


# What is kept aside.


def test_rows_from_the_future_and_the_far_past_are_kept_aside_whole() -> None:
    times = (NOW_MS + 301_000, NOW_MS + 299_000, NOW_MS - 9 * DAY_MS, NOW_MS - 11 * DAY_MS)
    judged = judge(timed(*times))
    assert [row["ts"] for row in rows_in(judged.body)] == list(times[1:3])
    assert (judged.rows, judged.quarantined) == (2, 2)
    future, past = rows_in(judged.quarantine)
    assert (future["reason"], past["reason"]) == (
        "ts lies in the future",
        "ts lies in the far past",
    )
    assert (future["first"], future["last"], future["rows"]) == (times[0], times[0], 1)
    assert (future["of"], future["key"], future["ts"]) == ("gpu_samples", "the key", NOW_MS)
    (kept,) = rows_in(b64decode(past["body"]))
    whole = rows_in(timed(*times))[3]
    assert kept == whole


def test_how_far_is_a_setting() -> None:
    body = timed(NOW_MS + 301_000, NOW_MS - 11 * DAY_MS)
    assert judge(body, future_s=302, past_d=12).quarantined == 0
    assert judge(timed(NOW_MS + 2_000), future_s=1).quarantined == 1


@pytest.mark.parametrize(
    ("unit", "time"),
    [
        ("seconds", NOW_MS // 1000),
        ("microseconds", NOW_MS * 1000 - 3),
        ("nanoseconds", NOW_MS * 1_000_000 + 5),
    ],
)
def test_a_time_in_another_unit_is_told_from_a_wrong_clock(unit: str, time: int) -> None:
    judged = judge(timed(time, NOW_MS))
    assert aside(judged) == {f"ts looks like {unit}, not milliseconds": 1}
    assert judged.rows == 1


@pytest.mark.parametrize("time", [-1, -(1 << 63), (1 << 63) - 1, 0])
def test_no_time_at_all_can_be_read_by_everybody_once_it_is_kept_aside(
    store: Store, time: int
) -> None:
    judged = judge(timed(time))
    assert (judged.rows, judged.body) == (0, b"")
    node = unique()
    assert judged.quarantine
    store.insert_native(Quarantine.table, judged.quarantine, node)
    found = store.select("SELECT first, last FROM v_quarantine WHERE key = 'the key'")
    assert {row["first"].year for row in found} <= {1970, 2106}
    assert found


def test_facts_and_events_may_be_older_than_samples() -> None:
    old = later(-300)
    event = GpuEvent(ts=old, node="n", slot=0, kind="xid")
    assert judge(body_of([event]), GpuEvent.table).quarantined == 0
    assert judge(body_of([sample("n")], ts=[to_milliseconds(old)])).quarantined == 1
    assert judge(body_of(jobs(1), seen_at=[to_milliseconds(old)]), Job.table).quarantined == 0


def test_a_second_time_that_nobody_can_read_keeps_its_row_aside() -> None:
    body = body_of(processes(3), started=[NOW_MS, 1 << 62, -5])
    judged = judge(body, ProcessSample.table)
    assert judged.rows == 1
    assert aside(judged) == {"started is no time within 1970 and 2106": 2}


def test_rows_of_several_blocks_that_are_kept_aside_stay_together() -> None:
    bad = body_of(gpus(2, "m"), ts=[NOW_MS + DAY_MS] * 2)
    judged = judge(BODY + bad + bad)
    (row,) = rows_in(judged.quarantine)
    assert (judged.rows, judged.quarantined, row["rows"], row["node"]) == (8, 4, 4, "m")
    assert len(rows_in(b64decode(row["body"]))) == 4


def test_a_node_is_named_only_where_there_is_one() -> None:
    bad = [body_of(gpus(1, node), ts=[NOW_MS + DAY_MS]) for node in ("a", "b")]
    (row,) = rows_in(judge(b"".join(bad)).quarantine)
    assert row["node"] == ""
    assert row["cluster"] == "c"


def test_columns_of_a_newer_collector_are_kept_aside_with_their_rows() -> None:
    body = foreign(timed(NOW_MS + DAY_MS), "zeal", "UInt8", b"\x07")
    (row,) = rows_in(judge(body).quarantine)
    assert rows_in(b64decode(row["body"]))[0]["zeal"] == 7


def test_rows_kept_aside_can_be_put_back(store: Store) -> None:
    node = unique()
    judged = judge(body_of(gpus(3, node), ts=[NOW_MS + DAY_MS] * 3))
    assert judged.quarantine
    store.insert_native(Quarantine.table, judged.quarantine, node)
    sql = "SELECT body FROM v_quarantine WHERE node = {n:String}"
    store.insert_native(TABLE, b64decode(store.value(sql, n=node)), f"{node}/back")
    assert seconds_of(store, node) == 3


def test_collectors_cannot_fill_the_quarantine_themselves() -> None:
    assert Quarantine.table.name in TABLES
    assert Quarantine.table not in INGESTED


# What passed is what the engine takes.


@pytest.fixture
def cellar(store: Store) -> Iterator[dict[str, Table]]:
    """Tables like the real ones that only these tests fill."""
    tables = {
        t.name: replace(t, name=f"fuzz_{t.name}") for t in (TABLE, ProcessSample.table, Job.table)
    }
    for table in tables.values():
        store.command(ddl.create_table(table))
    yield tables
    for table in tables.values():
        store.command(f"DROP TABLE {table.name}")


def test_whatever_passes_can_be_stored_and_read_again(
    store: Store, cellar: dict[str, Table]
) -> None:
    gate, passed = Gate(IngestSettings(past_d=400)), 0
    for number, (table, body) in enumerate(damaged(seed=2, count=600)):
        try:
            judged = gate.judge(table, body, NOW)
        except ValueError:
            continue
        passed += 1
        own = cellar[table.name]
        if judged.rows:
            store.insert_native(own, judged.body, f"fuzz/{number}")
        assert len(store.select(f"SELECT * FROM {own.name}")) == judged.rows
        store.command(f"TRUNCATE TABLE {own.name}")
    assert passed > 30


ANY = settings(EXAMPLES, max_examples=80)


@ANY
@given(st.lists(batches(), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_of_any_rows_whatever_none_is_lost_and_none_is_changed(
    sent: list[Batch], chance: Any
) -> None:
    table = sent[0].table
    bodies = [_turned(batch, chance) for batch in sent if batch.table is table]
    judged = judge(b"".join(bodies), table)
    aside_bodies = [b64decode(row["body"]) for row in rows_in(judged.quarantine)]
    kept = [*rows_in(judged.body), *(r for body in aside_bodies for r in rows_in(body))]
    everything = [row for body in bodies for row in rows_in(body)]
    assert len(kept) == judged.rows + judged.quarantined == len(everything)
    assert sorted(map(_sorted, kept)) == sorted(map(_sorted, everything))


def _turned(batch: Batch, chance: Any) -> bytes:
    """The batch with its columns in another order."""
    names = chance.sample(list(batch.columns), len(batch.columns))
    return encode(Batch(batch.table, {name: batch.columns[name] for name in names}))


def _sorted(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


def test_blocks_that_a_server_makes_pass_too(store: Store) -> None:
    node = unique()
    rows: list[Row] = [sample(node, s, uuid=f"GPU-{s % 300}") for s in range(700)]
    store.insert_rows(rows)
    body = store._client().raw_query(
        f"SELECT * FROM gpu_samples WHERE node = '{node}' ORDER BY ts", fmt="Native"
    )
    judged = Gate().judge(TABLE, body, at(701))
    assert judged.rows == 700
    assert rows_in(judged.body) == rows_in(body_of(rows))


# Late rows.

arrivals = st.lists(st.integers(1, 600), min_size=1, max_size=20, unique=True)


@EXAMPLES
@given(arrivals, st.randoms(use_true_random=False), st.integers(1, 5))
def test_late_rows_in_any_order_land_in_their_own_minute(
    store: Store, seconds: list[int], chance: Any, parts: int
) -> None:
    node = unique()
    shuffled = chance.sample(seconds, len(seconds))
    for part in range(parts):
        rows: list[Row] = [sample(node, s, power_watts=float(s)) for s in shuffled[part::parts]]
        if rows:
            judged = Gate().judge(TABLE, body_of(rows), at(601))
            store.insert_native(TABLE, judged.body, f"{node}/{part}")
    expected: dict[datetime, list[int]] = {}
    for second in seconds:
        expected.setdefault(at(0) + timedelta(minutes=(second - 1) // 60), []).append(second)
    told = store.select(
        "SELECT ts, covered_seconds, power_watts_max FROM v_gpu_samples_1m"
        " WHERE node = {n:String} ORDER BY ts",
        n=node,
    )
    assert [(r["ts"], r["covered_seconds"], r["power_watts_max"]) for r in told] == [
        (minute, len(found), max(found)) for minute, found in sorted(expected.items())
    ]
