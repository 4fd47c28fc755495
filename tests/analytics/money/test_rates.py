"""The rate of every place: the most specific price, the bill, and the history of both."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from analytics.money.rates import Rates
from analytics.money.settings import BookEntry, EnergySettings, ModelPrice, PriceSettings
from gpuledger.catalogue import Asset, BillLine
from gpuledger.rows import changed
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, booked, cells, write

NOW = at(600)
DAY = START.replace(hour=0)


def priced(*entries: BookEntry, value: float | None = 1.0) -> PriceSettings:
    return PriceSettings(currency="EUR", capacity_value=value, energy_price=0.1, book=list(entries))


def write_rates(
    store: Store, prices: PriceSettings, energy: EnergySettings | None = None, now: datetime = NOW
) -> None:
    Rates(store, prices, energy or EnergySettings()).write(now)


def rate(store: Store, when: datetime = NOW) -> dict[str, Any]:
    """The rate of the one place at a time."""
    rows = store.select(
        "SELECT * FROM v_rates WHERE valid_from <= {at:DateTime64(3, 'UTC')}"
        " ORDER BY valid_from DESC LIMIT 1",
        at=when,
    )
    return rows[0]


def provided(slot: int = 0, node: str = "n0", provider: str = "cloud") -> Asset:
    return changed(asset(slot, node, since=DAY - timedelta(days=9)), provider=provider)


POOL = BookEntry(pool="big", capacity_value=4.0)
MODEL = BookEntry(model="NVIDIA H100", capacity_value=3.0)
PROVIDER = BookEntry(provider="cloud", capacity_value=2.0)
BOTH = BookEntry(provider="cloud", model="NVIDIA H100", capacity_value=5.0)
ANY = BookEntry(capacity_value=1.5)


@pytest.mark.parametrize(
    ("entries", "worth"),
    [
        ([ANY], 1.5),
        ([ANY, PROVIDER], 2.0),
        ([PROVIDER, MODEL], 3.0),
        ([MODEL, POOL], 4.0),
        ([POOL, BOTH], 5.0),
        ([BookEntry(pool="other", capacity_value=9.0)], 1.0),
    ],
)
def test_the_most_specific_entry_holds(
    store: Store, entries: list[BookEntry], worth: float
) -> None:
    write(store, [provided()])
    write_rates(store, priced(*entries))
    assert rate(store)["capacity_value"] == worth


def test_what_an_entry_leaves_open_a_wider_one_says(store: Store) -> None:
    write(store, [provided()])
    write_rates(store, priced(POOL, BookEntry(provider="cloud", energy_price=0.3)))
    assert (rate(store)["capacity_value"], rate(store)["energy_price"]) == (4.0, 0.3)


def test_a_price_of_a_date_holds_from_that_date(store: Store) -> None:
    write(store, [provided()])
    dated = BookEntry(pool="big", capacity_value=7.0, valid_from=date(2026, 2, 1))
    write_rates(store, priced(POOL, dated))
    assert rate(store, datetime.fromisoformat("2026-01-31T23:00Z"))["capacity_value"] == 4.0
    assert rate(store, datetime.fromisoformat("2026-02-01T00:00Z"))["capacity_value"] == 7.0


def test_without_book_energy_and_bill_the_prices_of_models_are_all_there_is(store: Store) -> None:
    write(store, [provided()])
    write_rates(store, PriceSettings(currency="EUR", models={"NVIDIA H100": ModelPrice()}))
    assert store.value("SELECT count() FROM rates") == 0


def test_a_second_tick_writes_nothing(store: Store) -> None:
    write(store, [provided(), provided(1, "n1")])
    write_rates(store, priced(POOL, ANY))
    before = store.select("SELECT * FROM v_rates ORDER BY node, valid_from")
    write_rates(store, priced(POOL, ANY), now=at(700))
    assert store.select("SELECT * FROM v_rates ORDER BY node, valid_from") == before


def test_the_books_cells_cost_what_held_at_their_time(store: Store) -> None:
    booked_cells = booked(cells("productive", range(60)), at(60))
    write(store, [provided(), *booked_cells])
    prices = priced(POOL)
    energy = EnergySettings(
        pue=1.5, pue_source="meter", carbon_kg_per_kwh=0.4, carbon_source="grid"
    )
    write_rates(store, prices, energy)
    [row] = store.select("SELECT DISTINCT price, energy_price, currency, pue FROM v_book_1h")
    assert row == {"price": 4.0, "energy_price": 0.1, "currency": "EUR", "pue": 1.5}


def test_a_pool_without_a_price_is_counted_and_not_worth_nothing(store: Store) -> None:
    write(store, [provided(), *booked(cells("productive", range(60)), at(60))])
    write_rates(store, priced(BookEntry(pool="other", capacity_value=9.0), value=None))
    [row] = store.select(
        "SELECT sum(gpu_seconds * price) AS worth, countIf(price IS NULL) AS without FROM v_book_1h"
    )
    assert (row["worth"], row["without"] > 0) == (None, True)


# --- bills ----------------------------------------------------------------------------------------


def line(cost: float, day: datetime = DAY, **more: Any) -> BillLine:
    told = {"category": "standard", "node": "n0", "cluster": "c", "resource": "i-1", **more}
    return BillLine(
        provider="cloud",
        account="1",
        sku="p5",
        day=day,
        cost=cost,
        credit=more.get("credit", 0.0),
        currency="EUR",
        version=1,
        **{k: v for k, v in told.items() if k != "credit"},
    )


def test_a_bill_is_spread_over_the_gpu_hours_owned_that_day(store: Store) -> None:
    write(store, [provided(0), provided(1), line(96.0)])
    write_rates(store, priced())
    assert (rate(store)["cash_rate"], rate(store)["avoidable_rate"]) == (2.0, 2.0)


def test_what_a_commitment_pays_cannot_be_avoided(store: Store) -> None:
    committed = line(72.0, category="committed", commitment="ri-1")
    write(store, [provided(0), line(24.0), committed])
    write_rates(store, priced())
    assert (rate(store)["cash_rate"], rate(store)["avoidable_rate"]) == (4.0, 1.0)


def test_credits_are_taken_off_and_never_below_nothing(store: Store) -> None:
    write(store, [provided(0), line(24.0, credit=48.0)])
    write_rates(store, priced())
    assert rate(store)["cash_rate"] == 0.0


def test_a_day_without_charges_within_a_bill_cost_nothing(store: Store) -> None:
    write(store, [provided(0), line(24.0, DAY - timedelta(days=2)), line(24.0)])
    write_rates(store, priced())
    assert rate(store, DAY - timedelta(hours=12))["cash_rate"] == 0.0


def test_the_last_day_billed_speaks_of_later_ones_for_a_while(store: Store) -> None:
    write(store, [provided(0), line(24.0)])
    write_rates(store, priced())
    assert rate(store, DAY + timedelta(days=34))["cash_rate"] == 1.0
    assert rate(store, DAY + timedelta(days=36))["cash_rate"] is None
    assert rate(store, DAY - timedelta(days=1))["cash_rate"] is None


def test_the_book_times_its_rates_comes_to_the_bill(store: Store) -> None:
    day = [c for h in range(24) for c in cells("productive", range(h * 60 - 600, h * 60 - 540))]
    write(store, [provided(0), line(37.0), *booked(day, DAY + timedelta(days=1))])
    write_rates(store, priced())
    billed = store.value("SELECT sum(gpu_seconds / 3600 * cash_rate) FROM v_book_1h")
    assert billed == pytest.approx(37.0, abs=1e-4)
