"""Which patterns are worth their price."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.repacking.master import Prices
from analytics.repacking.patterns import accepted
from analytics.repacking.pricing import Pricing
from tests.analytics.repacking.parts import Parts, built
from tests.analytics.repacking.worlds import world


def prices(parts: Parts, seed: int | None = None) -> Prices:
    """None, or some of the right signs."""
    bins, classes = len(parts.bins), len(parts.classes)
    if seed is None:
        return Prices(np.zeros(bins), np.zeros(classes), 0.0, 0.0)
    rng = np.random.default_rng(seed)
    return Prices(-rng.random(bins), rng.normal(size=classes), -0.2, -0.001)


def grown(parts: Parts) -> Pricing:
    """With every arrival where nothing or one task left."""
    pricing = Pricing(parts.space, parts.patterns)
    pricing.grow(pricing.grow(np.flatnonzero(parts.patterns.moves <= 1)))
    return pricing


@pytest.mark.parametrize("seed", range(4))
def test_without_prices_a_pattern_costs_its_change_of_value_and_its_toll(seed: int) -> None:
    parts = built(world(seed))
    pricing = grown(parts)
    told = pricing.patterns
    change = told.value - pricing.before[told.bin] + told.toll
    assert pricing.reduced(prices(parts)) == pytest.approx(change, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_reduced_costs_are_those_of_the_columns(seed: int) -> None:
    parts = built(world(seed))
    pricing, at = grown(parts), prices(parts, seed)
    rows = np.arange(len(pricing.patterns))
    told = pricing.columns(rows)
    cost = -told.saving - at.of_bin[told.bin] - at.of_move * told.moves - at.of_cost * told.cost
    np.add.at(cost, told.flow_at, -told.flow * at.of_class[told.flow_class])
    assert pricing.reduced(at) == pytest.approx(cost, abs=1e-9)
    some = rows[::3]
    assert pricing.reduced(at, some) == pytest.approx(cost[some], abs=1e-9)


def test_nothing_is_tried_twice() -> None:
    parts = built(world(1))
    pricing = Pricing(parts.space, parts.patterns)
    rows = np.arange(len(parts.patterns))
    assert len(pricing.grow(rows)) > 0
    assert len(pricing.grow(rows)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_what_arrives_is_accepted_and_fits(seed: int) -> None:
    parts = built(world(seed))
    patterns = grown(parts).patterns
    assert (patterns.free >= 0).all()
    assert (patterns.cpu >= 0).all()
    assert (patterns.memory >= 0).all()
    row, place = np.nonzero(patterns.arriving >= 0)
    assert len(row)
    accepts = accepted(parts.state, parts.classes, parts.bins.first)
    assert accepts[patterns.bin[row], patterns.arriving[row, place]].all()


def test_the_best_of_each_bin_are_kept() -> None:
    parts = built(world(2))
    pricing = grown(parts)
    cost = pricing.reduced(prices(parts, 3))
    rows = np.arange(len(cost))
    found = pricing.best(cost, rows, 2)
    assert cost[found].min() == cost.min()
    assert np.bincount(pricing.patterns.bin[found]).max() == 2
    for b in np.unique(pricing.patterns.bin[found]):
        mine = np.sort(cost[pricing.patterns.bin == b])
        kept = np.sort(cost[found[pricing.patterns.bin[found] == b]])
        assert kept == pytest.approx(mine[: len(kept)])
