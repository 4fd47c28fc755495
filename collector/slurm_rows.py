"""Slurm's jobs and nodes as rows of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from collector.slurm_json import instant, node_state, number
from collector.slurm_pools import Site
from collector.source import Trust
from gpuledger import hostlist
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.work import Allocation, Job, NodeState, version
from gpuledger.identity import alloc_id, gpu_id, job_id
from gpuledger.rows import fitting
from gpuledger.schema import FOREVER
from gpuledger.slurm_words import (
    MEBIBYTE,
    SLICES_OF_A_CARD,
    Gres,
    gpus,
    job_state,
    names,
    shards,
    text,
    tres,
    words,
)

ENDED = frozenset({"completed", "failed", "cancelled", "timeout"})
DAY_MINUTES = 24 * 60
WHOLE = 1000
# A GPU that the prolog hook says is held is given back when the scheduler says so, epilog or not:
# its word of an end outranks the hook's of a beginning, and the epilog's own of an end outranks it.
TRUST_HOOK_HOLDS = Trust.SCHEDULER + 1
TRUST_SCHEDULER_ENDED = Trust.SCHEDULER + 2
TRUST_HOOK_ENDED = Trust.SCHEDULER + 4


@dataclass(frozen=True)
class Snapshot:
    """Which cluster said it, and when; and what is known of the cluster beside."""

    cluster: str
    at: datetime
    site: Site = field(default_factory=Site)

    @property
    def version(self) -> int:
        """Rank of this snapshot's facts."""
        return version(Trust.SCHEDULER, to_milliseconds(self.at))

    @property
    def version_of_end(self) -> int:
        """Rank of what this snapshot says of GPUs that were given back."""
        return version(TRUST_SCHEDULER_ENDED, to_milliseconds(self.at))


def job_row(job: Mapping[str, Any], snapshot: Snapshot) -> Job:
    """One job. ValueError if it has no id, no submit time, or a state that is no known word."""
    native, state = number(job.get("job_id")), job_state(job.get("job_state"))
    submitted = instant(job.get("submit_time"))
    if not native or state is None or submitted is None:
        raise ValueError(f"job {native}: state {job.get('job_state')!r}, submitted {submitted}")
    nodes = max(1, number(job.get("node_count")) or 1)
    wanted = requested_gpus(job, nodes)
    given = wanted or held_gpus(job, nodes)
    cut = _requested_shards(job, nodes, snapshot.site)
    pool = text(job.get("partition"))
    amounts = tres(job.get("tres_req_str"))
    started = None if state == "pending" else instant(job.get("start_time"))
    if state == "running" and started is None:
        raise ValueError(f"job {native} runs, but has not started")
    ended = instant(job.get("end_time")) if state in ENDED else None
    reason = text(job.get("state_reason")) if state == "pending" else ""
    row = Job(
        job_id=job_id(snapshot.cluster, native),
        cluster=snapshot.cluster,
        name=_name(job),
        user=text(job.get("user_name")) or str(number(job.get("user_id")) or ""),
        team=text(job.get("account")) or "unmapped",
        pool=pool,
        state=state,
        reason=reason,
        nodes=nodes,
        gpus_per_node=cut[0] if cut else sum(g.count for g in given),
        cpu_milli=(amounts.get("cpu") or number(job.get("cpus")) or 0) * 1000 // nodes,
        memory_bytes=amounts["mem"] // nodes if "mem" in amounts else None,
        gpu_model=next((g.model for g in wanted if g.model), ""),
        priority=number(job.get("priority")) or 0,
        kind="interactive" if job.get("batch_flag") is False else "batch",
        qos=text(job.get("qos")),
        preemptible=int(bool(pool) and snapshot.site.preemptible.issuperset(pool.split(","))),
        reservation=text(job.get("resv_name")),
        gang=_gang(job, snapshot.cluster),
        constraints=",".join(_constraints(job)),
        share_milli=cut[1] if cut else min((_share(g) for g in given), default=WHOLE),
        restart=number(job.get("restart_cnt")) or 0,
        submitted=submitted,
        eligible=instant(job.get("eligible_time")) or FOREVER,
        started=started or FOREVER,
        ended=ended or ((started or submitted) if state in ENDED else FOREVER),
        ends_by=_ends_by(started, number(job.get("time_limit"))),
        seen_at=snapshot.at,
        version=snapshot.version,
    )
    return fitting(row)


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


