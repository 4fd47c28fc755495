"""The rate of every place: price book and bills resolved once, so that the book only joins them.

Of the entries that hold at a time, each figure comes from the most specific one that states it:
more of pool, model and provider named before fewer, then pool before model before provider. The
price of the model in `prices` comes last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.lists import same
from analytics.money import book, settings
from analytics.money.bills import Billed, billed
from analytics.money.book import SITE
from analytics.money.settings import EnergySettings, PriceSettings
from gpuledger.batch import EPOCH, to_milliseconds
from gpuledger.catalogue import Price, PriceEntry, Rate
from gpuledger.schema import FOREVER
from gpuledger.store import Store

FIGURES = ("capacity_value", "energy_price")
SITE_FIGURES = ("pue", "carbon_per_kwh")


@dataclass(frozen=True)
class PlaceKind:
    """GPUs that cost the same: those of one model and pool on one node."""

    cluster: str
    node: str
    pool: str
    model: str
    provider: str


class Rates:
    """Keeps prices and rates of a store as configuration and bills say."""

    def __init__(self, store: Store, prices: PriceSettings, energy: EnergySettings) -> None:
        self._store = store
        self._prices = prices
        self._energy = energy
        self._resolved_from: tuple[Any, ...] = ()

    def write(self, now: datetime) -> None:
        """Bring prices, price book and rates up to date; cheap where nothing changed."""
        settings.check(self._prices, self._energy)
        book.write_prices(self._store, self._prices, now)
        book.write_entries(self._store, self._prices, self._energy, now)
        inputs = tuple(self._store.select(_INPUTS_SQL)[0].values())
        if inputs == self._resolved_from:
            return
        if inputs[0] or inputs[1]:
            self._resolve(now)
        self._resolved_from = inputs

    def _resolve(self, now: datetime) -> None:
        entries = book.entries(self._store)
        prices = _prices(self._store)
        bills = billed(self._store, timedelta(days=self._prices.bill_holds_d))
        stored = {_key(r): r for r in (Rate(**r) for r in self._store.select(_RATES_SQL))}
        times: dict[tuple[str, ...], list[datetime]] = {}
        for *place, at in stored:
            times.setdefault(tuple(map(str, place)), []).append(at)
        news: list[Rate] = []
        for kind in _kinds(self._store):
            own = bills.of(kind.cluster, kind.node, kind.pool)
            known = times.get((kind.cluster, kind.node, kind.pool, kind.model), [])
            for rate in _of_place(kind, entries, prices.get(kind.model, []), own, known):
                before = stored.get(_key(rate))
                if before is None or not _same(rate, before):
                    news.append(rate)
        version = to_milliseconds(now)
        for rate in news:
            rate.version = version
        if news:
            self._store.insert_rows(news)


def _of_place(
    kind: PlaceKind,
    entries: Sequence[PriceEntry],
    prices: Sequence[Price],
    own: Billed,
    known: Sequence[datetime],
) -> Iterator[Rate]:
    """The rates of a place, from each time on at which one of them may change."""
    named = sorted((e for e in entries if _is_about(e, kind)), key=_specificity, reverse=True)
    times = {EPOCH, *known, *own.times}
    times |= {e.valid_from for e in named} | {e.valid_to for e in named}
    times |= {p.valid_from for p in prices}
    before: Rate | None = None
    for at in sorted(t for t in times if t < FOREVER):
        rate = _rate(kind, at, [e for e in named if e.valid_from <= at < e.valid_to], prices, own)
        if before is None or at in known or not same(rate, before, "valid_from"):
            yield rate
        before = rate


def _rate(
    kind: PlaceKind,
    at: datetime,
    entries: Sequence[PriceEntry],
    prices: Sequence[Price],
    own: Billed,
) -> Rate:
    price = next((p for p in reversed(prices) if p.valid_from <= at), None)
    figures = {name: _first(entries, name) for name in (*FIGURES, *SITE_FIGURES)}
    for name in FIGURES:
        if figures[name] is None and price is not None:
            figures[name] = price.__dict__[name]
    currencies = [e.currency for e in entries if e.currency]
    if price is not None:
        currencies.append(price.currency)
    cash = own.at(at)
    return Rate(
        cluster=kind.cluster,
        node=kind.node,
        pool=kind.pool,
        model=kind.model,
        **figures,
        cash_rate=cash.rate if cash else None,
        avoidable_rate=cash.avoidable if cash else None,
        currency=next(iter(currencies), cash.currency if cash else ""),
        valid_from=at,
        version=0,
    )


def _first(entries: Sequence[PriceEntry], name: str) -> float | None:
    return next((e.__dict__[name] for e in entries if e.__dict__[name] is not None), None)


def _is_about(entry: PriceEntry, kind: PlaceKind) -> bool:
    if entry.model == SITE:
        return True
    return all(
        told in {"", its}
        for told, its in (
            (entry.pool, kind.pool),
            (entry.model, kind.model),
            (entry.provider, kind.provider),
        )
    )


def _specificity(entry: PriceEntry) -> tuple[int, bool, bool, bool, datetime]:
    """Later entries of the same places hold over earlier ones."""
    pool, model, provider = bool(entry.pool), bool(entry.model), bool(entry.provider)
    return pool + model + provider, pool, model, provider, entry.valid_from


def _key(rate: Rate) -> tuple[str, str, str, str, datetime]:
    return rate.cluster, rate.node, rate.pool, rate.model, rate.valid_from


def _same(one: Rate, other: Rate) -> bool:
    """Whether two rates are the same to the stored millionth."""
    return all(
        abs(a - b) < 1e-6 if isinstance(a, float) and isinstance(b, float) else a == b
        for name, a in one.__dict__.items()
        if name != "version"
        for b in (other.__dict__[name],)
    )


def _prices(store: Store) -> Mapping[str, list[Price]]:
    found: dict[str, list[Price]] = {}
    for r in store.select("SELECT * FROM v_prices ORDER BY model, valid_from"):
        found.setdefault(r["model"], []).append(Price(**r))
    return found


def _kinds(store: Store) -> list[PlaceKind]:
    return [PlaceKind(**r) for r in store.select(_KINDS_SQL)]


_INPUTS_SQL = """
SELECT (SELECT max(version) FROM price_book) AS book,
  (SELECT max(version) FROM cloud_bills) AS bill,
  (SELECT max(version) FROM prices) AS prices, (SELECT max(version) FROM assets) AS assets,
  (SELECT count() FROM assets) AS places
"""
_RATES_SQL = "SELECT * FROM v_rates ORDER BY cluster, node, pool, model, valid_from"
# What was booked keeps its pool and model, also where the asset list says better since.
_KINDS_SQL = """
SELECT k.cluster AS cluster, k.node AS node, k.pool AS pool, k.model AS model,
  p.provider AS provider
FROM (
  SELECT cluster, node, pool, model FROM assets FINAL
  UNION DISTINCT SELECT cluster, node, pool, model FROM accounts_1d) AS k
LEFT JOIN (SELECT cluster, node, any(provider) AS provider FROM assets FINAL
  GROUP BY cluster, node) AS p ON p.cluster = k.cluster AND p.node = k.node
ORDER BY cluster, node, pool, model
"""
