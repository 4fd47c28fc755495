"""What the book cost, with the sources of every figure."""

from __future__ import annotations

import pytest

from analytics.book import Span
from analytics.money.costs import cost, price_list, sources, unpriced
from analytics.money.rates import Rates
from analytics.money.settings import BookEntry, EnergySettings, PriceSettings
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, booked, cells, write

ENERGY = EnergySettings(pue=1.5, pue_source="meter", carbon_kg_per_kwh=0.4, carbon_source="grid")
PRICES = PriceSettings(
    currency="EUR",
    energy_price=0.2,
    book=[BookEntry(pool="big", capacity_value=3.0, source="quote 4")],
)
SPAN = Span(START, at(60))


@pytest.fixture
def site(store: Store) -> Store:
    """An hour of a GPU at 360 W, three quarters of it at work."""
    hour = [*cells("productive", range(45)), *cells("alloc_idle", range(45, 60))]
    write(store, [asset(0), asset(1, model="other"), *booked(hour, at(60))])
    return store


def test_worth_cash_and_energy_stand_apart(site: Store) -> None:
    Rates(site, PRICES, ENERGY).write(at(600))
    rows = {r["state"]: r for r in cost(site, SPAN, ["state"])}
    work, idle = rows["productive"], rows["alloc_idle"]
    assert (work["capacity_value"], idle["capacity_value"]) == (2.25, 0.75)
    assert (work["energy_kwh"], work["site_energy_kwh"]) == (0.27, 0.405)
    assert work["energy_cost"] == pytest.approx(0.081)
    assert work["kwh_per_productive_gpu_hour"] == 0.36
    assert work["carbon_kg"] == pytest.approx(0.162)
    assert (work["cash_avoidable"], idle["cash_avoidable"]) == (0, pytest.approx(0.027))
    assert (work["cash_billed"], work["currency"]) == (None, "EUR")


def test_the_energy_of_everything_counts_for_each_productive_hour(site: Store) -> None:
    [row] = cost(site, SPAN, ["pool"])
    assert row["kwh_per_productive_gpu_hour"] == 0.48


def test_every_price_is_listed_with_its_source(site: Store) -> None:
    Rates(site, PRICES, ENERGY).write(at(600))
    told = {(r["told_for"], r["source"]) for r in price_list(site)}
    assert told >= {("entry", "quote 4"), ("site", "PUE: meter; CO2: grid")}
    assert sources(site) == ["PUE 1.5, kg CO2 per kWh 0.4 (PUE: meter; CO2: grid)"]


def test_without_energy_settings_that_is_said(site: Store) -> None:
    assert "no PUE is configured" in sources(site)[0]


def test_gpus_without_a_price_are_counted(site: Store) -> None:
    book = [BookEntry(model="other", capacity_value=1.0)]
    Rates(site, PriceSettings(currency="EUR", book=book), EnergySettings()).write(at(600))
    assert unpriced(site) == [{"pool": "big", "model": "NVIDIA H100", "gpus": 1}]


def test_an_empty_book_costs_nothing_to_ask(store: Store) -> None:
    assert cost(store, None, ["state"]) == []
