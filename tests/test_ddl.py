"""The generated tables: keys, codecs, retention, and a plan that only adds."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

from gpuledger import ddl
from gpuledger.catalogue import ROWS, TABLES
from gpuledger.ddl import Keeping
from gpuledger.rollups import LEVELS, Level, writers
from gpuledger.schema import Cells, Codec, Events, Row, Samples, Table, Time, gauge, time
from gpuledger.store import Store
from gpuledger.units import COUNT
from gpuledger.views import VIEWS

GOLDEN = Path(__file__).parent / "golden" / "schema.sql"
SAMPLES = [t for t in TABLES.values() if isinstance(t.layout, Samples)]
ROLLED_UP = [t for t in SAMPLES if isinstance(t.layout, Samples) and t.layout.rollup]
CELLS = [t for t in TABLES.values() if isinstance(t.layout, Cells)]
KEPT = [t for t in TABLES.values() if isinstance(t.layout, Samples | Events)]


DAYS = {"raw": 14, "minutes": 396, "hours": 0, "ledger": 0}


def created(name: str, *, retention: bool = False) -> str:
    return statements(retention=retention)[name]


@cache
def statements(*, retention: bool) -> dict[str, str]:
    keeping = Keeping(DAYS) if retention else Keeping()
    return {t.name: t.create for t in ddl.targets(keeping)}


def levels(table: Table) -> tuple[Level, ...]:
    """The rollups that the table has."""
    return LEVELS[: table.layout.rollup] if isinstance(table.layout, Samples) else ()


def by_name(table: Table) -> str:
    return table.name


def test_the_printed_schema_is_the_golden_one() -> None:
    printed = "\n".join(f"{t.create};\n" for t in ddl.targets())
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(printed)
    assert printed == GOLDEN.read_text(), "look at the difference, then run with UPDATE_GOLDEN=1"


@pytest.mark.parametrize("table", SAMPLES, ids=by_name)
def test_samples_are_found_by_hour_and_key_and_ts_stays_out_of_the_primary_key(
    table: Table,
) -> None:
    keys = ", ".join(table.layout.key)
    assert (
        f"PRIMARY KEY (toStartOfHour(ts), {keys}) ORDER BY (toStartOfHour(ts), {keys}, ts)"
        in created(table.name)
    )


@pytest.mark.parametrize("table", ROLLED_UP, ids=by_name)
def test_rollups_are_found_like_their_samples_and_keep_epochs_apart(table: Table) -> None:
    keys = ", ".join(table.layout.key)
    sql = created(f"{table.name}_1m")
    assert f"PRIMARY KEY (toStartOfHour(ts), {keys}) ORDER BY (toStartOfHour(ts), {keys}, ts" in sql
    assert sql.partition("ORDER BY")[2].partition("\n")[0].endswith("cluster, epoch)")


@pytest.mark.parametrize("table", ROLLED_UP, ids=by_name)
def test_hours_and_days_are_made_of_the_level_before_and_found_by_key(table: Table) -> None:
    for level in levels(table)[1:]:
        keys = ", ".join(table.layout.key)
        assert f"PRIMARY KEY ({keys}) ORDER BY ({keys}, ts" in created(level.table(table))
        assert f"FROM {level.made_of(table)} AS s" in created(f"{level.table(table)}_mv")


@pytest.mark.parametrize(
    ("column", "codec"),
    [
        ("ts", Codec.SMOOTH),
        ("node", Codec.PLATEAU),
        ("power_mw", Codec.NOISY),
        ("power_mw_max", Codec.NOISY),
        ("energy_mj", Codec.COUNTER),
        ("temperature_celsius", Codec.SMOOTH),
        ("sm_clock_mhz", Codec.CLOCK),
        ("utilization_pct", Codec.PLATEAU),
        ("active_ms", Codec.PLATEAU),
        ("throttle_reasons", Codec.NOISY),
    ],
)
def test_the_codec_follows_the_shape_of_the_data(column: str, codec: Codec) -> None:
    [line] = re.findall(rf"^  `{column}` .*$", created("gpu_samples"), re.MULTILINE)
    assert line.rstrip(",").endswith(f"CODEC({codec.value})")


def test_every_physical_column_has_a_codec() -> None:
    for table in TABLES.values():
        lines = re.findall(r"^  `.*$", created(table.name), re.MULTILINE)
        assert len(lines) == len(table.fields)
        assert all("CODEC(" in line for line in lines), table.name


def test_nothing_is_ever_deleted_unless_asked_for() -> None:
    assert not any(re.search(r"\bTTL\b", t.create) for t in ddl.targets())


@pytest.mark.parametrize("table", KEPT, ids=by_name)
def test_with_retention_rows_leave_by_their_own_time(table: Table) -> None:
    layout = table.layout
    assert isinstance(layout, Samples | Events)
    days = DAYS[layout.retention]
    ages = f"TTL toDateTime(ts) + INTERVAL {days} DAY\n"
    assert (ages in created(table.name, retention=True)) is (days > 0)


def test_with_retention_minutes_outlive_samples_and_the_book_stays() -> None:
    minutes = DAYS["minutes"]
    assert f"INTERVAL {minutes} DAY" in created("gpu_samples_1m", retention=True)
    assert minutes > DAYS["raw"]
    for table in TABLES.values():
        if table not in KEPT:
            assert "TTL" not in created(table.name, retention=True)


def test_schema_with_retention_is_accepted(engine: Store) -> None:
    sql = created("gpu_samples", retention=True).replace("gpu_samples", "kept_samples", 1)
    engine.command(sql)
    engine.command("DROP TABLE kept_samples")


def test_tokens_are_remembered_by_samples_and_rollups_and_not_by_cells() -> None:
    window = f"non_replicated_deduplication_window = {ddl.DEDUPLICATION_WINDOW}"
    for table in KEPT:
        assert window in created(table.name)
    for table in ROLLED_UP:
        assert all(window in created(level.table(table)) for level in levels(table))
    for table in CELLS:
        assert "deduplication_window" not in created(table.name)


def test_every_table_has_a_view_and_every_rollup_too() -> None:
    views = {t.name for t in ddl.targets() if t.replaceable}
    assert views == {
        *(f"v_{row.table.name}" for row in ROWS),
        *(f"v_{level.table(t)}" for t in ROLLED_UP for level in levels(t)),
        *(f"v_{t.name}_losers" for t in ROLLED_UP if writers(t)),
        *VIEWS,
    }


def test_views_show_exactly_what_rows_say(engine: Store) -> None:
    existing = engine.existing()
    for table in TABLES.values():
        assert list(existing[f"v_{table.name}"]) == [f.visible for f in table.fields]


def test_comments_carry_the_help(engine: Store) -> None:
    told = engine.select(
        "SELECT table, name, comment FROM system.columns"
        " WHERE database = currentDatabase() AND table IN {tables:Array(String)}",
        tables=list(TABLES),
    )
    seen = {(r["table"], r["name"]): r["comment"] for r in told}
    assert seen == {(t.name, f.stored): f.column.help for t in TABLES.values() for f in t.fields}
    assert any("'" in comment for comment in seen.values())


def test_awkward_help_survives(engine: Store) -> None:
    awkward = r"it's \ back\'slashed \n and `ticked`"

    class Odd(Row, table="odd_events", layout=Events(key=("ts",))):
        """Made for this test."""

        ts: Time = time("when")
        value = gauge(COUNT, awkward)

    engine.command(ddl.create_table(Odd.table).replace("(ts, ts)", "ts"))
    sql = "SELECT comment FROM system.columns WHERE table = 'odd_events' AND name = 'value'"
    assert engine.value(sql) == awkward
    engine.command("DROP TABLE odd_events")


# --- how long, and where --------------------------------------------------------------------------

COLD = Keeping(DAYS, policy="tiered", volume="cold", cold_days=7)


def told(name: str, keeping: Keeping) -> str:
    """TTL and settings of a table."""
    create = next(t.create for t in ddl.targets(keeping) if t.name == name)
    return create.rpartition("ORDER BY")[2].partition("\n")[2]


def test_each_class_of_rows_is_kept_as_long_as_told() -> None:
    keeping = Keeping({"raw": 1, "minutes": 2, "hours": 3, "ledger": 4})
    for name, at, days in (
        *(("gpu_samples", "ts", 1), ("gpu_samples_1m", "ts", 2), ("gpu_events", "ts", 2)),
        *(("gpu_samples_1h", "ts", 3), ("gpu_samples_1d", "ts", 3)),
        *(("ledger_1m", "minute", 4), ("ledger_1h", "hour", 4)),
    ):
        assert f"TTL toDateTime({at}) + INTERVAL {days} DAY\n" in told(name, keeping), name
    assert "TTL" not in told("jobs", keeping)


def test_old_rows_move_before_they_are_deleted() -> None:
    ttl = told("gpu_samples", COLD).partition("\n")[0]
    assert ttl == (
        "TTL toDateTime(ts) + INTERVAL 14 DAY, toDateTime(ts) + INTERVAL 7 DAY TO VOLUME 'cold'"
    )
    assert "storage_policy = 'tiered'" in told("gpu_samples", COLD)


def test_what_is_kept_for_ever_moves_too() -> None:
    assert told("ledger_1h", COLD).startswith("TTL toDateTime(hour) + INTERVAL 7 DAY TO VOLUME")


def test_what_is_deleted_before_it_is_cold_never_moves() -> None:
    soon = Keeping({**DAYS, "raw": 7}, policy="tiered", volume="cold", cold_days=7)
    assert "VOLUME" not in told("gpu_samples", soon)


def test_rows_leave_by_whole_parts() -> None:
    assert "ttl_only_drop_parts = 1" in told("gpu_samples", COLD)
    assert "ttl_only" not in told("gpu_samples", Keeping())


def test_a_stamp_changes_with_what_it_stands_for() -> None:
    [view] = [t for t in ddl.targets() if t.name == "v_jobs"]
    [other] = [t for t in ddl.targets() if t.name == "v_prices"]
    assert view.stamp != other.stamp
    assert view.create.endswith(f"COMMENT '{view.stamp}'")
