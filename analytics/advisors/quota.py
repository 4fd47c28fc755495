"""Give teams what they are guaranteed: less for one that borrows while the owner waits.

GPUs change hands and none is freed: the gain is the wait that a replay saves, and in words the
GPU-hours that the owner would have had, by the two weeks before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np

from analytics import commands, evidence
from analytics.advice import replayed
from analytics.advice.demand import begin
from analytics.advice.interval import Interval, of_days
from analytics.advice.proposal import Gain, proposal, resources
from analytics.advice.replayed import Wait
from analytics.advisor import Advisor
from analytics.learn.methods import Values
from analytics.replay import Scenario
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store
from gpuledger.waits import CAPACITY_REASONS

HISTORY_D, DAY_H = 14, 24
HORIZON = timedelta(days=7)
Row = Mapping[str, Any]


class QuotaSettings(Settings):
    """Section `[quota]`."""

    min_moved_gpu_hours: Annotated[float, "GPU-hours a week below which nothing is moved"] = 4.0
    most_jobs: Annotated[int, "newest jobs that a replay has at most"] = 5_000


def advise(
    store: Store, settings: Settings, findings: Sequence[Finding], now: datetime
) -> Iterator[Recommendation]:
    """One proposal per pair of a team that starves and one that borrows from it."""
    assert isinstance(settings, QuotaSettings)
    for finding in findings:
        if finding.kind != "quota_borrowing" or not finding.open:
            continue
        cluster, _, pair = finding.subject.partition("/")
        starved, _, borrower = pair.partition(">")
        quotas = {r["name"]: r for r in store.select(_QUOTAS_SQL, cluster=cluster)}
        if {starved, borrower} <= quotas.keys():
            told = _proposal(store, settings, finding, quotas[starved], quotas[borrower], now)
            if told:
                yield told


def _proposal(
    store: Store,
    settings: QuotaSettings,
    finding: Finding,
    starved: Row,
    borrower: Row,
    now: datetime,
) -> Recommendation | None:
    moved = _moved(store, starved, borrower, now).times(HORIZON / timedelta(hours=1))
    if moved.expected < settings.min_moved_gpu_hours:
        return None
    used = _used(store, borrower, now)
    before = borrower["limit_milli"] // 1000 if borrower["limit_milli"] else None
    # What it is guaranteed stays its own, whatever another lacks.
    limit = max(math.ceil(borrower["guaranteed_milli"] / 1000), math.ceil(used - finding.gpus))
    wait = _wait(store, settings, starved, borrower, limit, now)
    command = commands.quota(
        borrower["scheduler"],
        borrower["cluster"],
        borrower["team"],
        limit,
        before,
        queue=borrower["queue"],
    )
    gain = Gain(HORIZON, wait_s=wait)
    return proposal(
        "quota",
        f"{finding.finding_id}",
        now,
        gain,
        finding_id=finding.finding_id,
        subject=finding.subject,
        team=starved["team"],
        title=(
            f"Limit {borrower['name']} to {evidence.counted(limit, 'GPU')} while"
            f" {starved['name']} waits for what it is guaranteed"
        ),
        command=command.text,
        undo=command.undo_text,
        resources=resources((f"team/{r['name']}" for r in (starved, borrower)), 0.0),
        confidence_ratio=finding.confidence_ratio,
        created=finding.since,
        because=(
            f"{finding.summary}; moves {moved.words('GPU-hours')} a week to {starved['name']},"
            f" frees none; {replayed.words(wait)}"
        ),
    )


def _moved(store: Store, starved: Row, borrower: Row, now: datetime) -> Interval:
    """GPUs that the borrower ran above its guarantee while the owner waited for its own, mean."""
    own, other = _hours(store, starved, now), _hours(store, borrower, now)
    if own is None or other is None:
        return of_days([], 0.0, 0.0)
    short = np.minimum(np.maximum(0.0, starved["guaranteed_milli"] / 1000 - own[0]), own[1])
    above = np.maximum(0.0, other[0] - borrower["guaranteed_milli"] / 1000)
    days = np.minimum(short, above).reshape(HISTORY_D, DAY_H).mean(axis=1)
    booked = (own[0] + own[1] + other[0]).reshape(HISTORY_D, DAY_H).any(axis=1)
    return of_days(days[booked], 0.0, float(days.max()))


def _hours(store: Store, quota: Row, now: datetime) -> tuple[Values, Values] | None:
    """GPUs used and waited for by the hour of the two weeks before; None where nothing was."""
    rows = store.select(_HOURS_SQL, **_of(quota), since=begin(now), until=now)
    if not rows:
        return None
    used, waits = np.zeros(HISTORY_D * DAY_H), np.zeros(HISTORY_D * DAY_H)
    for row in rows:
        used[row["n"]], waits[row["n"]] = row["used"], row["waits"]
    return used, waits


def _used(store: Store, quota: Row, now: datetime) -> float:
    return float(store.value(_NOW_SQL, **_of(quota), until=now) or 0.0)


def _of(quota: Row) -> dict[str, str]:
    return {name: quota[name] for name in ("cluster", "team", "queue")}


def _wait(
    store: Store,
    settings: QuotaSettings,
    starved: Row,
    borrower: Row,
    limit: int,
    now: datetime,
) -> Wait | None:
    """What the limit would have done to the waits of all jobs; the limit is of teams."""
    if not (starved["team"] and borrower["team"]):
        return None
    nodes = replayed.nodes(store, now, starved["cluster"])
    told = replayed.trace(store, nodes, now, settings.most_jobs)
    after = Scenario(policy=replayed.AS_IT_IS.policy, quotas={borrower["team"]: limit})
    return replayed.waits(told, after)


_TIME = "DateTime64(3, 'UTC')"
_SINCE, _UNTIL = f"{{since:{_TIME}}}", f"{{until:{_TIME}}}"
_REASONS = ", ".join(f"'{reason}'" for reason in sorted(CAPACITY_REASONS))
_QUOTAS_SQL = """
SELECT if(q.team = '', q.queue, q.team) AS name, any(q.cluster) AS cluster, any(q.team) AS team,
  any(q.queue) AS queue, any(q.scheduler) AS scheduler, sum(q.guaranteed_milli) AS guaranteed_milli,
  max(q.limit_milli) AS limit_milli
