"""Retention, cold storage and deduplication windows of databases that exist, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gpuledger import upgrade, upkeep
from gpuledger.cli import cli
from gpuledger.errors import ConfigError
from gpuledger.store import Store, StoreSettings
from tests.components.clickhouse import ClickHouse
from tests.components.fixtures import or_skip
from tests.store_contract import NOON, another_database, sample, served_address

VOLUMES = """
<storage_configuration>
  <disks><slow><path>{directory}/slow/</path></slow></disks>
  <policies><tiered><volumes>
    <default><disk>default</disk></default><cold><disk>slow</disk></cold>
  </volumes></tiered></policies>
</storage_configuration>
"""
# Rows of tests are of 2026: no age that a test sets may reach them.
LONG = 36_500


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with or_skip(ClickHouse(tmp_path_factory.mktemp("tiered"), more=VOLUMES)) as started:
        yield started


@pytest.fixture(scope="module")
def plain(server: ClickHouse) -> Iterator[Store]:
    """A database as the first `apply` makes it: nothing is ever deleted or moved."""
    store = Store(served_address(server, "aged"))
    store.apply()
    yield store
    store.close()


def told(store: Store, **given: Any) -> Store:
    """The same database, with other settings."""
    return Store(store.address, StoreSettings(**given))


def ages(store: Store, table: str) -> list[str]:
    return upgrade.found(store, store.address.database)[table].ttl


def test_ages_change_on_tables_that_exist(plain: Store) -> None:
    days = {"raw_days": LONG, "minutes_days": LONG + 1, "ledger_days": LONG + 2}
    kept = told(plain, retention=True, **days)
    kept.apply()
    assert kept.plan() == []
    assert ages(plain, "gpu_samples") == [f"toDateTime(ts) + toIntervalDay({LONG})"]
    assert ages(plain, "gpu_samples_1m") == [f"toDateTime(ts) + toIntervalDay({LONG + 1})"]
    assert ages(plain, "gpu_samples_1h") == []
    assert ages(plain, "ledger_1m") == [f"toDateTime(minute) + toIntervalDay({LONG + 2})"]
    told(plain, retention=True, raw_days=LONG + 5, minutes_days=0).apply()
    assert ages(plain, "gpu_samples") == [f"toDateTime(ts) + toIntervalDay({LONG + 5})"]
    assert ages(plain, "gpu_samples_1m") == []


def test_without_retention_ages_stay_as_they_are(plain: Store) -> None:
    told(plain, retention=True, raw_days=LONG).apply()
    assert plain.apply() == []
    assert ages(plain, "gpu_samples") == [f"toDateTime(ts) + toIntervalDay({LONG})"]


def test_tables_that_lack_the_configured_retention_are_named(plain: Store) -> None:
    told(plain, retention=True, raw_days=0, minutes_days=0).apply()
    wanted = told(plain, retention=True, raw_days=LONG, minutes_days=0).plan()
    lacking = set(upkeep.without_retention(wanted))
    assert "gpu_samples" in lacking
    assert "gpu_samples_1m" not in lacking
    assert "jobs" not in lacking


def test_old_rows_of_a_database_that_exists_move_to_the_cold_volume(server: ClickHouse) -> None:
    store = Store(served_address(server, "moving"))
    store.apply()
    now = datetime.now(UTC).replace(microsecond=0)
    for age in (timedelta(days=9), timedelta(hours=1)):
        seconds = (now - age - NOON).total_seconds()
        store.insert_rows([sample("n", seconds)])
    cold = told(store, storage_policy="tiered", cold_volume="cold", cold_after_days=7)
    cold.apply()
    assert cold.plan() == []
    store.command("ALTER TABLE gpu_samples MATERIALIZE TTL SETTINGS mutations_sync = 1")
    server.execute("OPTIMIZE TABLE moving.gpu_samples FINAL")
    disks = {
        r["partition"]: r["disk_name"]
        for r in store.select(
            "SELECT partition, disk_name FROM system.parts WHERE active"
            " AND database = 'moving' AND table = 'gpu_samples'"
        )
    }
    assert disks[f"{now - timedelta(days=9):%Y%m%d}"] == "slow"
    assert disks[f"{now - timedelta(hours=1):%Y%m%d}"] == "default"
    assert store.value("SELECT count() FROM gpu_samples") == 2


def test_windows_tell_how_many_blocks_an_hour_brings(plain: Store) -> None:
    with another_database(plain) as database:
        database.apply()
        for second in range(5):
            database.insert_rows([sample("n", second)])
        database.command("SYSTEM FLUSH LOGS")
        place = database.address.database
        windows = {w.table: w for w in upkeep.windows(database, place)}
        assert windows["gpu_samples"].blocks == 5
        assert windows["gpu_samples"].holds
        assert "ledger_1m" not in windows
        database.command(
            "ALTER TABLE gpu_samples MODIFY SETTING non_replicated_deduplication_window = 3"
        )
        first = upkeep.windows(database, place)[0]
        assert (first.table, first.tokens, first.holds) == ("gpu_samples", 3, False)
        assert "send larger blocks" in str(first)
        assert any("deduplication_window = 100000" in s for s in database.plan())


def test_windows_of_an_engine_without_a_log_are_rather_too_full(engine: Store) -> None:
    for second in range(4):
        engine.insert_rows([sample("n", second)])
    windows = {w.table: w for w in upkeep.windows(engine, engine.address.database)}
    assert windows["gpu_samples"].blocks >= 4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"raw_days": -1}, "raw_days: -1 is below 0"),
        ({"cold_volume": "cold"}, "say which storage_policy"),
        ({"cold_after_days": 0}, "cold_after_days: 0 is below 1"),
    ],
)
def test_ages_that_cannot_be_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        StoreSettings(**given).keeping()


# --- the command ----------------------------------------------------------------------------------


def run(store: Store, *words: str) -> str:
    """What a command says that succeeds."""
    done = _run(store, *words)
    assert done.exit_code == 0, done.output
    return done.output


def _run(store: Store, *words: str) -> Any:
    env = {"GPULEDGER_STORE": str(store.address), "GPULEDGER_STORE_PASSWORD": ClickHouse.password}
    return CliRunner().invoke(cli, ["schema", *words], env=env, obj={})


def test_apply_shows_its_sql_and_a_dry_run_does_nothing_else(plain: Store) -> None:
    with another_database(plain) as database:
        planned = run(database, "plan")
        assert planned == run(database, "apply", "--dry-run")
        assert "CREATE TABLE IF NOT EXISTS gpu_samples (" in planned
        assert database.existing() == {}
        applied = run(database, "apply")
        assert applied.startswith(planned)
        assert applied.endswith("schema is up to date\n")
        assert run(database, "plan") == ""
        assert "schema is up to date" in run(database, "check")


def test_check_tells_what_is_missing_and_ends_with_1(plain: Store) -> None:
    with another_database(plain) as database:
        database.apply()
        database.command("ALTER TABLE prices DROP COLUMN currency")
        done = _run(database, "check")
        assert (done.exit_code, str(done.exception).partition(":")[0]) == (
            1,
            "1 statements missing",
        )
        assert "ADD COLUMN IF NOT EXISTS `currency`" in done.output


def test_the_schema_of_a_cluster_is_printed(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["schema", "print", "--cluster", "prod"], obj={})
    assert done.exit_code == 0
    assert done.output.startswith("CREATE DATABASE IF NOT EXISTS `gpuledger_local` ON CLUSTER")
    assert "ENGINE = Distributed('prod', 'gpuledger_local', 'gpu_samples', cityHash64(node))" in (
        done.output
    )
    file = tmp_path / "c.toml"
    file.write_text("[store]\nretention = true\nraw_days = 3\n")
    printed = CliRunner().invoke(cli, ["schema", "print", "--config", str(file)], obj={})
    assert "TTL toDateTime(ts) + INTERVAL 3 DAY" in printed.output
