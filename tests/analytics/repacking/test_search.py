"""The patterns that together save the most."""

from __future__ import annotations

import time

import numpy as np
import pytest

from analytics.repacking.instance import Instance
from analytics.repacking.master import Limits
from analytics.repacking.search import Found, Search
from tests.analytics.repacking import proof, worlds
from tests.analytics.repacking.parts import Parts, built
from tests.analytics.repacking.worlds import twice, world


def found(instance: Instance, limits: Limits, limit_s: float = 0.4) -> tuple[Parts, Found]:
    parts = built(instance, moves=limits.moves)
    until = time.monotonic() + limit_s
    return parts, Search(parts.space, parts.patterns, limits, 0, until).run()


@pytest.mark.parametrize("most", [1, 5])
@pytest.mark.parametrize("seed", [1, 5, 17, 22])
def test_what_is_chosen_keeps_every_limit(seed: int, most: int) -> None:
    parts, told = found(twice(world(seed, nodes=3)), Limits(most, 350.0), 0.4)
    p, times = told.patterns, told.times
    assert p.moves @ times <= most
    assert p.cost @ times <= 350.0
    taken = np.bincount(p.bin, times, len(parts.bins))
    assert (taken <= parts.bins.count).all()
    flow = np.zeros(len(parts.classes))
    for row, n in enumerate(times.tolist()):
        np.add.at(flow, parts.space.group_class[p.leaving[row][p.leaving[row] >= 0]], n)
        np.add.at(flow, p.arriving[row][p.arriving[row] >= 0], -n)
    assert not flow.any()


@pytest.mark.parametrize("seed", [0, 3, 8, 11])
def test_in_a_batch_no_choice_of_two_moves_is_better(seed: int) -> None:
    instance = world(seed, nodes=3)
    _, told = found(instance, Limits(2))
    best = worlds.best(instance, proof.plain, 2, batch=True)
    # What moves weigh is part of what is saved.
    assert proof.plain(instance) - told.saving == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_in_parts_no_less_is_saved_than_in_whole_numbers(seed: int) -> None:
    _, told = found(world(seed), Limits(4))
    assert 0 <= told.saving <= told.most + 1e-6


def test_without_time_what_is_chosen_is_still_right() -> None:
    parts, told = found(world(4), Limits(3), limit_s=0.0)
    assert (told.times > 0).all()
    assert told.saving >= 0
    assert told.patterns.moves @ told.times <= 3
    assert len(told.prices.of_bin) == len(parts.bins)
