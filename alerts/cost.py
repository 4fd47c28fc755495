"""What alerts cost while they last: GPUs times the price of their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.rule import Condition
from gpuledger.store import Store

# Most exact first: what is known of the place decides, then what the fleet is worth on average.
# Pools of one name in two clusters are two pools: the name alone counts where no cluster is told.
PLACES = (("cluster", "node"), ("cluster", "pool"), ("cluster",), ("pool",), ())

_RATES = """
SELECT r.cluster AS cluster, r.node AS node, r.pool AS pool, r.price AS price,
  r.currency AS currency, greatest(a.gpus, 1) AS gpus
FROM (
  SELECT cluster, node, pool, model, argMax(capacity_value, valid_from) AS price,
    argMax(currency, valid_from) AS currency
  FROM v_rates WHERE valid_from <= {now:DateTime64(3, 'UTC')}
  GROUP BY cluster, node, pool, model HAVING price IS NOT NULL
) AS r
LEFT JOIN (
  SELECT cluster, node, pool, model, count() AS gpus FROM v_assets
  WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}
  GROUP BY cluster, node, pool, model
) AS a ON a.cluster = r.cluster AND a.node = r.node AND a.pool = r.pool AND a.model = r.model
"""
_PRICES = """
SELECT '' AS cluster, '' AS node, '' AS pool, r.price AS price, r.currency AS currency,
  greatest(a.gpus, 1) AS gpus
FROM (
  SELECT model, argMax(capacity_value, valid_from) AS price,
    argMax(currency, valid_from) AS currency
  FROM v_prices WHERE valid_from <= {now:DateTime64(3, 'UTC')}
  GROUP BY model HAVING price IS NOT NULL
) AS r
LEFT JOIN (
  SELECT model, count() AS gpus FROM v_assets
  WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}
  GROUP BY model
) AS a ON a.model = r.model
"""


@dataclass(frozen=True)
class Worth:
    """Mean worth of a GPU-hour over the GPUs of a place."""

    price: float
    currency: str


@dataclass(frozen=True)
class Prices:
    """Worth by place; a store without prices has none, and a place of two currencies None."""

    by_place: Mapping[tuple[str, ...], Worth | None]

    def of(self, labels: Mapping[str, str]) -> Worth | None:
        """Worth of a GPU-hour there; None where no price is known, or two currencies are."""
        for names in PLACES:
            key = (*names, *(labels.get(n, "") for n in names))
            if key in self.by_place:
                return self.by_place[key]
        return None

    def priced(self, seen: Condition) -> Condition:
        """The condition with what it costs an hour; as it was without GPUs or price."""
        worth = self.of(seen.labels)
        if worth is None or seen.gpus is None:
            return seen
        return replace(seen, cost_per_hour=seen.gpus * worth.price, currency=worth.currency)


def prices(store: Store, now: datetime) -> Prices:
    """Prices of that moment: of places as rates say, else of models. StoreError."""
    rows = store.select(_RATES, now=now) or store.select(_PRICES, now=now)
    places: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        for key in _keys(row):
            places.setdefault(key, []).append(row)
    return Prices({key: _worth(found) for key, found in places.items()})


def _worth(rows: Sequence[Mapping[str, Any]]) -> Worth | None:
    currencies = {row["currency"] for row in rows}
    if len(currencies) > 1:
        return None
    gpus = sum(int(row["gpus"]) for row in rows)
    total = sum(float(row["price"]) * int(row["gpus"]) for row in rows)
    return Worth(total / gpus, currencies.pop())


def _keys(row: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(*names, *(str(row[n]) for n in names)) for names in PLACES]
