"""Slurm's jobs and nodes as rows of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collector import hostlist
from collector.slurm_json import (
    MEBIBYTE,
    Gres,
    gpus,
    instant,
    job_state,
    node_state,
    number,
    text,
    tres,
)
from collector.source import Trust
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.work import Allocation, Job, NodeState, version
from gpuledger.identity import alloc_id, gpu_id, job_id
from gpuledger.schema import FOREVER

ENDED = frozenset({"completed", "failed", "cancelled", "timeout"})
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Snapshot:
    """Which cluster said it, and when."""

    cluster: str
    at: datetime

    @property
    def version(self) -> int:
        """Rank of this snapshot's facts."""
        return version(Trust.SCHEDULER, to_milliseconds(self.at))


def job_row(job: Mapping[str, Any], snapshot: Snapshot) -> Job:
    """One job. ValueError if it has no id, no submit time, or a state that is no known word."""
    native, state = number(job.get("job_id")), job_state(job.get("job_state"))
    submitted = instant(job.get("submit_time"))
    if not native or state is None or submitted is None:
        raise ValueError(f"job {native}: state {job.get('job_state')!r}, submitted {submitted}")
    nodes = max(1, number(job.get("node_count")) or 1)
    wanted = requested_gpus(job, nodes)
    amounts = tres(job.get("tres_req_str"))
    started = None if state == "pending" else instant(job.get("start_time"))
    if state == "running" and started is None:
        raise ValueError(f"job {native} runs, but has not started")
    ended = instant(job.get("end_time")) if state in ENDED else None
    reason = text(job.get("state_reason")) if state == "pending" else ""
    return Job(
        job_id=job_id(snapshot.cluster, native),
        cluster=snapshot.cluster,
        name=text(job.get("name")),
        user=text(job.get("user_name")) or str(number(job.get("user_id")) or ""),
        team=text(job.get("account")) or "unmapped",
        pool=text(job.get("partition")),
        state=state,
        reason=reason,
        nodes=nodes,
        gpus_per_node=sum(g.count for g in wanted),
        cpu_milli=(amounts.get("cpu") or number(job.get("cpus")) or 0) * 1000 // nodes,
        memory_bytes=amounts["mem"] // nodes if "mem" in amounts else None,
        gpu_model=next((g.model for g in wanted if g.model), ""),
        priority=min(max(number(job.get("priority")) or 0, 0), (1 << 32) - 1),
        restart=number(job.get("restart_cnt")) or 0,
        submitted=submitted,
        eligible=instant(job.get("eligible_time")) or FOREVER,
        started=started or FOREVER,
        ended=ended or ((started or submitted) if state in ENDED else FOREVER),
        ends_by=_ends_by(started, number(job.get("time_limit"))),
        seen_at=snapshot.at,
        version=snapshot.version,
    )


def requested_gpus(job: Mapping[str, Any], nodes: int) -> list[Gres]:
    """GPUs that the job wants on each node, by model."""
    per_node = gpus(job.get("tres_per_node"))
    if per_node:
        return per_node
    tasks = number(job.get("tasks")) or 1
    for told, times in (
        (job.get("tres_per_job"), 1),
        (job.get("tres_per_task"), tasks),
        (job.get("tres_req_str"), 1),
    ):
        if found := gpus(told):
            named = [g for g in found if g.model] or found  # with a model, the sum is told as well
            return [Gres(g.model, -(-g.count * times // nodes)) for g in named]
    return []


def allocation_rows(
    job: Mapping[str, Any], row: Job, snapshot: Snapshot
) -> Iterator[Allocation] | None:
    """Exact GPUs of a running job: `gres_detail` has one text per node, in the nodes' order.

    None where Slurm does not tell which GPUs they are.
    """
    details = job.get("gres_detail")
    nodes = hostlist.expand(text(job.get("nodes")))
    if not isinstance(details, list) or len(details) != len(nodes):
        return None
    found = [(node, gres) for node, told in zip(nodes, details, strict=True) for gres in gpus(told)]
    if any(len(gres.indices) != gres.count for _, gres in found):
        return None
    return (_allocation(row, node, slot, snapshot) for node, gres in found for slot in gres.indices)


def node_row(node: Mapping[str, Any], snapshot: Snapshot) -> NodeState:
    """One node, as if its state began now. ValueError if it has no name or no known state."""
    name, state = text(node.get("name")), node_state(node)
    if not name or state is None:
        raise ValueError(f"node {name!r}: state {node.get('state')!r}")
    found = gpus(node.get("gres"))
    memory = number(node.get("real_memory"))
    since = instant(node.get("reason_changed_at")) if state != "up" else None
    return NodeState(
        cluster=snapshot.cluster,
        node=name,
        scheduler="slurm",
        state=state,
        reason="" if state == "up" else text(node.get("reason")),
        gpus=sum(g.count for g in found),
        gpu_model=next((g.model for g in found if g.model), ""),
        cpu_milli=(number(node.get("cpus")) or 0) * 1000,
        memory_bytes=None if memory is None else memory * MEBIBYTE,
        valid_from=min(since or snapshot.at, snapshot.at),
        seen_at=snapshot.at,
        version=snapshot.version,
    )


def _allocation(row: Job, node: str, slot: int, snapshot: Snapshot) -> Allocation:
    gpu = gpu_id(snapshot.cluster, node, slot)
    return Allocation(
        gpu_id=gpu,
        alloc_id=alloc_id(row.job_id, row.restart, gpu),
        job_id=row.job_id,
        cluster=snapshot.cluster,
        node=node,
        valid_from=row.started,
        source="slurm",
        seen_at=snapshot.at,
        version=snapshot.version,
    )


def _ends_by(started: datetime | None, limit_minutes: int | None) -> datetime:
    """Start plus time limit; never without one (365 days and more count as none)."""
    if started is None or not limit_minutes or limit_minutes >= 365 * DAY_MINUTES:
        return FOREVER
    return started + timedelta(minutes=limit_minutes)
