"""Teams that wait far longer than they use to, or that wait while another has what is theirs.

Nothing here is lost in the book: GPUs are busy, only with other people's work. So findings carry no
GPU-seconds; how many GPU-hours were waited for is in their words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.book import Span
from analytics.detector import Detector
from gpuledger.catalogue import Finding
from gpuledger.config import Settings
from gpuledger.measures import SIZE_CLASS
from gpuledger.states import in_list
from gpuledger.store import Store
from gpuledger.waits import CAPACITY_REASONS

NORM = timedelta(days=28)
OWNER = "scheduler admin"


class QueueStarvationSettings(Settings):
    """Section `[queue_starvation]`."""

    # Alert 11 of the usual catalogues: p90 wait of a size class over twice its 4-week norm.
    times: Annotated[float, "multiple of its norm above which a wait is too long"] = 2.0
    least_wait_min: Annotated[int, "minutes of p90 wait that are never too long"] = 15
    least_jobs: Annotated[int, "jobs that a p90 of the span needs"] = 5
    norm_jobs: Annotated[int, "jobs that a norm needs"] = 20
    after_min: Annotated[int, "minutes that a team must wait for what it is guaranteed"] = 15


def find(store: Store, settings: Settings, span: Span) -> Iterator[Finding]:
    """Slow queues by team and size class, then teams whose guarantee is lent."""
    assert isinstance(settings, QueueStarvationSettings)
    if span.since >= span.until:
        return
    yield from _slow(store, settings, span)
    yield from _lent(store, settings, span)


def _slow(store: Store, settings: QueueStarvationSettings, span: Span) -> Iterator[Finding]:
    rows = store.select(
        _SLOW_SQL,
        since=span.since,
        until=span.until,
        norm_since=span.since - NORM,
        least=settings.least_jobs,
        norm_least=settings.norm_jobs,
        times=settings.times,
        wait=settings.least_wait_min * 60,
    )
    for row in rows:
        who = f"{row['team']} ({row['size_class']})"
        yield evidence.finding(
            "queue_starvation",
            {**row, **_NOTHING},
            span,
            subject=f"{row['cluster']}/{row['team']}/{row['size_class']}",
            owner=OWNER,
            cause="slow",
            confidence_ratio=0.8,
            action=(
                f"See what holds {row['pool'] or 'its pool'}: idle and stranded GPUs first, then"
                " priorities and reservations of that size."
            ),
            summary=(
                f"{who} waits {_minutes(row['p90'])} (p90 of {row['jobs']} jobs), usually"
                f" {_minutes(row['norm'])}: {row['waiting']} still wait for {row['gpus']} GPUs,"
                f" {row['waited_hours']:,.0f} GPU-hours waited for"
            ),
            evidence=_jobs_shown(row["cluster"], row["team"], span, row["since"]),
        )


def _minutes(seconds: float) -> str:
    return evidence.duration(timedelta(seconds=round(seconds)))


# A finding about waiting costs nothing in the book.
_NOTHING: dict[str, Any] = {
    "gpu_seconds": 0,
    "capacity_value": None,
    "cash_avoidable": None,
    "grade": "D",
}


def _jobs_shown(cluster: str, team: str, span: Span, since: datetime) -> str:
    """The query that shows the waits behind it."""
    return (
        "SELECT job_id, pool, state, reason, nodes * gpus_per_node AS gpus, submitted, eligible,"
        f" started FROM jobs FINAL WHERE cluster = {evidence.quoted(cluster)}"
        f" AND team = {evidence.quoted(team)} AND gpus_per_node > 0"
        f" AND submitted < {evidence.instant(span.until)} AND started >= {evidence.instant(since)}"
        " ORDER BY eligible, job_id"
    )


@dataclass(frozen=True)
class _Party:
    """A team or queue with a guarantee, GPUs: what it has, what it waits for and since when."""

    cluster: str
    team: str
    queue: str
    parent: str
    guaranteed: float
    used: float
    waiting: float
    since: datetime | None
    pools: frozenset[str]
    waits_in: frozenset[str]

    @property
    def name(self) -> str:
        """What people call it."""
        return self.team or self.queue

    def lends_to(self, other: _Party) -> bool:
        """Whether the other draws on the same hardware."""
        if self.cluster != other.cluster or self == other:
            return False
        if self.parent or other.parent:
            return self.parent == other.parent
        return bool(self.waits_in & other.pools)


def _lent(store: Store, settings: QueueStarvationSettings, span: Span) -> Iterator[Finding]:
    parties = _parties(store, span)
    borrowers = sorted(
        (p for p in parties if p.used > p.guaranteed), key=lambda p: (p.guaranteed - p.used, p.name)
    )
    longest = span.until - timedelta(minutes=settings.after_min)
    for party in sorted(parties, key=lambda p: (p.cluster, p.name, p.queue)):
        short = min(party.guaranteed - party.used, party.waiting)
        other = next((b for b in borrowers if party.lends_to(b)), None)
        if short > 0 and other and party.since and party.since <= longest:
            yield _pair(party, other, short, party.since, span)


def _pair(party: _Party, other: _Party, short: float, since: datetime, span: Span) -> Finding:
    lent = min(short, other.used - other.guaranteed)
    waited = evidence.duration(span.until - since)
    row = {"since": since, "until": span.until, "open": 1, "gpus": -int(-lent // 1), **_NOTHING}
    return evidence.finding(
        "queue_starvation",
        row,
        span,
        subject=f"{party.cluster}/{party.name}",
        user="",
        team=party.team,
        pool=", ".join(sorted(party.waits_in)) or party.queue,
        currency="",
        owner=OWNER,
        cause="lent",
        confidence_ratio=0.9,
        action=(
            f"Let {party.name} have {lent:g} of the GPUs that {other.name} runs above its quota:"
            " allow reclaim or preemption within the cohort, or lower the borrowing limit."
        ),
        summary=(
            f"{party.name} holds {party.used:g} of its {party.guaranteed:g} guaranteed GPUs and"
            f" waits for {party.waiting:g} since {waited}, while {other.name} runs {other.used:g}"
            f" on a quota of {other.guaranteed:g}"
        ),
        evidence=(
            "SELECT cluster, team, pool, state, count() AS jobs,"
            " sum(nodes * gpus_per_node * share_milli) / 1000 AS gpus FROM jobs FINAL"
            f" WHERE cluster = {evidence.quoted(party.cluster)} AND gpus_per_node > 0"
            f" AND submitted < {evidence.instant(span.until)}"
            f" AND ended > {evidence.instant(span.until)}"
            " GROUP BY cluster, team, pool, state ORDER BY team, pool, state"
        ),
    )


def _parties(store: Store, span: Span) -> list[_Party]:
    quotas = store.select(_QUOTAS_SQL)
    if not quotas:
        return []
    work = store.select(_WORK_SQL, until=span.until)
    return [_party(quota, work) for quota in quotas]


def _party(quota: Mapping[str, Any], work: Sequence[Mapping[str, Any]]) -> _Party:
    own = [w for w in work if _is_of(w, quota)]
    waits = [w["first"] for w in own if w["waiting"]]
    return _Party(
        cluster=quota["cluster"],
        team=quota["team"],
        queue=quota["queue"],
        parent=quota["parent"],
        guaranteed=quota["guaranteed"] / 1000,
        used=sum(w["used"] for w in own) / 1000,
        waiting=sum(w["waiting"] for w in own) / 1000,
        since=min(waits, default=None),
        pools=frozenset(w["pool"] for w in own if w["used"]),
        waits_in=frozenset(w["pool"] for w in own if w["waiting"]),
    )


def _is_of(work: Mapping[str, Any], quota: Mapping[str, Any]) -> bool:
    """Whether jobs of that team and pool count against the quota."""
    return bool(
        work["cluster"] == quota["cluster"]
        and quota["team"] in {"", work["team"]}
        and quota["queue"] in {"", work["pool"]}
    )


_FOREVER = "toDateTime64('2106-01-01', 3, 'UTC')"
_UNTIL = "{until:DateTime64(3, 'UTC')}"
_WAITS = f"(state = 'pending' AND reason IN {in_list(tuple(sorted(CAPACITY_REASONS)))})"
# Waits that ended before `until`, and those that go on: of what is not known to wait for capacity
# nobody can say that it starves.
_WAITED = f"""
SELECT cluster, team, pool, nodes * gpus_per_node AS gpus, {SIZE_CLASS} AS size_class,
  least(eligible, started) AS began, least(started, {_UNTIL}) AS finished,
  started >= {_UNTIL} AS waits, dateDiff('second', began, finished) AS wait
