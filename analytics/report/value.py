"""The weekly report as a value: everything that a page, a mail or a program may show of it.

Hours are GPU-hours, ratios run from 0 to 1, waits are seconds, money is in `currency`.
`None` is 'not known'; the reason stands beside it or in `notes`. No field names a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from analytics.report.annex import (
    Costs,
    Energy,
    Grade,
    Health,
    Outlooks,
    Reconciled,
    TeamWait,
)


@dataclass(frozen=True)
class Query:
    """The SQL behind one section, its parameters written out; `board` is the one that shows it."""

    name: str
    title: str
    board: str
    sql: tuple[str, ...]


@dataclass(frozen=True)
class Baseline:
    """The time before that success is measured against; `words` say which one."""

    since: datetime
    until: datetime
    words: str


@dataclass(frozen=True)
class Metric:
    """One of the success metrics against the baseline.

    `adjusted`: the baseline with this period's fleet and job mix; `change` is against it, `low`
    and `high` are the ends of its 95 % interval. `not_shown`: why there is no change, or no value.
    """

    name: str
    unit: str
    value: float | None
    baseline: float | None = None
    adjusted: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
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
class Week:
    """The waterfall of one week in GPU-hours; None where no hour of it is booked."""

    week: str
    since: datetime
    booked_hours: int
    expected_hours: int
    paid: float | None
    available: float | None
    allocated: float | None
    active: float | None
    productive: float | None


@dataclass(frozen=True)
class Day:
    """The book of one day, UTC: state and GPU-hours, in the order of the ledger."""

    day: date
    gpu_hours: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Waste:
    """GPU-hours that could be won back from a team's jobs of one name, and what to do.

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
    action: str = ""

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
class Amount:
    """GPU-hours with the ends of their interval, and the same in money; None is not known."""

    gpu_hours: float | None
    low: float | None = None
    high: float | None = None
    value: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    currency: str = ""


@dataclass(frozen=True)
class Decision:
    """Something a person decides: who, until when, and what each week without it costs.

    `more`: proposals of the same kind to the same team that it stands for beside the first one.
    """

    id: str
    kind: str
    title: str
    more: int
    team: str
    owner: str
    due: date
    cost: Amount
    confidence: float | None
    because: str
    command: str


@dataclass(frozen=True)
class Became:
    """A decision of before, and what became of it; `predicted` and `measured` of one horizon.

    `more`: proposals that the decision stood for beside the first one, of which this tells.
    """

    id: str
    title: str
    team: str
    status: str
    said: str
    horizon_seconds: float
    predicted: Amount
    measured: Amount | None
    more: int = 0


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
class Edition:
    """Which frozen version of a week this is; `corrects` says why it replaces the one before."""

    snapshot_id: str
    version: int
    state: str
    at: datetime
    corrects: str = ""


@dataclass(frozen=True)
class LeadNote:
    """What the lead of a team remarks on the week."""

    team: str
    text: str


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
    baseline: Baseline | None
    metrics: tuple[Metric, ...]
    ledger: tuple[LedgerRow, ...]
    waterfall: tuple[Step, ...]
    history: tuple[Week, ...]
    days: tuple[Day, ...]
    largest: Piece | None
    demand: Demand
    wastes: tuple[Waste, ...]
    decisions: tuple[Decision, ...]
    more_decisions: int
    last_decisions: tuple[Became, ...]
    outcomes: tuple[Became, ...]
    waits: tuple[Wait, ...]
    team_waits: tuple[TeamWait, ...]
    health: Health
    energy: Energy
    forecast: Outlooks
    advice: tuple[Decision, ...]
    costs: Costs
    reconciled: tuple[Reconciled, ...]
    grades: tuple[Grade, ...]
    notes: tuple[str, ...]
    queries: tuple[Query, ...]
    grafana: str
    console: str
    timezone: str = "UTC"
    edition: Edition | None = None
    lead_notes: tuple[LeadNote, ...] = ()
