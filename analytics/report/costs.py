"""What a productive GPU-hour cost: of the fleet and of cost centres, against a cloud's quote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from analytics.report.annex import Cost, Costs
from analytics.report.options import Quote
from analytics.report.words import plain
from gpuledger.measures import CAPACITY_VALUE, CASH_BILLED, GPU_HOURS, select
from gpuledger.service import Reader

MOST = 8
DIGITS = 6
FLEET = "whole fleet, free time too"
NO_CENTRE = "no cost centre told"
NO_QUOTE = "no cloud quote is configured: [prices] cloud_quote and cloud_quote_source"


def costs(reader: Reader, since: datetime, until: datetime, currency: str, quote: Quote) -> Costs:
    """The fleet, then who used most. Money stays null without exactly one `currency`."""
    rows = reader.select(_SQL, since=since, until=until)
    centred = any(row["centre"] for row in rows)
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["team"]:
            who = (row["centre"] or NO_CENTRE) if centred else row["team"]
            groups.setdefault(plain(who), []).append(row)
    # Amounts of the book are in the book's currency: another one's quote is no comparison.
    same = quote if not quote.currency or quote.currency == currency else Quote()
    told = [_cost(FLEET, rows, currency, same)] if rows else []
    users = [_cost(who, group, currency, same) for who, group in groups.items()]
    users.sort(key=lambda cost: (-cost.gpu_hours, cost.who))
    return Costs(
        "cost centre" if centred else "team",
        (*told, *users[:MOST]),
        same.source if same.known else "",
        "" if same.known else _unquoted(quote, currency),
    )


def _unquoted(quote: Quote, currency: str) -> str:
    """Why there is no quote to compare with."""
    if not quote.known:
        return NO_QUOTE
    book = f"in {currency}" if currency else "not in one currency"
    return f"the cloud quote is in {quote.currency}, the book is {book}"


def _cost(who: str, rows: Iterable[Mapping[str, Any]], currency: str, quote: Quote) -> Cost:
    of = list(rows)
    productive = _sum(of, "productive_gpu_hours") or 0.0
    worth = _sum(of, "capacity_value") if currency else None
    billed = _sum(of, "cash_billed") if currency else None
    return Cost(
        who,
        _sum(of, "gpu_hours") or 0.0,
        productive,
        worth,
        _ratio(worth, productive),
        _ratio(billed, productive),
        _quoted(of, productive, quote) if currency else None,
    )


def _quoted(rows: Iterable[Mapping[str, Any]], productive: float, quote: Quote) -> float | None:
    """Mean quote of the models that worked; None where one of them has none."""
    total = 0.0
    for row in rows:
        if row["productive_gpu_hours"]:
            one = quote.of(row["model"])
            if one is None:
                return None
            total += one * row["productive_gpu_hours"]
    return _ratio(total, productive)


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> float | None:
    known = [row[name] for row in rows if row[name] is not None]
    return round(float(sum(known)), DIGITS) if known else None


def _ratio(amount: float | None, hours: float) -> float | None:
    return None if amount is None or not hours else round(amount / hours, DIGITS)


# A team's unit is that of its newest line in the list of teams.
_SQL = f"""
SELECT b.team AS team, b.model AS model, toString(t.centre) AS centre, b.gpu_hours AS gpu_hours,
  b.productive_gpu_hours AS productive_gpu_hours, b.capacity_value AS capacity_value,
  b.cash_billed AS cash_billed
FROM (SELECT toString(team) AS team, toString(model) AS model,
    {select(GPU_HOURS, CAPACITY_VALUE, CASH_BILLED)},
    sumIf(gpu_seconds, state = 'productive') / 3600 AS productive_gpu_hours
  FROM v_book_1h WHERE hour >= {{since:DateTime64(3, 'UTC')}}
    AND hour < {{until:DateTime64(3, 'UTC')}} GROUP BY team, model) AS b
LEFT JOIN (SELECT toString(team) AS team, argMax(toString(department), valid_from) AS centre
  FROM v_teams WHERE department != '' AND valid_from < {{until:DateTime64(3, 'UTC')}}
  GROUP BY team) AS t ON t.team = b.team
ORDER BY team, model"""
