"""Ask for what is used: smaller requests for jobs that come again and again.

Nothing is to be done about a job that runs: the advice is for those of that name and user that
wait and for the next one, and its gain is what such jobs left unused in the days before. Of
processors and memory that is the time of other GPUs of their nodes that stayed free for want of
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import evidence, less
from analytics.advice import smaller
from analytics.advice.interval import Interval, of_days
from analytics.advice.proposal import Gain, proposal, resources
from analytics.advisor import Advisor
from analytics.commands import Command
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store

Row = Mapping[str, Any]
HOST = "overprovisioned_host"
# What was agreed to has another cause, and is no loss that anybody need change.
CAUSES = {
    "overprovisioned": ("slice", "smaller_gpu", "fewer_gpus"),
    "partial_idle": ("never_used", "node_not_used"),
    HOST: ("cpu", "memory", "cpu_memory"),
}


class RightsizeSettings(Settings):
    """Section `[rightsize]`."""

    horizon_d: Annotated[float, "days ahead, and before, over which a gain is counted"] = 7.0
    min_gain_gpu_hours: Annotated[float, "smaller gains are not worth a message"] = 5.0


def advise(
    store: Store, settings: Settings, findings: Sequence[Finding], now: datetime
) -> Iterator[Recommendation]:
    """One proposal per user and job name: that of the largest open finding."""
    assert isinstance(settings, RightsizeSettings)
    large = [f for f in findings if f.open and f.cause in CAUSES.get(f.kind, ())]
    horizon = timedelta(days=settings.horizon_d)
    lost = _all_lost(store, large, now - horizon, now)
    chosen = list(_chosen(large, lost, settings))
    if not chosen:
        return
    asks = [(finding.subject, less.read(finding.asks)) for finding, _ in chosen]
    known = smaller.facts(store, asks, now)
    for (finding, job), of in zip(chosen, asks, strict=True):
        yield _proposal(finding, job, horizon, now, smaller.command(*of, known))


def _chosen(
    large: Sequence[Finding],
    lost: Mapping[tuple[str, bool], Row],
    settings: RightsizeSettings,
) -> Iterator[tuple[Finding, Row]]:
    """The largest finding of each user and job name, where enough is lost."""
    told: set[tuple[str, str, bool]] = set()
    for finding in sorted(large, key=lambda f: (-f.gpu_seconds, f.finding_id)):
        host = finding.kind == HOST
        job = lost.get((finding.subject, host))
        if job is None or (finding.user, job["name"], host) in told:
            continue
        told.add((finding.user, job["name"], host))
        if job["gpu_seconds"] >= settings.min_gain_gpu_hours * 3600:
            yield finding, job


def _all_lost(
    store: Store, large: Sequence[Finding], since: datetime, until: datetime
) -> dict[tuple[str, bool], Row]:
    """For each job, and its GPUs or else its host: its name, and what such jobs left unused."""
    found: dict[tuple[str, bool], Row] = {}
    for host, sql in ((False, _LOST_SQL), (True, _STRANDED_SQL)):
        kinds = [k for k in CAUSES if (k == HOST) == host]
        ids = [f.subject for f in large if f.kind in kinds]
        if ids:
            causes = [c for k in kinds for c in CAUSES[k]]
            within = {"since": since, "until": until}
            rows = store.select(sql, ids=ids, kinds=kinds, causes=causes, **within)
            found.update({(r["job_id"], host): r for r in rows})
    return found


def _proposal(
    finding: Finding, job: Row, horizon: timedelta, now: datetime, command: Command
) -> Recommendation:
    hours = _hours(job, horizon)
    host = finding.kind == HOST
    made_of = [f"node/{place}" for place in job["places"]] if host else [finding.subject]
    stranded = (
        f"; {hours.words('GPU-hours')} of GPUs beside them were stranded for want of processors or"
        " memory"
    )
    return proposal(
        "rightsize",
        f"{finding.user}/{job['name']}/{finding.finding_id}",
        now,
        Gain(horizon, hours, job["capacity_value"], None, job["currency"] or finding.currency),
        finding_id=finding.finding_id,
        subject=finding.subject,
        about=f"{finding.user}/{job['name']}",
        user=finding.user,
        team=finding.team,
        title=f"{job['name'] or finding.subject}: {finding.action}",
        command=command.text,
        undo=command.undo_text,
        resources=resources(made_of, hours.expected),
        confidence_ratio=finding.confidence_ratio,
        because=f"{finding.summary};"
        f" {evidence.counted(job['jobs'], 'such job')} in {horizon.days} days"
        f"{stranded if host else ''}",
        created=finding.since,
    )


def _hours(job: Row, horizon: timedelta) -> Interval:
    """GPU-hours of the days before; those without any loss count too."""
    losses = [seconds / 3600 for seconds in job["by_day"].values()]
    days = max(len(losses), horizon.days, 1)
    found = of_days([*losses, *[0.0] * (days - len(losses))], 0.0, max(losses)).times(days)
    return Interval(job["gpu_seconds"] / 3600, found.low, found.high)


_SAME = """
SELECT j.job_id AS job_id, j.name AS name, o.job_id AS other, o.started AS started, o.ended AS ended
FROM (SELECT job_id, name, user FROM jobs FINAL WHERE job_id IN {ids:Array(String)}) AS j
INNER JOIN (SELECT job_id, name, user, started, ended FROM jobs FINAL
  WHERE ended > {since:DateTime64(3, 'UTC')}) AS o ON o.name = j.name AND o.user = j.user"""
_LOST_SQL = f"""
SELECT s.job_id AS job_id, any(s.name) AS name, uniqExact(s.other) AS jobs,
  sum(f.gpu_seconds) AS gpu_seconds, sum(f.capacity_value) AS capacity_value, '' AS currency,
  sumMap(map(toDate(f.until), f.gpu_seconds)) AS by_day, [''] AS places
