"""Objects of the Kubernetes API: of each kind, only the fields that we read.

Anything else in an answer is skipped while it is parsed, so that a cluster's pods cost little.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Texts = dict[str, str]
Amounts = dict[str, str | int | float]


class Shape(msgspec.Struct, rename="camel"):
    """Base of every object: names in camel case, unknown fields ignored."""


class Owner(Shape):
    """Who made the object."""

    kind: str
    name: str
    uid: str = ""
    controller: bool | None = None


class Metadata(Shape):
    """What every object has."""

    name: str
    namespace: str = ""
    uid: str = ""
    labels: Texts | None = None
    annotations: Texts | None = None
    creation_timestamp: Instant | None = None
    deletion_timestamp: Instant | None = None
    owner_references: list[Owner] | None = None

    @property
    def words(self) -> Texts:
        """Labels and annotations; a label outweighs an annotation of its name."""
        return {**(self.annotations or {}), **(self.labels or {})}


class Condition(Shape):
    """One statement about the object."""

    type: str
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: Instant | None = None


class Resources(Shape):
    """What a container asks for and may use at most."""

    requests: Amounts | None = None
    limits: Amounts | None = None

    @property
    def asked(self) -> Amounts:
        """Requests; where only a limit is told, the API takes it for the request."""
        return {**(self.limits or {}), **(self.requests or {})}


class Container(Shape):
    """One container of a pod."""

    resources: Resources | None = None
    restart_policy: str | None = None
    stdin: bool = False
    tty: bool = False


class Named(Shape):
    """Something of which only the name matters."""

    name: str = ""


class Expression(Shape):
    """One condition on a node's labels."""

    key: str
    operator: str
    values: list[str] | None = None


class Term(Shape):
    """Conditions that must all hold."""

    match_expressions: list[Expression] | None = None


class Terms(Shape):
    """Terms of which one must hold."""

    node_selector_terms: list[Term] | None = None


class NodeAffinity(Shape):
    """Which nodes a pod must have."""

    required_during_scheduling_ignored_during_execution: Terms | None = None


class Affinity(Shape):
    """Of a pod's affinities only that to nodes."""

    node_affinity: NodeAffinity | None = None


class PodSpec(Shape):
    """What a pod asks for."""

    containers: list[Container]
    init_containers: list[Container] | None = None
    overhead: Amounts | None = None
    resources: Resources | None = None
    node_name: str | None = None
    node_selector: Texts | None = None
    affinity: Affinity | None = None
    priority: int | None = None
    priority_class_name: str | None = None
    scheduling_gates: list[Named] | None = None
    active_deadline_seconds: int | None = None


class Terminated(Shape):
    """How a container ended."""

    finished_at: Instant | None = None


class ContainerState(Shape):
    """What a container does; only its end is read."""

    terminated: Terminated | None = None


class ContainerStatus(Shape):
    """A container's present."""

    state: ContainerState | None = None


class PodStatus(Shape):
    """What has become of a pod."""

    phase: str = ""
    reason: str | None = None
    conditions: list[Condition] | None = None
    start_time: Instant | None = None
    container_statuses: list[ContainerStatus] | None = None


class Pod(Shape):
    """A pod."""

    metadata: Metadata
    spec: PodSpec
    status: PodStatus


class Taint(Shape):
    """What keeps pods off a node."""

    key: str
    effect: str = ""
    value: str | None = None
    time_added: Instant | None = None


class NodeSpec(Shape):
    """What an operator wants of a node."""

    unschedulable: bool = False
    taints: list[Taint] | None = None


class NodeStatus(Shape):
    """What a node has, and how it is."""

    capacity: Amounts | None = None
    allocatable: Amounts | None = None
    conditions: list[Condition] | None = None


class Node(Shape):
    """A node."""

    metadata: Metadata
    spec: NodeSpec
    status: NodeStatus


class Bare(Shape):
    """Any object, by its metadata alone."""

    metadata: Metadata


class PriorityClass(Shape):
    """A rank of pods, and whether it takes GPUs from lower ones."""

    metadata: Metadata
    value: int
    preemption_policy: str | None = None


class QuotaSpec(Shape):
    """Hard limits of a namespace."""

    hard: Amounts | None = None


class ResourceQuota(Shape):
    """A quota of a namespace."""

    metadata: Metadata
    spec: QuotaSpec


class ListMetadata(Shape):
    """Where a list goes on."""

    continue_: str | None = msgspec.field(name="continue", default=None)


class Page(Shape):
    """One page of a list; each object is parsed by itself, so that one alone can be bad."""

    items: list[msgspec.Raw] | None
    metadata: ListMetadata


S = TypeVar("S", bound=Shape)


def parse(raw: msgspec.Raw | bytes, kind: type[S]) -> S:
    """The object. ValueError (msgspec's are) where it is not of that shape."""
    return msgspec.json.decode(raw, type=kind)


def condition(conditions: list[Condition] | None, kind: str) -> Condition | None:
    """The statement of that type, where there is one."""
    return next((c for c in conditions or () if c.type == kind), None)


def identity(raw: msgspec.Raw) -> Metadata | None:
    """Name and UID of an object that is otherwise not understood; None without them."""
    try:
        found: Any = msgspec.json.decode(raw)
        told = found["metadata"]
        name, space, uid = told["name"], told.get("namespace", ""), told.get("uid", "")
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return None
    if not all(isinstance(word, str) for word in (name, space, uid)):
        return None
    return Metadata(name=name, namespace=space, uid=uid)
