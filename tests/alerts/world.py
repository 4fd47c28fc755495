"""Builders of the rows that rules read."""

from __future__ import annotations

from datetime import datetime

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding, SourceRun
from gpuledger.identity import hash64


def finding(
    job: str,
    *,
    since: datetime,
    until: datetime,
    kind: str = "idle",
    open: int = 1,
    owner: str = "job owner",
) -> Finding:
    """One idle GPU of a job."""
    return Finding(
        finding_id=hash64(f"{kind}/{job}/{since}"),
        kind=kind,
        owner=owner,
        subject=job,
        user="ana",
        team="vision",
        pool="big",
        since=since,
        until=until,
        open=open,
        gpus=1,
        gpu_seconds=(until - since).total_seconds(),
        capacity_value=None,
        cash_avoidable=None,
        grade="B",
        confidence_ratio=0.9,
        summary="idle",
        evidence="SELECT 1",
        version=to_milliseconds(until) + 1 - open,
    )


def run(node: str, ts: datetime, interval_s: float, *, source: str = "nvml") -> SourceRun:
    """The agent's account of one source."""
    return SourceRun(
        ts=ts,
        interval_seconds=interval_s,
        cluster="alpha",
        node=node,
        source=source,
        runs=1,
        failures=0,
        rows=8,
        duration_seconds=0.01,
    )
