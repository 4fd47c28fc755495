"""The store's contract, on the embedded engine and on a real server alike."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuledger import ddl
from gpuledger.batch import Batch
from gpuledger.catalogue import Cell, GpuSample, Job
from gpuledger.errors import ConfigError
from gpuledger.rollups import LEVELS
from gpuledger.schema import Table
from gpuledger.store import Store
from tests.store_contract import (
    AWKWARD,
    NOON,
    another_database,
    at,
    both_stores,
    sample,
    seconds_of,
    unique,
)

EXAMPLES = settings(max_examples=20, derandomize=True, deadline=None, database=None)

RESEND = """
import sys
from gpuledger.batch import Batch
from gpuledger.store import Store, parse_address
from tests.store_contract import sample
import os
store = Store(parse_address(sys.argv[1], os.environ))
store.apply()
store.insert(Batch.of_rows([sample(sys.argv[2], s) for s in range(600)]), token=sys.argv[2])
for table in ("gpu_samples", "gpu_samples_1m"):
    print(store.value(f"SELECT sum(interval_ms) FROM {table} WHERE node = {{n:String}}",
        n=sys.argv[2]))
store.close()
"""


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


def minutes_of(store: Store, node: str) -> list[dict[str, Any]]:
    return store.select(
        "SELECT * FROM v_gpu_samples_1m WHERE node = {node:String} ORDER BY ts", node=node
    )


# --- schema -----------------------------------------------------------------------------------


def test_apply_creates_everything_in_an_empty_database(store: Store) -> None:
    with another_database(store) as empty:
        assert empty.existing() == {}
        empty.apply()
        assert set(empty.existing()) == {t.name for t in ddl.targets()}


def test_a_second_apply_changes_nothing(store: Store) -> None:
    node = unique()
    store.insert_rows([sample(node)])
    before = store.existing()
    assert store.apply() == []
    assert store.existing() == before
    assert seconds_of(store, node) == 1


def without_processes() -> Table:
    """The samples as an older catalogue declared them."""
    table = GpuSample.table
    kept = tuple(c for c in table.columns if c.name != "processes")
    return Table(table.name, table.help, table.layout, kept)


@pytest.mark.parametrize("materialized", [True, False])
def test_a_new_column_is_added_and_rolled_up_from_then_on(store: Store, materialized: bool) -> None:
    old = without_processes()
    table, fill, *_ = ddl.rollup(old, LEVELS[0])
    statements = [ddl.create_table(old), table.create, fill.create]
    with another_database(store) as database:
        for statement in statements if materialized else statements[:2]:
            database.command(statement)
        database.command("INSERT INTO gpu_samples (ts, interval_ms) VALUES (1000, 1000)")
        database.apply()
        assert database.plan() == []
        database.insert_rows([sample("new", 1, processes=3)])
        [minute] = minutes_of(database, "new")
        assert minute["processes"] == minute["processes_max"] == 3
        assert database.value("SELECT count() FROM gpu_samples WHERE processes IS NULL") == 1


def test_a_retyped_column_is_refused_and_nothing_is_changed(store: Store) -> None:
    with another_database(store) as database:
        database.apply()
        database.command("DROP TABLE prices")
        database.command("ALTER TABLE host_samples MODIFY COLUMN cpus Nullable(UInt64)")
        before = database.existing()
        with pytest.raises(ConfigError, match=r"host_samples\.cpus is Nullable\(UInt64\)"):
            database.apply()
        assert database.existing() == before


def test_existing_tells_of_its_own_database_only(store: Store) -> None:
    with another_database(store) as other:
        other.command("CREATE TABLE foreign_table (a Int8) ENGINE = Memory")
        assert other.existing() == {"foreign_table": {"a": "Int8"}}
        assert "foreign_table" not in store.existing()


# --- exactly once -----------------------------------------------------------------------------


def test_the_same_token_twice_counts_once(store: Store) -> None:
    node = unique()
    batch = Batch.of_rows([sample(node, s) for s in range(600)])
    for _ in range(2):
        store.insert(batch, token=node)
    assert seconds_of(store, node) == seconds_of(store, node, "gpu_samples_1m") == 600


def test_a_batch_sent_again_after_others_counts_once(store: Store) -> None:
    node = unique()
    batches = [Batch.of_rows([sample(node, s)]) for s in range(20)]
    for turn in (*range(20), 0, 7, 19):
        store.insert(batches[turn], token=f"{node}/{turn}")
    assert seconds_of(store, node) == seconds_of(store, node, "gpu_samples_1m") == 20


def test_a_batch_across_midnight_counts_once(store: Store) -> None:
    node = unique()
    batch = Batch.of_rows([sample(node, 12 * 3600 + s) for s in range(-90, 90)])
    for _ in range(2):
        store.insert(batch, token=node)
    assert seconds_of(store, node) == seconds_of(store, node, "gpu_samples_1m") == 180


def test_a_batch_of_arrays_sent_again_counts_once(store: Store) -> None:
    node = unique()
    batch = arrays(node, np.arange(5.0))
    for _ in range(2):
        store.insert(batch, token=node)
    assert seconds_of(store, node) == seconds_of(store, node, "gpu_samples_1m") == 5


def test_a_batch_sent_again_by_another_thread_counts_once(store: Store) -> None:
    node = unique()
    batch = Batch.of_rows([sample(node, s) for s in range(10)])
    in_threads(4, lambda _: store.insert(batch, token=node))
    assert seconds_of(store, node) == seconds_of(store, node, "gpu_samples_1m") == 10


def test_a_batch_sent_again_by_another_process_counts_once(store: Store, tmp_path: Path) -> None:
    node = unique()
    # A directory belongs to one process at a time, and this one has its own.
    url = f"chdb://{tmp_path}/store" if store.address.directory else str(store.address)
    said = [in_process(url, node, store.address.password) for _ in range(2)]
    assert said == [["600000", "600000"]] * 2


def in_process(url: str, node: str, password: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", RESEND, url, node],
        env={**os.environ, "GPULEDGER_STORE_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def in_threads(threads: int, work: Any) -> None:
    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_without_a_token_equal_rows_are_two_facts(store: Store) -> None:
    node = unique()
    for _ in range(2):
        store.insert_rows([sample(node)])
    assert seconds_of(store, node) == seconds_of(store, node, "gpu_samples_1m") == 2


def test_four_threads_insert_at_once_and_every_row_arrives(store: Store) -> None:
    node = unique()

    def send(thread: int) -> None:
        for turn in range(5):
            rows = [sample(node, s, slot=thread) for s in range(turn * 10, turn * 10 + 10)]
            store.insert(Batch.of_rows(rows), token=f"{node}/{thread}/{turn}")

    in_threads(4, send)
    assert seconds_of(store, node) == seconds_of(store, node, "gpu_samples_1m") == 200


def test_no_rows_are_no_insert(store: Store) -> None:
    store.insert_rows([])
    store.insert(Batch(GpuSample.table, {"ts": []}), token="never used")


# --- values -----------------------------------------------------------------------------------


def test_missing_stays_null_from_row_to_view(store: Store) -> None:
    node = unique()
    store.insert_rows([sample(node)])
    [raw] = store.select("SELECT * FROM v_gpu_samples WHERE node = {n:String}", n=node)
    [minute] = minutes_of(store, node)
    measured = {f.visible for c in GpuSample.table.columns if c.name in NULLABLE for f in c.fields}
    assert {name for name, value in raw.items() if value is None} == measured
    assert minute["power_watts"] is minute["energy_joules_last"] is minute["active_seconds"] is None
    assert minute["covered_seconds"] == 1


NULLABLE = {c.name for c in GpuSample.table.columns if c.fields[0].nullable}
STEPS = {f.visible: float(f.factor) for f in GpuSample.table.fields}
quantities = {
    c.name: st.none() | st.floats(0, float(c.step.factor) * ((1 << min(c.bits, 40)) - 1))
    for c in GpuSample.table.columns
    if c.name in NULLABLE
}


@EXAMPLES
@given(values=st.fixed_dictionaries(quantities), when=st.integers(0, 4_291_747_200_000))
def test_a_rows_values_survive_within_one_step(
    store: Store, values: dict[str, float | None], when: int
) -> None:
    node = unique()
    row = sample(node, **values)
    row.ts = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=when)
    store.insert_rows([row])
    [seen] = store.select("SELECT * FROM v_gpu_samples WHERE node = {n:String}", n=node)
    assert seen["ts"] == row.ts
    for name, value in row.values().items():
        if isinstance(value, float):
            assert abs(seen[name] - value) <= max(STEPS[name], value * 1e-12)
        else:
            assert seen[name] == value


def arrays(node: str, power: Any) -> Batch:
    """One second per element, drawing that power."""
    values = {
        "ts": 1_772_625_600_000 + 1000 * np.arange(len(power)),
        "interval_seconds": 1.0,
        "cluster": "c",
        "node": node,
        "slot": 0,
        "uuid": "GPU-1",
        "power_watts": power,
    }
    return Batch.of_arrays(GpuSample.table, len(power), values)


@EXAMPLES
@given(st.lists(st.none() | st.floats(-5, 5e6) | st.just(float("inf")), min_size=1, max_size=8))
def test_arrays_and_rows_store_the_same(store: Store, power: list[float | None]) -> None:
    by_arrays, by_rows = unique(), unique()
    store.insert(arrays(by_arrays, np.array([np.nan if p is None else p for p in power])))
    store.insert_rows([sample(by_rows, s, power_watts=p) for s, p in enumerate(power)])
    sql = "SELECT * EXCEPT node FROM gpu_samples WHERE node = {n:String} ORDER BY ts"
    assert store.select(sql, n=by_arrays) == store.select(sql, n=by_rows)


def test_texts_survive_whatever_is_in_them(store: Store) -> None:
    job = {c.name: None for c in Job.table.columns if c.fields[0].nullable}
    job_id = f"{unique()}/{AWKWARD}"
    store.insert_rows(
        [
            Job(
                job_id=job_id,
                cluster="c",
                name=AWKWARD,
                user="",
                state="pending",
                gpus_per_node=1,
                submitted=NOON,
                seen_at=NOON,
                version=1,
                **job,
            )
        ]
    )
    assert store.value("SELECT name FROM jobs WHERE job_id = {j:String}", j=job_id) == AWKWARD


# --- computed windows -------------------------------------------------------------------------


def cell(minutes: int, state: str) -> Cell:
    return Cell(
        cluster="c",
        gpu_id=1,
        minute=at(60 * minutes),
        alloc_id=0,
        state=state,
        grade="A",
        intensity_ratio=None,
        gpu_seconds=60.0,
        energy_joules=None,
    )


def test_a_window_is_swapped_as_a_whole(store: Store) -> None:
    with another_database(store) as database:
        database.apply()
        staged = ddl.create_table(Cell.table).replace("ledger_1m", "staged", 1)
        database.command(staged)
        database.insert_rows([cell(m, "old") for m in (-1, 0, 1, 60)])
        database.command("INSERT INTO staged SELECT * REPLACE ('new' AS state) FROM ledger_1m")
        part = database.value(
            "SELECT DISTINCT partition_id FROM system.parts WHERE database = currentDatabase()"
            " AND table = 'staged' AND active AND partition = {p:String}",
            p="2026-03-04 12:00:00",
        )
        database.command(f"ALTER TABLE ledger_1m REPLACE PARTITION ID '{part}' FROM staged")
        rows = database.select("SELECT minute, state FROM ledger_1m ORDER BY minute")
        assert [r["state"] for r in rows] == ["old", "new", "new", "old"]
