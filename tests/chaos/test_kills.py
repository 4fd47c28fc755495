"""The embedded engine and the relay killed at the worst moments: nothing lost, nothing doubled.

`CHAOS_KILLS=50` runs the long form.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.chaos.kills import Aim, Directory, Kill, aims, tally

KILLS = int(os.environ.get("CHAOS_KILLS", "4"))
# Of so many kills: thirty of fifty.
LEAST = KILLS * 3 // 5 if KILLS >= 10 else 1
SEED = int(os.environ.get("CHAOS_KILLS_SEED", "4"))


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> list[Directory]:
    """Stores after all their lives but the last."""
    home: Path = tmp_path_factory.mktemp("kills")
    chance = random.Random(SEED)
    out = []
    for number, planned in enumerate(aims(KILLS, chance)):
        directory = Directory(home / f"d{number}", chance)
        out.append(directory)
        for aim in planned:
            directory.kill(aim)
    print(tally(kills_of(out)))
    return out


def kills_of(directories: list[Directory]) -> list[Kill]:
    return [kill for directory in directories for kill in directory.kills]


def test_it_opens_again_and_every_acknowledged_row_is_there_once(
    directories: list[Directory],
) -> None:
    for directory in directories:
        found = directory.settle()
        whole = [kill for kill in directory.kills if kill.aim is not Aim.SCHEMA]
        assert len(directory.lives()) >= len(whole) + 1
        assert found["parcels"] > 0 or not whole


def test_most_kills_met_rows_that_were_promised_or_a_merge(directories: list[Directory]) -> None:
    kills = kills_of(directories)
    assert len(kills) == KILLS
    assert sum(kill.counts for kill in kills) >= LEAST
