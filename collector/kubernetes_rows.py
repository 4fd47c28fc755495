"""Pods, nodes and quotas of Kubernetes as rows of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from collector.kubernetes_objects import (
    Metadata,
    Node,
    Pod,
    PodSpec,
    PriorityClass,
    ResourceQuota,
    condition,
)
from collector.kubernetes_requests import Request, request
from collector.quantities import amounts, quantity
from collector.slurm_rows import Snapshot
from gpuledger import kubernetes_names
from gpuledger.accelerators import (
    MOST,
    any_labels,
    cards,
    is_gpu,
    milli,
    model,
    offers,
    share_milli,
)
from gpuledger.catalogue.work import Job, NodeState, Quota
from gpuledger.identity import job_id
from gpuledger.kubernetes_names import (
    ENDINGS,
    FOR_CAPACITY,
    RACKS,
    STATES,
    TAKEN_AWAY,
    TEMPLATE_HASH,
    Teams,
    native_id,
    owner_name,
    placing_labels,
    quota_milli,
    taint,
)
from gpuledger.schema import FOREVER

VOLCANO_PREEMPTIBLE = "volcano.sh/preemptable"
STATIC_UID = "kubernetes.io/config.hash"  # the kubelet's UID of a static pod; the API has another
CAPACITY_WORDS = ("Insufficient ", "pod group is not ready", "NotEnoughResources")
USER_CLASSES_END = 1_000_000_000  # above it are the system's own priority classes
NEVER = "Never"


@dataclass(frozen=True)
class World:
    """What is known of the cluster beside a pod's own words."""

    snapshot: Snapshot
    resources: tuple[str, ...]
    teams: Teams = field(default_factory=Teams)
    user_words: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by node
    preemptors: tuple[int, ...] = ()  # priorities of classes that take GPUs from lower ones
    queues: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (namespace, local) → pool
    waits: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)  # UID → reason, since


def job_row(pod: Pod, world: World) -> Job | None:
    """One pod; None where it asks for no GPU. ValueError where it cannot be understood."""
    asked = request(pod.spec, world.resources)
    if not asked.gpus:
        return None
    meta, snapshot = pod.metadata, world.snapshot
    words, created = meta.words, meta.creation_timestamp
    if created is None or not meta.uid:
        raise ValueError(f"pod {meta.namespace}/{meta.name} has no UID or no beginning")
    state, started = _state(pod)
    uid = words.get(STATIC_UID) or meta.uid
    reason, waited_since = _reason(pod, world) if state == "pending" else ("", created)
    kind, owner = _kind(pod), _owner(meta)
    return Job(
        job_id=job_id(snapshot.cluster, native_id(meta.namespace, meta.name, uid)),
        cluster=snapshot.cluster,
        name=owner or meta.name,
        user=next((words[w] for w in world.user_words if words.get(w)), ""),
        team=world.teams.of(meta.namespace, meta.labels),
        pool=queue_of(meta, world),
        state=state,
        reason=reason,
        **sizes(pod.spec, asked, world),
        kind=kind,
        gang=gang(meta, snapshot.cluster),
        preemptible=_preemptible(pod.spec, words, world),
        submitted=min(created, _submitted(meta, world) or created),
        eligible=waited_since if reason in {"", FOR_CAPACITY} else FOREVER,
        started=started or FOREVER,
        ended=_ended(pod, created) if state in ENDINGS else FOREVER,
        ends_by=_ends_by(pod, started),
        seen_at=snapshot.at,
        version=snapshot.version,
    )


def sizes(spec: PodSpec, asked: Request, world: World) -> dict[str, Any]:
    """Columns of a job that its pod's template decides."""
    labels = world.labels.get(spec.node_name or "", {})
    wanted = dict(spec.node_selector or {})
    return {
        "gpus_per_node": min(asked.gpus, (1 << 16) - 1),
        "cpu_milli": milli(asked.cpu),
        "memory_bytes": None if asked.memory is None else _bytes(asked.memory),
        "gpu_model": model(wanted),
        "priority": min(max(spec.priority or 0, 0), MOST),
        "qos": spec.priority_class_name or "",
        "constraints": ",".join(_constraints(spec)),
        "share_milli": share_milli(
            asked.resource, labels or any_labels(asked.resource, world.labels)
        ),
    }


