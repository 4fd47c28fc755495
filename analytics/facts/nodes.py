"""Nodes and quotas as kube-state-metrics tells of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from analytics.facts.hearing import Hearing
from analytics.facts.says import Says
from analytics.facts.words import MOST_AMOUNT, Labels, Words, resource, told
from gpuledger import accelerators as devices
from gpuledger import kubernetes_names as names
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.work import NodeState, Quota
from gpuledger.rows import changed, says_the_same

SCHEDULER = "kubernetes"


@dataclass(slots=True)
class Node:
    """What was last heard of one node."""

    name: str
    last_ms: int
    labels: dict[str, str] = field(default_factory=dict)
    capacity: dict[str, Fraction] = field(default_factory=dict)
    allocatable: dict[str, Fraction] = field(default_factory=dict)
    taints: dict[tuple[str, str, str], int] = field(default_factory=dict)
    ready: str = ""
    ready_ms: int = -1
    closed: bool = False
    closed_ms: int = -1
    since_ms: int = 0
    dirty: bool = True
    row: NodeState | None = None

    @property
    def state(self) -> tuple[str, str]:
        """State and reason."""
        if self.ready != "true":
            return "down", "NotReady"
        return ("drained", "unschedulable") if self.closed else ("up", "")


class Nodes:
    """Every node that is listed."""

    def __init__(self, words: Words, hearing: Hearing, most: int) -> None:
        self._words = words
        self._hearing = hearing
        self._most = most
        self._nodes: dict[str, Node] = {}
        self.labels: dict[str, Mapping[str, str]] = {}
        self._readers: Mapping[str, Callable[[Node, Labels, float, int], None]] = {
            "kube_node_info": lambda *_: None,
            "kube_node_labels": self._label,
            "kube_node_status_capacity": self._capacity,
            "kube_node_status_allocatable": self._allocatable,
            "kube_node_status_condition": self._condition,
            "kube_node_spec_unschedulable": self._unschedulable,
            "kube_node_spec_taint": self._taint,
        }

    def feeds(self, name: str) -> bool:
        """Whether the metric tells of nodes."""
        return name in self._readers

    def take(self, name: str, labels: Labels, value: float, at_ms: int) -> None:
        """One reading; what names no node says nothing."""
        self._hearing.heard(at_ms)
        node = told(labels, "node")
        if not node or (node not in self._nodes and len(self._nodes) >= self._most):
            return
        known = self._nodes.setdefault(node, Node(node, at_ms))
        known.last_ms = max(known.last_ms, at_ms)
        self._readers[name](known, labels, value, at_ms)

    def adopt(self, row: NodeState, at_ms: int) -> None:
        """Know a node that an earlier process knew."""
        self._nodes[row.node] = Node(row.node, at_ms, row=row)

    def all(self) -> Iterator[Node]:
        """Every node that is known."""
        return iter(self._nodes.values())

    def gpus(self, name: str, resources: tuple[str, ...]) -> int:
        """Cards of a node; 0 = none, or not told."""
        node = self._nodes.get(name)
        return devices.cards(node.capacity, node.labels, resources) if node else 0

    def rows(self, says: Says) -> Iterator[NodeState]:
        """What is new of every node that has accelerators, and ends of those that are gone."""
        for node in list(self._nodes.values()):
            if self._hearing.missed(node.last_ms):
                del self._nodes[node.name]
                self.labels.pop(node.name, None)
                if node.row:
                    yield _ended(node.row, node.last_ms, says)
            elif node.dirty and node.ready and node.capacity:
                node.dirty = False
                yield from self._news(node, says)

    def _news(self, node: Node, says: Says) -> Iterator[NodeState]:
        gpus = devices.cards(node.capacity, node.labels, says.resources)
        if not gpus:
            return
        row, before = _row(node, gpus, self._taints(node), says), node.row
        if before and (before.state, before.reason) == (row.state, row.reason):
            row.valid_from = before.valid_from
        elif before:
            row.valid_from = max(from_milliseconds(node.since_ms), before.valid_from)
            if row.valid_from > before.valid_from:
                yield changed(before, valid_to=row.valid_from, **says.seen())
        if before is None or not says_the_same(before, row):
            node.row = row
            yield row

    def _taints(self, node: Node) -> list[str]:
        """Those that were told lately; others are forgotten."""
        for key, at_ms in list(node.taints.items()):
            if self._hearing.missed(at_ms):
                del node.taints[key]
        return sorted(names.taint(*key) for key in node.taints)

    def _label(self, node: Node, labels: Labels, _value: float, _at_ms: int) -> None:
        if (known := self._words.of(labels)) != node.labels:
            self.labels[node.name] = node.labels = known
            node.dirty = True

    def _capacity(self, node: Node, labels: Labels, value: float, _at_ms: int) -> None:
        self._amount(node, node.capacity, labels, value)

    def _allocatable(self, node: Node, labels: Labels, value: float, _at_ms: int) -> None:
        self._amount(node, node.allocatable, labels, value)

    def _amount(
        self, node: Node, amounts: dict[str, Fraction], labels: Labels, value: float
    ) -> None:
        name, value = resource(labels.get("resource", "")), min(value, MOST_AMOUNT)
        if amounts.get(name) != value and value >= 0:
            amounts[name] = Fraction(value)
            node.dirty = True

    def _condition(self, node: Node, labels: Labels, value: float, at_ms: int) -> None:
        if not value or labels.get("condition") != "Ready" or at_ms < node.ready_ms:
            return
        status, node.ready_ms = labels.get("status", ""), at_ms
        if status != node.ready:
            node.ready, node.since_ms, node.dirty = status, at_ms, True

    def _unschedulable(self, node: Node, _labels: Labels, value: float, at_ms: int) -> None:
        if at_ms < node.closed_ms:
            return
        node.closed_ms = at_ms
        if node.closed != bool(value):
            node.closed, node.since_ms, node.dirty = bool(value), at_ms, True

    def _taint(self, node: Node, labels: Labels, _value: float, at_ms: int) -> None:
        key = labels.get("key", ""), labels.get("value", ""), labels.get("effect", "")
        node.dirty = node.dirty or key not in node.taints
        node.taints[key] = max(at_ms, node.taints.get(key, 0))


def _row(node: Node, gpus: int, taints: list[str], says: Says) -> NodeState:
    """The node, as if its state began when it was last heard."""
    free, (state, reason) = node.allocatable or node.capacity, node.state
    since = from_milliseconds(node.last_ms)
    return NodeState(
        cluster=says.cluster,
        node=node.name,
        scheduler=SCHEDULER,
        state=state,
        reason=reason,
        gpus=gpus,
        gpu_model=devices.model(node.labels),
        shares=devices.offers(free, says.resources),
        labels=names.placing_labels(node.labels),
        taints=",".join(taints),
        rack=next((node.labels[r] for r in names.RACKS if node.labels.get(r)), ""),
        cpu_milli=devices.milli(free.get("cpu")),
        memory_bytes=min(float(free["memory"]), float(devices.MOST << 20))
        if "memory" in free
        else None,
        valid_from=since,
        **says.seen(),
    )


def _ended(row: NodeState, last_ms: int, says: Says) -> NodeState:
    until = max(row.valid_from, from_milliseconds(last_ms))
    return changed(row, valid_to=until, **says.seen())


class Quotas:
    """Hard limits by namespace."""

    METRIC = "kube_resourcequota"

    def __init__(self, hearing: Hearing, most: int) -> None:
        self._hearing = hearing
        self._most = most
        self._hard: dict[str, dict[tuple[str, str], tuple[float, int]]] = {}
        self._rows: dict[str, Quota] = {}

    def take(self, labels: Labels, value: float, at_ms: int) -> None:
        """One reading."""
        self._hearing.heard(at_ms)
        space = told(labels, "namespace")
        if labels.get("type") != "hard" or not space or value < 0:
            return
        if space in self._hard or len(self._hard) < self._most:
            key = labels.get("resourcequota", ""), labels.get("resource", "")
            self._hard.setdefault(space, {})[key] = min(value, MOST_AMOUNT), at_ms

    def adopt(self, row: Quota, space: str) -> None:
        """Know a quota that an earlier process knew."""
        self._rows[space] = row

    def rows(self, says: Says) -> Iterator[Quota]:
        """What is new, and namespaces that have no limit any more."""
        for told_of in self._hard.values():
            for key, (_, at_ms) in list(told_of.items()):
                if self._hearing.missed(at_ms):
                    del told_of[key]
        for space in [*self._hard, *(s for s in self._rows if s not in self._hard)]:
            yield from self._news(space, says)

    def _news(self, space: str, says: Says) -> Iterator[Quota]:
        hard = [(k[1], Fraction(v)) for k, (v, _) in self._hard.get(space, {}).items()]
        limit, before = names.quota_milli(hard, says.resources, says.nodes), self._rows.get(space)
        if limit is None and (before is None or not self._hearing.missed(0)):
            return
        team = says.teams.of(space)
        row = Quota(
            cluster=says.cluster,
            scheduler=SCHEDULER,
            team=team,
            queue="" if team == space else space,
            limit_milli=limit or 0,
            **says.seen(),
        )
        if before is None or not says_the_same(before, row):
            self._rows[space] = row
            yield row
        if limit is None:
            self._hard.pop(space, None)
            self._rows.pop(space, None)
