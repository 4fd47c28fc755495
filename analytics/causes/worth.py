"""What GPU-seconds are worth that a detector counts itself, by the prices in the book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gpuledger.store import Store

# What could be saved of them in cash (energy) is known only for states of the book.
_PRICE_SQL = """
SELECT avg(b.price) AS price, max(b.currency) AS currency FROM v_book_1h AS b
WHERE has({jobs:Array(String)}, b.job) AND b.hour >= toStartOfHour({since:DateTime64(3, 'UTC')})
  AND b.hour < toStartOfHour({since:DateTime64(3, 'UTC')}) + INTERVAL 1 DAY
  AND b.price IS NOT NULL
"""


def worth(store: Store, jobs: Sequence[str], since: datetime, seconds: float) -> dict[str, Any]:
    """`capacity_value`, `cash_avoidable` and `currency` of a finding; None without a price."""
    (row,) = store.select(_PRICE_SQL, jobs=list(jobs), since=since)
    price = row["price"]
    known = price is not None and price == price and bool(row["currency"])  # noqa: PLR0124 - NaN
    return {
        "capacity_value": seconds / 3600 * price if known else None,
        "cash_avoidable": None,
        "currency": row["currency"] if known else "",
    }
