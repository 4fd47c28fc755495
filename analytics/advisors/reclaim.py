"""Give idle GPUs back: what would be freed if the job that holds them let go now.

Only where a whole job idles at this very moment, as far as can be seen, with enough confidence and
nobody's consent: never a service, never what was exempted, never what waits for broken hardware.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics.advisor import Advisor
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.identity import hash64
from gpuledger.store import Store


class ReclaimSettings(Settings):
    """Section `[reclaim]`."""

    horizon_h: Annotated[float, "hours ahead over which a gain is counted"] = 168.0
    min_age_min: Annotated[int, "minutes of idleness before advice is given"] = 60
    min_gain_gpu_hours: Annotated[float, "smaller gains are not worth a message"] = 1.0
    min_confidence_ratio: Annotated[float, "confidence below which nobody is told to let go"] = 0.8
    # Whoever worked a minute ago works, and what nobody saw for longer may work.
    max_unseen_min: Annotated[int, "minutes since idleness was last seen"] = 1


def advise(
    store: Store, settings: Settings, findings: Sequence[Finding], now: datetime
) -> Iterator[Recommendation]:
    """One proposal per open idle finding that is old and large enough."""
    assert isinstance(settings, ReclaimSettings)
    idle = [f for f in findings if _may_end(f, settings, now)]
    jobs = _jobs(store, [f.subject for f in idle], now)
    for finding in idle:
        job = jobs.get(finding.subject, {})
        if job.get("kind") == "service" or job.get("serves"):
            continue
        proposal = _proposal(finding, job, settings, now)
        if (proposal.gain_gpu_hours or 0) >= settings.min_gain_gpu_hours:
            yield proposal


def _may_end(finding: Finding, settings: ReclaimSettings, now: datetime) -> bool:
    """Whether a finding is about a whole job that idles now, and may be told to end."""
    return (
        finding.kind == "idle"
        and bool(finding.open)
        and finding.cause not in SPARED
        and (finding.confidence_ratio or 0.0) >= settings.min_confidence_ratio
        and finding.until - finding.since >= timedelta(minutes=settings.min_age_min)
        and now - finding.until <= timedelta(minutes=settings.max_unseen_min)
    )


def _jobs(store: Store, ids: Sequence[str], now: datetime) -> dict[str, dict[str, Any]]:
    rows = store.select(_JOBS_SQL, ids=list(ids), now=now)
    return {r["job_id"]: r for r in rows}


def _proposal(
    finding: Finding, job: Mapping[str, Any], settings: ReclaimSettings, now: datetime
) -> Recommendation:
    """The gain is what the GPUs would stay idle for: until the time limit, or the horizon."""
    horizon = min(
        timedelta(hours=settings.horizon_h), max(job.get("ends_by", now) - now, timedelta(0))
    )
    hours = finding.gpus * horizon.total_seconds() / 3600
    lost = finding.gpu_seconds / 3600
    things = "GPU" if finding.gpus == 1 else "GPUs"
    return Recommendation(
        recommendation_id=hash64(f"reclaim/{finding.finding_id}"),
        finding_id=finding.finding_id,
        kind="reclaim",
        subject=finding.subject,
        user=finding.user,
        team=finding.team,
        status="proposed",
        title=f"End {job.get('name') or finding.subject} and free {finding.gpus} idle {things}",
        command=_command(finding.subject) if job.get("by_slurm") else "",
        gain_gpu_hours=hours,
        gain_capacity_value=_per_hour(finding.capacity_value, lost, hours),
        gain_cash_avoidable=_per_hour(finding.cash_avoidable, lost, hours),
        currency=finding.currency,
        horizon_seconds=horizon.total_seconds(),
        confidence_ratio=finding.confidence_ratio,
        because=finding.summary,
        created=finding.since + timedelta(minutes=settings.min_age_min),
        version=to_milliseconds(now),
    )


def _command(job_id: str) -> str:
    return f"scancel {shlex.quote(job_id.partition('/')[2])}"


def _per_hour(amount: float | None, lost_hours: float, hours: float) -> float | None:
    """The same rate as in the finding, over the hours ahead."""
    return None if amount is None or not lost_hours else amount / lost_hours * hours


SPARED = ("peer_fault", "exempt", "serving_warm")
_JOBS_SQL = """
SELECT j.job_id AS job_id, j.name AS name, j.kind AS kind, j.ends_by AS ends_by,
  j.job_id IN (SELECT job_id FROM allocations
    WHERE source = 'slurm' AND job_id IN {ids:Array(String)}) AS by_slurm,
  arrayExists(s -> s.1 = toString(j.cluster) AND startsWith(j.name, s.2), services) AS serves
FROM (SELECT * FROM jobs FINAL WHERE job_id IN {ids:Array(String)}) AS j
CROSS JOIN (SELECT groupArray((toString(cluster), jobs)) AS services FROM services FINAL
  WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}) AS s
"""

advisor = Advisor("End jobs that hold GPUs without using them", ReclaimSettings, advise)
