"""Cloud bills from FOCUS exports: charges of our nodes, commitments apart, the rest counted."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.lists import BadLines
from analytics.money.focus import places
from analytics.money.intake import Billing, take
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, price, write

NOW = at(600)
DAY = START.replace(hour=0)
HEAD = (
    *("BillingAccountId", "BillingCurrency", "ChargeCategory", "ChargePeriodStart"),
    *("ChargePeriodEnd", "EffectiveCost", "PricingCategory", "CommitmentDiscountId"),
    *("CommitmentDiscountStatus", "ProviderName", "ResourceId", "ResourceName", "SkuId", "Tags"),
)


def charge(cost: object, **more: str) -> dict[str, str]:
    told = {
        "BillingAccountId": "1",
        "BillingCurrency": "EUR",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": f"{DAY:%Y-%m-%dT%H:%M:%SZ}",
        "ChargePeriodEnd": f"{DAY + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        "EffectiveCost": str(cost),
        "PricingCategory": "Standard",
        "ProviderName": "Cloud",
        "ResourceId": "arn:cloud:instance/i-1",
        "ResourceName": "n0",
        "SkuId": "p5",
    }
    return {**told, **more}


def export(folder: Path, *charges: dict[str, str], name: str = "focus.csv") -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEAD, restval="")
    writer.writeheader()
    writer.writerows(charges)
    path = folder / name
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def imported(
    store: Store,
    path: Path,
    *,
    tags: tuple[str, ...] = (),
    skus: tuple[str, ...] = (),
    rate: float = 1.0,
    minute: float = 600,
) -> Billing:
    return take(store, path, places(store, "", tags, skus), at(minute), rate)


def lines(store: Store) -> list[tuple[str, str, float]]:
    rows = store.select(
        "SELECT node, pool, cost - credit AS net FROM v_cloud_bills"
        " WHERE unused = 0 AND cost + credit > 0 ORDER BY node, pool, net"
    )
    return [(r["node"], r["pool"], r["net"]) for r in rows]


@pytest.fixture
def site(store: Store) -> Store:
    write(store, [asset(0), asset(0, "n1.x.org")])
    return store


def test_usage_commitments_and_strangers_are_told_apart(site: Store, tmp_path: Path) -> None:
    path = export(
        tmp_path,
        charge(10),
        charge(6, PricingCategory="Committed", CommitmentDiscountId="ri"),
        charge(4, CommitmentDiscountId="ri", CommitmentDiscountStatus="Unused", ResourceName=""),
        charge(7, ResourceName="bucket", ResourceId="bucket"),
        charge(99, ChargeCategory="Purchase", CommitmentDiscountId="ri"),
    )
    said = imported(site, path)
    assert (said.cost, said.avoidable, said.unused) == (16, 10, 4)
    assert (said.others, said.other_cost, said.nodes, said.lines) == (2, 106, 1, 5)


@pytest.mark.parametrize(
    "named",
    [
        {"ResourceName": "N1"},
        {"ResourceName": "n1.x.org"},
        {"ResourceName": "", "ResourceId": "arn:cloud:ec2:instance/n1"},
        {"ResourceName": "i-7", "Tags": '{"host": "n1.x.org"}'},
    ],
)
def test_a_resource_is_found_by_any_of_its_names(
    site: Store, tmp_path: Path, named: dict[str, str]
) -> None:
    imported(site, export(tmp_path, charge(10, **named)), tags=("host",))
    assert lines(site) == [("n1.x.org", "", 10.0)]


def test_a_sku_may_stand_for_a_pool(site: Store, tmp_path: Path) -> None:
    imported(site, export(tmp_path, charge(10, ResourceName="x")), skus=("p5=big",))
    assert lines(site) == [("", "big", 10.0)]


def test_a_charge_of_several_days_is_spread_over_them(site: Store, tmp_path: Path) -> None:
    end = f"{DAY + timedelta(days=4):%Y-%m-%dT%H:%M:%SZ}"
    imported(site, export(tmp_path, charge(10, ChargePeriodEnd=end)))
    assert [net for *_, net in lines(site)] == [2.5] * 4


def test_the_same_bill_twice_counts_once(site: Store, tmp_path: Path) -> None:
    path = export(tmp_path, charge(10))
    imported(site, path)
    imported(site, path, minute=700)
    assert lines(site) == [("n0", "", 10.0)]


def test_a_corrected_bill_replaces_the_days_it_is_about(site: Store, tmp_path: Path) -> None:
    imported(site, export(tmp_path, charge(10), charge(5, SkuId="gone")))
    imported(site, export(tmp_path, charge(8), charge(-2)), minute=700)
    assert lines(site) == [("n0", "", 6.0)]


def test_a_compressed_export_is_read_alike(site: Store, tmp_path: Path) -> None:
    assert imported(site, export(tmp_path, charge(10), name="focus.csv.gz")).cost == 10


def test_a_bill_in_another_currency_needs_a_rate(site: Store, tmp_path: Path) -> None:
    write(site, [price()])
    path = export(tmp_path, charge(10, BillingCurrency="USD"))
    with pytest.raises(ConfigError, match="the bill is in USD, the prices are in EUR"):
        imported(site, path)
    said = imported(site, path, rate=0.5)
    assert (said.cost, said.currency) == (5, "EUR")


def test_bad_lines_are_told_and_nothing_is_taken(site: Store, tmp_path: Path) -> None:
    path = export(
        tmp_path,
        charge(10),
        charge("ten"),
        charge("nan"),
        charge(1, ChargePeriodStart="yesterday"),
        charge(1, ChargePeriodEnd=f"{DAY:%Y-%m-%dT%H:%M:%SZ}"),
        charge(1, BillingCurrency="USD"),
    )
    with pytest.raises(BadLines) as caught:
        imported(site, path)
    assert [line.split(":")[0] for line in caught.value.lines] == [f"line {i}" for i in range(3, 8)]
    assert lines(site) == []


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.csv", "BilledCost\n1\n", "it lacks ChargeCategory, ChargePeriodStart, EffectiveCost"),
        ("a.csv", "", "it lacks"),
        ("a.csv.gz", "not compressed", "a.csv.gz"),
    ],
)
def test_what_is_no_export_is_refused(
    site: Store, tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        imported(site, path)


def test_an_unknown_pool_or_a_node_of_two_clusters_is_refused(site: Store) -> None:
    with pytest.raises(ConfigError, match="no asset is in a pool 'nowhere'"):
        places(site, "", (), ["p5=nowhere"])
    with pytest.raises(ConfigError, match="write SKU=POOL"):
        places(site, "", (), ["p5"])


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(store: Store, tmp_path: Path, rate: float) -> None:
    with pytest.raises(ConfigError, match="is no rate between two currencies"):
        take(store, export(tmp_path, charge(1)), places(store), NOW, rate)
    assert store.value("SELECT count() FROM cloud_bills") == 0
