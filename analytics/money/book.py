"""The price book: kept from configuration, its history with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time

from analytics.lists import same
from analytics.money.settings import BookEntry, EnergySettings, PriceSettings
from gpuledger.batch import EPOCH, to_milliseconds
from gpuledger.catalogue import PriceEntry
from gpuledger.catalogue.work import Price
from gpuledger.rows import changed
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.store import Store

Key = tuple[str, str, str]


def write_prices(store: Store, prices: PriceSettings, now: datetime) -> None:
    """One price per owned GPU model, where it is new or changed; nothing when none is configured.

    A model's first price holds for all its past; a changed one holds from now on, since what was
    reported must not be worth something else tomorrow.
    """
    if prices.capacity_value is None and prices.energy_price is None and not prices.models:
        return
    models = [r["model"] for r in store.select("SELECT DISTINCT model FROM v_assets")]
    before = {r["model"]: r for r in store.select(_LATEST_PRICES_SQL)}
    wanted = [_price(prices, model, now, before.get(model)) for model in models]
    store.insert_rows([p for p in wanted if not _same_price(p, before.get(p.model))])


def _price(
    prices: PriceSettings, model: str, now: datetime, before: Mapping[str, object] | None
) -> Price:
    return Price(
        model=model,
        capacity_value=_value(prices, model),
        energy_price=prices.energy_price,
        currency=prices.currency,
        valid_from=now if before else EPOCH,
        version=to_milliseconds(now),
    )


def _same_price(price: Price, before: Mapping[str, object] | None) -> bool:
    """Whether the latest price says the same, to the stored millionth."""
    return before is not None and all(
        before[name] == value if not isinstance(value, float) else _close(before[name], value)
        for name, value in price.values().items()
        if name in {"capacity_value", "energy_price", "currency"}
    )


def _close(stored: object, value: float) -> bool:
    return isinstance(stored, float) and abs(stored - value) < 1e-6


def _value(prices: PriceSettings, model: str) -> float | None:
    own = prices.models.get(model)
    # Who only quotes a cloud for it says nothing of its worth.
    quoted = own is not None and own.cloud_quote is not None and own.capacity_value is None
    return own.capacity_value if own and not quoted else prices.capacity_value


def write_entries(
    store: Store, prices: PriceSettings, energy: EnergySettings, now: datetime
) -> None:
    """Keep the book as configuration has it: an entry that it no longer names ends now.

    An entry without a date holds for all the past where it is the first about its places; when it
    changes, the new one holds from now on. One with dates holds for what it says.
    """
    stored = entries(store)
    wanted = [_entry(e, prices.currency) for e in prices.book] + _of_energy(energy)
    open_ = {_key(e): e for e in stored if e.valid_to >= FOREVER}
    named = {(_key(e), e.valid_from) for e in wanted}
    news = [row for e in wanted for row in _news(e, stored, open_, now)]
    undated = {_key(e) for e in wanted if e.valid_from == EPOCH}
    for e in stored:
        kept = (_key(e), e.valid_from) in named or _key(e) in undated
        if not kept and e.valid_to > now:
            news.append(changed(e, valid_to=max(now, e.valid_from)))
    if news:
        store.insert_rows([changed(e, version=to_milliseconds(now)) for e in news])


def _news(
    entry: PriceEntry, stored: Sequence[PriceEntry], held: Mapping[Key, PriceEntry], now: datetime
) -> list[PriceEntry]:
    same_key = [e for e in stored if _key(e) == _key(entry)]
    if entry.valid_from > EPOCH:
        there = any(_same(entry, e) for e in same_key)
        return [] if there else [entry]
    before = held.get(_key(entry))
    if before is not None and _same(entry, before, "valid_from"):
        return []
    if before is None:
        return [changed(entry, valid_from=now) if same_key else entry]
    return [changed(before, valid_to=now), changed(entry, valid_from=now)]


def _same(one: PriceEntry, other: PriceEntry, *besides: str) -> bool:
    """Whether two entries say the same, to what is stored of their figures."""
    return same(_rounded(one), _rounded(other), *besides)


def _rounded(entry: PriceEntry) -> PriceEntry:
    figures = {
        name: None if value is None else round(value, digits)
        for name, digits in (
            *(("capacity_value", 6), ("energy_price", 6)),
            *(("pue", 3), ("carbon_per_kwh", 6)),
        )
        for value in (entry.__dict__[name],)
    }
    return changed(entry, **figures)


def entries(reader: Reader) -> list[PriceEntry]:
    """The book with its history, as stored."""
    rows = reader.select("SELECT * FROM v_price_book ORDER BY provider, pool, model, valid_from")
    return [PriceEntry(**r) for r in rows]


def _key(entry: PriceEntry) -> Key:
    return entry.provider, entry.pool, entry.model


def _entry(entry: BookEntry, currency: str) -> PriceEntry:
    first, last = entry.valid_from, entry.valid_to
    return PriceEntry.known(
        provider=entry.provider,
        pool=entry.pool,
        model=entry.model,
        capacity_value=entry.capacity_value,
        energy_price=entry.energy_price,
        currency=currency,
        source=entry.source,
        valid_from=datetime.combine(first, time(), UTC) if first else EPOCH,
        valid_to=datetime.combine(last, time(), UTC) if last else FOREVER,
        version=0,
    )


# The site's own figures stand beside the prices of any place, never instead of them.
SITE = "*"


def _of_energy(energy: EnergySettings) -> list[PriceEntry]:
    if energy.pue is None and energy.carbon_kg_per_kwh is None:
        return []
    told = [
        f"{name}: {source}"
        for name, source in (("PUE", energy.pue_source), ("CO2", energy.carbon_source))
        if source
    ]
    return [
        PriceEntry.known(
            provider="",
            pool="",
            model=SITE,
            pue=energy.pue,
            carbon_per_kwh=energy.carbon_kg_per_kwh,
            source="; ".join(told),
            valid_from=EPOCH,
            version=0,
        )
    ]


_LATEST_PRICES_SQL = """
SELECT model, argMax(capacity_value, valid_from) AS capacity_value,
  argMax(energy_price, valid_from) AS energy_price, argMax(currency, valid_from) AS currency
FROM v_prices GROUP BY model
"""
