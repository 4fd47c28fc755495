"""Waits: since when a job has waited for capacity and for nothing else.

A scheduler tells one eligible time for a whole wait, whatever the job waited for. What a job
waits for is known only while it waits, so the eligible time follows its reason from snapshot to
snapshot: a dependency, a hold or a quota is never told, later, as a wait for capacity.
"""

from __future__ import annotations

from datetime import datetime

from gpuledger.catalogue.work import Job

CAPACITY_REASONS = frozenset({"", "None", "Resources", "Priority"})
# Kueue and Volcano have not let it in.
ADMISSION = "Quota"
# Limits of a whole account or quality of service; those of one user or job are that user's own.
_OF_GROUPS = ("AssocGrp", "QOSGrp")
QUOTA_SQL = f"(reason = '{ADMISSION}' OR " + " OR ".join(
    f"startsWith(reason, '{word}')" for word in _OF_GROUPS
)
QUOTA_SQL += ")"


def eligible(known: Job | None, job: Job, at: datetime) -> datetime:
    """The eligible time of `job` as a snapshot at `at` tells it, after the `known` one.

    The scheduler's own while the job waits for something else or was never seen before; else
    the time from which it was seen to wait for capacity, which is never before the scheduler's.
    A job that began without such a wait was eligible when it began.
    """
    if known is None or (job.state == "pending" and not _for_capacity(job)):
        return job.eligible
    wait_ended = min(job.started, job.ended)
    if _goes_on(known, job, at):
        since = known.eligible
    else:
        since = at if job.state == "pending" else wait_ended
    return max(job.eligible, min(since, wait_ended))


def _goes_on(known: Job, job: Job, at: datetime) -> bool:
    """Whether the wait, or the run after it, is the one that was known."""
    if known.state == "pending":
        return _for_capacity(known) and known.eligible <= at
    return job.state != "pending" and job.started == known.started


def _for_capacity(job: Job) -> bool:
    return job.state == "pending" and job.reason in CAPACITY_REASONS
