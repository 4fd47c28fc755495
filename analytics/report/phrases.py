"""Sentences and cells of the report: words that change with the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from math import floor

from analytics.report import weeks, words
from analytics.report.annex import TeamWait
from analytics.report.edition import edition_line
from analytics.report.value import (
    Amount,
    Baseline,
    Became,
    LedgerRow,
    Metric,
    Week,
    WeeklyReport,
)
from gpuledger.states import BY_NAME

FATES = {
    "proposed": "still open: nobody decided",
    "accepted": "accepted, not carried out yet",
    "dismissed": "declined",
    "snoozed": "put off",
    "expired": "lapsed: what it was about is over",
    "applied": "carried out, not measured yet",
    "measured": "carried out and measured",
    "not_measurable": "carried out, not measurable",
}


def period(report: WeeklyReport) -> str:
    """The days of the period as people of the report's time zone say them."""
    return weeks.days(report.since, report.until, report.timezone)


def deciding(report: WeeklyReport) -> str:
    """The heading above the decisions, with their number."""
    count = len(report.decisions)
    if not count:
        return "Decisions"
    day = words.day(report.decisions[0].due)
    noun = "decision" if count == 1 else "decisions"
    return f"{words.COUNTS.get(count, str(count))} {noun} by {day}"


def measured(value: float | None, unit: str) -> str:
    """A metric's value in its unit, or that there is none."""
    return words.NOTHING if value is None else words.quantity(value, unit)


def change(metric: Metric) -> str:
    """The change with its interval, or why there is none."""
    if metric.low == metric.high == 0:
        return "no change"
    if metric.change is None or metric.low is None or metric.high is None:
        return f"not shown: {metric.not_shown}"
    ends = (words.difference(end, metric.unit) for end in (metric.low, metric.high))
    return f"{words.difference(metric.change, metric.unit)} (95%: {' to '.join(ends)})"


def against(metric: Metric) -> str:
    """What the change is against, where that is not the baseline as it was."""
    if metric.adjusted is None:
        return ""
    was = words.quantity(metric.adjusted, metric.unit)
    return f"against {was} with this period's fleet and jobs"


def trend(metric: Metric) -> str:
    """`better`, `worse` or `same`, for the colour of the change."""
    if not metric.change:
        return "same"
    return "better" if (metric.change > 0) is metric.higher_is_better else "worse"


def baseline(told: Baseline | None) -> str:
    """Which time success is measured against."""
    if told is None:
        return "No baseline yet."
    last = told.until - timedelta(seconds=1)
    span = f"{words.day(told.since)} to {words.day(last)} {last.year}"
    return f"Baseline: {told.words} ({span})."


def cost(amount: Amount) -> str:
    """GPU-hours with their unit, or that nobody knows them."""
    return "not known" if amount.gpu_hours is None else words.hours(amount.gpu_hours)


def ends(amount: Amount) -> str:
    """`0 to 1,344`: the interval; empty where there is none."""
    if amount.low is None or amount.high is None or amount.low == amount.high:
        return ""
    return f"{words.number(amount.low)} to {words.number(amount.high)}"


def worth(amount: Amount, missing: str) -> str:
    """The amount in money with its interval, or why there is none."""
    if amount.value is None:
        return missing or words.NO_PRICE
    told = words.money(amount.value, amount.currency)
    if amount.value_low is None or amount.value_high is None or not ends(amount):
        return told
    return f"{told} ({words.number(amount.value_low)} to {words.number(amount.value_high)})"


def fate(became: Became) -> str:
    """What became of a decision, with the reason that was given."""
    told = FATES.get(became.status, became.status)
    return f"{told}: {became.said}" if became.said and ":" not in told else told


def unmeasured(became: Became) -> str:
    """Why there is no measured figure: it is still to come, or never will be."""
    if became.status == "not_measurable":
        return "not measurable"
    coming = {"proposed", "accepted", "applied", "snoozed"}
    return "not yet" if became.status in coming else words.NOTHING


def amount(value: float | None, missing: str = words.NO_PRICE) -> str:
    """An amount without its currency, or why there is none."""
    return missing if value is None else words.number(value)


def price(value: float | None) -> str:
    """An amount for one GPU-hour, with cents."""
    return words.NOTHING if value is None else f"{value:,.2f}"


def closing(ratio: float | None) -> str:
    """The closing error as a percentage fine enough to see it."""
    if ratio is None:
        return words.NOTHING
    return f"{round(ratio * 100, 3) + 0.0:.3f}%".replace("-", words.MINUS)


def groups(rows: Iterable[LedgerRow]) -> list[tuple[str, list[LedgerRow]]]:
    """Rows under the words for their groups, in the order in which they come."""
    grouped = groupby(rows, key=lambda row: words.GROUPS.get(row.group, "Other"))
    return [(group, list(of_group)) for group, of_group in grouped]


def colour(state: str) -> str:
    """The one colour of a state."""
    return BY_NAME[state].colour if state in BY_NAME else words.STRANGER


def width(share: float) -> str:
    """A share as the width of a bar, rounded down: two beside each other must fit."""
    return f"{floor(min(1.0, max(0.0, share)) * 1000) / 10:.1f}%"


def unbooked(history: Sequence[Week]) -> str:
    """How many weeks are not there, and that a part of one is not a whole."""
    gone = [week for week in history if not week.booked_hours]
    part = [week for week in history if 0 < week.booked_hours < week.expected_hours]
    told = []
    if len(gone) == len(history):
        return "None of these weeks is booked."
    if gone:
        verb = "is" if len(gone) == 1 else "are"
        told.append(f"{len(gone)} of {len(history)} weeks {verb} not booked and stay empty.")
    if part:
        verb = "is" if len(part) == 1 else "are"
        told.append(f"{', '.join(week.week for week in part)} {verb} booked in part.")
    return " ".join(told)


def starving(waits: Sequence[TeamWait]) -> str:
    """How many of the teams wait far longer than they use to."""
    count = sum(1 for wait in waits if wait.starved)
    if not count:
        return "None of them waited far longer than usual, or for what it is guaranteed."
    verb = "waits" if count == 1 else "wait"
    return f"{words.plural(count, 'team')} {verb} far longer than usual or for what is guaranteed."


PHRASES = (
    *(
        period,
        edition_line,
        deciding,
        measured,
        change,
        against,
        trend,
        baseline,
        cost,
        ends,
        worth,
    ),
    *(fate, unmeasured, amount, price, closing, groups, colour, width, unbooked, starving),
)
