"""Which table is read for which width of a point, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.ask import accounts, chosen, drawn, fleet, point, samples
from dashboards.check import estimated
from dashboards.macros import expand
from gpuledger.catalogue import TABLES, GpuSample, SourceRun
from gpuledger.errors import ConfigError
from gpuledger.schema import REQUIRED, Kind, Samples, Table
from gpuledger.store import Store
from tests.dashboards.world import HOUR, SINCE, UNTIL, fill

ALL: dict[str, list[str]] = {"cluster": [], "pool": [], "team": [], "node": []}
TELEMETRY = [t for t in TABLES.values() if isinstance(t.layout, Samples)]
# Width of a point: which cells are read.
PICKED = {5: 10, 10: 10, 60: 60, 900: 60, 3600: 3600, 43_200: 3600, 86_400: 86_400}


def fill_samples(store: Store) -> None:
    """One GPU at 300 W for two minutes, in rows of ten seconds."""
    unknown = {c.name: None for c in GpuSample.table.columns if c.default is REQUIRED}
    store.insert_rows(
        [
            GpuSample(
                **unknown
                | {"slot": 0, "uuid": "GPU-1", "power_watts": 300.0, "energy_joules": 3000.0 * n},
                ts=HOUR + timedelta(seconds=10 * (n + 1)),
                interval_seconds=10,
                cluster="alpha",
                node="n1",
            )
            for n in range(12)
        ]
    )


@pytest.mark.parametrize("interval_s", PICKED)
def test_telemetry_is_read_from_the_table_that_fits_a_point(store: Store, interval_s: int) -> None:
    fill_samples(store)
    asked = samples(GpuSample.table, "power_watts", "energy_joules")
    sql = f"SELECT * {asked} WHERE {chosen(('cluster', 'node'))} ORDER BY at"
    found = store.select(expand(sql, HOUR - timedelta(days=1), UNTIL, interval_s, ALL))
    assert {row["cell_seconds"] for row in found} == {PICKED[interval_s]}
    assert {row["power_watts"] for row in found} == {300.0}
    assert max(row["energy_joules_last"] for row in found) == 33_000.0
    assert min(row["energy_joules_first"] for row in found) == 0.0
    assert found[0]["node"] == "n1"


@pytest.mark.parametrize("table", TELEMETRY, ids=lambda t: t.name)
def test_every_column_of_telemetry_can_be_asked_for(store: Store, table: Table) -> None:
    kinds = {Kind.GAUGE, Kind.COUNTER, Kind.ADDITIVE}
    names = [f.visible for f in table.fields if f.column.kind in kinds]
    for interval_s in (1, 86_400):
        assert (
            store.select(expand(f"SELECT * {samples(table, *names)}", SINCE, UNTIL, interval_s, {}))
            == []
        )


def test_a_column_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'power_watts'"):
        samples(GpuSample.table, "power_wats")


def test_a_table_without_rollups_is_read_as_it_is() -> None:
    assert "UNION" not in samples(SourceRun.table, "runs")


@pytest.mark.parametrize(
    ("asked", "interval_s", "cell_s"),
    [
        (accounts, 10, 3600),
        (drawn, 10, 60),
        (drawn, 30, 3600),
        (accounts, 3600, 3600),
        (drawn, 7200, 86_400),
        (accounts, 86_400, 86_400),
    ],
)
def test_the_book_is_read_by_minutes_hours_or_days(
    store: Store, asked: Callable[[], str], interval_s: int, cell_s: int
) -> None:
    fill(store)
    sql = f"SELECT DISTINCT cell_seconds {asked()}"
    found = store.select(expand(sql, datetime(2026, 3, 1, tzinfo=UTC), UNTIL, interval_s, ALL))
    assert [row["cell_seconds"] for row in found] == [cell_s]


@pytest.mark.parametrize(("interval_s", "width_s"), [(3600, 3600), (7200, 86_400), (86_400,) * 2])
def test_a_point_is_a_day_where_days_are_read(store: Store, interval_s: int, width_s: int) -> None:
    at = "SELECT toDateTime64('2026-03-02 15:20:00', 3, 'UTC') AS t"
    sql = f"SELECT {point('t')} AS at FROM ({at})"
    (row,) = store.select(expand(sql, SINCE, UNTIL, interval_s, {}))
    assert row["at"] == datetime(2026, 3, 2, 15 if width_s == 3600 else 0, tzinfo=UTC)


@pytest.mark.parametrize("interval_s", [10, 30, 7200])
def test_of_a_fleet_each_row_of_a_rollup_tells_for_itself(store: Store, interval_s: int) -> None:
    fill_samples(store)
    asked = fleet(GpuSample.table, "power_watts", "power_watts_max", "energy_joules")
    sql = (
        "SELECT max(power_watts_max) AS most, sum(power_watts * covered_seconds) / 120 AS mean,"
        f" max(energy_joules_last) - min(energy_joules_first) AS joules {asked}"
    )
    (row,) = store.select(expand(sql, SINCE - timedelta(days=1), UNTIL, interval_s, ALL))
    assert row == {"most": 300.0, "mean": 300.0, "joules": 33_000.0}


def test_of_a_fleet_the_hour_that_goes_on_is_read_whole_where_hours_are_asked_for(
    store: Store,
) -> None:
    fill_samples(store)
    sql = f"SELECT at {fleet(GpuSample.table, 'power_watts', hours=True)}"
    found = store.select(expand(sql, HOUR + timedelta(minutes=10), UNTIL, 10, ALL))
    assert [row["at"] for row in found] == [HOUR]


def test_what_does_not_fit_a_point_is_not_read(store: Store) -> None:
    fill_samples(store)
    sql = f"SELECT max(power_watts) AS most {samples(GpuSample.table, 'power_watts')}"
    since = HOUR - timedelta(days=1)
    rows = {s: estimated(store, expand(sql, since, UNTIL, s, {})) for s in (1, 60, 3600, 86_400)}
    assert rows == {1: 12, 60: 2, 3600: 1, 86_400: 1}


def test_of_the_book_too_only_what_fits_a_point_is_read(store: Store) -> None:
    fill(store)
    sql = f"SELECT sum(gpu_seconds) AS most {drawn()}"
    everything = {s: expand(sql, SINCE, UNTIL, s, ALL) for s in (10, 3600)}
    read = {
        s: {r["table"] for r in store.select(f"EXPLAIN ESTIMATE {asked}") if r["rows"]}
        for s, asked in everything.items()
    }
    cells = {"ledger_1m", "accounts_1h", "accounts_1d"}
    assert (read[10] & cells, read[3600] & cells) == ({"ledger_1m"}, {"accounts_1h"})
