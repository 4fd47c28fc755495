"""The price book kept from configuration, with its history."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from analytics.money.book import write_entries, write_prices
from analytics.money.settings import BookEntry, EnergySettings, ModelPrice, PriceSettings, check
from gpuledger.batch import EPOCH
from gpuledger.config import Config
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.analytics.world import asset, at, write

NOW = at(600)


def prices(store: Store) -> dict[str, tuple[float | None, float | None, str]]:
    rows = store.select("SELECT * FROM v_prices")
    return {r["model"]: (r["capacity_value"], r["energy_price"], r["currency"]) for r in rows}


def test_every_owned_model_gets_its_own_price_or_the_common_one(store: Store) -> None:
    write(store, [asset(0, model="H100"), asset(1, model="A100")])
    common = PriceSettings(
        currency="EUR",
        capacity_value=2.5,
        energy_price=0.12,
        models={"A100": ModelPrice(capacity_value=1.25)},
    )
    write_prices(store, common, NOW)
    write_prices(store, common, at(700))
    assert prices(store) == {"H100": (2.5, 0.12, "EUR"), "A100": (1.25, 0.12, "EUR")}


def test_a_cloud_quote_is_no_worth(store: Store) -> None:
    write(store, [asset(0, model="H100")])
    quoted = PriceSettings(
        currency="EUR",
        capacity_value=2.5,
        models={"H100": ModelPrice(cloud_quote=9.0)},
        cloud_quote_source="a cloud",
    )
    write_prices(store, quoted, NOW)
    assert prices(store) == {"H100": (2.5, None, "EUR")}


def test_a_cloud_quote_needs_a_source() -> None:
    with pytest.raises(ConfigError, match="cloud_quote_source"):
        check(PriceSettings(cloud_quote=9.0), EnergySettings())


def test_without_a_configured_price_there_is_none(store: Store) -> None:
    write(store, [asset(0)])
    write_prices(store, PriceSettings(), NOW)
    assert prices(store) == {}


def test_a_changed_price_leaves_the_past_as_it_was(store: Store) -> None:
    write(store, [asset(0, model="H100")])
    write_prices(store, PriceSettings(currency="EUR", capacity_value=2.0), NOW)
    write_prices(store, PriceSettings(currency="EUR", capacity_value=4.0), at(700))
    rows = store.select("SELECT valid_from, capacity_value FROM v_prices ORDER BY valid_from")
    assert [(r["valid_from"], r["capacity_value"]) for r in rows] == [(EPOCH, 2.0), (at(700), 4.0)]


# --- entries --------------------------------------------------------------------------------------


def book(*entries: BookEntry) -> PriceSettings:
    return PriceSettings(currency="EUR", book=list(entries))


def keep(store: Store, prices: PriceSettings, now: datetime = NOW) -> list[dict[str, Any]]:
    write_entries(store, prices, EnergySettings(), now)
    return store.select("SELECT * FROM v_price_book ORDER BY pool, model, valid_from")


def spans(rows: list[dict[str, Any]]) -> list[tuple[float | None, datetime, datetime]]:
    return [(r["capacity_value"], r["valid_from"], r["valid_to"]) for r in rows]


def test_the_first_entry_without_a_date_holds_for_the_past_too(store: Store) -> None:
    told = book(BookEntry(pool="big", capacity_value=3.1, source="quote 4"))
    [row] = keep(store, told)
    assert (row["source"], row["currency"]) == ("quote 4", "EUR")
    assert spans([row]) == [(3.1, EPOCH, FOREVER)]


def test_the_same_configuration_writes_nothing_again(store: Store) -> None:
    told = book(BookEntry(pool="big", capacity_value=3.1), BookEntry(model="A", energy_price=0.2))
    before = keep(store, told)
    assert keep(store, told, at(700)) == before


def test_an_entry_that_changes_ends_now_and_leaves_the_past(store: Store) -> None:
    keep(store, book(BookEntry(pool="big", capacity_value=3.0)))
    rows = keep(store, book(BookEntry(pool="big", capacity_value=4.0)), at(700))
    assert spans(rows) == [(3.0, EPOCH, at(700)), (4.0, at(700), FOREVER)]


def test_an_entry_that_is_taken_out_ends_now(store: Store) -> None:
    keep(store, book(BookEntry(pool="big", capacity_value=3.0)))
    assert spans(keep(store, book(), at(700))) == [(3.0, EPOCH, at(700))]


def test_an_entry_with_dates_holds_for_what_it_says(store: Store) -> None:
    told = BookEntry(
        pool="big", capacity_value=3.0, valid_from=date(2026, 1, 1), valid_to=date(2026, 7, 1)
    )
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert spans(keep(store, book(told))) == [(3.0, since, until)]


def test_pue_and_carbon_are_kept_with_their_sources(store: Store) -> None:
    energy = EnergySettings(
        pue=1.25, pue_source="meter", carbon_kg_per_kwh=0.4, carbon_source="grid"
    )
    write_entries(store, PriceSettings(), energy, NOW)
    [row] = store.select("SELECT * FROM v_price_book")
    assert (row["pue"], row["carbon_per_kwh"]) == (1.25, 0.4)
    assert row["source"] == "PUE: meter; CO2: grid"


# --- configuration --------------------------------------------------------------------------------

ENTRY = BookEntry(pool="big", capacity_value=1.0)


@pytest.mark.parametrize(
    ("prices", "energy", "complaint"),
    [
        (PriceSettings(capacity_value=-1.0), EnergySettings(), "below 0"),
        (book(BookEntry(pool="big")), EnergySettings(), "neither capacity_value nor energy_price"),
        (book(ENTRY, ENTRY), EnergySettings(), "says the same"),
        (PriceSettings(book=[ENTRY]), EnergySettings(), "currency"),
        (PriceSettings(), EnergySettings(pue=0.9, pue_source="x"), "below 1"),
        (PriceSettings(), EnergySettings(pue=1.2), "pue_source"),
        (PriceSettings(), EnergySettings(carbon_kg_per_kwh=0.3), "carbon_source"),
        (
            book(BookEntry(energy_price=1, valid_from=date(2026, 2, 1), valid_to=date(2026, 1, 1))),
            EnergySettings(),
            "not after",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    prices: PriceSettings, energy: EnergySettings, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        check(prices, energy)


def test_the_book_is_read_from_a_file_as_it_stands_there() -> None:
    raw = {"currency": "EUR", "book": [{"pool": "p", "valid_from": "2026-01-01"}]}
    told = Config({"prices": raw}).section("prices", PriceSettings)
    assert told.book == [BookEntry(pool="p", valid_from=date(2026, 1, 1))]
