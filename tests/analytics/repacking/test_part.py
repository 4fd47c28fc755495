"""The choice for some bins, all others being settled."""

from __future__ import annotations

import time

import numpy as np
import pytest

from analytics.repacking.master import Limits
from analytics.repacking.part import Chosen, Part, nothing
from analytics.repacking.pricing import Pricing
from analytics.repacking.single import single_moves
from analytics.repacking.state import Ints
from tests.analytics.repacking.parts import balance, built, opened, within
from tests.analytics.repacking.worlds import twice, world

LIMITS = Limits(4, 350.0)
NONE = Chosen(np.zeros(0, np.int64), np.zeros(0, np.int64))


def search(seed: int, limits: Limits = LIMITS) -> tuple[Pricing, Chosen]:
    pricing = opened(built(twice(world(seed, nodes=3)), moves=limits.moves))
    return pricing, single_moves(pricing, limits)


def saving(pricing: Pricing, chosen: Chosen) -> float:
    return pricing.saving(chosen.rows, chosen.times)


def part_of(pricing: Pricing, bins: Ints, limits: Limits, still: Ints) -> Part:
    return Part(pricing, bins, limits, still, 0, time.monotonic)


def whole(pricing: Pricing, limits: Limits = LIMITS) -> Part:
    return part_of(pricing, np.arange(len(pricing.space.bins)), limits, nothing(pricing.space))


@pytest.mark.parametrize("limit_s", [-1.0, 0.05, 0.3])
@pytest.mark.parametrize("seed", [1, 5, 17, 22])
def test_a_choice_is_balanced_within_limits_and_no_worse_than_before(
    seed: int, limit_s: float
) -> None:
    pricing, start = search(seed)
    part, until = whole(pricing), time.monotonic() + limit_s
    most, prices = part.price(until)
    found = part.choose(prices, start, until)
    assert not balance(pricing, found).any()
    assert within(pricing, found, LIMITS)
    assert saving(pricing, found) >= saving(pricing, start) - 1e-9
    if limit_s > 0.1:
        assert saving(pricing, found) <= most + 1e-6


@pytest.mark.parametrize("seed", [1, 5, 17])
def test_with_time_no_pattern_of_the_program_is_below_its_price(seed: int) -> None:
    pricing, _ = search(seed)
    most, prices = whole(pricing).price(time.monotonic() + 2)
    assert pricing.reduced(prices).min() >= -1e-6
    assert whole(pricing).price(0.0)[0] == pytest.approx(most, abs=1e-6)


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("seed", [14, 15, 22])
def test_what_is_settled_elsewhere_keeps_its_place(seed: int, late: bool) -> None:
    pricing, start = search(seed, Limits(4))
    assert len(start.rows)
    for b in np.unique(pricing.patterns.bin[start.rows]):
        inside = pricing.patterns.bin[start.rows] == b
        now, rest = (Chosen(start.rows[i], start.times[i]) for i in (inside, ~inside))
        spent = int(pricing.patterns.moves[rest.rows] @ rest.times)
        part = part_of(pricing, np.array([b]), Limits(4 - spent), -balance(pricing, rest))
        until = time.monotonic() + (-1 if late else 0.1)
        _, prices = part.price(until)
        found = part.choose(prices, now, until)
        assert (pricing.patterns.bin[found.rows] == b).all()
        assert (balance(pricing, found) == balance(pricing, now)).all()
        assert saving(pricing, found) >= saving(pricing, now) - 1e-9


def test_without_a_start_and_without_time_nothing_is_chosen() -> None:
    pricing, _ = search(5)
    part = whole(pricing)
    _, prices = part.price(0.0)
    assert len(part.choose(prices, None, 0.0).rows) == 0
    assert len(part.choose(prices, NONE, 0.0).rows) == 0


def test_without_moves_nothing_is_chosen() -> None:
    pricing, _ = search(5)
    part, until = whole(pricing, Limits(0)), time.monotonic() + 0.2
    most, prices = part.price(until)
    assert most == pytest.approx(0, abs=1e-9)
    assert len(part.choose(prices, None, until).rows) == 0
