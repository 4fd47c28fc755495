"""Queues of Kueue and Volcano: their quotas, and the work that waits in them without pods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

import msgspec

from collector.kubernetes_api import Kind
from collector.kubernetes_objects import (
    Amounts,
    Condition,
    Metadata,
    PodSpec,
    Shape,
    condition,
)
from collector.kubernetes_requests import request
from collector.kubernetes_rows import World, gang, queue_of, sizes
from collector.quantities import amounts, quantity
from gpuledger.accelerators import is_gpu, milli, share_milli, whole
from gpuledger.catalogue.work import Job, Pool, Quota
from gpuledger.identity import job_id
from gpuledger.kubernetes_names import native_id

KUEUE = ("v1beta2", "v1beta1")
CLUSTER_QUEUES = Kind("clusterqueues", group="kueue.x-k8s.io", versions=KUEUE)
LOCAL_QUEUES = Kind("localqueues", group="kueue.x-k8s.io", versions=KUEUE)
WORKLOADS = Kind("workloads", group="kueue.x-k8s.io", versions=KUEUE)
QUEUES = Kind("queues", group="scheduling.volcano.sh", versions=("v1beta1",))
POD_GROUPS = Kind("podgroups", group="scheduling.volcano.sh", versions=("v1beta1",))

QUOTA = "Quota"
HELD = "Held"
NEVER = "Never"
VOLCANO_STATES = {"Open": "up", "Closing": "drained", "Closed": "inactive", "Unknown": "down"}
MOST = (1 << 32) - 1


class FlavorResource(Shape):
    """Quota of one resource in one flavor."""

    name: str
    nominal_quota: str | int | float = 0
    borrowing_limit: str | int | float | None = None


class Flavor(Shape):
    """A kind of node, and what of it the queue has."""

    name: str
    resources: list[FlavorResource]


class Group(Shape):
    """Resources that are quoted together."""

    flavors: list[Flavor]


class Preemption(Shape):
    """From whom a queue takes GPUs back."""

    reclaim_within_cohort: str = NEVER
    within_cluster_queue: str = NEVER


class ClusterQueueSpec(Shape):
    """A queue's quota."""

    resource_groups: list[Group] | None = None
    cohort: str = ""
    cohort_name: str = ""
    preemption: Preemption | None = None
    stop_policy: str = "None"


class Conditions(Shape):
    """A status of which only the statements are read."""

    conditions: list[Condition] | None = None


class ClusterQueue(Shape):
    """Kueue's queue of the whole cluster."""

    metadata: Metadata
    spec: ClusterQueueSpec
    status: Conditions | None = None


class LocalQueueSpec(Shape):
    """Where a namespace's queue leads."""

    cluster_queue: str = ""


class LocalQueue(Shape):
    """Kueue's queue of a namespace."""

    metadata: Metadata
    spec: LocalQueueSpec


class Template(Shape):
    """A pod to be."""

    spec: PodSpec


class PodSet(Shape):
    """So many pods alike."""

    template: Template
    count: int = 1


class WorkloadSpec(Shape):
    """What waits for quota."""

    pod_sets: list[PodSet]
    queue_name: str = ""
    priority: int | None = None
    active: bool = True


class Workload(Shape):
    """Kueue's record of one job."""

    metadata: Metadata
    spec: WorkloadSpec
    status: Conditions | None = None


class QueueSpec(Shape):
    """Volcano's quota of a queue."""

    capability: Amounts | None = None
    deserved: Amounts | None = None
    guarantee: dict[str, Any] | None = None
    parent: str = ""
    reclaimable: bool | None = None
    priority: int = 0


class QueueStatus(Shape):
    """Whether a queue takes work."""

    state: str = "Open"


class Queue(Shape):
    """Volcano's queue."""

    metadata: Metadata
    spec: QueueSpec
    status: QueueStatus | None = None


class PodGroupSpec(Shape):
    """A gang's least."""

    min_member: int = 1
    min_resources: Amounts | None = None
    queue: str = ""
    priority_class_name: str = ""


