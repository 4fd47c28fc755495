"""Give idle GPUs back: what would be freed if the job that holds them let go now."""

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


def advise(
    store: Store, settings: Settings, findings: Sequence[Finding], now: datetime
) -> Iterator[Recommendation]:
    """One proposal per open idle finding that is old and large enough."""
    assert isinstance(settings, ReclaimSettings)
    idle = [f for f in findings if f.kind == "idle" and f.open]
    jobs = _jobs(store, [f.subject for f in idle])
    for finding in idle:
        if finding.until - finding.since < timedelta(minutes=settings.min_age_min):
            continue
        proposal = _proposal(finding, jobs.get(finding.subject, {}), settings, now)
        if (proposal.gain_gpu_hours or 0) >= settings.min_gain_gpu_hours:
            yield proposal


def _jobs(store: Store, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = store.select(
        "SELECT job_id, name, ends_by,"
        " job_id IN (SELECT job_id FROM allocations WHERE source = 'slurm') AS by_slurm"
        " FROM jobs FINAL WHERE job_id IN {ids:Array(String)}",
        ids=list(ids),
    )
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


advisor = Advisor("End jobs that hold GPUs without using them", ReclaimSettings, advise)
