"""Nothing lost, nothing doubled: real processes, killed and cut off in an order of the seed's.

`CHAOS_SEEDS=20` runs the long form; the truth is the driver's own journal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.world import World, world

SEEDS = range(int(os.environ.get("CHAOS_SEEDS", "2")))
# Keys of each table: a row is one thing at one time.
TABLES = {
    "gpu_samples": "node, slot, ts",
    "gpu_health_samples": "node, slot, ts",
    "host_samples": "node, ts",
    "network_samples": "node, device, ts",
    "block_samples": "node, device, ts",
    "source_runs": "node, source, ts",
}


@dataclass(frozen=True)
class Outcome:
    """A world after everything that befell it."""

    world: World
    gpus: dict[tuple[int, int], int]


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed{seed}")
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcome]:
    seed: int = request.param
    directory: Path = tmp_path_factory.mktemp("chaos") / f"seed{seed}"
    with world(directory, seed) as one:
        for act in one.script():
            one.pause(0.6)
            act()
        one.settle()
        rows = one.backend.select(
            "SELECT slot, energy_mj, count() AS n FROM gpu_samples GROUP BY slot, energy_mj"
        )
        yield Outcome(one, {(r["slot"], r["energy_mj"]): r["n"] for r in rows})


def test_each_accepted_row_is_stored_once(outcome: Outcome) -> None:
    one = outcome.world
    accepted, gone = one.accepted(), one.let_go()
    print(f"{one.batches()} batches, {one.proxy.swallowed} answers lost")
    for table, key in TABLES.items():
        (told,) = one.backend.select(f"SELECT count() AS n, uniqExact({key}) AS once FROM {table}")
        taken, lost = accepted.get(table, 0), gone.get(table, 0)
        print(f"{table:20} accepted {taken:6} stored {told['n']:6} let go {lost:4}")
        assert (told["n"], told["once"]) == (taken - lost, taken - lost), table
    assert accepted["gpu_samples"] > 100


def test_rollups_hold_each_row_once(outcome: Outcome) -> None:
    for table in ("gpu_samples", "host_samples", "network_samples", "block_samples"):
        for level in ("_1m", "_1h"):
            (raw,) = outcome.world.backend.select(f"SELECT sum(interval_ms) AS ms FROM {table}")
            (rolled,) = outcome.world.backend.select(
                f"SELECT sum(interval_ms) AS ms FROM {table}{level}"
            )
            assert rolled == raw, f"{table}{level}"


def test_every_stored_value_is_one_that_the_driver_told(outcome: Outcome) -> None:
    readings = outcome.world.readings()
    assert [value for value in outcome.gpus if value not in readings] == []
    assert [value for value, times in outcome.gpus.items() if times > 1] == []


def test_only_open_windows_of_a_killed_agent_are_missing(outcome: Outcome) -> None:
    one = outcome.world
    missing = {v: at for v, at in one.readings().items() if v not in outcome.gpus}
    unexplained = {v: at for v, at in missing.items() if not one.troubles.may_lose(at)}
    assert unexplained == {}
    assert len(one.troubles.deaths) == 2
