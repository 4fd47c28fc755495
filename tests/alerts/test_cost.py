from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.cost import Prices, prices
from alerts.rule import Condition
from gpuledger.catalogue import Price, Rate
from gpuledger.store import Store

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def rate(node: str, pool: str, value: float | None, since: datetime = NOW - DAY) -> Rate:
    return Rate(
        cluster="alpha",
        node=node,
        pool=pool,
        model="H200",
        capacity_value=value,
        energy_price=None,
        pue=None,
        carbon_per_kwh=None,
        cash_rate=None,
        avoidable_rate=None,
        currency="EUR",
        valid_from=since,
        version=1,
    )


@pytest.mark.parametrize(
    ("labels", "price"),
    [
        ({"cluster": "alpha", "node": "n1", "pool": "small"}, 2.0),
        ({"pool": "big"}, 3.0),
        ({"cluster": "alpha", "node": "unknown"}, 3.0),
        ({}, 3.0),
    ],
)
def test_the_price_of_the_place_and_else_the_mean(
    store: Store, labels: dict[str, str], price: float
) -> None:
    store.insert_rows([rate("n1", "big", 2.0), rate("n2", "big", 4.0), rate("n3", "big", None)])
    assert prices(store, NOW).of(labels) == price


def test_a_price_holds_from_its_day_on(store: Store) -> None:
    store.insert_rows([rate("n1", "big", 2.0, NOW - 2 * DAY), rate("n1", "big", 5.0, NOW + DAY)])
    assert prices(store, NOW).of({}) == 2.0


def test_without_rates_the_models_prices_count(store: Store) -> None:
    store.insert_rows(
        [
            Price(
                model="H200",
                capacity_value=6.0,
                energy_price=None,
                currency="EUR",
                valid_from=NOW - DAY,
                version=1,
            )
        ]
    )
    found = prices(store, NOW)
    assert (found.of({"pool": "x"}), found.currency) == (6.0, "EUR")


def test_without_a_price_or_gpus_there_is_no_cost(store: Store) -> None:
    seen = Condition("s", 1.0, {}, {}, gpus=4.0)
    assert prices(store, NOW).priced(seen) == seen
    known = Prices({(): 2.0}, "EUR")
    assert known.priced(seen).cost_per_hour == 8.0
    assert known.priced(Condition("s", 1.0, {}, {})).cost_per_hour is None
