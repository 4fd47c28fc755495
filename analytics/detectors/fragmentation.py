"""Pools where jobs wait although GPUs enough are free, only in crumbs.

What counts as lost is what the book calls stranded for want of one piece (GPUs beside each other,
processors, one island), up to what jobs refused for capacity waited for in the same hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import evidence, hours
from analytics.book import Span
from analytics.detector import Detector
from analytics.placing.settings import PlacementSettings
from analytics.repacking import figures
from analytics.repacking.blocked import Blocked, blocked
from analytics.repacking.scene import open_scene
from analytics.repacking.settings import SnapshotSettings
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import CAPACITY_VALUE
from gpuledger.states import LedgerSettings, in_list
from gpuledger.store import Store

HOUR = timedelta(hours=1)
OWNER = "scheduler admin"
# Causes of `stranded` that moving tasks can mend.
CRUMBS = ("gpu_count_on_node", "cpu_ram", "topology_island")
Row = Mapping[str, Any]


class FragmentationSettings(Settings):
    """Section `[fragmentation]`."""

    least_gpus: Annotated[float, "stranded and waited for, GPUs in an hour's mean, at least"] = 1.0
    after_h: Annotated[int, "hours in a row for which that must hold"] = 2


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """One finding per pool and episode of whole hours."""
    assert isinstance(settings, FragmentationSettings)
    if span.since >= span.until:
        return
    rows = store.select(_HOURS_SQL, since=span.since, until=span.until, least=settings.least_gpus)
    episodes = [_Episode(run) for run in hours.consecutive(rows, _place)]
    episodes = [e for e in episodes if e.length >= settings.after_h * HOUR]
    if span.only:
        episodes = [e for e in episodes if e.subject in span.only]
    now = _Now(store, span) if any(e.until >= span.until for e in episodes) else None
    for episode in episodes:
        yield episode.finding(span, now)


@dataclass(frozen=True)
class _Episode:
    """Consecutive hours of a pool."""

    hours: Sequence[Row]

    @property
    def subject(self) -> str:
        return f"{self.hours[0]['cluster']}/{self.hours[0]['pool']}"

    @property
    def until(self) -> datetime:
        end: datetime = self.hours[-1]["until"]
        return end

    @property
    def length(self) -> timedelta:
        return hours.length(list(self.hours))

    def finding(self, span: Span, now: _Now | None) -> Finding:
        last, cause = self.hours[-1], self._cause()
        opened = now is not None and self.until >= span.until
        first = now.first(last["cluster"], last["pool"]) if now and opened else None
        row = {
            "since": self.hours[0]["hour"],
            "until": self.until,
            "open": int(opened),
            "gpus": round(last["stranded"]),
            "gpu_seconds": sum(h["lost_seconds"] for h in self.hours),
            "capacity_value": hours.known_sum(self.hours, "capacity_value"),
            "cash_avoidable": None,
            "currency": last["currency"],
            "grade": max(h["grade"] for h in self.hours),
        }
        return evidence.finding(
            "fragmentation",
            row,
            span,
            subject=self.subject,
            pool=last["pool"],
            owner=OWNER,
            cause=cause,
            # The scheduler's word decides here, and that is known at every grade.
            confidence_ratio=0.9 if first else 0.7,
            action=_ACTIONS[cause],
            summary=self._summary(first, now),
            evidence=_shown(last["cluster"], last["pool"], self.hours[0]["hour"], self.until),
        )

    def _cause(self) -> str:
        sums = {c: sum(h["by_cause"].get(c, 0) for h in self.hours) for c in CRUMBS}
        return min(sums, key=lambda c: (-sums[c], c))

    def _summary(self, first: Blocked | None, now: _Now | None) -> str:
        last = self.hours[-1]
        lasted = evidence.duration(self.length)
        told = (
            f"{evidence.counted(round(last['stranded']), 'GPU')} of {last['pool']} free in crumbs"
            f" while jobs waited for {evidence.counted(round(last['unmet']), 'GPU')}, for {lasted}"
        )
        if first is None or now is None:
            return told
        found = now.figures[last["cluster"], last["pool"]]
        waits = evidence.duration(now.at - from_milliseconds(first.job.rank[1]))
        return f"{_asks(first)} waits since {waits}; {found.sentence}; {told}"


def _asks(first: Blocked) -> str:
    shape = first.job.shape
    asked = f"{first.job.job_id} for {evidence.counted(shape.total, 'GPU')}"
    return f"{asked} on {shape.nodes} nodes" if shape.nodes > 1 else f"{asked} on one node"


class _Now:
    """The end of the span: what fits, and who is blocked."""

    def __init__(self, store: Store, span: Span) -> None:
        scene = open_scene(
            store,
            span.until,
            span.until,
            SnapshotSettings(),
            LedgerSettings(),
            PlacementSettings(),
        )
        scene.at(span.until)
        self.at = span.until
        self.figures = {(f.cluster, f.pool): f for f in figures.pools(scene)}
        self._blocked = list(blocked(scene))

    def first(self, cluster: str, pool: str) -> Blocked | None:
        """The blocked job of the pool that is served first."""
        return next((b for b in self._blocked if (b.cluster, b.pool) == (cluster, pool)), None)


def _place(row: Row) -> tuple[str, str]:
    return row["cluster"], row["pool"]


def _shown(cluster: str, pool: str, since: datetime, until: datetime) -> str:
    return (
        "SELECT hour, node, cause, sum(gpu_seconds) / 3600 AS gpu_hours FROM v_book_1h"
        f" WHERE cluster = {evidence.quoted(cluster)} AND pool = {evidence.quoted(pool)}"
        f" AND state = 'stranded' AND {evidence.during('hour', since, until)}"
        " GROUP BY hour, node, cause ORDER BY hour, gpu_hours DESC, node, cause"
    )


_REPACK = "gpuledger recommend plan --at now"
_ACTIONS = {
    "gpu_count_on_node": f"Move a few tasks together so that whole nodes come free: {_REPACK}.",
    "cpu_ram": "Let tasks ask for fewer processors and less memory beside their GPUs, or move them:"
    f" {_REPACK}.",
    "topology_island": f"Free nodes below one switch: {_REPACK}.",
}
_HOURS_SQL = f"""
SELECT b.cluster AS cluster, b.pool AS pool, b.hour AS hour,
  least(hour + INTERVAL 1 HOUR, {{until:DateTime64(3, 'UTC')}}) AS until,
  sum(b.gpu_seconds) AS stranded_seconds, any(d.unmet) AS unmet_seconds,
  least(stranded_seconds, unmet_seconds) AS lost_seconds,
  stranded_seconds / dateDiff('second', hour, until) AS stranded,
  unmet_seconds / dateDiff('second', hour, until) AS unmet,
  {CAPACITY_VALUE.sql} * lost_seconds / nullIf(stranded_seconds, 0) AS capacity_value,
  max(b.currency) AS currency, max(b.grade) AS grade,
  sumMap(map(toString(b.cause), b.gpu_seconds)) AS by_cause
FROM (SELECT * FROM v_book_1h WHERE state = 'stranded' AND cause IN {in_list(CRUMBS)}
  AND hour >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
  AND hour < {{until:DateTime64(3, 'UTC')}}) AS b
INNER JOIN (SELECT cluster, pool, toStartOfHour(minute) AS hour, sum(unmet_seconds) AS unmet
  FROM v_demand_1m WHERE minute >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
  AND minute < {{until:DateTime64(3, 'UTC')}} GROUP BY cluster, pool, hour) AS d
  ON d.cluster = b.cluster AND d.pool = b.pool AND d.hour = b.hour
GROUP BY cluster, pool, hour
HAVING least(stranded, unmet) >= {{least:Float64}}
ORDER BY cluster, pool, hour"""

detector = Detector(
    "Jobs that wait although GPUs enough are free, in crumbs",
    FragmentationSettings,
    find,
)
