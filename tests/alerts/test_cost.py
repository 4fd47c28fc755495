from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.cost import Prices, Worth, prices
from alerts.rule import Condition
from gpuledger.catalogue import Asset, Price, Rate
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
    assert prices(store, NOW).of(labels) == Worth(price, "EUR")


def test_a_mean_counts_each_gpu(store: Store) -> None:
    places = [("n1", 0), ("n2", 0), ("n2", 1), ("n2", 2)]
    assets = [
        Asset(
            gpu_id=n,
            asset_id=str(n),
            cluster="alpha",
            node=node,
            slot=slot,
            pool="big",
            model="H200",
            valid_from=NOW - DAY,
            version=1,
        )
        for n, (node, slot) in enumerate(places)
    ]
    store.insert_rows(assets)
    store.insert_rows([rate("n1", "big", 2.0), rate("n2", "big", 4.0)])
    assert prices(store, NOW).of({"cluster": "alpha", "pool": "big"}) == Worth(3.5, "EUR")


def test_pools_of_one_name_in_two_clusters_have_their_own_price(store: Store) -> None:
    other = rate("n1", "big", 9.0)
    other.cluster, other.currency = "beta", "USD"
    store.insert_rows([rate("n1", "big", 2.0), other])
    found = prices(store, NOW)
    assert found.of({"cluster": "alpha", "pool": "big"}) == Worth(2.0, "EUR")
    assert found.of({"cluster": "beta", "pool": "big"}) == Worth(9.0, "USD")
    # Euros and dollars have no mean.
    assert found.of({"pool": "big"}) is None
    assert found.of({}) is None


def test_a_price_holds_from_its_day_on(store: Store) -> None:
    store.insert_rows([rate("n1", "big", 2.0, NOW - 2 * DAY), rate("n1", "big", 5.0, NOW + DAY)])
    assert prices(store, NOW).of({}) == Worth(2.0, "EUR")


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
    assert prices(store, NOW).of({"pool": "x"}) == Worth(6.0, "EUR")


def test_without_a_price_or_gpus_there_is_no_cost(store: Store) -> None:
    seen = Condition("s", 1.0, {}, {}, gpus=4.0)
    assert prices(store, NOW).priced(seen) == seen
    known = Prices({(): Worth(2.0, "EUR")})
    assert known.priced(seen).cost_per_hour == 8.0
    assert known.priced(Condition("s", 1.0, {}, {})).cost_per_hour is None
