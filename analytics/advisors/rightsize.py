"""Ask for what is used: smaller requests for jobs that come again and again.

Nothing is to be done about a job that runs: the advice is for the next one of that name and user,
and its gain is what such jobs left unused in the days before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import evidence
from analytics.advisor import Advisor
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.identity import hash64
from gpuledger.store import Store

CAUSES = {
    "overprovisioned": ("slice", "smaller_gpu", "fewer_gpus"),
    "partial_idle": ("never_used", "node_not_used"),
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
    asked = [f for f in findings if f.open and f.cause in CAUSES.get(f.kind, ())]
    horizon = timedelta(days=settings.horizon_d)
    lost = _lost(store, [f.subject for f in asked], now - horizon, now)
    told: set[tuple[str, str]] = set()
    for finding in sorted(asked, key=lambda f: (-f.gpu_seconds, f.finding_id)):
        job = lost.get(finding.subject)
        if job is None or (finding.user, job["name"]) in told:
            continue
        told.add((finding.user, job["name"]))
        if job["gpu_seconds"] >= settings.min_gain_gpu_hours * 3600:
            yield _proposal(finding, job, horizon, now)


def _lost(
    store: Store, ids: Sequence[str], since: datetime, until: datetime
) -> dict[str, dict[str, Any]]:
    """For each job its name, and what jobs of that name and user left unused."""
    rows = store.select(_LOST_SQL, ids=list(ids), since=since, until=until, kinds=list(CAUSES))
    return {r["job_id"]: r for r in rows}


def _proposal(
    finding: Finding, job: Mapping[str, Any], horizon: timedelta, now: datetime
) -> Recommendation:
    return Recommendation(
        recommendation_id=hash64(f"rightsize/{finding.user}/{job['name']}/{finding.finding_id}"),
        finding_id=finding.finding_id,
        kind="rightsize",
        subject=finding.subject,
        user=finding.user,
        team=finding.team,
        status="proposed",
        title=f"{job['name'] or finding.subject}: {finding.action}",
        gain_gpu_hours=job["gpu_seconds"] / 3600,
        gain_capacity_value=job["capacity_value"],
        gain_cash_avoidable=None,
        currency=finding.currency,
        horizon_seconds=horizon.total_seconds(),
        confidence_ratio=finding.confidence_ratio,
        because=f"{finding.summary};"
        f" {evidence.counted(job['jobs'], 'such job')} in {horizon.days} days",
        created=finding.since,
        version=to_milliseconds(now),
    )


_LOST_SQL = """
SELECT j.job_id AS job_id, any(j.name) AS name, uniqExact(o.job_id) AS jobs,
  sum(f.gpu_seconds) AS gpu_seconds, sum(f.capacity_value) AS capacity_value
FROM (SELECT job_id, name, user FROM jobs FINAL WHERE job_id IN {ids:Array(String)}) AS j
INNER JOIN (SELECT job_id, name, user FROM jobs FINAL
  WHERE ended > {since:DateTime64(3, 'UTC')}) AS o ON o.name = j.name AND o.user = j.user
INNER JOIN (SELECT subject, gpu_seconds, capacity_value FROM v_findings
  WHERE kind IN {kinds:Array(String)} AND until > {since:DateTime64(3, 'UTC')}
    AND until <= {until:DateTime64(3, 'UTC')}) AS f ON f.subject = o.job_id
GROUP BY job_id
"""

advisor = Advisor("Smaller requests for jobs that use less", RightsizeSettings, advise)
