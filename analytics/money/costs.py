"""Questions about money and energy: the price book, what has no price, what the book cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from analytics.book import Span
from analytics.money.book import SITE
from analytics.money.rates import Rates
from analytics.money.settings import EnergySettings, PriceSettings
from gpuledger.config import Config
from gpuledger.measures import (
    CAPACITY_VALUE,
    CARBON_KG,
    CASH_AVOIDABLE,
    CASH_BILLED,
    ENERGY_COST,
    ENERGY_KWH,
    GPU_HOURS,
    KWH_PER_PRODUCTIVE,
    PRICED,
    SITE_ENERGY_KWH,
    select,
)
from gpuledger.service import Reader
from gpuledger.store import Store
from gpuledger.views import book_between

DIGITS = 6
MEASURES = (
    *(GPU_HOURS, CAPACITY_VALUE, CASH_BILLED, CASH_AVOIDABLE, ENERGY_COST),
    *(ENERGY_KWH, SITE_ENERGY_KWH, KWH_PER_PRODUCTIVE, CARBON_KG, PRICED),
)


def refresh(store: Store, configuration: Config, now: datetime) -> None:
    """Work the rates out again."""
    prices = configuration.section("prices", PriceSettings)
    Rates(store, prices, configuration.section("energy", EnergySettings)).write(now)


def cost(reader: Reader, span: Span | None, by: Sequence[str]) -> list[dict[str, Any]]:
    """Worth, cash and energy of a span by dimensions, most GPU-hours first; absent is None."""
    if span is None:
        return []
    keys = ", ".join(by)
    rows = reader.select(
        f"SELECT {keys}, {select(*MEASURES)}, max(currency) AS currency"
        f" FROM {book_between()} AS b GROUP BY {keys} ORDER BY gpu_hours DESC, {keys}",
        since=span.since,
        until=span.until,
    )
    return [
        {k: round(v, DIGITS) if isinstance(v, float) else v for k, v in r.items()} for r in rows
    ]


def price_list(reader: Reader) -> list[dict[str, Any]]:
    """Every price and its source: by model from `[prices]`, and the book's entries."""
    return reader.select(_PRICE_LIST_SQL, site=SITE)


def unpriced(reader: Reader) -> list[dict[str, Any]]:
    """Owned GPUs by pool and model whose worth nobody said."""
    return reader.select(_UNPRICED_SQL)


def sources(reader: Reader) -> list[str]:
    """Where PUE and carbon factor are from; what is missing, said."""
    rows = reader.select(
        "SELECT pue, carbon_per_kwh, source FROM v_price_book"
        " WHERE model = {site:String} AND valid_to > now64(3) ORDER BY valid_from DESC LIMIT 1",
        site=SITE,
    )
    if not rows:
        return ["no PUE is configured: energy is that of the GPUs alone; no carbon factor"]
    told = rows[0]
    figures = [
        f"{name} {value:g}"
        for name, value in (("PUE", told["pue"]), ("kg CO2 per kWh", told["carbon_per_kwh"]))
        if value is not None
    ]
    return [f"{', '.join(figures)} ({told['source']})"]


_PRICE_LIST_SQL = """
SELECT * FROM (
SELECT 'model' AS told_for, '' AS provider, '' AS pool, toString(model) AS model, capacity_value,
  energy_price, CAST(NULL, 'Nullable(Float64)') AS pue,
  CAST(NULL, 'Nullable(Float64)') AS carbon_kg_per_kwh, toString(currency) AS currency,
  '[prices]' AS source, valid_from, toDateTime64('2106-01-01', 3, 'UTC') AS valid_to
FROM v_prices
UNION ALL
SELECT if(model = {site:String}, 'site', 'entry'), toString(provider), toString(pool),
  if(model = {site:String}, '', toString(model)), capacity_value, energy_price, pue,
  carbon_per_kwh, toString(currency), source, valid_from, valid_to
FROM v_price_book)
ORDER BY told_for, provider, pool, model, valid_from
"""
_UNPRICED_SQL = """
SELECT a.pool AS pool, a.model AS model, count() AS gpus
FROM (SELECT * FROM assets FINAL WHERE valid_to > now64(3)) AS a
LEFT JOIN (SELECT model, argMax(capacity_value, valid_from) AS value FROM prices FINAL
  GROUP BY model) AS p ON p.model = a.model
LEFT JOIN (SELECT cluster, node, pool, model, argMax(tuple(capacity_value), valid_from).1 AS value
  FROM rates FINAL WHERE valid_from <= now64(3) GROUP BY cluster, node, pool, model) AS r
  ON r.cluster = a.cluster AND r.node = a.node AND r.pool = a.pool AND r.model = a.model
WHERE p.value IS NULL AND r.value IS NULL
GROUP BY pool, model ORDER BY gpus DESC, pool, model
"""
