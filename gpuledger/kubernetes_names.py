"""Names of Kubernetes: which pod is which job, whose it is, and what its labels say of it.

Every part that hears of a pod, from whomever, comes to the same job here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction

from gpuledger.accelerators import MODEL_LABELS, MOST, any_labels, is_gpu, milli, share_milli
from gpuledger.identity import job_id

UID_CHARS = 8
# Names of queues, gangs and notebooks as their makers document them, labels and annotations alike.
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"
VOLCANO_QUEUE = "scheduling.volcano.sh/queue-name"
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
USER_WORDS = ("hub.jupyter.org/username",)
INTERACTIVE_WORDS = ("notebook-name", "hub.jupyter.org/username")
RACKS = ("topology.kubernetes.io/rack", "topology.kubernetes.io/zone")
PLACING = (
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
STATES = {"Succeeded": "completed", "Failed": "failed"}
ENDINGS = frozenset({"completed", "failed", "cancelled", "timeout"})
TAKEN_AWAY = frozenset({"Evicted", "Preempting", "Preempted"})
# The ledger's word for a wait that more free GPUs would end; see `gpuledger.waits`.
FOR_CAPACITY = "Resources"
GONE = "no longer listed by the scheduler"


def native_id(namespace: str, name: str, uid: str) -> str:
    """A pod's id in our tables: `<namespace>/<pod>@<first 8 of its UID>`.

    The kubelet, the API server and exporters must all come to it. Without a UID it is
    `<namespace>/<pod>`: the book knows then that a pod holds the GPU, and not which life of it.
    """
    return f"{namespace}/{name}@{uid[:UID_CHARS]}" if uid else f"{namespace}/{name}"


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


def queue_of(
    namespace: str, words: Mapping[str, str], queues: Mapping[tuple[str, str], str]
) -> str:
    """The queue that a pod waits in: Kueue's of the whole cluster, or Volcano's."""
    local = words.get(KUEUE_QUEUE, "")
    return queues.get((namespace, local), local) if local else words.get(VOLCANO_QUEUE, "")


def gang(namespace: str, words: Mapping[str, str], cluster: str) -> str:
    """The group that starts as a whole, as a job id of its own; empty = alone."""
    for names in GANGS:
        if all(words.get(name) for name in names):
            return job_id(cluster, "/".join((namespace, *(words[n] for n in names))))
    return ""


def kind(owner: str, words: Mapping[str, str]) -> str:
    """Whether somebody sits at a pod, or it answers requests; else it is a batch job.

    `owner` is the kind of object that made it.
    """
    if any(words.get(w) for w in INTERACTIVE_WORDS) or owner == "Notebook":
        return "interactive"
    if owner in SERVICES or any(words.get(w) for w in SERVICE_WORDS):
        return "service"
    return "batch"


def owner_name(kind: str, name: str, hashed: str) -> str:
    """Name of the job or deployment; a replica set is its deployment and a hash."""
    return name.removesuffix(f"-{hashed}") if kind == "ReplicaSet" and hashed else name


def quota_milli(
    hard: Iterable[tuple[str, Fraction]],
    resources: Iterable[str],
    nodes: Mapping[str, Mapping[str, str]],
) -> int | None:
    """GPUs that hard limits of one namespace leave it, in thousandths; None: they name none.

    A limit of 0 GPUs is told as a thousandth of one, since 0 means no limit in the table.
    """
    limits: dict[str, int] = {}
    for name, amount in hard:
        resource = name.removeprefix("requests.")
        if resource != name and is_gpu(resource, resources):
            share = share_milli(resource, any_labels(resource, nodes))
            limits[resource] = min(limits.get(resource, MOST), milli(amount * share / 1000))
    return max(1, min(sum(limits.values()), MOST)) if limits else None


def placing_labels(labels: Mapping[str, str]) -> str:
    """Labels by which work is placed; others are as many as there are operators."""
    told = ((k, v) for k, v in sorted(labels.items()) if k in MODEL_LABELS or _places(k))
    return ",".join(f"{k}={v}" for k, v in told)


def taint(key: str, value: str, effect: str) -> str:
    """A taint as one text."""
    return f"{key}={value}:{effect}"


def _places(label: str) -> bool:
    return label.startswith(PLACING)