def queue_of(meta: Metadata, world: World) -> str:
    """The queue that the object waits in."""
    return kubernetes_names.queue_of(meta.namespace, meta.words, world.queues)


def gang(meta: Metadata, cluster: str) -> str:
    """The group that starts as a whole, as a job id of its own; empty = alone."""
    return kubernetes_names.gang(meta.namespace, meta.words, cluster)


def preemptors(classes: list[PriorityClass]) -> tuple[int, ...]:
    """Priorities of users' classes that may take GPUs away from lower ones."""
    found = (c.value for c in classes if c.preemption_policy != NEVER)
    return tuple(sorted(value for value in found if value <= USER_CLASSES_END))


def node_row(node: Node, world: World) -> NodeState | None:
    """One node, as if its state began now; None without accelerators. ValueError as `job_row`."""
    labels = node.metadata.labels or {}
    capacity, free = amounts(node.status.capacity), amounts(node.status.allocatable)
    gpus = cards(capacity, labels, world.resources)
    if not gpus:
        return None
    state, reason, since = _node_state(node)
    snapshot = world.snapshot
    return NodeState(
        cluster=snapshot.cluster,
        node=node.metadata.name,
        scheduler="kubernetes",
        state=state,
        reason=reason,
        gpus=gpus,
        gpu_model=model(labels),
        shares=offers(free, world.resources),
        labels=placing_labels(labels),
        taints=",".join(
            sorted(taint(t.key, t.value or "", t.effect) for t in node.spec.taints or ())
        ),
        rack=next((labels[r] for r in RACKS if labels.get(r)), ""),
        cpu_milli=milli(free.get("cpu")),
        memory_bytes=_bytes(free["memory"]) if "memory" in free else None,
        valid_from=min(since or snapshot.at, snapshot.at),
        seen_at=snapshot.at,
        version=snapshot.version,
    )


def quota_row(quotas: list[ResourceQuota], world: World) -> Quota | None:
    """What the quotas of one namespace leave it at most; None where none is about accelerators.

    ValueError where a quantity is none.
    """
    namespace = quotas[0].metadata.namespace
    told = ((n, q) for quota in quotas for n, q in (quota.spec.hard or {}).items())
    hard = [
        (n, quantity(q)) for n, q in told if is_gpu(n.removeprefix("requests."), world.resources)
    ]
    limit = quota_milli(hard, world.resources, world.labels)
    if limit is None:
        return None
    team = world.teams.of(namespace)
    return Quota(
        cluster=world.snapshot.cluster,
        scheduler="kubernetes",
        team=team,
        queue="" if team == namespace else namespace,
        limit_milli=limit,
        seen_at=world.snapshot.at,
        version=world.snapshot.version,
    )


def _bytes(amount: Fraction) -> float:
    """Bytes as a column holds them: at most 4 pebibytes."""
    return float(min(amount, Fraction(MOST << 20)))


def _state(pod: Pod) -> tuple[str, datetime | None]:
    """The state, and when the pod got its node: from then on it holds its GPUs."""
    bound = condition(pod.status.conditions, "PodScheduled")
    since = bound.last_transition_time if bound and bound.status == "True" else None
    started = since or pod.status.start_time
    state = STATES.get(pod.status.phase)
    if state is None:
        if not pod.spec.node_name:
            return "pending", None
        return "running", started or pod.metadata.creation_timestamp
    if state == "failed" and pod.status.reason == "DeadlineExceeded":
        state = "timeout"
    if state == "failed" and pod.status.reason in TAKEN_AWAY:
        state = "cancelled"
    return state, started


