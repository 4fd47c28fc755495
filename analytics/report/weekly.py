"""The weekly report: one period of the book as a typed value, from measures and views alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import ceil
from typing import Any

from analytics import book as whole
from analytics.book import last_booked
from analytics.evidence import HARDWARE, PEER_FAULT
from analytics.report import decisions, snapshot, weeks
from analytics.report.asked import Asked
from analytics.report.book import Book, Figures, Prices, Rows, total
from analytics.report.costs import costs
from analytics.report.energy import energy
from analytics.report.fairness import team_waits
from analytics.report.health import health
from analytics.report.history import history
from analytics.report.inventory import grades, reconciled
from analytics.report.metrics import Case, baseline, success_metrics
from analytics.report.notes import Span, closure, quality_notes
from analytics.report.options import Options
from analytics.report.outlooks import CAPACITY, outlooks, reclaimed
from analytics.report.persons import Persons, persons
from analytics.report.value import (
    Baseline,
    Became,
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
from analytics.report.words import STRANGER, plain
from gpuledger.service import Reader
from gpuledger.states import ACTIVE, BY_NAME, OCCUPIED, STATES, UNAVAILABLE, UNOCCUPIED, State

__all__ = [
    "Metric",
    "WeeklyReport",
    "collect",
    "last_booked",
    "last_seven_days",
]

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
TOP_WASTES = 5
GROUP_ORDER = (OCCUPIED, UNOCCUPIED, UNAVAILABLE)
# People read what worked first; the book decides in the opposite order.
READING_ORDER = tuple(s.name for group in GROUP_ORDER for s in reversed(STATES) if s.group == group)
# What to do where no finding of the job says it.
ACTIONS = {
    "stalled": "find where it hangs, then start it again from its last checkpoint",
    "alloc_idle": "end it, or put it back to work",
    "underused": "give it a larger batch, or a smaller GPU or slice",
    "free_demand": "see why the scheduler does not start what waits",
    "stranded": "move tasks together: gpuledger recommend plan",
}


def last_seven_days(until: datetime) -> tuple[datetime, datetime]:
    """168 hours of the book, UTC, that end with the one `until` lies in."""
    until = until.astimezone(UTC)
    return until + (-(until - datetime.min.replace(tzinfo=UTC)) % HOUR) - WEEK, until


def collect(
    reader: Reader, since: datetime, until: datetime, options: Options | None = None
) -> WeeklyReport:
    """The report on the hours that begin in [since, until), UTC. StoreError where it fails."""
    case = _Case(reader, since, until, options or Options())
    return WeeklyReport(
        **_head(case),
        **_page1(case),
        **_appendix(case),
        queries=case.asked.queries(),
        grafana=case.options.grafana,
        console=case.options.console,
        timezone=str(case.zone),
    )


class _Case:
    """What every part of a report needs: the period, its figures and its prices."""

    def __init__(self, reader: Reader, since: datetime, until: datetime, options: Options) -> None:
        asked = Asked(reader)
        self.reader = reader
        self.asked, self.since, self.until, self.options = asked, since, until, options
        self.zone = options.zone
        self.book = Book(asked, since, until, options.zone)
        self.expected = ceil((until - since) / HOUR)
        self.clusters, self.gpus = self.book.inventory()
        self.prices = self.book.prices()
        self.last = last_booked(asked)
        self.persons = persons(reader)
        with asked.section("metrics"):
            self.figures = self.book.figures()
        with asked.section("ledger"):
            self.ledger = _ledger(self.book, self.prices)
        with asked.section("decisions"):
            standing = decisions.proposed(asked, until, until)
        self.proposals = [
            decisions.decision(group, until, self.zone, self.persons)
            for group in decisions.grouped(standing)
        ]


def _head(case: _Case) -> dict[str, Any]:
    """What the report is about, and what it rests on."""
    now, prices = case.figures, case.prices
    span = Span(case.until, case.expected, case.last, case.options.provisional_h)
    with case.asked.section("quality"):
        unowned = case.book.unowned_hours()
    return {
        "clusters": case.clusters,
        "week": _label(case.since, case.until, case.zone),
        "since": case.since,
        "until": case.until,
        "gpus": case.gpus,
        "gpu_hours": now.owned_gpu_hours,
        "booked_hours": now.booked_hours,
        "expected_hours": case.expected,
        "closure_ratio": closure(now),
        "unknown_ratio": now.unknown,
        "grade": now.grade,
        "currency": prices.currency,
        "money_not_shown": prices.not_shown,
        "capacity_value": _money(prices.capacity_value, prices),
        "cash_avoidable": _money(prices.cash_avoidable, prices),
        "notes": quality_notes(now, prices, unowned, span),
    }


def _page1(case: _Case) -> dict[str, Any]:
    """The verdict and what a manager decides on."""
    book, asked, prices = case.book, case.asked, case.prices
    with asked.section("wastes"):
        largest = _largest(book, prices)
        wastes = tuple(_waste(row, prices, case.persons) for row in book.wastes(TOP_WASTES))
    with asked.section("waits"):
        demand = _demand(book, case.figures, case.ledger)
    with asked.section("history"):
        before = history(asked, case.until, case.zone)
    against, metrics = _success(case)
    return {
        "verdict": sentence(case.gpus, case.figures, largest, demand, prices.currency),
        "baseline": against,
        "metrics": metrics,
        "waterfall": _waterfall(case.ledger),
        "history": before,
        "largest": largest,
        "demand": demand,
        "wastes": wastes,
        "decisions": tuple(case.proposals[: decisions.MOST]),
        "more_decisions": max(0, len(case.proposals) - decisions.MOST),
        "last_decisions": _last_decisions(case),
    }


def _appendix(case: _Case) -> dict[str, Any]:
    """The rest, section by section."""
    asked, since, until = case.asked, case.since, case.until
    currency, quote, known = case.prices.currency, case.options.quote, case.persons
    advice = tuple(d for d in case.proposals if d.kind in CAPACITY)
    parts: dict[str, tuple[str, Callable[[], Any]]] = {
        "days": ("ledger", lambda: _days(case.book)),
        "outcomes": ("outcomes", lambda: decisions.outcomes(asked, since, until, known)),
        "waits": ("waits", lambda: tuple(_wait(row) for row in case.book.waits())),
        "team_waits": ("waits", lambda: team_waits(asked, since, until, known)),
        "health": ("health", lambda: health(asked, since, until)),
        "energy": ("energy", lambda: energy(asked, since, until)),
        "forecast": ("forecast", lambda: outlooks(asked, until, reclaimed(case.proposals))),
        "costs": ("costs", lambda: costs(asked, since, until, currency, quote)),
        "reconciled": ("reconciled", lambda: reconciled(asked, since, until)),
        "grades": ("quality", lambda: grades(asked, since, until)),
    }
    found: dict[str, Any] = {"ledger": case.ledger, "advice": advice}
    for name, (section, ask) in parts.items():
        with asked.section(section):
            found[name] = ask()
    return found


def _success(case: _Case) -> tuple[Baseline | None, tuple[Metric, ...]]:
    """The baseline, and the success metrics against it."""
    asked = case.asked
    with asked.section("metrics"):
        against, gap = baseline(asked, case.since)
        before = earlier = None
        if against:
            before = whole.Span(against.since, against.until)
            earlier = Book(asked, against.since, against.until).figures()
    now = whole.Span(case.since, case.until)
    with asked.section("compared"):
        return against, success_metrics(Case(asked, now, case.figures, before, earlier, gap))


def _last_decisions(case: _Case) -> tuple[Became, ...]:
    """What became of the decisions of the report before; unreleased, of those it would have had."""
    name = weeks.label(case.since, case.until, case.zone)
    released = name and snapshot.released(case.reader, weeks.before(name, case.zone))
    with case.asked.section("outcomes"):
        if released:
            told = released.report().decisions
            return decisions.followed(case.asked, told, case.until, case.persons)
        rows = decisions.proposed(case.asked, case.since, case.until)
    return tuple(
        decisions.became(group[0], case.persons, len(group) - 1)
        for group in decisions.grouped(rows)[: decisions.MOST]
    )


def _label(since: datetime, until: datetime, zone: tzinfo) -> str:
    """`2026-W47`, or what the period is where it is no calendar week."""
    if week := weeks.label(since, until, zone):
        return week
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
    unknown = State(name, "", name.replace("_", " "), "platform", STRANGER, "")
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


def _waste(row: dict[str, Any], prices: Prices, known: Persons) -> Waste:
    state = _state(row["state"])
    return Waste(
        team=plain(row["team"]),
        job_name=known.out_of(row["job_name"]),
        job=plain(row["first_job"]) if row["jobs"] == 1 else "",
        jobs=row["jobs"] if row["first_job"] else 0,
        state=state.name,
        help=state.help,
        cause=plain(row["cause"] or row["found"]),
        owner=_who(row),
        gpu_hours=row["loose_gpu_hours"],
        value=_money(row["loose_value"], prices),
        grade=row["grade"],
        since=row["began"],
        open=bool(row["open"]),
        action=known.out_of(row["action"]) or ACTIONS.get(state.name, ""),
    )


def _wait(row: Mapping[str, Any]) -> Wait:
    return Wait(row["size_class"], row["jobs"], row["p50"], row["p90"])
