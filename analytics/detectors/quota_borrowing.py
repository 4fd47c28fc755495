"""Pairs of teams or queues of which one waits, again and again, while the other has what is its.

One day of it is lending as it is meant; over weeks the guarantees no longer follow the work.
Nothing is lost in the book, so findings carry no GPU-seconds; `queue_starvation` tells of the
moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.detector import Detector
from analytics.placing.words import QUOTA_SQL
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.states import in_list
from gpuledger.store import Store
from gpuledger.waits import CAPACITY_REASONS

HOUR_MS = 3_600_000
DAY = timedelta(days=1)
OWNER = "scheduler admin"
Row = Mapping[str, Any]


class QuotaBorrowingSettings(Settings):
    """Section `[quota_borrowing]`."""

    history_d: Annotated[float, "days that are looked back"] = 14.0
    least_days: Annotated[int, "days on which it must have happened"] = 3
    least_gpu_hours: Annotated[float, "GPU-hours lent while their owner waited, at least"] = 24.0


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per pair."""
    assert isinstance(settings, QuotaBorrowingSettings)
    if span.since >= span.until:
        return
    since = span.until - timedelta(days=settings.history_d)
    parties = _parties(store, since, span.until)
    pairs: dict[tuple[_Key, _Key], _Pair] = {}
    for party in parties:
        _lend(party, [p for p in parties if party.lends_to(p)], pairs)
    for _, pair in sorted(pairs.items(), key=lambda item: item[0]):
        found = pair.gpu_hours >= settings.least_gpu_hours and pair.days >= settings.least_days
        if found and (not span.only or pair.subject in span.only):
            yield pair.finding(span, since)


_Key = tuple[str, str, str]


@dataclass
class _Party:
    """A team or queue with a guarantee: GPUs in use and waited for, by hour, in its mean."""

    cluster: str
    team: str
    queue: str
    parent: str
    guaranteed: float
    used: dict[int, float] = field(default_factory=dict)
    waits: dict[int, float] = field(default_factory=dict)
    used_pools: set[str] = field(default_factory=set)
    wait_pools: set[str] = field(default_factory=set)

    @property
    def key(self) -> _Key:
        return self.cluster, self.team, self.queue

    @property
    def name(self) -> str:
        """What people call it."""
        return self.team or self.queue

    def add(self, row: Row) -> None:
        """Count a row of work that its quota covers."""
        by_hour, pools = (
            (self.waits, self.wait_pools) if row["waits"] else (self.used, self.used_pools)
        )
        by_hour[row["hour"]] = by_hour.get(row["hour"], 0.0) + row["gpus"]
        pools.add(row["pool"])

    def covers(self, row: Row) -> bool:
        return bool(
            row["cluster"] == self.cluster
            and self.team in {"", row["team"]}
            and self.queue in {"", row["pool"]}
        )

    def lends_to(self, other: _Party) -> bool:
        """Whether the other draws on the same hardware."""
        if self.cluster != other.cluster or self.key == other.key:
            return False
        if self.parent or other.parent:
            return self.parent == other.parent
        return not self.wait_pools.isdisjoint(other.used_pools)

    def short(self, hour: int) -> float:
        """GPUs of its guarantee that it waited for."""
        return min(self.guaranteed - self.used.get(hour, 0.0), self.waits.get(hour, 0.0))

    def above(self, hour: int) -> float:
        """GPUs beyond its guarantee."""
        return self.used.get(hour, 0.0) - self.guaranteed


