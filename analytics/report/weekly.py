"""The weekly report: one period of the book as a typed value, from measures and views alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any

from analytics.book import last_booked
from analytics.evidence import HARDWARE, PEER_FAULT
from analytics.report.book import Book, Figures, Prices, Rows, total
from analytics.report.metrics import success_metrics
from analytics.report.notes import Span, closure, quality_notes
from analytics.report.value import (
    Advice,
    Day,
    Demand,
    LedgerRow,
    Metric,
    Piece,
    Step,
    Wait,
    Waste,
    WeeklyReport,
)
from analytics.report.verdict import sentence
from analytics.report.words import plain, without_persons
from gpuledger.errors import ConfigError
from gpuledger.service import Reader
from gpuledger.states import ACTIVE, BY_NAME, OCCUPIED, STATES, UNAVAILABLE, UNOCCUPIED, State

__all__ = [
    "Metric",
    "WeeklyReport",
    "collect",
    "last_booked",
    "last_seven_days",
    "week_bounds",
]

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
TOP_WASTES = 5
# 'Which at most three decisions are mine' (design/product.md, manager).
TOP_RECOMMENDATIONS = 3
GROUP_ORDER = (OCCUPIED, UNOCCUPIED, UNAVAILABLE)
# People read what worked first; the book decides in the opposite order.
READING_ORDER = tuple(s.name for group in GROUP_ORDER for s in reversed(STATES) if s.group == group)


def week_bounds(label: str) -> tuple[datetime, datetime]:
    """Monday 00:00 UTC and the next one, of an ISO week such as `2026-W47`; else ConfigError."""
    match = re.fullmatch(r"(\d{4})-W(\d{2})", label, re.ASCII)
    try:
        if not match:
            raise ValueError(label)
        since = datetime.fromisocalendar(int(match[1]), int(match[2]), 1).replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(
            f"--week {label}: write an ISO week that exists, such as 2026-W47"
        ) from None
    return since, since + WEEK


def last_seven_days(until: datetime) -> tuple[datetime, datetime]:
    """168 hours of the book, UTC, that end with the one `until` lies in."""
    until = until.astimezone(UTC)
    return until + (-(until - datetime.min.replace(tzinfo=UTC)) % HOUR) - WEEK, until


def collect(reader: Reader, since: datetime, until: datetime) -> WeeklyReport:
    """The report on the hours that begin in [since, until), UTC. StoreError where it fails."""
    book, expected = Book(reader, since, until), ceil((until - since) / HOUR)
    now, before = book.figures(), Book(reader, since - (until - since), since).figures()
    (clusters, gpus), prices, last = book.inventory(), book.prices(), last_booked(reader)
    ledger, largest = _ledger(book, prices), _largest(book, prices)
    demand, advice = _demand(book, now, ledger), book.recommendations()
    return WeeklyReport(
        clusters=clusters,
        week=_label(since, until),
        since=since,
        until=until,
        gpus=gpus,
        gpu_hours=now.owned_gpu_hours,
        booked_hours=now.booked_hours,
        expected_hours=expected,
        closure_ratio=closure(now),
        unknown_ratio=now.unknown,
        grade=now.grade,
        currency=prices.currency,
        money_not_shown=prices.not_shown,
        capacity_value=_money(prices.capacity_value, prices),
        cash_avoidable=_money(prices.cash_avoidable, prices),
        verdict=sentence(gpus, now, largest, demand, prices.currency),
        metrics=success_metrics(now, before, expected),
        ledger=ledger,
        waterfall=_waterfall(ledger),
        days=_days(book),
        largest=largest,
        demand=demand,
        wastes=tuple(_waste(row, prices) for row in book.wastes(TOP_WASTES)),
        recommendations=tuple(_advice(row) for row in advice[:TOP_RECOMMENDATIONS]),
        more_recommendations=max(0, len(advice) - TOP_RECOMMENDATIONS),
        waits=tuple(Wait(r["size_class"], r["jobs"], r["p50"], r["p90"]) for r in book.waits()),
        notes=quality_notes(now, prices, book.unowned_hours(), Span(until, expected, last)),
    )


def _label(since: datetime, until: datetime) -> str:
    """`2026-W47`, or what the period is where it is no calendar week."""
    year, week, weekday = since.isocalendar()
    if until - since == WEEK and weekday == 1 and since.hour == since.minute == 0:
        return f"{year}-W{week:02d}"
    days = round((until - since) / timedelta(days=1))
    return f"{days} day{'s' * (days != 1)} to {until:%Y-%m-%d %H:%M}"


def _ledger(book: Book, prices: Prices) -> tuple[LedgerRow, ...]:
    rows = sorted(book.states(), key=lambda row: _rank(row["state"]))
    everything = total(rows, "gpu_hours")
    return tuple(_ledger_row(row, everything, prices) for row in rows)


def _ledger_row(row: dict[str, Any], everything: float, prices: Prices) -> LedgerRow:
    state = _state(row["state"])
    return LedgerRow(
        state.name,
        state.group,
        state.help,
        row["gpu_hours"],
        round(row["gpu_hours"] / everything, 9) if everything else 0.0,
        row["loose_gpu_hours"],
        _money(row["capacity_value"], prices),
        _money(row["cash_avoidable"], prices),
        row["grade"],
        state.colour,
    )


def _state(name: str) -> State:
    """The state of that name; a stranger (an older book) is shown, never dropped."""
    unknown = State(name, "", name.replace("_", " "), "platform", "#616161", "")
    return BY_NAME.get(name, unknown)


def _rank(name: str) -> tuple[int, str]:
    known = READING_ORDER.index(name) if name in READING_ORDER else len(READING_ORDER)
    return known, name


def _money(value: float | None, prices: Prices) -> float | None:
    """An amount, unless amounts of several currencies were added up."""
    return value if prices.currency else None


def _waterfall(ledger: tuple[LedgerRow, ...]) -> tuple[Step, ...]:
    """From paid for to productive; each step is what the one before lost."""
    down = _hours(ledger, lambda row: row.group == UNAVAILABLE)
    free = _hours(ledger, lambda row: row.group == UNOCCUPIED)
    paid = _hours(ledger, lambda _: True)
    left = (
        ("paid for", paid, ""),
        ("available", paid - down, "out of service"),
        ("allocated", paid - down - free, "free"),
        ("active", _hours(ledger, lambda row: row.state in ACTIVE), "not at work"),
        ("productive", _hours(ledger, lambda row: row.state == "productive"), "mostly unused"),
    )
    before = (paid, *(value for _, value, _ in left))
    return tuple(
        Step(name, round(value, 6), round(value / paid, 9), round(was - value, 6), lost_to)
        for (name, value, lost_to), was in zip(left, before, strict=False)
        if paid
    )


def _hours(ledger: tuple[LedgerRow, ...], chosen: Callable[[LedgerRow], bool]) -> float:
    return sum(row.gpu_hours for row in ledger if chosen(row))


def _days(book: Book) -> tuple[Day, ...]:
    days: dict[str, dict[str, float]] = {}
    for row in book.days():
        days.setdefault(row["day"], {})[row["state"]] = row["gpu_hours"]
    return tuple(
        Day(date.fromisoformat(day), tuple(sorted(states.items(), key=lambda item: _rank(item[0]))))
        for day, states in days.items()
    )


def _largest(book: Book, prices: Prices) -> Piece | None:
    """The state with most to win back; its first row is the team that holds most of it."""
    groups: dict[str, Rows] = {}
    for row in book.pieces():
        groups.setdefault(row["state"], []).append(row)
    if not groups:
        return None
    rows = max(groups.values(), key=lambda g: (total(g, "loose_gpu_hours"), g[0]["state"]))
    return _piece(rows, prices)


def _piece(rows: Rows, prices: Prices) -> Piece:
    teams: dict[str, float] = {}
    for row in rows:
        teams[row["team"]] = teams.get(row["team"], 0.0) + row["loose_gpu_hours"]
    team = max(teams, key=lambda name: (teams[name], name))
    state = _state(rows[0]["state"])
    known = all(row["loose_value"] is not None for row in rows)
    value = total(rows, "loose_value") if known else None
    return Piece(
        state.name,
        state.help,
        round(total(rows, "loose_gpu_hours"), 6),
        _money(value, prices),
        plain(team),
        round(teams[team], 6),
        plain(next(row["cause"] for row in rows if row["team"] == team)),
        _who(next(row for row in rows if row["team"] == team)),
    )


def _who(row: Mapping[str, Any]) -> str:
    """Who can act on a loss: of a stall or idleness after a fault, whoever repairs it."""
    return HARDWARE if row["cause"] == PEER_FAULT else _state(row["state"]).who


def _demand(book: Book, now: Figures, ledger: tuple[LedgerRow, ...]) -> Demand:
    waiting = book.waiting()
    free = _hours(ledger, lambda row: row.state == "free_demand")
    known = bool(now.jobs or waiting["jobs"])
    return Demand(free, waiting["jobs"], waiting["gpus"], known)


def _waste(row: dict[str, Any], prices: Prices) -> Waste:
    state = _state(row["state"])
    return Waste(
        team=plain(row["team"]),
        job_name=plain(without_persons(row["job_name"], row["users"])),
        job=plain(row["first_job"]) if row["jobs"] == 1 else "",
        jobs=row["jobs"] if row["first_job"] else 0,
        state=state.name,
        help=state.help,
        cause=plain(row["cause"]),
        owner=_who(row),
        gpu_hours=row["loose_gpu_hours"],
        value=_money(row["loose_value"], prices),
        grade=row["grade"],
        since=row["began"],
        open=bool(row["open"]),
    )


def _advice(row: dict[str, Any]) -> Advice:
    def told(key: str) -> str:
        return plain(without_persons(row[key], [row["user"]]), limit=600)

    return Advice(
        title=told("title"),
        team=plain(row["team"]),
        gain_gpu_hours=row["gain_gpu_hours"],
        gain_low_gpu_hours=row["gain_low_gpu_hours"],
        gain_high_gpu_hours=row["gain_high_gpu_hours"],
        gain_value=row["gain_capacity_value"],
        currency=row["currency"],
        horizon_seconds=float(row["horizon_seconds"]),
        confidence=row["confidence_ratio"],
        because=told("because"),
        command=told("command"),
    )