def held_gpus(job: Mapping[str, Any], nodes: int) -> list[Gres]:
    """GPUs that the job was given on each node, by model, whether it asked for them or not.

    A job with `--exclusive` names none and holds all those of its nodes.
    """
    counts: dict[str, int] = {}
    for told in _details(job):
        for gres in gpus(told):
            counts[gres.model] = counts.get(gres.model, 0) + gres.count
    return [Gres(model, -(-count // nodes)) for model, count in counts.items()]


def holds_gpus(job: Mapping[str, Any]) -> bool:
    """Whether Slurm tells of GPUs, or parts of them, that the job holds now."""
    return any(gpus(told) or shards(told) for told in _details(job))


def _details(job: Mapping[str, Any]) -> list[Any]:
    found = job.get("gres_detail")
    return found if isinstance(found, list) else []


def allocation_rows(
    job: Mapping[str, Any], row: Job, snapshot: Snapshot
) -> Iterator[Allocation] | None:
    """Exact GPUs of a running job: `gres_detail` has one text per node, in the nodes' order.

    None where Slurm does not tell which GPUs they are.
    """
    details = _details(job)
    nodes = hostlist.expand(text(job.get("nodes")))
    if not details or len(details) != len(nodes):
        return None
    held: dict[tuple[str, int], int] = {}
    for node, told in zip(nodes, details, strict=True):
        found = _held(node, told, snapshot.site)
        if found is None:
            return None
        for minor, share in found:
            held[node, minor] = min(WHOLE, held.get((node, minor), 0) + share)
    return (_allocation(row, node, minor, s, snapshot) for (node, minor), s in held.items())


def _held(node: str, told: Any, site: Site) -> list[tuple[int, int]] | None:
    """Minor number and thousandths of each GPU that a job holds on the node; None = not told."""
    out: list[tuple[int | None, int]] = []
    for gres in gpus(told):
        if len(gres.indices) != gres.count:
            return None
        out += [(site.devices.minor(node, index), _share(gres)) for index in gres.indices]
    for cut in shards(told):
        parts = _parts_of_shards(cut, site.shards.get(node))
        if parts is None:
            return None
        out += [(site.devices.minor(node, index), share) for index, share in parts]
    known = [(minor, share) for minor, share in out if minor is not None]
    return known if len(known) == len(out) else None


def _parts_of_shards(cut: Gres, of_each: int | None) -> list[tuple[int, int]] | None:
    """Ordinal and thousandths of each GPU; None where Slurm does not tell them."""
    if cut.parts:
        return [(n, WHOLE * taken // max(1, whole)) for n, (taken, whole) in _taken(cut.parts)]
    if not cut.indices or not of_each:
        return None
    share = WHOLE * cut.count // (of_each * len(cut.indices))
    return [(index, min(WHOLE, share)) for index in cut.indices]


def _taken(parts: tuple[tuple[int, int], ...]) -> list[tuple[int, tuple[int, int]]]:
    return [(n, part) for n, part in enumerate(parts) if part[0]]


def _share(gres: Gres) -> int:
    """Thousandths of a card that each of the GPUs is."""
    return min(WHOLE, WHOLE * gres.slices // SLICES_OF_A_CARD) if gres.slices else WHOLE


def _requested_shards(job: Mapping[str, Any], nodes: int, site: Site) -> tuple[int, int] | None:
    """GPUs on each node and thousandths of each, of a job that asks for shards."""
    told = shards(job.get("tres_per_node"))
    wanted = sum(g.count for g in told) or -(-sum(_shards_of_job(job)) // nodes)
    of_each = site.most_shards or wanted
    if not wanted:
        return None
    cards = -(-wanted // of_each)
    return cards, min(WHOLE, WHOLE * wanted // (of_each * cards))


def _shards_of_job(job: Mapping[str, Any]) -> list[int]:
    return [g.count for g in shards(job.get("tres_per_job"))]


def _name(job: Mapping[str, Any]) -> str:
    """The job's name; of an array with the task, or the tasks that still wait."""
    task = number(job.get("array_task_id"))
    waiting = text(job.get("array_task_string"))
    tasks = waiting if task is None or waiting else str(task)
    of_array = number(job.get("array_job_id"))
    return text(job.get("name")) + (f"[{tasks}]" if of_array and tasks else "")


def _gang(job: Mapping[str, Any], cluster: str) -> str:
    """The components of a heterogeneous job start as a whole."""
    leader = number(job.get("het_job_id"))
    return job_id(cluster, leader) if leader else ""


def _constraints(job: Mapping[str, Any]) -> Iterator[str]:
    if features := text(job.get("features")):
        yield features
    for key, prefix in (("required_nodes", "on:"), ("excluded_nodes", "not:")):
        for name in names(job.get(key)):
            yield prefix + name
    # Older versions say `none` for a job that shares its node with no other.
    if {"NONE", "EXCLUSIVE"} & set(words(job.get("shared"))) or job.get("exclusive") is True:
        yield "exclusive"


def node_row(node: Mapping[str, Any], snapshot: Snapshot) -> NodeState:
    """One node, as if its state began now. ValueError if it has no name or no known state."""
    name, state = text(node.get("name")), node_state(node)
    if not name or state is None:
        raise ValueError(f"node {name!r}: state {node.get('state')!r}")
    found = gpus(node.get("gres"))
    memory = number(node.get("real_memory"))
    since = instant(node.get("reason_changed_at")) if state != "up" else None
    row = NodeState(
        cluster=snapshot.cluster,
        node=name,
        scheduler="slurm",
        state=state,
        reason="" if state == "up" else text(node.get("reason")),
        pools=",".join(names(node.get("partitions"))),
        gpus=_cards(found),
        gpu_model=next((g.model for g in found if g.model), ""),
        shares=",".join(_shares(node, found)),
        labels=",".join(names(node.get("active_features")) or names(node.get("features"))),
        rack=snapshot.site.racks.get(name, ""),
        cpu_milli=(number(node.get("cpus")) or 0) * 1000,
        memory_bytes=None if memory is None else memory * MEBIBYTE,
        valid_from=min(since or snapshot.at, snapshot.at),
        seen_at=snapshot.at,
        version=snapshot.version,
    )
    return fitting(row)


def _cards(found: list[Gres]) -> int:
    """GPUs, where slices of one card count together."""
    sevenths = sum(g.count * g.slices for g in found if g.slices)
    return sum(g.count for g in found if not g.slices) + -(-sevenths // SLICES_OF_A_CARD)


def _shares(node: Mapping[str, Any], found: list[Gres]) -> Iterator[str]:
    for gres in found:
        if gres.slices:
            yield f"mig-{gres.model}={gres.count}"
    if cut := sum(g.count for g in shards(node.get("gres"))):
        yield f"shard={cut}"


def _allocation(row: Job, node: str, slot: int, share: int, snapshot: Snapshot) -> Allocation:
    gpu = gpu_id(snapshot.cluster, node, slot)
    return Allocation(
        gpu_id=gpu,
        alloc_id=alloc_id(row.job_id, row.restart, gpu),
        job_id=row.job_id,
        cluster=snapshot.cluster,
        node=node,
        share_milli=share,
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