@dataclass
class _Pair:
    """Who waited, who had it, and how much in which hour."""

    starved: _Party
    borrower: _Party
    lent: dict[int, float] = field(default_factory=dict)

    @property
    def gpu_hours(self) -> float:
        return sum(self.lent.values())

    @property
    def days(self) -> int:
        return len({hour // (24 * HOUR_MS) for hour in self.lent})

    @property
    def subject(self) -> str:
        return f"{self.starved.cluster}/{self.starved.name}>{self.borrower.name}"

    def finding(self, span: Span, since: datetime) -> Finding:
        first, last = min(self.lent), max(self.lent)
        until = min(from_milliseconds(last + HOUR_MS), span.until)
        gpus = max(1, round(self.gpu_hours / len(self.lent)))
        things = evidence.counted(gpus, "GPU")
        row = {
            "since": from_milliseconds(first),
            "until": until,
            "open": int(span.until - until < DAY),
            "gpus": gpus,
            "gpu_seconds": 0,
            "capacity_value": None,
            "cash_avoidable": None,
            "grade": "D",
        }
        return evidence.finding(
            "quota_borrowing",
            row,
            span,
            subject=self.subject,
            team=self.starved.team,
            pool=", ".join(sorted(self.starved.wait_pools)),
            owner=OWNER,
            cause="lent",
            confidence_ratio=0.8,
            action=(
                f"Let {self.starved.name} reclaim its guarantee by preemption, or agree on other"
                f" quotas: {self.borrower.name} needs about {things} more than its"
                f" {self.borrower.guaranteed:g}."
            ),
            summary=(
                f"on {self.days} of the last {(span.until - since).days} days"
                f" {self.starved.name} waited for GPUs of its guarantee"
                f" ({self.starved.guaranteed:g}) while {self.borrower.name} ran above its own"
                f" ({self.borrower.guaranteed:g}): {things} on average,"
                f" {self.gpu_hours:,.0f} GPU-hours"
            ),
            evidence=_shown(self.starved.cluster, since, span.until),
        )


def _lend(party: _Party, others: Sequence[_Party], pairs: dict[tuple[_Key, _Key], _Pair]) -> None:
    """Hour by hour, what it lacks comes from those who have most above their guarantee."""
    for hour in sorted(party.waits):
        short = party.short(hour)
        above = (
            sorted((-other.above(hour), other.key, other) for other in others) if short > 0 else ()
        )
        for negative, key, other in above:
            part = min(short, -negative)
            if part <= 0:
                break
            pair = pairs.setdefault((party.key, key), _Pair(party, other))
            pair.lent[hour] = part
            short -= part


def _parties(store: Store, since: datetime, until: datetime) -> list[_Party]:
    parties = [_Party(**row) for row in store.select(_QUOTAS_SQL)]
    if len(parties) < 2:
        return []
    for row in store.select(_WORK_SQL, lo=to_milliseconds(since), hi=to_milliseconds(until)):
        for party in parties:
            if party.covers(row):
                party.add(row)
    return parties


def _shown(cluster: str, since: datetime, until: datetime) -> str:
    """The query that shows use by day; the guarantees are in `quotas`."""
    return (
        "SELECT toDate(hour) AS day, team, sum(gpu_seconds) / 86400 AS gpus FROM v_book_1h"
        f" WHERE cluster = {evidence.quoted(cluster)} AND team != ''"
        f" AND {evidence.during('hour', since, until)} GROUP BY day, team ORDER BY day, team"
    )


_QUOTAS_SQL = """
SELECT toString(cluster) AS cluster, toString(team) AS team, toString(queue) AS queue,
  toString(any(parent)) AS parent, sum(guaranteed_milli) / 1000 AS guaranteed
FROM quotas FINAL GROUP BY cluster, team, queue HAVING guaranteed > 0
ORDER BY cluster, team, queue"""
_CAPACITY = in_list(tuple(sorted(CAPACITY_REASONS)))
_FOREVER = "toDateTime64('2106-01-01', 3, 'UTC')"
# Of jobs that started nobody kept what they waited for last: their eligible time leaves out waits
# for anything but capacity and quota.
_JOBS = f"""
SELECT cluster, team, pool, toUInt64(nodes) * gpus_per_node * share_milli / 1000 AS gpus,
  arrayJoin([(0, toUnixTimestamp64Milli(started), toUnixTimestamp64Milli(ended)),
    (1, toUnixTimestamp64Milli(if(eligible < {_FOREVER}, eligible, submitted)),
      toUnixTimestamp64Milli(least(started, ended)))]) AS phase
FROM jobs FINAL
WHERE gpus_per_node > 0 AND toUnixTimestamp64Milli(ended) > {{lo:Int64}}
  AND toUnixTimestamp64Milli(submitted) < {{hi:Int64}}
  AND (phase.1 = 0 OR state != 'pending' OR reason IN {_CAPACITY} OR {QUOTA_SQL})"""
_WORK_SQL = f"""
SELECT toString(cluster) AS cluster, toString(team) AS team, toString(pool) AS pool, waits, hour,
  sum(gpus * (least(t, hour + {HOUR_MS}) - greatest(f, hour))) / {HOUR_MS} AS gpus
FROM (
  SELECT cluster, team, pool, gpus, phase.1 AS waits,
    greatest(phase.2, {{lo:Int64}}) AS f, least(phase.3, {{hi:Int64}}) AS t,
    arrayJoin(arrayMap(x -> toInt64(x), range(toUInt64(intDiv(f, {HOUR_MS}) * {HOUR_MS}),
      toUInt64(greatest(t, f)), {HOUR_MS}))) AS hour
  FROM ({_JOBS}) WHERE f < t)
GROUP BY cluster, team, pool, waits, hour ORDER BY cluster, team, pool, waits, hour"""

detector = Detector(
    "Teams that wait for their quota, week after week, while another has it",
    QuotaBorrowingSettings,
    find,
)
