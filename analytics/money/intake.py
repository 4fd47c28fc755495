"""A cloud bill into the store: what it replaces, and what it comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from analytics.money.focus import Amount, Bill, Key, Places, read
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import BillLine
from gpuledger.errors import ConfigError
from gpuledger.rows import changed
from gpuledger.service import Reader
from gpuledger.store import Store


@dataclass(frozen=True)
class Billing:
    """What became of a bill; money in the currency of the store."""

    lines: int
    since: datetime | None
    until: datetime | None
    nodes: int
    cost: float
    avoidable: float
    unused: float
    others: int
    other_cost: float
    currency: str


def take(store: Store, path: Path, places: Places, now: datetime, rate: float = 1.0) -> Billing:
    """Import a FOCUS file; days that were imported before are replaced. ConfigError, BadLines."""
    if not math.isfinite(rate) or rate <= 0:
        raise ConfigError(f"--rate {rate:g} is no rate between two currencies")
    bill = read(path, places)
    currency = _currency(store, bill, rate)
    rows = [_row(key, amount, currency, rate) for key, amount in bill.charges.items()]
    version = to_milliseconds(now)
    written = [changed(r, version=version) for r in (*rows, *_gone(store, rows))]
    if written:
        store.insert_rows(written)
    return _summary(bill, rows, rate, currency)


def _currency(store: Store, bill: Bill, rate: float) -> str:
    """The store's currency; a bill in another one needs the rate between them."""
    known = store.value(
        "SELECT currency FROM (SELECT currency, version FROM v_prices UNION ALL"
        " SELECT currency, version FROM v_price_book UNION ALL"
        " SELECT currency, version FROM v_cloud_bills)"
        " WHERE currency != '' ORDER BY version DESC LIMIT 1"
    )
    if known and bill.currency and known != bill.currency and rate == 1.0:
        raise ConfigError(
            f"the bill is in {bill.currency}, the prices are in {known}: give --rate, the"
            f" {known} for one {bill.currency}"
        )
    return str(known or bill.currency)


def _row(key: Key, amount: Amount, currency: str, rate: float) -> BillLine:
    cluster, node, pool = amount.place
    return BillLine(
        **vars(key),
        cluster=cluster,
        node=node,
        pool=pool,
        cost=amount.cost * rate,
        credit=amount.credit * rate,
        currency=currency,
        version=0,
    )


def _gone(store: Reader, rows: list[BillLine]) -> list[BillLine]:
    """Lines of the same accounts and days that the bill no longer has: they cost nothing now."""
    if not rows:
        return []
    said = {_of(r) for r in rows}
    days = {(r.provider, r.account, r.day) for r in rows}
    stored = store.select(
        "SELECT * FROM v_cloud_bills WHERE day >= {since:DateTime64(3, 'UTC')}"
        " AND day <= {until:DateTime64(3, 'UTC')} AND ifNull(cost, 0) + ifNull(credit, 0) > 0",
        since=min(r.day for r in rows),
        until=max(r.day for r in rows),
    )
    old = [BillLine(**r) for r in stored]
    return [
        changed(r, cost=0.0, credit=0.0)
        for r in old
        if (r.provider, r.account, r.day) in days and _of(r) not in said
    ]


def _of(row: BillLine) -> tuple[object, ...]:
    return tuple(row.__dict__[c.name] for c in row.table.keys)


def _summary(bill: Bill, rows: list[BillLine], rate: float, currency: str) -> Billing:
    ours = [r for r in rows if not r.unused]
    avoidable = [r for r in ours if r.category != "committed" and not r.commitment]
    return Billing(
        lines=bill.lines,
        since=min((r.day for r in rows), default=None),
        until=max((r.day for r in rows), default=None),
        nodes=len({(r.cluster, r.node) for r in ours if r.node}),
        cost=_net(ours),
        avoidable=_net(avoidable),
        unused=bill.unused_cost * rate,
        others=bill.others,
        other_cost=bill.other_cost * rate,
        currency=currency,
    )


def _net(rows: list[BillLine]) -> float:
    return sum((r.cost or 0.0) - (r.credit or 0.0) for r in rows)