class PodGroupStatus(Shape):
    """Whether a gang was let in."""

    phase: str = "Pending"


class PodGroup(Shape):
    """Volcano's gang."""

    metadata: Metadata
    spec: PodGroupSpec
    status: PodGroupStatus | None = None


def cluster_queue_rows(queue: ClusterQueue, world: World) -> tuple[Pool, Quota | None]:
    """The queue, and its quota of accelerators where it has one."""
    spec, cohort = queue.spec, queue.spec.cohort_name or queue.spec.cohort
    flavors = [f for g in spec.resource_groups or () for f in g.flavors]
    found = [(f, r) for f in flavors for r in f.resources if is_gpu(r.name, world.resources)]
    active = condition(queue.status.conditions, "Active") if queue.status else None
    is_up = (active is None or active.status == "True") and spec.stop_policy == "None"
    takes = spec.preemption or Preemption()
    pool = Pool(
        cluster=world.snapshot.cluster,
        pool=queue.metadata.name,
        scheduler="kueue",
        state="up" if is_up else "inactive",
        longest_seconds=None,
        preemptible=int(takes.within_cluster_queue != NEVER or bool(cohort)),
        seen_at=world.snapshot.at,
        version=world.snapshot.version,
    )
    if not found:
        return pool, None
    guaranteed = sum(_gpu_milli(r.name, r.nominal_quota) for _, r in found)
    limits = [r.borrowing_limit for _, r in found]
    unlimited = bool(cohort) and None in limits
    more = sum(_gpu_milli(r.name, r.borrowing_limit or 0) for _, r in found if cohort)
    names = {f.name for f, _ in found}
    return pool, _quota(
        world,
        "kueue",
        queue.metadata.name,
        gpu_model=names.pop() if len(names) == 1 else "",
        guaranteed_milli=min(guaranteed, MOST),
        limit_milli=0 if unlimited else max(1, min(guaranteed + more, MOST)),
        parent=cohort,
    )


def volcano_queue_rows(queue: Queue, world: World) -> tuple[Pool, Quota | None]:
    """The queue, and its quota of accelerators where it has one."""
    spec, state = queue.spec, queue.status.state if queue.status else "Open"
    pool = Pool(
        cluster=world.snapshot.cluster,
        pool=queue.metadata.name,
        scheduler="volcano",
        state=VOLCANO_STATES.get(state, "down"),
        priority=min(max(spec.priority, 0), MOST),
        longest_seconds=None,
        preemptible=int(spec.reclaimable is not False),
        seen_at=world.snapshot.at,
        version=world.snapshot.version,
    )
    told = msgspec.convert((spec.guarantee or {}).get("resource"), Amounts | None)
    guaranteed, limit = _sum(told or spec.deserved, world), _sum(spec.capability, world)
    if guaranteed is None and limit is None:
        return pool, None
    return pool, _quota(
        world,
        "volcano",
        queue.metadata.name,
        guaranteed_milli=guaranteed or 0,
        limit_milli=0 if limit is None else max(1, limit),
        parent=spec.parent,
    )


def workload_row(workload: Workload, world: World) -> Job | None:
    """A job that Kueue keeps without pods; None where it has pods of its own, or wants no GPU.

    Once it is let in its pods are the jobs: the row ends then, and never counts as started.
    """
    owners = {o.kind for o in workload.metadata.owner_references or ()}
    asked = [(s, request(s.template.spec, world.resources)) for s in workload.spec.pod_sets]
    sets = [(s, r) for s, r in asked if r.gpus and s.count > 0]
    if "Pod" in owners or not sets:
        return None
    most, asked_most = max(sets, key=lambda pair: pair[1].gpus)
    reason, until = workload_wait(workload)
    row = _waiting(
        workload.metadata,
        world,
        reason=reason,
        nodes=sum(s.count for s, _ in sets),
        pool=world.queues.get((workload.metadata.namespace, workload.spec.queue_name))
        or workload.spec.queue_name,
        columns=sizes(most.template.spec, asked_most, world),
    )
    row.priority = min(max(workload.spec.priority or row.priority, 0), MOST)
    if until:
        row.state, row.ended, row.reason = "completed", until, ""
    return row