def _reason(pod: Pod, world: World) -> tuple[str, datetime]:
    """Why a pod waits, and since when it could have started."""
    created = pod.metadata.creation_timestamp or world.snapshot.at
    gates = [g.name for g in pod.spec.scheduling_gates or ()]
    if gates:
        reason, _ = world.waits.get(pod.metadata.uid, ("", created))
        return reason or "SchedulingGated", created
    said = condition(pod.status.conditions, "PodScheduled")
    if said is None or said.status == "True":
        return "", created
    message = f"{said.reason or ''}: {said.message or ''}"
    for_capacity = any(word in message for word in CAPACITY_WORDS)
    return FOR_CAPACITY if for_capacity else said.reason or "Unschedulable", created


def _submitted(meta: Metadata, world: World) -> datetime | None:
    """A pod made only when its job was let in was handed in with the job."""
    owners = (owner.uid for owner in meta.owner_references or ())
    found = (world.waits[uid][1] for uid in (meta.uid, *owners) if uid in world.waits)
    return min(found, default=None)


def _ended(pod: Pod, created: datetime) -> datetime:
    """When the last container ended; the best that is known where none says."""
    states = (s.state.terminated for s in pod.status.container_statuses or () if s.state)
    ends = [t.finished_at for t in states if t and t.finished_at]
    ready = condition(pod.status.conditions, "Ready")
    changed = ready.last_transition_time if ready else None
    return max(ends, default=None) or changed or pod.status.start_time or created


def _ends_by(pod: Pod, started: datetime | None) -> datetime:
    limit_s = pod.spec.active_deadline_seconds
    if not started or not limit_s or limit_s >= 365 * 86_400:
        return FOREVER
    return started + timedelta(seconds=limit_s)


def _kind(pod: Pod) -> str:
    """Whether somebody sits at it, or it answers requests; else it is a batch job."""
    words, owner = pod.metadata.words, _controller(pod.metadata)
    found = kubernetes_names.kind(owner[0], words)
    if found == "batch" and not owner[0] and any(c.tty and c.stdin for c in pod.spec.containers):
        return "interactive"
    return found


def _controller(meta: Metadata) -> tuple[str, str]:
    """Kind and name of who made the pod."""
    owners = meta.owner_references or ()
    found = next((o for o in owners if o.controller), None) or next(iter(owners), None)
    return (found.kind, found.name) if found else ("", "")


def _owner(meta: Metadata) -> str:
    """Name of the job or deployment; a replica set is its deployment and a hash."""
    kind, name = _controller(meta)
    hashed = (meta.labels or {}).get(TEMPLATE_HASH, "")
    return owner_name(kind, name, hashed)


def _preemptible(spec: PodSpec, words: Mapping[str, str], world: World) -> int:
    told = words.get(VOLCANO_PREEMPTIBLE)
    if told in {"true", "false"}:
        return int(told == "true")
    return int(any(value > (spec.priority or 0) for value in world.preemptors))


def _constraints(spec: PodSpec) -> Iterator[str]:
    yield from (f"{k}={v}" for k, v in sorted((spec.node_selector or {}).items()))
    affinity = spec.affinity.node_affinity if spec.affinity else None
    terms = affinity and affinity.required_during_scheduling_ignored_during_execution
    for term in (terms.node_selector_terms or ()) if terms else ():
        for wanted in term.match_expressions or ():
            values = "|".join(wanted.values or ())
            yield f"{wanted.key} {wanted.operator} {values}".strip()


def _node_state(node: Node) -> tuple[str, str, datetime | None]:
    """State, reason, and since when the API server says so."""
    ready = condition(node.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        reason = (ready.reason if ready else "") or "NotReady"
        return "down", reason, ready.last_transition_time if ready else None
    if node.spec.unschedulable:
        added = [t.time_added for t in node.spec.taints or () if t.key.endswith("/unschedulable")]
        return "drained", "unschedulable", next((a for a in added if a), None)
    return "up", "", None
