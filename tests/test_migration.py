"""A plan that adds, refuses the rest in one line, and fills what is new once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gpuledger import ddl, migration, upgrade
from gpuledger.catalogue import GpuSample, HostSample, Job, Price
from gpuledger.errors import ConfigError
from gpuledger.migration import UNFILLED, Found
from gpuledger.schema import Rollup, Table, Versions
from gpuledger.store import Store
from tests.migrations import (
    LAST,
    LAST_OF_HOST,
    LEVELS,
    bring,
    few,
    fresh,
    optional,
    plan_of,
    rolled,
    shape,
    targets,
    without,
)
from tests.store_contract import another_database, both_stores, sample


@pytest.fixture(scope="module", params=["embedded", "served"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    yield from both_stores(request)


# --- what is refused ------------------------------------------------------------------------------


def there(store: Store, *tables: Table) -> dict[str, Found]:
    with another_database(store) as database:
        bring(database, tables)
        return upgrade.found(database, database.address.database)


def test_another_type_engine_partition_or_key_is_refused_in_one_line(engine: Store) -> None:
    found = there(engine, Price.table)
    prices = found["prices"]
    retyped = replace(prices, columns={**prices.columns, "currency": "UInt8"})
    for changed, says in (
        (retyped, "prices.currency is UInt8 in the database but declared LowCardinality"),
        (replace(prices, engine="MergeTree"), "is a MergeTree in the database"),
        (replace(prices, partition="toYear(valid_from)"), r"is cut by toYear\(valid_from\)"),
        (replace(prices, key="model"), r"is ordered by \(model\) in the database"),
        (replace(prices, key="model, valid_from, currency"), "is ordered by"),
    ):
        with pytest.raises(ConfigError, match=says):
            migration.plan(targets([Price.table]), {"prices": changed})


def test_a_gauge_in_between_is_refused(engine: Store) -> None:
    """A rollup has a bit for each gauge in order: what is there would speak of another one."""
    with another_database(engine) as database:
        bring(database, [without(GpuSample.table, "power_watts")])
        with pytest.raises(ConfigError, match="new gauges come after all others"):
            plan_of(database, [GpuSample.table])


def test_a_rollup_that_is_retyped_tells_how_it_is_made_again(engine: Store) -> None:
    with another_database(engine) as database:
        bring(database, [GpuSample.table])
        found = upgrade.found(database, database.address.database)
    days = found["gpu_samples_1d"]
    retyped = replace(days, columns={**days.columns, "interval_ms": "UInt8"})
    with pytest.raises(ConfigError, match="drop gpu_samples_1d and gpu_samples_1d_mv by hand"):
        migration.plan(targets([GpuSample.table]), {**found, "gpu_samples_1d": retyped})


def test_what_is_not_declared_is_never_dropped(engine: Store) -> None:
    found = there(engine, Price.table)
    prices = found["prices"]
    more = replace(prices, columns={**prices.columns, "former": "UInt8"})
    plan = migration.plan(targets([Price.table]), {**found, "prices": more, "former": more})
    assert plan.statements == []


def test_no_plan_ever_drops(engine: Store) -> None:
    old = [without(t, *(c.name for c in optional(t)[-3:])) for t in few()]
    with another_database(engine) as database:
        bring(database, old)
        for statement in plan_of(database, few()).statements:
            assert not statement.startswith(("DROP", "TRUNCATE", "DELETE", "RENAME", "DETACH"))
            assert "DROP" not in statement.partition("\n")[0]


# --- columns and keys -----------------------------------------------------------------------------


def test_an_added_column_has_its_codec_its_comment_and_its_place(engine: Store) -> None:
    with another_database(engine) as database:
        bring(database, [without(GpuSample.table, LAST)])
        bring(database, [GpuSample.table])
        columns = shape(database)["columns"]
        [added] = [c for c in columns if (c["table"], c["name"]) == ("gpu_samples", LAST)]
        assert added["comment"] == getattr(GpuSample, LAST).help
        assert added["compression_codec"].startswith("CODEC(")
        assert columns == fresh(database, [GpuSample.table])["columns"]


def test_columns_come_before_what_fills_them(engine: Store) -> None:
    with another_database(engine) as database:
        bring(database, [without(GpuSample.table, LAST)])
        heads = [
            s.partition("\n")[0].split(" ADD ")[0]
            for s in plan_of(database, [GpuSample.table]).statements
        ]
    tables = [f"ALTER TABLE gpu_samples{suffix}" for suffix in LEVELS]
    assert heads[:4] == tables
    assert all(h.startswith("ALTER TABLE gpu_samples_1") for h in heads[4:10])
    assert all("VIEW v_" in h for h in heads[10:])


def test_what_minutes_lack_is_said(engine: Store) -> None:
    with another_database(engine) as database:
        bring(database, [without(HostSample.table, LAST_OF_HOST)])
        notes = plan_of(database, [HostSample.table]).notes
    assert any(n.startswith("host_samples_1m: ") and LAST_OF_HOST in n for n in notes)


def test_a_key_grows_by_a_new_column(store: Store) -> None:
    """Else rows of two sources would be folded into one."""
    layout = Versions(key=("model", "valid_from", "currency"))
    grown = replace(Price.table, layout=layout)
    with another_database(store) as database:
        bring(database, [without(Price.table, "currency")])
        bring(database, [grown])
        assert upgrade.found(database, database.address.database)["prices"].key == (
            "model, valid_from, currency"
        )
        assert plan_of(database, [grown]).statements == []


# --- rollups that are new -------------------------------------------------------------------------


def test_new_rollups_are_filled_from_what_is_there_once(store: Store) -> None:
    raw = rolled(GpuSample.table, Rollup.NONE)
    times = [0, 30, 3600, 7199, 7201, 90_000, 4 * 86_400]
    with another_database(store) as database:
        bring(database, [raw])
        database.insert_rows([sample("n", s, power_watts=s / 1000) for s in times])
        plan = plan_of(database, [GpuSample.table])
        assert any("filled from gpu_samples, which reaches back to" in n for n in plan.notes)
        bring(database, [GpuSample.table])
        for turn in range(2):
            if turn:
                database.insert_rows([sample("n", s, power_watts=s / 1000) for s in times])
            seen = [
                database.select(
                    f"SELECT sum(interval_ms) AS ms, sum(power_mw_wsum) AS power"
                    f" FROM gpu_samples{suffix}"
                )
                for suffix in LEVELS[1:]
            ]
            assert seen[0] == seen[1] == seen[2]
            assert seen[0][0]["ms"] == (turn + 1) * 1000 * len(times)


def test_a_filled_rollup_is_what_would_have_come_row_by_row(engine: Store) -> None:
    rows = [sample(f"n{s % 3}", s, power_watts=s % 700) for s in range(-7200, 90_000, 37)]
    with another_database(engine) as late, another_database(engine) as always:
        bring(always, [GpuSample.table])
        bring(late, [rolled(GpuSample.table, Rollup.MINUTES)])
        for database in (late, always):
            database.insert_rows(rows)
        bring(late, [GpuSample.table])
        for suffix in LEVELS[1:]:
            sql = f"SELECT * FROM v_gpu_samples{suffix} ORDER BY ALL"
            assert late.select(sql) == always.select(sql)


def test_a_second_fill_of_the_same_day_adds_nothing(store: Store) -> None:
    """The process was killed after the fill, and before the rollup said that it has it."""
    with another_database(store) as database:
        bring(database, [rolled(GpuSample.table, Rollup.MINUTES)])
        database.insert_rows([sample("n", s) for s in range(100)])
        plan = plan_of(database, [GpuSample.table])
        for statement in (*plan.tables, *plan.fills):
            database.command(statement)
        assert plan_of(database, [GpuSample.table]).fills == plan.fills
        bring(database, [GpuSample.table])
        assert database.value("SELECT sum(interval_ms) FROM gpu_samples_1d") == 100_000


def test_a_level_between_two_is_not_filled_as_the_next_would_count_twice(engine: Store) -> None:
    with another_database(engine) as database:
        bring(database, [GpuSample.table])
        database.insert_rows([sample("n", s) for s in range(100)])
        database.command("DROP TABLE gpu_samples_1h")
        plan = plan_of(database, [GpuSample.table])
        assert plan.fills == []
        assert any("gpu_samples_1h: not filled" in note for note in plan.notes)
        bring(database, [GpuSample.table])
        assert database.value("SELECT sum(interval_ms) FROM gpu_samples_1d") == 100_000


def test_a_new_database_is_not_filled() -> None:
    plan = migration.plan(ddl.targets(), {})
    assert (plan.fills, plan.marks, plan.notes) == ([], [], [])
    assert not any(UNFILLED in statement for statement in plan.statements)
    assert sorted(plan.statements) == sorted(t.create for t in ddl.targets())


def test_a_view_is_replaced_where_it_says_something_else(store: Store) -> None:
    with another_database(store) as database:
        bring(database, [Job.table])
        changed = [without(Job.table, "name")]
        assert [s.partition("\n")[0] for s in plan_of(database, changed).statements] == [
            "CREATE OR REPLACE VIEW v_jobs AS"
        ]
        bring(database, changed)
        assert plan_of(database, changed).statements == []
