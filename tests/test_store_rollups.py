"""What minutes, hours and days say is what the rows say, exactly, on both kinds of store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuledger.batch import Batch
from gpuledger.catalogue.gpu import WRITERS
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.store_contract import NOON, at, both_stores, sample, unique

EXAMPLES = settings(max_examples=25, derandomize=True, deadline=None, database=None)


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


def told(store: Store, node: str, table: str = "v_gpu_samples_1m") -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {table} WHERE node = {{node:String}} ORDER BY ts"
    return store.select(sql, node=node)


readings = st.fixed_dictionaries(
    {
        "seconds": st.integers(1, 180),
        "interval": st.sampled_from([0, 1, 2, 10, 30, 60]),
        "source": st.sampled_from([*WRITERS.order, "somebody-else"]),
        "epoch": st.integers(0, 1),
        "power": st.none() | st.integers(0, 700_000),
        "clock": st.none() | st.integers(0, 2_000),
        "energy": st.none() | st.integers(0, 1 << 50),
        "active": st.none() | st.integers(0, 60_000),
        "throttle": st.none() | st.integers(0, (1 << 64) - 1),
    }
)


def as_row(node: str, reading: dict[str, Any]) -> Row:
    """The reading (integers as stored) as a row in base units."""

    def thousandths(name: str) -> float | None:
        return None if reading[name] is None else reading[name] / 1000

    return sample(
        node,
        reading["seconds"],
        interval_seconds=float(reading["interval"]),
        epoch=reading["epoch"],
        source=reading["source"],
        sm_clock_hertz=None if reading["clock"] is None else reading["clock"] * 1e6,
        power_watts=thousandths("power"),
        energy_joules=thousandths("energy"),
        active_seconds=thousandths("active"),
        throttle_reasons=reading["throttle"],
    )


def known(rows: Iterable[dict[str, Any]], name: str) -> list[Any]:
    return [r[name] for r in rows if r[name] is not None]


def mean(rows: list[dict[str, Any]], name: str) -> float | None:
    """Weighted by milliseconds; a row that covers no time weighs one."""
    told = [(r[name], max(1, r["interval"] * 1000)) for r in rows if r[name] is not None]
    return sum(v * w for v, w in told) / sum(w for _, w in told) if told else None


def expected(rows: list[dict[str, Any]], bucket_s: int = 60) -> dict[str, Any]:
    """What the rows of one bucket say, worked out by hand: each column by its first writer."""
    out: dict[str, Any] = dict.fromkeys(of_one_writer([], bucket_s))
    for writer in (*WRITERS.order, "somebody-else"):
        own = of_one_writer([r for r in rows if r["source"] == writer], bucket_s)
        out = {name: own[name] if out[name] is None else out[name] for name in out}
    return {**out, "covered_seconds": out["covered_seconds"] or 0}


def of_one_writer(rows: list[dict[str, Any]], bucket_s: int) -> dict[str, Any]:
    energy, flags = known(rows, "energy"), known(rows, "throttle")
    power, clock = mean(rows, "power"), mean(rows, "clock")
    return {
        "covered_seconds": min(bucket_s, sum(r["interval"] for r in rows)) or None,
        "power_watts": None if power is None else power / 1000,
        "power_watts_max": max((p / 1000 for p in known(rows, "power")), default=None),
        "sm_clock_hertz": None if clock is None else clock * 1_000_000,
        "energy_joules_first": min(energy) / 1000 if energy else None,
        "energy_joules_last": max(energy) / 1000 if energy else None,
        "active_seconds": sum(known(rows, "active")) / 1000 if known(rows, "active") else None,
        "throttle_reasons": reduce(or_, flags) if flags else None,
    }


@EXAMPLES
@given(st.lists(readings, min_size=1, max_size=12))
def test_minutes_say_exactly_what_their_rows_say(store: Store, rows: list[dict[str, Any]]) -> None:
    node = unique()
    for reading in rows:  # one insert each: parts must add up however they are merged
        store.insert_rows([as_row(node, reading)])
    by_minute: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for reading in rows:
        by_minute[NOON + timedelta(minutes=(reading["seconds"] - 1) // 60)].append(reading)
    seen = told(store, node)
    assert [m["ts"] for m in seen] == sorted(by_minute)
    for minute in seen:
        wanted = expected(by_minute[minute["ts"]])
        assert {name: minute[name] for name in wanted} == wanted


@EXAMPLES
@given(st.lists(readings, min_size=1, max_size=12), st.integers(1, 11))
def test_how_rows_were_batched_does_not_matter(
    store: Store, rows: list[dict[str, Any]], cut: int
) -> None:
    whole, parts = unique(), unique()
    store.insert_rows([as_row(whole, r) for r in rows])
    store.insert_rows([as_row(parts, r) for r in rows[:cut]])
    store.insert_rows([as_row(parts, r) for r in rows[cut:]])
    strip = [{**m, "node": ""} for m in told(store, whole)]
    assert strip == [{**m, "node": ""} for m in told(store, parts)]


BUCKETS = {"_1h": timedelta(hours=1), "_1d": timedelta(days=1)}


@EXAMPLES
@given(st.lists(readings, min_size=1, max_size=12), st.sampled_from(sorted(BUCKETS)))
def test_hours_and_days_say_exactly_what_their_rows_say(
    store: Store, rows: list[dict[str, Any]], level: str
) -> None:
    node, length = unique(), BUCKETS[level]
    apart = [{**r, "seconds": r["seconds"] * 977} for r in rows]  # over two days
    for reading in apart:
        store.insert_rows([as_row(node, reading)])
    buckets: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    midnight = NOON - timedelta(hours=12)
    for reading in apart:
        since = NOON - midnight + timedelta(seconds=reading["seconds"] - 1)
        buckets[midnight + since // length * length].append(reading)
    seen = told(store, node, f"v_gpu_samples{level}")
    assert [b["ts"] for b in seen] == sorted(buckets)
    for bucket in seen:
        wanted = expected(buckets[bucket["ts"]], int(length.total_seconds()))
        assert {name: bucket[name] for name in wanted} == wanted


def test_a_batch_sent_again_changes_no_rollup(store: Store) -> None:
    node = unique()
    batch = Batch.of_rows([sample(node, s, energy_joules=float(s)) for s in range(1, 100, 10)])
    for _ in range(2):
        store.insert(batch, token=f"{node}/1")
    for level in ("_1m", "_1h", "_1d"):
        sql = f"SELECT sum(interval_ms) FROM gpu_samples{level} WHERE node = {{n:String}}"
        assert store.value(sql, n=node) == 10_000


@pytest.mark.parametrize("interval", [1, 5, 30, 60])
def test_an_interval_that_ends_at_a_minute_belongs_to_the_minute_before(
    store: Store, interval: int
) -> None:
    node = unique()
    store.insert_rows([sample(node, 60, interval_seconds=float(interval))])
    [minute] = told(store, node)
    assert minute["ts"] == NOON
    assert minute["covered_seconds"] == interval


def test_a_row_one_millisecond_later_belongs_to_the_next_minute(store: Store) -> None:
    node = unique()
    store.insert_rows([sample(node, 60.001)])
    [minute] = told(store, node)
    assert minute["ts"] == at(60)


def test_cover_counts_no_more_than_the_minute_has(store: Store) -> None:
    node = unique()
    store.insert_rows([sample(node, s, interval_seconds=40.0) for s in (30, 60)])
    [minute] = told(store, node)
    assert minute["covered_seconds"] == 60


def test_epochs_are_kept_apart_so_that_increases_can_be_taken_in_each(store: Store) -> None:
    node = unique()
    rows = [
        sample(node, 1, energy_joules=900.0),
        sample(node, 2, energy_joules=950.0),
        sample(node, 3, epoch=1, energy_joules=10.0),
        sample(node, 4, epoch=1, energy_joules=15.0),
    ]
    store.insert_rows(rows)
    increase = store.value(
        "SELECT sum(last - first) FROM (SELECT max(energy_mj_max) / 1000 AS last,"
        " min(energy_mj_min) / 1000 AS first FROM gpu_samples_1m"
        " WHERE node = {n:String} GROUP BY epoch)",
        n=node,
    )
    assert increase == 55


def test_a_merge_changes_no_answer(store: Store) -> None:
    node = unique()
    for s in range(1, 130, 7):
        store.insert(Batch.of_rows([sample(node, s, power_watts=float(s))]))
    before = told(store, node)
    store.command("OPTIMIZE TABLE gpu_samples_1m FINAL")
    assert told(store, node) == before
    assert len(before) == 3


# --- several writers ----------------------------------------------------------------------------


def test_each_column_of_a_minute_is_that_of_the_first_writer_that_has_it(store: Store) -> None:
    node = unique()
    agent = {"power_watts": 400.0, "energy_joules": 5.0, "active_seconds": 10.0}
    exporter = {"power_watts": 390.0, "energy_joules": 900.0, "sm_active_ratio": 0.5}
    store.insert_rows(
        [
            sample(node, 5, source="dcgm-exporter", interval_seconds=30.0, **exporter),
            sample(node, 6, source="nvml", interval_seconds=10.0, uuid="GPU-agent", **agent),
        ]
    )
    for level in ("_1m", "_1h", "_1d"):
        [seen] = told(store, node, f"v_gpu_samples{level}")
        assert (seen["covered_seconds"], seen["source"], seen["uuid"]) == (10, "nvml", "GPU-agent")
        assert seen["power_watts"] == 400
        assert (seen["energy_joules_first"], seen["energy_joules_last"]) == (5, 5)
        assert seen["sm_active_ratio"] == 0.5
        assert seen["active_seconds"] == 10
        assert seen["memory_used_bytes"] is None


def test_a_writer_that_comes_late_and_in_parts_still_takes_its_place(store: Store) -> None:
    node = unique()
    store.insert_rows([sample(node, 30, source="dcgm-exporter", power_watts=300.0)])
    assert told(store, node)[0]["power_watts"] == 300
    store.insert_rows([sample(node, 20, source="nvml", power_watts=100.0)])
    store.insert_rows([sample(node, 10, source="nvml", power_watts=200.0, interval_seconds=3.0)])
    store.insert_rows([sample(node, 40, source="dcgm-exporter", power_watts=900.0)])
    [minute] = told(store, node)
    assert minute["power_watts"] == 175
    assert minute["covered_seconds"] == 4


def test_minutes_that_several_wrote_are_counted_by_who_lost(store: Store) -> None:
    node = unique()
    wrote = {1: ["nvml"], 61: ["dcgm-exporter", "nvml"], 121: ["zzz", "dcgm-exporter", "nvml"]}
    wrote |= {181: ["zzz", "dcgm-exporter"]}
    store.insert_rows([sample(node, s, source=w) for s, told in wrote.items() for w in told])
    rows = store.select(
        "SELECT hour, slot, source, instead, minutes FROM v_gpu_samples_losers"
        " WHERE node = {n:String} ORDER BY source",
        n=node,
    )
    lost = [(r["hour"], r["slot"], r["source"], r["instead"], r["minutes"]) for r in rows]
    hour = NOON.replace(tzinfo=rows[0]["hour"].tzinfo)
    assert lost == [(hour, 0, "dcgm-exporter", "nvml", 2), (hour, 0, "zzz", "nvml", 2)]


def test_columns_that_came_late_without_time_of_their_own_speak_where_nothing_else_does(
    store: Store,
) -> None:
    node = unique()
    store.insert_rows([sample(node, 10, interval_seconds=10.0, power_watts=300.0)])
    store.insert_rows([sample(node, 10, interval_seconds=0.0, utilization_ratio=0.5)])
    [minute] = told(store, node)
    assert (minute["power_watts"], minute["utilization_ratio"]) == (300, 0.5)
    assert minute["covered_seconds"] == 10


def test_a_gauge_that_is_missing_in_some_rows_is_the_mean_of_the_others(store: Store) -> None:
    node = unique()
    for value in (100.0, None, 300.0, None):
        store.insert_rows([sample(node, 5, power_watts=value, utilization_ratio=0.0)])
    store.command("OPTIMIZE TABLE gpu_samples_1m FINAL")
    [minute] = told(store, node)
    assert (minute["power_watts"], minute["utilization_ratio"]) == (200, 0)
    assert minute["temperature_celsius"] is None
