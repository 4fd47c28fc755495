"""What was declared, learned or checked beside a history: services, floors, times, processes."""

from __future__ import annotations

from datetime import datetime

from gpuledger.catalogue import (
    Allocation,
    Asset,
    JobStat,
    PowerFloor,
    ProcessSample,
    Service,
    StartupTime,
)
from tests.analytics.ledger_world import CLUSTER, LONG_AGO, START


def service() -> Service:
    """Jobs that are meant to be warm."""
    return Service(cluster=CLUSTER, service="chat", jobs="serve-", valid_from=LONG_AGO, version=1)


def floor(owner: Asset, watts: float) -> PowerFloor:
    """What the GPU draws with a process that does nothing."""
    return PowerFloor(
        gpu_id=owner.gpu_id, bare_watts=60.0, context_watts=watts, learned=START, version=1
    )


def startup(seconds: float) -> StartupTime:
    """How long jobs of one GPU take to start."""
    return StartupTime(
        cluster=CLUSTER, size_class="1 GPU", p95_seconds=seconds, jobs=50, learned=START, version=1
    )


def stat(given: Allocation, busiest: datetime, power: float) -> JobStat:
    """The busiest that a job has been so far."""
    return JobStat(
        job_id=given.job_id,
        gpu_id=given.gpu_id,
        first_active=busiest,
        busiest=busiest,
        sm_active_ratio=None,
        tensor_active_ratio=None,
        power_ratio=power,
        active_minutes=5,
        upto=busiest,
        version=1,
    )


def check(owner: Asset, ts: datetime, user: str, pid: int, seconds: float) -> ProcessSample:
    """A process on the GPU for so long until then."""
    return ProcessSample(
        ts=ts,
        interval_seconds=seconds,
        cluster=owner.cluster,
        node=owner.node,
        slot=owner.slot,
        gpu_id=owner.gpu_id,
        pid=pid,
        user=user,
        executable="dcgmi",
        started=ts,
        memory_used_bytes=None,
        sm_ratio=None,
        memory_ratio=None,
    )
