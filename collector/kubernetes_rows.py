"""Pods, nodes and quotas of Kubernetes as rows of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

from collector.kubernetes_objects import (
    Metadata,
    Node,
    Pod,
    PodSpec,
    PriorityClass,
    ResourceQuota,
    Taint,
    condition,
)
from collector.kubernetes_requests import (
    MODEL_LABELS,
    Request,
    cards,
    is_gpu,
    model,
    offers,
    request,
    share_milli,
)
from collector.pods import native_id
from collector.quantities import amounts, milli, quantity
from collector.slurm_rows import Snapshot
from gpuledger.catalogue.work import Job, NodeState, Quota
from gpuledger.identity import job_id
from gpuledger.schema import FOREVER

# Names of queues, gangs and notebooks as their makers document them, labels and annotations alike.
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"
VOLCANO_QUEUE = "scheduling.volcano.sh/queue-name"
VOLCANO_PREEMPTIBLE = "volcano.sh/preemptable"
STATIC_UID = "kubernetes.io/config.hash"  # the kubelet's UID of a static pod; the API has another
TEMPLATE_HASH = "pod-template-hash"
GANGS = (
    ("jobset.sigs.k8s.io/jobset-name",),
    ("leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/group-index"),
    ("scheduling.k8s.io/group-name",),
    ("scheduling.x-k8s.io/pod-group",),
    ("kueue.x-k8s.io/pod-group-name",),
    ("training.kubeflow.org/job-name",),
)
SERVICES = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "LeaderWorkerSet"})
SERVICE_WORDS = ("serving.kserve.io/inferenceservice", "ray.io/serve")
INTERACTIVE_WORDS = ("notebook-name", "hub.jupyter.org/username")
RACKS = ("topology.kubernetes.io/rack", "topology.kubernetes.io/zone")
STATES = {"Succeeded": "completed", "Failed": "failed"}
# The ledger's word for a wait that more free GPUs would end; see `collector.waits`.
FOR_CAPACITY = "Resources"
CAPACITY_WORDS = ("Insufficient ", "pod group is not ready", "NotEnoughResources")
USER_CLASSES_END = 1_000_000_000  # above it are the system's own priority classes
NEVER = "Never"
MOST = (1 << 32) - 1


@dataclass(frozen=True)
class Teams:
    """Whose a pod is: the first of these that says it, else its namespace.

    A label of the pod counts only where the operator says that admission protects it; then the
    configured namespaces (pattern to team); then a label of the namespace.
    """

    namespaces: Mapping[str, str] = field(default_factory=dict)
    namespace_label: str = ""
    protected_label: str = ""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by namespace

    def of(self, namespace: str, pod: Mapping[str, str] | None = None) -> str:
        """The team."""
        if self.protected_label and pod and pod.get(self.protected_label):
            return pod[self.protected_label]
        for pattern, team in self.namespaces.items():
            if fnmatchcase(namespace, pattern):
                return team
        told = self.labels.get(namespace, {}).get(self.namespace_label, "")
        return told or namespace or "unmapped"


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


ENDINGS = frozenset({"completed", "failed", "cancelled", "timeout"})


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
        "share_milli": share_milli(asked.resource, labels or _any_labels(asked.resource, world)),
    }


def queue_of(meta: Metadata, world: World) -> str:
    """The queue that a pod waits in: Kueue's of the whole cluster, or Volcano's."""
    words = meta.words
    local = words.get(KUEUE_QUEUE, "")
    if local:
        return world.queues.get((meta.namespace, local), local)
    return words.get(VOLCANO_QUEUE, "")


def gang(meta: Metadata, cluster: str) -> str:
    """The group that starts as a whole, as a job id of its own; empty = alone."""
    words = meta.words
    for names in GANGS:
        if all(words.get(name) for name in names):
            return job_id(cluster, "/".join((meta.namespace, *(words[n] for n in names))))
    return ""


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
        labels=",".join(f"{k}={v}" for k, v in sorted(labels.items()) if _is_told(k)),
        taints=",".join(sorted(_taint(t) for t in node.spec.taints or ())),
        rack=next((labels[r] for r in RACKS if labels.get(r)), ""),
        cpu_milli=milli(free.get("cpu")),
        memory_bytes=_bytes(free["memory"]) if "memory" in free else None,
        valid_from=min(since or snapshot.at, snapshot.at),
        seen_at=snapshot.at,
        version=snapshot.version,
    )


def quota_row(quotas: list[ResourceQuota], world: World) -> Quota | None:
    """What the quotas of one namespace leave it at most; None where none is about accelerators.

    A limit of 0 GPUs is told as a thousandth of one, since 0 means no limit in the table.
    """
    namespace = quotas[0].metadata.namespace
    limits: dict[str, int] = {}
    for quota in quotas:
        for name, told in (quota.spec.hard or {}).items():
            resource = name.removeprefix("requests.")
            if resource != name and is_gpu(resource, world.resources):
                labels = _any_labels(resource, world)
                whole_gpus = quantity(told) * share_milli(resource, labels) / 1000
                limits[resource] = min(limits.get(resource, MOST), milli(whole_gpus))
    if not limits:
        return None
    team = world.teams.of(namespace)
    return Quota(
        cluster=world.snapshot.cluster,
        scheduler="kubernetes",
        team=team,
        queue="" if team == namespace else namespace,
        limit_milli=max(1, min(sum(limits.values()), MOST)),
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
    if state == "failed" and pod.status.reason in {"Evicted", "Preempting", "Preempted"}:
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
    if any(words.get(w) for w in INTERACTIVE_WORDS) or owner[0] == "Notebook":
        return "interactive"
    if owner[0] in SERVICES or any(words.get(w) for w in SERVICE_WORDS):
        return "service"
    if not owner[0] and any(c.tty and c.stdin for c in pod.spec.containers):
        return "interactive"
    return "batch"


def _controller(meta: Metadata) -> tuple[str, str]:
    """Kind and name of who made the pod."""
    owners = meta.owner_references or ()
    found = next((o for o in owners if o.controller), None) or next(iter(owners), None)
    return (found.kind, found.name) if found else ("", "")


def _owner(meta: Metadata) -> str:
    """Name of the job or deployment; a replica set is its deployment and a hash."""
    kind, name = _controller(meta)
    hashed = (meta.labels or {}).get(TEMPLATE_HASH, "")
    return name.removesuffix(f"-{hashed}") if kind == "ReplicaSet" and hashed else name


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


def _any_labels(resource: str, world: World) -> Mapping[str, str]:
    """Labels of a node that shares such devices; for a pod that has no node yet."""
    if not resource.endswith(".shared"):
        return {}
    shared = (n for n in world.labels.values() if share_milli(resource, n) < 1000)
    return next(shared, {})


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


def _taint(taint: Taint) -> str:
    return f"{taint.key}={taint.value or ''}:{taint.effect}"


def _is_told(label: str) -> bool:
    """Labels by which work is placed; others are as many as there are operators."""
    return label in MODEL_LABELS or label.startswith(
        (
            "topology.kubernetes.io/",
            "node.kubernetes.io/instance-type",
            "node-role.kubernetes.io/",
            "nvidia.com/gpu.clique",
            "nvidia.com/gpu.replicas",
            "nvidia.com/gpu.sharing-strategy",
            "nvidia.com/mig.config",
            "cloud.google.com/gke-nodepool",
            "cloud.google.com/gke-spot",
            "eks.amazonaws.com/nodegroup",
            "karpenter.sh/capacity-type",
            "agentpool",
        )
    )
