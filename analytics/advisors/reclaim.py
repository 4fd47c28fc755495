"""Give idle GPUs back: what would be freed if the job that holds them let go now.

Only where a whole job idles at this very moment, as far as can be seen, with enough confidence and
nobody's consent: never a service, never what was exempted, never what waits for broken hardware.
Expected is that the GPUs stay idle for as long as earlier idle times of that length went on; where
too few are known, as long again as until now. Never beyond the time limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from analytics import commands
from analytics.advice.interval import Interval, quantiles
from analytics.advice.proposal import Gain, proposal, resources
from analytics.advisor import Advisor
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Settings
from gpuledger.store import Store


class ReclaimSettings(Settings):
    """Section `[reclaim]`."""

    horizon_h: Annotated[float, "hours ahead over which a gain is counted"] = 168.0
    min_age_min: Annotated[int, "minutes of idleness before advice is given"] = 60
    min_gain_gpu_hours: Annotated[float, "gains that cannot become this are not told"] = 1.0
    min_confidence_ratio: Annotated[float, "confidence below which nobody is told to let go"] = 0.8
    # Whoever worked a minute ago works, and what nobody saw for longer may work.
    max_unseen_min: Annotated[int, "minutes since idleness was last seen"] = 1


def advise(
    store: Store, settings: Settings, findings: Sequence[Finding], now: datetime
) -> Iterator[Recommendation]:
    """One proposal per open idle finding that is old and large enough."""
    assert isinstance(settings, ReclaimSettings)
    idle = [f for f in findings if _may_end(f, settings, now)]
    if not idle:
        return
    jobs = _jobs(store, [f.subject for f in idle], now)
    lasted = [r["seconds"] for r in store.select(_LASTED_SQL, since=now - HISTORY)]
    for finding in idle:
        job = jobs.get(finding.subject, {})
        if job.get("kind") == "service" or job.get("serves"):
            continue
        told = _proposal(finding, job, lasted, settings, now)
        # By what it may become: what has only just begun to idle is told, too.
        if (told.gain_high_gpu_hours or 0) >= settings.min_gain_gpu_hours:
            yield told


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
    finding: Finding,
    job: Mapping[str, Any],
    lasted: Sequence[float],
    settings: ReclaimSettings,
    now: datetime,
) -> Recommendation:
    """The gain is what the GPUs would stay idle for, at most to the time limit or the horizon."""
    horizon = min(
        timedelta(hours=settings.horizon_h), max(job.get("ends_by", now) - now, timedelta(0))
    )
    seconds = _goes_on(finding.until - finding.since, lasted, horizon)
    hours = seconds.times(finding.gpus / 3600)
    lost = finding.gpu_seconds / 3600
    things = "GPU" if finding.gpus == 1 else "GPUs"
    command = commands.cancel(finding.subject, job.get("scheduler", ""))
    gain = Gain(
        horizon,
        hours,
        _per_hour(finding.capacity_value, lost, hours.expected),
        _per_hour(finding.cash_avoidable, lost, hours.expected),
        finding.currency,
    )
    return proposal(
        "reclaim",
        str(finding.finding_id),
        now,
        gain,
        finding_id=finding.finding_id,
        subject=finding.subject,
        user=finding.user,
        team=finding.team,
        title=f"End {job.get('name') or finding.subject} and free {finding.gpus} idle {things}",
        command=command.text,
        undo=command.undo_text,
        resources=resources([finding.subject], hours.expected),
        confidence_ratio=finding.confidence_ratio,
        because=finding.summary,
        created=finding.since + timedelta(minutes=settings.min_age_min),
    )


def _goes_on(age: timedelta, lasted: Sequence[float], most: timedelta) -> Interval:
    """Seconds for which idleness of that age goes on, in 80 % of such cases; never beyond `most`.

    Of too few cases nothing is known but that it may end at once, or last: whatever has lasted so
    long goes on as long again in half of all cases (Gott, Nature 363, 1993).
    """
    limit, until_now = most.total_seconds(), age.total_seconds()
    longer = [min(limit, s - until_now) for s in lasted if s >= until_now]
    if len(longer) < FEWEST:
        return Interval(min(until_now, limit), 0.0, limit)
    return quantiles(longer, 0.0, limit)


def _per_hour(amount: float | None, lost_hours: float, hours: float) -> float | None:
    """The same rate as in the finding, over the hours ahead."""
    return None if amount is None or not lost_hours else amount / lost_hours * hours


HISTORY = timedelta(days=28)
# Earlier idle times of at least that length, from which on they tell how long one goes on.
FEWEST = 10
SPARED = ("peer_fault", "exempt", "serving_warm")
_JOBS_SQL = """
SELECT j.job_id AS job_id, j.name AS name, j.kind AS kind, j.ends_by AS ends_by,
  l.scheduler AS scheduler,
  arrayExists(s -> s.1 = toString(j.cluster) AND startsWith(j.name, s.2), services) AS serves
FROM (SELECT * FROM jobs FINAL WHERE job_id IN {ids:Array(String)}) AS j
LEFT JOIN (SELECT job_id, argMax(source, version) AS scheduler FROM allocations
  WHERE source IN ('slurm', 'kubernetes') AND job_id IN {ids:Array(String)} GROUP BY job_id) AS l
  ON l.job_id = j.job_id
CROSS JOIN (SELECT groupArray((toString(cluster), jobs)) AS services FROM services FINAL
  WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}) AS s
"""
# As they lasted in the end: what still goes on says nothing yet.
_LASTED_SQL = """
SELECT dateDiff('second', since, until) AS seconds FROM findings FINAL
WHERE kind = 'idle' AND open = 0 AND until >= {since:DateTime64(3, 'UTC')} ORDER BY seconds"""

advisor = Advisor("End jobs that hold GPUs without using them", ReclaimSettings, advise)