FROM jobs FINAL
WHERE gpus_per_node > 0 AND eligible < {_UNTIL} AND started >= {{norm_since:DateTime64(3, 'UTC')}}
  AND (started < {_UNTIL} OR {_WAITS})"""
_SLOW_SQL = f"""
SELECT cluster, team, size_class, anyHeavy(pool) AS pool, '' AS user, '' AS currency,
  countIf(now) AS jobs, quantileExactIf(0.9)(wait, now) AS p90, count() - jobs AS before,
  quantileExactIf(0.9)(wait, NOT now) AS norm, countIf(waits) AS waiting,
  sumIf(w.gpus, waits) AS gpus,
  sumIf(w.gpus * wait, now) / 3600 AS waited_hours,
  minIf(began, now AND finished >= {{since:DateTime64(3, 'UTC')}}) AS since,
  maxIf(finished, now) AS until, toUInt8(waiting > 0) AS open
FROM (SELECT *, finished >= {{since:DateTime64(3, 'UTC')}} AS now FROM ({_WAITED})) AS w
GROUP BY cluster, team, size_class
HAVING jobs >= {{least:UInt32}} AND before >= {{norm_least:UInt32}}
  AND p90 > {{times:Float64}} * norm AND p90 > {{wait:UInt32}}
ORDER BY waited_hours DESC, cluster, team, size_class"""
_QUOTAS_SQL = """
SELECT cluster, team, queue, any(parent) AS parent, sum(guaranteed_milli) AS guaranteed
FROM quotas FINAL GROUP BY cluster, team, queue HAVING guaranteed > 0
ORDER BY cluster, team, queue"""
_WORK_SQL = f"""
SELECT cluster, team, pool,
  sumIf(milli, started <= {_UNTIL}) AS used, sumIf(milli, waits) AS waiting,
  minIf(least(if(eligible < {_FOREVER}, eligible, submitted), {_UNTIL}), waits) AS first
FROM (
  SELECT cluster, team, pool, started, eligible, submitted,
    toUInt64(nodes) * gpus_per_node * share_milli AS milli,
    state = 'pending' AND started > {_UNTIL} AND submitted < {_UNTIL} AS waits
  FROM jobs FINAL
  WHERE gpus_per_node > 0 AND submitted < {_UNTIL} AND ended > {_UNTIL})
GROUP BY cluster, team, pool ORDER BY cluster, team, pool"""

detector = Detector(
    "Teams that wait too long, or while another runs above its quota",
    QueueStarvationSettings,
    find,
)