FROM ({_SAME}) AS s
INNER JOIN (SELECT subject, until, gpu_seconds, capacity_value FROM v_findings
  WHERE kind IN {{kinds:Array(String)}} AND cause IN {{causes:Array(String)}}
    AND until > {{since:DateTime64(3, 'UTC')}} AND until <= {{until:DateTime64(3, 'UTC')}}) AS f
  ON f.subject = s.other
GROUP BY job_id"""
# Hours of nodes on which such a job ran; one that several shared counts once for each name.
_STRANDED_SQL = f"""
SELECT p.job_id AS job_id, any(p.name) AS name, uniqExactArray(p.others) AS jobs,
  sum(b.gpu_seconds) AS gpu_seconds, sum(b.gpu_seconds / 3600 * b.price) AS capacity_value,
  max(b.currency) AS currency, sumMap(map(toDate(p.hour), b.gpu_seconds)) AS by_day,
  arraySort(groupUniqArray(concat(p.cluster, '/', p.node))) AS places
FROM (
  SELECT s.job_id AS job_id, any(s.name) AS name, groupUniqArray(s.other) AS others,
    l.cluster AS cluster, l.node AS node,
    arrayJoin(range(toUInt32(intDiv(toUnixTimestamp64Milli(l.f), 3600000)),
      toUInt32(intDiv(toUnixTimestamp64Milli(l.t) + 3599999, 3600000)))) AS n,
    toDateTime64(n * 3600, 3, 'UTC') AS hour
  FROM ({_SAME}) AS s
  INNER JOIN (SELECT job_id, cluster, node,
      greatest(valid_from, {{since:DateTime64(3, 'UTC')}}) AS f,
      least(valid_to, {{until:DateTime64(3, 'UTC')}}) AS t FROM allocations FINAL
    WHERE valid_to > {{since:DateTime64(3, 'UTC')}}
      AND valid_from < {{until:DateTime64(3, 'UTC')}}) AS l ON l.job_id = s.other
  GROUP BY job_id, cluster, node, n) AS p
INNER JOIN (SELECT cluster, node, hour, gpu_seconds, price, currency FROM v_book_1h
  WHERE state = 'stranded' AND cause = 'cpu_ram'
    AND hour >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
    AND hour < {{until:DateTime64(3, 'UTC')}}) AS b
  ON b.cluster = p.cluster AND b.node = p.node AND b.hour = p.hour
GROUP BY job_id"""

advisor = Advisor("Smaller requests for jobs that use less", RightsizeSettings, advise)
