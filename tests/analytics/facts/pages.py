"""Pages of kube-state-metrics and dcgm-exporter, put together thing by thing.

Names, labels and what is told when: kube-state-metrics docs/metrics (pod, node, resourcequota) and
dcgm-exporter's documentation of its labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gpuledger.mapping import Reading

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
REASONS = ("Evicted", "NodeAffinity", "NodeLost", "PreemptionByScheduler", "SchedulingGated")
GPU = "nvidia_com_gpu"
MODEL = "NVIDIA H100 80GB HBM3"
UID = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER_UID = "ffffffff-0000-4000-8000-000000000002"


@dataclass(frozen=True)
class Pod:
    """One pod as it is now; times are seconds since 1970."""

    name: str = "train-0"
    namespace: str = "vision"
    uid: str = UID
    node: str = "n0"
    phase: str = "Running"
    created: float = 0
    scheduled: float | None = None
    completed: float | None = None
    gpus: float = 1
    resource: str = GPU
    owner: tuple[str, str] = ("Job", "train")
    labels: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    unschedulable: bool = False

    def page(self) -> list[Reading]:
        """Everything that is told of it."""
        pod = {"namespace": self.namespace, "pod": self.name, "uid": self.uid}
        kind, owner = self.owner
        made = {"created_by_kind": kind, "created_by_name": owner, "priority_class": "high"}
        owned = {"owner_kind": kind, "owner_name": owner, "owner_is_controller": "true"}
        out = [
            Reading("kube_pod_info", {**pod, "node": self.node, **made}, 1),
            Reading("kube_pod_owner", {**pod, **owned}, 1),
            Reading("kube_pod_created", pod, self.created),
            Reading("kube_pod_labels", {**pod, **self.labels}, 1),
            *(_flag("kube_pod_status_phase", pod, "phase", p, self.phase) for p in PHASES),
            *(_flag("kube_pod_status_reason", pod, "reason", r, self.reason) for r in REASONS),
            *self._asked(pod, self.resource, "integer", self.gpus),
            *self._asked(pod, "cpu", "core", 8),
            *self._asked(pod, "memory", "byte", 1 << 36),
        ]
        if self.scheduled is not None:
            out.append(Reading("kube_pod_status_scheduled_time", pod, self.scheduled))
            out.append(Reading("kube_pod_start_time", pod, self.scheduled + 1))
        if self.completed is not None:
            out.append(Reading("kube_pod_completion_time", pod, self.completed))
        if self.unschedulable:
            out.append(Reading("kube_pod_status_unschedulable", pod, 1))
        return out

    def _asked(
        self, pod: Mapping[str, str], resource: str, unit: str, amount: float
    ) -> list[Reading]:
        what = {"container": "main", "node": self.node, "resource": resource, "unit": unit}
        kinds = ("requests", "limits") if amount else ()
        return [Reading(f"kube_pod_container_resource_{k}", {**pod, **what}, amount) for k in kinds]


@dataclass(frozen=True)
class Node:
    """One node as it is now."""

    name: str = "n0"
    gpus: float = 8
    resource: str = GPU
    ready: str = "true"
    cordoned: bool = False
    taints: tuple[tuple[str, str, str], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def page(self) -> list[Reading]:
        """Everything that is told of it."""
        node = {"node": self.name}
        ready = {**node, "condition": "Ready"}
        told = {"label_nvidia_com_gpu_product": "NVIDIA-H100-80GB-HBM3", **self.labels}
        amounts = (
            (self.resource, "integer", self.gpus),
            ("cpu", "core", 192.0),
            ("memory", "byte", float(2 << 40)),
        )
        return [
            Reading("kube_node_info", {**node, "kernel_version": "6.8.0"}, 1),
            Reading("kube_node_labels", {**node, **told}, 1),
            Reading("kube_node_spec_unschedulable", node, float(self.cordoned)),
            *(
                Reading("kube_node_spec_taint", {**node, "key": k, "value": v, "effect": e}, 1)
                for k, v, e in self.taints
            ),
            *(
                _flag("kube_node_status_condition", ready, "status", s, self.ready)
                for s in ("true", "false", "unknown")
            ),
            *(
                Reading(f"kube_node_status_{what}", {**node, "resource": r, "unit": u}, v)
                for what in ("capacity", "allocatable")
                for r, u, v in amounts
            ),
        ]


def quota(namespace: str, resource: str, hard: float, name: str = "gpus") -> list[Reading]:
    """A quota and its use."""
    labels = {"namespace": namespace, "resourcequota": name, "resource": resource}
    values = {"hard": hard, "used": hard / 2}
    return [Reading("kube_resourcequota", {**labels, "type": t}, v) for t, v in values.items()]


def card(slot: int, node: str = "n0", **labels: str) -> list[Reading]:
    """A GPU with labels of whoever holds it."""
    told = {
        "gpu": str(slot),
        "UUID": f"GPU-{node}-{slot}",
        "pci_bus_id": f"00000000:{slot + 1:02X}:00.0",
        "modelName": MODEL,
        "Hostname": node,
        "DCGM_FI_DRIVER_VERSION": "550.90.07",
        **labels,
    }
    values = {"DCGM_FI_DEV_GPU_UTIL": 90.0, "DCGM_FI_DEV_FB_TOTAL": 81559.0}
    return [Reading(name, told, value) for name, value in values.items()]


def held(slot: int, pod: Pod, node: str = "n0", **labels: str) -> list[Reading]:
    """A GPU that a pod holds, as a scrape with `honor_labels` tells it."""
    who = {"namespace": pod.namespace, "pod": pod.name, "container": "main"}
    return card(slot, node, **{**who, **labels})


def page(*things: Iterable[Reading]) -> list[Reading]:
    """One page of several things."""
    return [reading for thing in things for reading in thing]


def _flag(name: str, labels: Mapping[str, str], label: str, value: str, now: str) -> Reading:
    return Reading(name, {**labels, label: value}, float(value == now))
