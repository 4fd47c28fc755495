"""The appendix of the weekly report as values; units as in `analytics.report.value`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TeamWait:
    """What the jobs of one team waited for: GPU-hours, and seconds of nine in ten jobs."""

    team: str
    jobs: int
    waited_gpu_hours: float
    p90_seconds: float
    starved: str


@dataclass(frozen=True)
class Loss:
    """GPU-hours that one cause took from the fleet."""

    state: str
    help: str
    cause: str
    gpu_hours: float
    nodes: int
    colour: str


@dataclass(frozen=True)
class Offender:
    """A node that failed again and again in the four weeks up to the end of the period."""

    node: str
    failures: int
    gpu_hours: float
    causes: str


@dataclass(frozen=True)
class Health:
    """What hardware cost; `failures` and `mtbf_hours` (of one node) are of four weeks."""

    losses: tuple[Loss, ...]
    offenders: tuple[Offender, ...]
    failures: int
    mtbf_hours: float | None


@dataclass(frozen=True)
class TeamEnergy:
    """Energy of one team's jobs."""

    team: str
    kwh: float
    idle_kwh: float | None
    carbon_kg: float | None


@dataclass(frozen=True)
class Energy:
    """Kilowatt-hours and CO2 of the period; `unread_ratio` of the GPU-hours told no energy."""

    kwh: float | None
    site_kwh: float | None
    unproductive_kwh: float | None
    per_productive: float | None
    carbon_kg: float | None
    pue: float | None
    carbon_factor: float | None
    source: str
    unread_ratio: float | None
    teams: tuple[TeamEnergy, ...]
    not_shown: str


@dataclass(frozen=True)
class Outlook:
    """GPUs expected in four weeks, and the past error of such forecasts."""

    cluster: str
    pool: str
    measure: str
    expected: float
    low: float
    high: float
    error_ratio: float | None
    cover_ratio: float | None
    method: str


@dataclass(frozen=True)
class Outlooks:
    """What is expected, in words too; `not_shown` says why there is nothing."""

    made: datetime | None
    rows: tuple[Outlook, ...]
    equals: str
    not_shown: str


@dataclass(frozen=True)
class Cost:
    """What a productive GPU-hour of somebody cost; money is null without a price.

    `quote`: what a cloud asks for the same models, weighed by their productive hours.
    """

    who: str
    gpu_hours: float
    productive_gpu_hours: float
    capacity_value: float | None
    per_productive: float | None
    billed_per_productive: float | None
    quote: float | None


@dataclass(frozen=True)
class Costs:
    """The fleet's cost, and that of cost centres (or teams, where nobody told any)."""

    by: str
    rows: tuple[Cost, ...]
    quote_source: str
    not_shown: str


@dataclass(frozen=True)
class Reconciled:
    """One line of the asset list against what reports: GPUs, and GPU-hours (None: not known)."""

    what: str
    gpus: int
    gpu_hours: float | None
    advice: str


@dataclass(frozen=True)
class Grade:
    """GPU-hours of the book that rest on one evidence grade."""

    grade: str
    gpu_hours: float
    share: float
