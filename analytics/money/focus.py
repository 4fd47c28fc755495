"""Cloud bills from FinOps FOCUS 1.x exports (focus.finops.org): charges of our nodes, by day."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from analytics.lists import BadLines
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER
from gpuledger.service import Reader

DAY = timedelta(days=1)
NEEDED = ("ChargeCategory", "ChargePeriodStart", "EffectiveCost", "BillingCurrency")
# FOCUS 1.3 renamed who sells and who bills.
PROVIDER = ("ProviderName", "ServiceProviderName", "InvoiceIssuerName")
PRICING = {"standard", "dynamic", "committed", "other"}


@dataclass(frozen=True)
class Places:
    """How a resource of the bill becomes a node or pool of ours."""

    nodes: Mapping[str, tuple[str, str]]
    tags: tuple[str, ...] = ()
    sku_pools: Mapping[str, str] = field(default_factory=dict)

    def find(self, told: Mapping[str, str]) -> tuple[str, str, str]:
        """Cluster and node, or else pool; three times empty for what is none of ours."""
        for name in _names(told, self.tags):
            found = self.nodes.get(name.lower()) or self.nodes.get(name.lower().partition(".")[0])
            if found:
                return (*found, "")
        return "", "", self.sku_pools.get(told.get("SkuId", ""), "")


@dataclass(frozen=True)
class Key:
    """What charges of one day are added up by."""

    provider: str
    account: str
    resource: str
    sku: str
    category: str
    commitment: str
    unused: int
    day: datetime


@dataclass
class Amount:
    """Charges and credits of one key, in the bill's currency."""

    place: tuple[str, str, str]
    cost: float = 0.0
    credit: float = 0.0


@dataclass
class Bill:
    """What a file says."""

    charges: dict[Key, Amount] = field(default_factory=dict)
    currency: str = ""
    lines: int = 0
    others: int = 0
    other_cost: float = 0.0
    unused_cost: float = 0.0


def read(path: Path, places: Places) -> Bill:
    """The charges of our nodes and pools, and commitments that nobody used.

    ConfigError where it is no FOCUS export; BadLines where a line cannot be used.
    """
    bill = Bill()
    bad: list[str] = []
    with _opened(path) as file:
        reader = csv.DictReader(file, restval="")
        _check_header(path, reader.fieldnames or ())
        for told in reader:
            bill.lines += 1
            try:
                _take(told, places, bill)
            except (ValueError, OverflowError) as e:
                bad.append(f"line {reader.line_num}: {e}")
    if bad:
        raise BadLines(path, bad, bill.lines)
    return bill


def places(
    reader: Reader, cluster: str = "", tags: Sequence[str] = (), skus: Sequence[str] = ()
) -> Places:
    """The nodes of the asset list, by full and by short name. `skus` are SKU=POOL."""
    nodes: dict[str, tuple[str, str]] = {}
    rows = reader.select(
        "SELECT DISTINCT cluster, node FROM v_assets"
        " WHERE {cluster:String} IN ('', cluster) ORDER BY cluster, node",
        cluster=cluster,
    )
    for row in rows:
        here = (row["cluster"], row["node"])
        if nodes.setdefault(row["node"].lower(), here) != here:
            raise ConfigError(f"node {row['node']} is in several clusters: give --cluster")
    for name, here in list(nodes.items()):
        nodes.setdefault(name.partition(".")[0], here)
    pools = dict(_pair(sku) for sku in skus)
    known = {r["pool"] for r in reader.select("SELECT DISTINCT pool FROM v_assets")}
    for pool in pools.values():
        if pool not in known:
            raise ConfigError(f"--sku: no asset is in a pool '{pool}'")
    return Places(nodes, tuple(tags), pools)


def _pair(text: str) -> tuple[str, str]:
    sku, _, pool = text.partition("=")
    if not sku or not pool:
        raise ConfigError(f"--sku {text}: write SKU=POOL")
    return sku, pool


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A CSV file, compressed or not."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
                yield file
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield file
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror or e}") from None
    except (UnicodeDecodeError, EOFError, csv.Error) as e:
        raise ConfigError(f"{path} is no CSV file: {e}") from None


def _check_header(path: Path, header: Sequence[str]) -> None:
    lacking = [name for name in NEEDED if name not in header]
    if lacking:
        raise ConfigError(f"{path} is no FOCUS export: it lacks {', '.join(lacking)}")


def _take(told: Mapping[str, str], places: Places, bill: Bill) -> None:
    cost = _amount(told["EffectiveCost"])
    currency = told["BillingCurrency"].strip()
    if bill.currency and currency != bill.currency:
        raise ValueError(f"BillingCurrency {currency}, while lines before are in {bill.currency}")
    bill.currency = bill.currency or currency
    unused = told.get("CommitmentDiscountStatus") == "Unused"
    # What a commitment costs is amortised over the usage that it covers: buying it is no usage.
    bought = told["ChargeCategory"] == "Purchase" and bool(told.get("CommitmentDiscountId"))
    place = ("", "", "") if unused or bought else places.find(told)
    if unused:
        bill.unused_cost += cost
    elif not any(place):
        bill.others += 1
        bill.other_cost += cost
        return
    for day, part in _days(told):
        amount = bill.charges.setdefault(_key(told, day, unused=unused), Amount(place))
        amount.cost += max(0.0, cost * part)
        amount.credit += max(0.0, -cost * part)


def _key(told: Mapping[str, str], day: datetime, *, unused: bool) -> Key:
    category = told.get("PricingCategory", "").lower()
    return Key(
        provider=next((told[p] for p in PROVIDER if told.get(p)), ""),
        account=told.get("BillingAccountId", ""),
        resource=told.get("ResourceId", "") or told.get("ResourceName", ""),
        sku=told.get("SkuId", ""),
        category=category if category in PRICING else "other",
        commitment=told.get("CommitmentDiscountId", ""),
        unused=int(unused),
        day=day,
    )


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"EffectiveCost '{text}' is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"EffectiveCost '{text}' is no amount")
    return value


def _days(told: Mapping[str, str]) -> Iterator[tuple[datetime, float]]:
    """The days of a charge period, each with its part of it."""
    since = _time(told["ChargePeriodStart"], "ChargePeriodStart")
    end = told.get("ChargePeriodEnd", "")
    until = _time(end, "ChargePeriodEnd") if end else since + DAY
    if not since < until <= FOREVER:
        raise ValueError(f"ChargePeriodEnd '{end}' is not after its start")
    day = since.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < until:
        covered = min(until, day + DAY) - max(since, day)
        yield day, covered / (until - since)
        day += DAY


def _time(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip().replace(" UTC", "+00:00"))
    except ValueError:
        raise ValueError(f"{name} '{text}' is no time") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _names(told: Mapping[str, str], tags: Sequence[str]) -> Iterator[str]:
    """What the resource may be called among us."""
    identifier = told.get("ResourceId", "")
    yield from (told.get("ResourceName", ""), identifier)
    yield identifier.replace(":", "/").rpartition("/")[2]
    if tags and told.get("Tags"):
        try:
            said = json.loads(told["Tags"])
        except ValueError:
            raise ValueError("Tags are no JSON") from None
        yield from (str(said[tag]) for tag in tags if isinstance(said, dict) and tag in said)
