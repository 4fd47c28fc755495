"""What alerts cost while they last: GPUs times the price of their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.rule import Condition
from gpuledger.store import Store

# Most exact first: what is known of the place decides, then what the fleet is worth on average.
PLACES = (("cluster", "node"), ("pool",), ("cluster",), ())

_RATES = """
SELECT cluster, node, pool, argMax(capacity_value, valid_from) AS price,
  argMax(currency, valid_from) AS currency
FROM v_rates WHERE valid_from <= {now:DateTime64(3, 'UTC')}
GROUP BY cluster, node, pool, model HAVING price IS NOT NULL
"""
_PRICES = """
SELECT '' AS cluster, '' AS node, '' AS pool, argMax(capacity_value, valid_from) AS price,
  argMax(currency, valid_from) AS currency
FROM v_prices WHERE valid_from <= {now:DateTime64(3, 'UTC')}
GROUP BY model HAVING price IS NOT NULL
"""


@dataclass(frozen=True)
class Prices:
    """Mean worth of a GPU-hour by place; a store without prices has none."""

    by_place: Mapping[tuple[str, ...], float]
    currency: str = ""

    def of(self, labels: Mapping[str, str]) -> float | None:
        """Worth of a GPU-hour there; None where no price is known."""
        for names in PLACES:
            price = self.by_place.get((*names, *(labels.get(n, "") for n in names)))
            if price is not None:
                return price
        return None

    def priced(self, seen: Condition) -> Condition:
        """The condition with what it costs an hour; as it was without GPUs or price."""
        price = self.of(seen.labels)
        if price is None or seen.gpus is None:
            return seen
        return replace(seen, cost_per_hour=seen.gpus * price, currency=self.currency)


def prices(store: Store, now: datetime) -> Prices:
    """Prices of that moment: of places as rates say, else of models. StoreError."""
    rows = store.select(_RATES, now=now) or store.select(_PRICES, now=now)
    sums: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        for key in _keys(row):
            sums.setdefault(key, []).append(float(row["price"]))
    means = {key: sum(values) / len(values) for key, values in sums.items()}
    return Prices(means, rows[0]["currency"] if rows else "")


def _keys(row: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(*names, *(str(row[n]) for n in names)) for names in PLACES]
