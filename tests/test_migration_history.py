"""From any older release, at any moment interrupted: the schema of a new one, rows and all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st

from gpuledger import ddl
from gpuledger.batch import Batch
from gpuledger.catalogue import GpuSample, Price, TcpSample
from gpuledger.native import encode
from gpuledger.schema import Kind, Rollup, Row, Samples, Table
from gpuledger.store import Store
from tests.migrations import (
    LEVELS,
    bring,
    few,
    fresh,
    optional,
    plan_of,
    rolled,
    shape,
    unlike,
    without,
)
from tests.store_contract import another_database, at, both_stores, sample

EXAMPLES = settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Stage.explicit, Stage.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


# --- an older release ---------------------------------------------------------------------------


@st.composite
def older(draw: st.DrawFn) -> list[Table]:
    """An older catalogue: some tables, columns and levels are not there yet."""
    out = []
    for table in few():
        if draw(st.integers(0, 4)) == 0:
            continue
        # New gauges come after all others, everything else anywhere.
        gauges = [c.name for c in optional(table) if c.kind is Kind.GAUGE]
        others = [c.name for c in optional(table) if c.kind is not Kind.GAUGE]
        lacking = draw(st.sets(st.sampled_from(others))) if others else set()
        old = without(table, *lacking, *gauges[draw(st.integers(0, len(gauges))) :])
        if isinstance(old.layout, Samples):
            old = rolled(old, Rollup(draw(st.integers(0, old.layout.rollup))))
        out.append(old)
    return out


@EXAMPLES
@given(old=older())
def test_any_older_database_becomes_what_a_new_one_is(engine: Store, old: list[Table]) -> None:
    with another_database(engine) as database:
        bring(database, old)
        bring(database, few())
        assert plan_of(database, few()).statements == []
        assert unlike(shape(database), fresh(database, few())) == []


@EXAMPLES
@given(old=older())
def test_old_rows_are_seen_in_a_new_database(engine: Store, old: list[Table]) -> None:
    with another_database(engine) as database:
        bring(database, old)
        names = {t.name for t in old}
        if "gpu_samples" in names:
            cut = {t.name: t for t in old}["gpu_samples"]
            database.insert_native(cut, _cut(cut, [sample("n", s) for s in range(90)]))
        bring(database, few())
        for suffix in LEVELS:
            ms = database.value(f"SELECT sum(interval_ms) FROM gpu_samples{suffix}")
            assert ms == (90_000 if "gpu_samples" in names else 0), suffix


@EXAMPLES
@given(old=older())
def test_new_rows_are_taken_by_an_old_database(engine: Store, old: list[Table]) -> None:
    """A collector that is newer than the store: what it does not know is left out."""
    with another_database(engine) as database:
        bring(database, old)
        if not any(t.name == "gpu_samples" for t in old):
            return
        batch = Batch.of_rows([sample("n", s, power_watts=250.0) for s in range(60)])
        for _ in range(2):
            database.insert_native(GpuSample.table, encode(batch), "token")
        assert database.value("SELECT sum(interval_ms) FROM gpu_samples") == 60_000


def test_rows_of_an_old_collector_leave_the_new_columns_missing(store: Store) -> None:
    with another_database(store) as database:
        bring(database, few("gpu_samples"))
        old = without(GpuSample.table, "power_watts", "energy_joules")
        database.insert_native(old, _cut(old, [sample("n", 1)]))
        [row] = database.select("SELECT power_watts, energy_joules FROM v_gpu_samples")
        assert row == {"power_watts": None, "energy_joules": None}


def _cut(table: Table, rows: Sequence[Row]) -> bytes:
    """Rows as the code of that older table wrote them."""
    batch = Batch.of_rows(rows)
    known = {f.stored for f in table.fields}
    return encode(Batch(table, {n: v for n, v in batch.columns.items() if n in known}))


# --- interrupted ----------------------------------------------------------------------------------


def test_an_apply_that_ends_after_any_statement_goes_on_where_it_ended(engine: Store) -> None:
    new = [rolled(TcpSample.table, Rollup.DAYS), Price.table]
    old = [rolled(without(TcpSample.table, "timeouts", "listen_drops"), Rollup.MINUTES)]
    rows = [_connected(second) for second in range(0, 3 * 86_400, 7200)]
    with _older(engine, old, rows) as database:
        length = len(plan_of(database, new).statements)
    assert length > 15
    whole = fresh(engine, new)
    for stop in range(length):
        with _older(engine, old, rows) as database:
            for statement in plan_of(database, new).statements[: stop + 1]:
                database.command(statement)
            bring(database, new)
            assert unlike(shape(database), whole) == [], stop
            for suffix in LEVELS:
                ms = database.value(f"SELECT sum(interval_ms) FROM tcp_samples{suffix}")
                assert ms == 1000 * len(rows), (stop, suffix)


@contextmanager
def _older(engine: Store, tables: Sequence[Table], rows: Sequence[Row]) -> Iterator[Store]:
    """A database of an older release, with rows."""
    with another_database(engine) as database:
        bring(database, tables)
        database.insert_native(tables[0], _cut(tables[0], rows))
        yield database


def _connected(second: float) -> TcpSample:
    return TcpSample.known(ts=at(second), interval_seconds=1, cluster="c", node="n", connections=7)


APPLY = """
import sys
from gpuledger.store import Address, Store
from pathlib import Path
store = Store(Address(directory=Path(sys.argv[1])))
store.apply()
print("applied", flush=True)
store.close()
"""
PLAN = """
import sys
from gpuledger.store import Address, Store
from pathlib import Path
store = Store(Address(directory=Path(sys.argv[1])))
store.apply()
print(store.plan(), store.value("SELECT count() FROM system.tables WHERE database = 'gpuledger'"))
store.close()
"""


def test_an_embedded_apply_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    killed = 0
    for turn in range(6):
        with _python(APPLY, directory) as process:
            assert process.stdout
            _wait_for_tables(directory, 10 + 25 * turn, process)
            if process.poll() is None:
                process.kill()
                killed += 1
            process.wait()
    assert killed >= 3
    done = _python(PLAN, directory)
    said, complained = done.communicate(timeout=300)
    assert done.returncode == 0, complained
    plan, tables = said.decode().split()
    assert plan == "[]"
    assert int(tables) == len(ddl.targets())


def _python(code: str, directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": "."},
    )


def _wait_for_tables(directory: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until that many tables are written down: the moment depends on the work, not on a clock."""
    while process.poll() is None:
        if len(list((directory / "metadata").glob("gpuledger/*.sql"))) >= count:
            return
        time.sleep(0.005)
