"""What a GPU-hour of a pool is worth."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.advice.prices import Price, price
from gpuledger.store import Store
from tests.analytics.world import (
    ENERGY_PRICE,
    PRICE,
    START,
    asset,
    at,
    booked,
    cells,
    write,
)
from tests.analytics.world import price as priced

NOW = START + timedelta(hours=2)


@pytest.fixture
def site(store: Store) -> Store:
    """One GPU, booked for an hour."""
    write(store, [asset(0), *booked(cells("productive", range(60)), at(60))])
    return store


def test_the_price_is_that_of_the_book(site: Store) -> None:
    write(site, [priced()])
    found = price(site, NOW, "c", "big")
    assert found == Price(PRICE, pytest.approx(ENERGY_PRICE), "EUR")
    assert (found.worth(2.0), found.energy(4.0)) == (2 * PRICE, pytest.approx(4 * ENERGY_PRICE))
    assert price(site, NOW, "c") == found


def test_without_a_price_nothing_is_worth_anything(site: Store) -> None:
    found = price(site, NOW, "c")
    assert (found.worth(2.0), found.energy(4.0), found.currency) == (None, None, "")


def test_another_pool_has_another_price(site: Store) -> None:
    write(site, [priced()])
    assert price(site, NOW, "c", "small") == Price()
    assert price(site, NOW, "elsewhere").worth(1.0) is None
    assert Price(1.0, 1.0, "EUR").worth(None) is None