FROM (SELECT * FROM quotas FINAL WHERE cluster = {cluster:String}) AS q
GROUP BY name HAVING guaranteed_milli > 0"""
_OWN = f"""
gpus_per_node > 0 AND cluster = {{cluster:String}} AND ({{team:String}} IN ('', team))
  AND ({{queue:String}} IN ('', pool)) AND submitted < {_UNTIL}"""
# Hours that a job held or waited for GPUs in; what is not known to wait for capacity lacks none.
_HOURS_SQL = f"""
WITH spans AS (
  SELECT nodes * gpus_per_node * share_milli / 1000 AS gpus, started AS f, least(ended, {_UNTIL})
    AS t, 1 AS runs FROM jobs FINAL WHERE {_OWN} AND started < {_UNTIL} AND ended > {_SINCE}
  UNION ALL
  SELECT nodes * gpus_per_node * share_milli / 1000, least(eligible, started),
    least(started, ended, {_UNTIL}), 0 FROM jobs FINAL
  WHERE {_OWN} AND least(eligible, started) < {_UNTIL} AND least(started, ended) > {_SINCE}
    AND (started < {_UNTIL} OR state = 'pending' AND reason IN ({_REASONS})))
SELECT n, sumIf(part, runs = 1) AS used, sumIf(part, runs = 0) AS waits FROM (
  SELECT runs, arrayJoin(range(toUInt32(intDiv(dateDiff('second', {_SINCE}, greatest(f, {_SINCE})),
      3600)), toUInt32(intDiv(dateDiff('second', {_SINCE}, t) + 3599, 3600)))) AS n,
    gpus * (least(dateDiff('second', {_SINCE}, t), (n + 1) * 3600)
      - greatest(dateDiff('second', {_SINCE}, greatest(f, {_SINCE})), n * 3600)) / 3600 AS part
  FROM spans WHERE t > f)
WHERE n < {HISTORY_D * DAY_H} GROUP BY n ORDER BY n"""
_NOW_SQL = f"""
SELECT sum(nodes * gpus_per_node * share_milli) / 1000 FROM jobs FINAL
WHERE {_OWN} AND started <= {_UNTIL} AND ended > {_UNTIL}"""

advisor = Advisor(
    "Move quota from teams that borrow to teams that wait for their own",
    QuotaSettings,
    advise,
    every_min=30,
)
