"""What a reader must know before trusting the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.report.book import Figures, Prices
from analytics.report.words import NO_PRICE, at, hours, number, percent
from gpuledger.states import CLOSES_WITHIN, UNKNOWN_WITHIN

WEAK_GRADES = {
    "C": "utilization counters only: a GPU that spins in place looks busy",
    "D": "the scheduler only: nobody saw what the GPUs did",
}


@dataclass(frozen=True)
class Span:
    """How long the period is, and how far the book goes; None before its first hour.

    `provisional_h`: how long late data may still change what is booked.
    """

    until: datetime
    expected_hours: int
    last_booked: datetime | None
    provisional_h: float


def quality_notes(
    now: Figures, prices: Prices, unowned_gpu_hours: float, span: Span
) -> tuple[str, ...]:
    """Notes in a fixed order; empty where there is nothing to say."""
    notes = (
        _booking(now, span),
        _closing(now),
        _unknown(now),
        _evidence(now),
        _pricing(now, prices),
        _unowned(unowned_gpu_hours),
        _provisional(span),
    )
    return tuple(note for note in notes if note)


def closure(figures: Figures) -> float | None:
    """Booked against owned GPU-hours, as a share of owned; None where nothing is owned."""
    if not figures.owned_gpu_hours:
        return None
    error = figures.booked_gpu_hours - figures.owned_gpu_hours
    return round(error / figures.owned_gpu_hours, 9)


def _booking(now: Figures, span: Span) -> str:
    if span.last_booked is None:
        return "Nothing is booked yet: the analytics have not run on this store."
    if now.booked_hours >= span.expected_hours:
        return ""
    ends = f"; the book ends at {at(span.last_booked)} UTC" if span.last_booked < span.until else ""
    return f"{now.booked_hours} of {span.expected_hours} hours of this period are booked{ends}."


def _closing(now: Figures) -> str:
    error = closure(now)
    if error is None or abs(error) <= CLOSES_WITHIN:
        return ""
    gap = hours(abs(now.booked_gpu_hours - now.owned_gpu_hours))
    return f"The book does not close: {gap} lie between what is booked and what is owned."


def _unknown(now: Figures) -> str:
    if (now.unknown or 0) <= UNKNOWN_WITHIN:
        return ""
    return (
        f"For {percent(now.unknown)} of the time nobody saw what the GPUs did: shares are ranges."
    )


def _evidence(now: Figures) -> str:
    why = WEAK_GRADES.get(now.grade, "")
    return f"Part of the evidence is grade {now.grade}, {why}." if why else ""


def _pricing(now: Figures, prices: Prices) -> str:
    if not now.booked_gpu_hours:
        return ""
    if not prices.currencies:
        return f"Money: {NO_PRICE}. Prices are set in the configuration."
    if len(prices.currencies) > 1:
        return f"Money is not shown: prices are in {' and '.join(prices.currencies)}."
    if (prices.priced_ratio or 0) < 1:
        bare = percent(1 - (prices.priced_ratio or 0))
        return f"{bare} of the GPU-hours have no price and are missing from the money columns."
    return ""


def _unowned(gpu_hours: float) -> str:
    if not gpu_hours:
        return ""
    return f"{number(gpu_hours)} allocated GPU-hours belong to no team that the scheduler names."


def _provisional(span: Span) -> str:
    last = span.last_booked
    if last is None or last - span.until >= timedelta(hours=span.provisional_h):
        return ""
    wait = number(span.provisional_h)
    return f"The last {wait} hours are provisional: late data may still change them."