def workload_wait(workload: Workload) -> tuple[str, datetime | None]:
    """Why a workload waits, and when it was let in or ended; None while it waits."""
    told = workload.status.conditions if workload.status else None
    for kind in ("Admitted", "Finished"):
        found = condition(told, kind)
        if found and found.status == "True" and found.last_transition_time:
            return "", found.last_transition_time
    if not workload.spec.active:
        return HELD, None
    reserved = condition(told, "QuotaReserved")
    if reserved and reserved.status == "True":
        return "AdmissionChecks", None
    inadmissible = reserved is not None and reserved.reason == "Inadmissible"
    return "Inadmissible" if inadmissible else QUOTA, None


def waits(workload: Workload) -> dict[str, tuple[str, datetime]]:
    """Why and since when the makers of pods wait, by their UID."""
    created = workload.metadata.creation_timestamp
    if created is None:
        return {}
    reason, _ = workload_wait(workload)
    return {owner.uid: (reason, created) for owner in workload.metadata.owner_references or ()}


def pod_group_row(group: PodGroup, world: World) -> Job | None:
    """A gang that Volcano has not let in, so that it has no pods; None otherwise."""
    if (group.status or PodGroupStatus()).phase != "Pending":
        return None
    wanted = {
        name: amount
        for name, amount in amounts(group.spec.min_resources).items()
        if is_gpu(name.removeprefix("requests."), world.resources)
    }
    gpus, members = whole(sum(wanted.values(), Fraction(0))), max(1, group.spec.min_member)
    if not gpus:
        return None
    columns: dict[str, Any] = {
        "gpus_per_node": -(-gpus // members),
        "memory_bytes": None,
        "qos": group.spec.priority_class_name,
    }
    meta = group.metadata
    return _waiting(
        meta, world, reason=QUOTA, nodes=members, pool=group.spec.queue, columns=columns
    )


def _waiting(
    meta: Metadata,
    world: World,
    *,
    reason: str,
    nodes: int,
    pool: str,
    columns: Mapping[str, Any],
) -> Job:
    created = meta.creation_timestamp
    if created is None or not meta.uid:
        raise ValueError(f"{meta.namespace}/{meta.name} has no UID or no beginning")
    snapshot, owner = world.snapshot, next(iter(meta.owner_references or ()), None)
    return Job(
        job_id=job_id(snapshot.cluster, native_id(meta.namespace, meta.name, meta.uid)),
        cluster=snapshot.cluster,
        name=owner.name if owner else meta.name,
        user="",
        team=world.teams.of(meta.namespace, meta.labels),
        pool=pool or queue_of(meta, world),
        state="pending",
        reason=reason,
        nodes=min(nodes, MOST),
        gang=gang(meta, snapshot.cluster)
        or job_id(snapshot.cluster, f"{meta.namespace}/{meta.name}"),
        submitted=created,
        seen_at=snapshot.at,
        version=snapshot.version,
        **columns,
    )


def _quota(world: World, scheduler: str, queue: str, **values: Any) -> Quota:
    return Quota(
        cluster=world.snapshot.cluster,
        scheduler=scheduler,
        queue=queue,
        seen_at=world.snapshot.at,
        version=world.snapshot.version,
        **values,
    )


def _sum(told: Amounts | None, world: World) -> int | None:
    """Thousandths of GPUs in a list of resources; None where it has none."""
    found = {n: v for n, v in (told or {}).items() if is_gpu(n, world.resources)}
    if not found:
        return None
    return min(sum(_gpu_milli(n, v) for n, v in found.items()), MOST)


def _gpu_milli(resource: str, told: str | float) -> int:
    share = share_milli(resource, {})
    return milli(quantity(told) * share / 1000)
