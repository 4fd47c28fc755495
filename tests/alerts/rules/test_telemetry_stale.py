from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.rules.telemetry_stale import rule
from gpuledger.catalogue import Asset
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.alerts.world import alert, run

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def asset(slot: int, until: datetime = FOREVER) -> Asset:
    return Asset(
        gpu_id=gpu_id("alpha", "n1", slot),
        asset_id=f"alpha/n1/{slot}",
        cluster="alpha",
        node="n1",
        slot=slot,
        valid_from=NOW - timedelta(days=30),
        valid_to=until,
        version=1,
    )


def holds(store: Store) -> list[str]:
    return [r["subject"] for r in store.select(rule.sql, now=NOW) if rule.holds(r["value"])]


@pytest.mark.parametrize(
    ("silent_s", "interval_s", "stale"),
    [
        (170, 10, False),
        (180, 10, True),
        # A slow agent is late only after three of its own intervals.
        (600, 300, False),
        (901, 300, True),
        (23 * 3600, 10, True),
        (25 * 3600, 10, False),
    ],
)
def test_silence(store: Store, silent_s: int, interval_s: float, stale: bool) -> None:
    store.insert_rows([run("n1", NOW - timedelta(seconds=silent_s), interval_s)])
    assert holds(store) == (["alpha/n1"] if stale else [])


def test_a_silent_node_is_missed_until_its_gpus_leave(store: Store) -> None:
    silent = NOW - timedelta(days=2)
    told = alert(
        silent + timedelta(hours=1),
        "alpha/n1",
        rule="TelemetryStale",
        cluster="alpha",
        node="n1",
    )
    told.value = 3600.0
    store.insert_rows([told])
    assert holds(store) == []
    store.insert_rows([asset(0)])
    [row] = store.select(rule.sql, now=NOW)
    assert (row["subject"], row["value"]) == ("alpha/n1", 2 * 86_400)
    store.insert_rows([run("n1", NOW - timedelta(seconds=20), 10)])
    assert holds(store) == []


def test_one_source_that_still_speaks_is_enough(store: Store) -> None:
    store.insert_rows(
        [
            run("n1", NOW - timedelta(hours=1), 10, source="nvml"),
            run("n1", NOW - timedelta(seconds=20), 10, source="host"),
        ]
    )
    assert holds(store) == []


def test_rows_from_a_clock_that_is_ahead_do_not_hide_silence(store: Store) -> None:
    store.insert_rows(
        [run("n1", NOW - timedelta(hours=1), 10), run("n1", NOW + timedelta(hours=1), 10)]
    )
    assert holds(store) == ["alpha/n1"]


def test_a_node_whose_assets_have_all_ended_is_not_missed(store: Store) -> None:
    store.insert_rows([run("n1", NOW - timedelta(hours=1), 10)])
    store.insert_rows([asset(0, until=NOW - timedelta(minutes=30)), asset(1)])
    assert holds(store) == ["alpha/n1"]
    assert store.select(rule.sql, now=NOW)[0]["gpus"] == 1
    store.insert_rows([asset(2, until=NOW)])
    store.command("ALTER TABLE assets DELETE WHERE slot = 1 SETTINGS mutations_sync = 1")
    assert holds(store) == []
