"""The weekly report as a value: everything that a page, a mail or a program may show of it.

Hours are GPU-hours, ratios run from 0 to 1, waits are seconds, money is in `currency`.
`None` is 'not known'; the reason stands beside it or in `notes`. No field names a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class Metric:
    """One of the success metrics, with the same span before it."""

    name: str
    unit: str
    value: float | None
    previous: float | None = None
    change: float | None = None
    not_shown: str = ""
    grade: str = ""
    detail: str = ""
    higher_is_better: bool = True


@dataclass(frozen=True)
class LedgerRow:
    """GPU-hours of one state; money is null without a price."""

    state: str
    group: str
    help: str
    gpu_hours: float
    share: float
    loose_gpu_hours: float
    capacity_value: float | None
    cash_avoidable: float | None
    grade: str
    colour: str


@dataclass(frozen=True)
class Step:
    """One step from paid for to productive; `lost_to` says what took the difference."""

    name: str
    gpu_hours: float
    share: float
    lost_gpu_hours: float
    lost_to: str


@dataclass(frozen=True)
class Day:
    """The book of one day, UTC: state and GPU-hours, in the order of the ledger."""

    day: date
    gpu_hours: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Waste:
    """GPU-hours that could be won back from a team's jobs of one name.

    `job` is the id where it is one job. `jobs` = 0: nobody holds them, `owner` can act.
    """

    team: str
    job_name: str
    job: str
    jobs: int
    state: str
    help: str
    cause: str
    owner: str
    gpu_hours: float
    value: float | None
    grade: str
    since: datetime
    open: bool

    @property
    def holder(self) -> str:
        """The team, else the role that can act."""
        return self.team or self.owner

    @property
    def count(self) -> str:
        """The one job's id, or how many jobs."""
        if not self.jobs:
            return "no job holds them"
        return self.job or f"{self.jobs:,} jobs"


@dataclass(frozen=True)
class Piece:
    """The state with most to win back, and who holds most of it."""

    state: str
    help: str
    gpu_hours: float
    value: float | None
    team: str
    team_gpu_hours: float
    cause: str
    owner: str


@dataclass(frozen=True)
class Advice:
    """A recommendation; the gain, and the ends of its interval, are of `horizon_seconds`."""

    title: str
    team: str
    gain_gpu_hours: float | None
    gain_low_gpu_hours: float | None
    gain_high_gpu_hours: float | None
    gain_value: float | None
    currency: str
    horizon_seconds: float
    confidence: float | None
    because: str
    command: str


@dataclass(frozen=True)
class Wait:
    """Seconds from eligible to started, of the jobs of one size class that started."""

    size_class: str
    jobs: int
    p50_seconds: float
    p90_seconds: float


@dataclass(frozen=True)
class Demand:
    """What was asked for and not served."""

    free_gpu_hours: float
    waiting_jobs: int
    waiting_gpus: int
    known: bool


@dataclass(frozen=True)
class WeeklyReport:
    """One period of the book."""

    clusters: tuple[str, ...]
    week: str
    since: datetime
    until: datetime
    gpus: int
    gpu_hours: float
    booked_hours: int
    expected_hours: int
    closure_ratio: float | None
    unknown_ratio: float | None
    grade: str
    currency: str
    money_not_shown: str
    capacity_value: float | None
    cash_avoidable: float | None
    verdict: str
    metrics: tuple[Metric, ...]
    ledger: tuple[LedgerRow, ...]
    waterfall: tuple[Step, ...]
    days: tuple[Day, ...]
    largest: Piece | None
    demand: Demand
    wastes: tuple[Waste, ...]
    recommendations: tuple[Advice, ...]
    more_recommendations: int
    waits: tuple[Wait, ...]
    notes: tuple[str, ...]
