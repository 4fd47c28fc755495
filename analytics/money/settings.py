"""What configuration says of prices and energy."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from gpuledger.config import Settings
from gpuledger.errors import ConfigError

# A site cannot use less energy than its GPUs (PUE, ISO/IEC 30134-2).
LEAST_PUE = 1.0


class ModelPrice(Settings):
    """What one GPU model is worth; a section of its own below `[prices.models]`."""

    capacity_value: Annotated[float | None, "worth of one GPU-hour"] = None
    cloud_quote: Annotated[float | None, "what a cloud asks for one GPU-hour of it"] = None


class BookEntry(Settings):
    """One `[[prices.book]]`: what it leaves open, it says of any; the most specific one holds."""

    model: Annotated[str, "GPU model, as the asset list names it"] = ""
    pool: Annotated[str, "pool of the GPUs"] = ""
    provider: Annotated[str, "who owns the hardware, as the asset list names it"] = ""
    valid_from: Annotated[date | None, "first day, UTC; none = the past too"] = None
    valid_to: Annotated[date | None, "first day on which it holds no more"] = None
    capacity_value: Annotated[float | None, "worth of one GPU-hour"] = None
    energy_price: Annotated[float | None, "price of one kilowatt-hour"] = None
    source: Annotated[str, "where the figures are from: contract, quote, list price"] = ""


class PriceSettings(Settings):
    """Section `[prices]`; without it every money figure is absent."""

    currency: Annotated[str, "ISO 4217 code"] = ""
    capacity_value: Annotated[float | None, "worth of one GPU-hour of any model"] = None
    energy_price: Annotated[float | None, "price of one kilowatt-hour"] = None
    source: Annotated[str, "where these figures are from"] = ""
    cloud_quote: Annotated[
        float | None, "what a cloud asks for one GPU-hour of any model; reports compare with it"
    ] = None
    cloud_quote_source: Annotated[str, "whose quote that is, and of when"] = ""
    models: Annotated[dict[str, ModelPrice], "worth by GPU model"] = msgspec.field(
        default_factory=dict
    )
    book: Annotated[list[BookEntry], "prices by model, pool, provider and date"] = msgspec.field(
        default_factory=list
    )
    bill_holds_d: Annotated[float, "days for which the last day billed speaks of later ones"] = 35.0


class EnergySettings(Settings):
    """Section `[energy]`."""

    pue: Annotated[float | None, "energy of the site for each of its GPUs' (PUE)"] = None
    pue_source: Annotated[str, "where the PUE is from, e.g. a meter and its year"] = ""
    carbon_kg_per_kwh: Annotated[float | None, "kilograms of CO2 for a kilowatt-hour"] = None
    carbon_source: Annotated[str, "where the factor is from, e.g. the grid's operator"] = ""


def check(prices: PriceSettings, energy: EnergySettings) -> None:
    """ConfigError where a figure cannot be, a span ends before it begins, or a source is missing.

    A PUE or carbon factor without a source is refused: nobody could defend what follows from it.
    """
    for where, value in _figures(prices, energy):
        if value is not None and value < 0:
            raise ConfigError(f"{where}: {value} is below 0")
    if energy.pue is not None and energy.pue < LEAST_PUE:
        raise ConfigError(f"[energy] pue: {energy.pue} is below 1")
    for name, value, source in (
        ("pue", energy.pue, energy.pue_source),
        ("carbon", energy.carbon_kg_per_kwh, energy.carbon_source),
    ):
        if value is not None and not source:
            raise ConfigError(f"[energy] {name}_source: say where the figure is from")
    quoted = prices.cloud_quote is not None or any(
        model.cloud_quote is not None for model in prices.models.values()
    )
    if quoted and not prices.cloud_quote_source:
        raise ConfigError("[prices] cloud_quote_source: say whose quote it is, and of when")
    _check_book(prices)


def _figures(prices: PriceSettings, energy: EnergySettings) -> list[tuple[str, float | None]]:
    found = [
        ("[prices] capacity_value", prices.capacity_value),
        ("[prices] energy_price", prices.energy_price),
        ("[energy] carbon_kg_per_kwh", energy.carbon_kg_per_kwh),
        ("[prices] cloud_quote", prices.cloud_quote),
    ]
    for name, model in prices.models.items():
        found.append((f"[prices.models] {name}", model.capacity_value))
        found.append((f"[prices.models] {name}: cloud_quote", model.cloud_quote))
    for i, entry in enumerate(prices.book, 1):
        found.append((f"[[prices.book]] {i}: capacity_value", entry.capacity_value))
        found.append((f"[[prices.book]] {i}: energy_price", entry.energy_price))
    return found


def _check_book(prices: PriceSettings) -> None:
    seen: set[tuple[object, ...]] = set()
    for i, entry in enumerate(prices.book, 1):
        where = f"[[prices.book]] {i}"
        if entry.capacity_value is None and entry.energy_price is None:
            raise ConfigError(f"{where}: neither capacity_value nor energy_price")
        if entry.valid_from and entry.valid_to and entry.valid_from >= entry.valid_to:
            raise ConfigError(f"{where}: valid_to {entry.valid_to} is not after valid_from")
        key = (entry.model, entry.pool, entry.provider, entry.valid_from)
        if key in seen:
            raise ConfigError(f"{where}: an entry before says the same of the same time")
        seen.add(key)
    if prices.book and not prices.currency:
        raise ConfigError("[prices] currency: the price book needs one")
